#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""thread_safety.py ROOT: clang's analysis of which lock guards what finds nothing.

The attributes are those of src/base/attrs.h: a function that needs a lock says which, and what a
lock guards is read and written under it only. Compiled with guards, so that assertions are seen
too. Skipped without clang.
"""
import pathlib
import re
import shutil
import subprocess

import common

WARNING = re.compile(r"^(.*?):(\d+):\d+: (?:error|warning|fatal error): (.*)$", re.M)
GENERATED = re.compile(r'#\s*include\s+"hak_(config|rev)\.h"')


def bin_folder(root, name):
    """The folder whose bin.h answers: the module's own, else the plainest module's."""
    own = pathlib.Path(name).parent
    return own if (pathlib.Path(root) / own / "bin.h").exists() else "tiers/tiny_simple"


def check_file(root, name, tool):
    """The findings of one file."""
    done = subprocess.run(
        [tool, "-std=gnu11", "-fsyntax-only", "-Wthread-safety", "-DHAK_GUARDS=1", "-I.",
         "-Iinclude", f"-I{bin_folder(root, name)}", name],
        cwd=root, capture_output=True, text=True,
    )  # fmt: skip
    findings = [f"{m[1]}:{m[2]}: {m[3]}" for m in WARNING.finditer(done.stderr)]
    if done.returncode and not findings:
        findings = [f"{name}: {done.stderr.strip()}"]
    return findings


def check(root):
    """One finding a line; None when the tool is missing."""
    tool = shutil.which("clang")
    if not tool:
        print("clang is missing: skipped")
        return None
    findings = []
    for name in common.c_files(root, "src", "tiers"):
        if name.endswith(".c") and not GENERATED.search(common.read(root, name)):
            findings += check_file(root, name, tool)
    return list(dict.fromkeys(findings))


if __name__ == "__main__":
    common.run_lint(check)
