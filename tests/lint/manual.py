#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""manual.py MANUAL PAGE...: the manual page is sound, and has all words of the pages it is made of.

groff and mandoc must have no warnings; a word that stands in a page, and not in what groff makes of
the manual, was lost on the way. Exit status 77 where groff is missing.
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

import common

GROFF = ["groff", "-t", "-man", "-ww"]
PLAIN = ["-Tutf8", "-P-c", "-P-b", "-P-u", "-P-o", "-rHY=0", "-rLL=200n"]


def warnings_of(manual):
    """What the two formatters say against it."""
    name, found = Path(manual).name, []
    done = subprocess.run([*GROFF, "-Tutf8", "-z", manual], capture_output=True, text=True)
    found += done.stderr.splitlines()
    if shutil.which("mandoc"):
        done = subprocess.run(
            ["mandoc", "-T", "lint", "-W", "warning", manual], capture_output=True, text=True
        )
        found += (done.stdout + done.stderr).splitlines()
    return [f"{name}:1: {text}" for text in found]


def words_of(text):
    return re.findall(r"\w+", text)


def lost_words(manual, pages):
    """Words of the pages that the formatted manual does not have."""
    done = subprocess.run([*GROFF, *PLAIN, manual], capture_output=True)
    made = {word.lower() for word in words_of(done.stdout.decode(errors="replace"))}
    findings = []
    for page in pages:
        text = re.sub(r"\]\([^)]*\)", "]", Path(page).read_text(encoding="utf-8"))
        text = re.sub(r"\(`HAK_\w+`\)", "", text)
        text = re.sub(r"^\|.*(?=\n\|---)", "", text, flags=re.M)  # heads become no words of a list
        for number, line in enumerate(text.split("\n"), 1):
            lost = [word for word in words_of(line) if word.lower() not in made]
            findings += [f"{Path(page).name}:{number}: {word}: not in the manual" for word in lost]
    return findings


def check(manual, *pages):
    """All findings; None where groff is missing."""
    if not shutil.which("groff"):
        return None
    return warnings_of(manual) + lost_words(manual, pages)


if __name__ == "__main__":
    result = check(*sys.argv[1:])
    print("\n".join(result or []))
    sys.exit(common.SKIP if result is None else int(bool(result)))
