#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""python_faults.py ROOT: pylint finds no error and no warning of compare/pylintrc in compare/.

Unused names, names that are not there, calls that cannot succeed. Status 77 without pylint.
"""
import shutil
import subprocess

import common

FORM = "--msg-template={path}:{line}: {msg} ({symbol})"


def check(root):
    """All findings; None where pylint is missing."""
    if not shutil.which("pylint"):
        return None
    done = subprocess.run(["pylint", "--rcfile", "compare/pylintrc", "--score=n", FORM, "compare"],
                          cwd=root, capture_output=True, text=True)
    found = [line for line in done.stdout.splitlines() if line and not line.startswith("***")]
    if done.returncode and not found:
        found = [f"compare/pylintrc: {done.stderr}".strip()]
    return found


if __name__ == "__main__":
    common.run_lint(check)
