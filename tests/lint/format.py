#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""format.py ROOT: every tracked C file is as clang-format leaves it; skipped without clang-format.

The style is the .clang-format at the root; `clang-format -i FILE` mends a finding.
"""
import pathlib
import re
import shutil
import subprocess

import common

WARNING = re.compile(r"^(.*?):(\d+):\d+: (?:error|warning): (.*)$", re.M)


def check(root):
    """One finding a line; None when the tool is missing."""
    tool = shutil.which("clang-format")
    names = list(common.c_files(root))
    if not tool:
        print("clang-format is missing: skipped")
        return None
    if not names:
        return []
    if not (pathlib.Path(root) / ".clang-format").exists():
        return [".clang-format: missing, so there is no style to check"]
    done = subprocess.run(
        [tool, "--dry-run", "-Werror", "--style=file", *names],
        cwd=root, capture_output=True, text=True,
    )  # fmt: skip
    lines = (f"{m[1]}:{m[2]}: {m[3]}" for m in WARNING.finditer(done.stderr))
    findings = list(dict.fromkeys(lines))
    if done.returncode and not findings:
        findings = [f".clang-format: {done.stderr.strip()}"]
    return findings


if __name__ == "__main__":
    common.run_lint(check)
