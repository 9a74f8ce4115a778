#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""style.py ROOT: the rules of the house that no compiler and no formatter knows.

A fixed list at the root; a licence line and a head comment in each C file; no #if in the logic of
src/ and tiers/; no unfinished-work marks, no names that tell a file's history, no long lines and
files; no result folder with what can be rendered again, and a tree of bounded weight.
"""
import pathlib
import re

import common

ROOT_FILES = {"meson.build", "meson_options.txt", "README.md", "CONTRIBUTING.md", "NEWS.md",
              "LICENSE", "run", ".clang-format", ".editorconfig", ".gitignore"}  # fmt: skip
ROOT_FOLDERS = {".ci", "include", "src", "tiers", "harness", "compare", "results", "tests", "docs"}
MAX_COLUMNS = 100
MAX_LINES = 400
MAX_TREE_BYTES = 15_000_000  # what a search of the tree, and each clone, goes through

CODE = re.compile(r"(\.(c|h|cc|cpp|py|sh|S)|(^|/)(meson\.build|meson_options\.txt|run))$")
SOURCE = re.compile(r"\.(c|h|cc|cpp|py)$")
MARKS = re.compile(r"\b(" + "|".join(["TO" "DO", "FIX" "ME", "X" "XX"]) + r")\b")
HISTORY = re.compile(r"\b\w*[A-Za-z0-9]_(old|new[2-9]\d*|v[2-9]\d*|final)\b")
HISTORY_FILE = re.compile(r"[_-](old|new[2-9]\d*|v[2-9]\d*|final)(?=[./]|$)")
CONDITION = re.compile(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)\b[ \t]*(.*?)[ \t]*$", re.M)
CONDITION_HOME = re.compile(r"src/os/|src/base/(attrs|check)\.h$")
RENDERED = re.compile(r"results/[^/]+/(plots/|tables\.tex$|runs\.jsonl$)")
LICENCE = re.compile(r"/\* SPDX-License-Identifier: MIT \*/|// SPDX-License-Identifier: MIT$")


def check_root(name):
    """A file at the root, or a folder there, that is not on the list."""
    top = name.split("/")[0]
    if top in (ROOT_FOLDERS if "/" in name else ROOT_FILES):
        return []
    return [f"{name}:1: {top} is not on the root's list; results/ or docs/ may be its place"]


def check_weight(root, names):
    """What can be rendered again, and a tree that has grown."""
    findings = [
        f"{name}:1: is made again from the runs: compare report --pack FOLDER removes it"
        for name in names
        if RENDERED.match(name)
    ]
    pages = [name for name in names if re.match(r"results/[^/]+/report\.html$", name)]
    for name in pages[:-1]:
        findings.append(f"{name}:1: only the newest publication keeps its page")
    sizes = {name: (pathlib.Path(root) / name).stat().st_size for name in names}
    total = sum(sizes.values())
    if total > MAX_TREE_BYTES:
        largest = max(sizes, key=sizes.get)
        findings.append(f"{largest}:1: the tree has {total} bytes, the limit is {MAX_TREE_BYTES}")
    return findings


def check_head(name, text):
    """The licence line, then a comment that says what the file is."""
    lines = text.split("\n")
    if not LICENCE.match(lines[0]):
        return [f"{name}:1: the first line is not /* SPDX-License-Identifier: MIT */"]
    rest = "\n".join(lines[1:]).lstrip()
    block = re.match(r"/\*(.*?)\*/|((?://[^\n]*\n)+)", rest, re.S)
    if not block or len(re.findall(r"[A-Za-z]{2,}", block.group(0))) < 3:
        return [f"{name}:2: no head comment: what the file is, its callers, its invariant"]
    return []


def check_conditions(name, code):
    """Conditional code outside the few files that may have it."""
    findings = []
    guard_seen = False
    for match in CONDITION.finditer(code):
        word, what = match.groups()
        rest = code[match.end() :]
        define = rf"\s*#[ \t]*define[ \t]+{re.escape(what)}\s"
        is_guard = word == "ifndef" and re.match(define, rest)
        if name.endswith(".h") and is_guard and not guard_seen:
            guard_seen = True
        elif not (name.endswith(".h") and (word, what) == ("ifdef", "__cplusplus")):
            line = code.count("\n", 0, match.start()) + 1
            findings.append(
                f"{name}:{line}: #{word} {what}: no #if in logic; a variant is a file"
            )
    return findings


def check_lines(name, text):
    """Long files, long lines and marks of unfinished work."""
    findings = []
    count = text.count("\n")
    if SOURCE.search(name) and count > MAX_LINES:
        findings.append(f"{name}:{count}: {count} lines, the limit is {MAX_LINES}")
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > MAX_COLUMNS:
            findings.append(f"{name}:{number}: {len(line)} columns, the limit is {MAX_COLUMNS}")
        mark = MARKS.search(line)
        if mark:
            findings.append(f"{name}:{number}: {mark.group(1)}: finish it, or open an issue")
    return findings


def check(root):
    """All findings of the tracked files."""
    names = common.tracked(root)
    findings = check_weight(root, names)
    for name in names:
        findings += check_root(name)
        if not name.startswith("results/") and HISTORY_FILE.search(name):
            findings.append(f"{name}:1: the name tells a history; git remembers")
        if not CODE.search(name):
            continue
        text = common.read(root, name)
        findings += check_lines(name, text)
        if not name.endswith((".c", ".h")):
            continue
        findings += check_head(name, text)
        code = common.strip_c(text)
        for match in HISTORY.finditer(code):
            line = code.count("\n", 0, match.start()) + 1
            findings.append(f"{name}:{line}: {match.group(0)}: the name tells a history")
        if name.startswith(("src/", "tiers/")) and not CONDITION_HOME.match(name):
            findings += check_conditions(name, code)
    return findings


if __name__ == "__main__":
    common.run_lint(check)
