#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""python_types.py ROOT: mypy finds nothing in compare/, as strict as compare/mypy.ini asks.

MYPY_CACHE_DIR names where mypy keeps what it knows of libraries. Status 77 where it is missing.
"""
import shutil
import subprocess

import common


def check(root):
    """All findings; None where mypy is missing."""
    if not shutil.which("mypy"):
        return None
    done = subprocess.run(["mypy", "--config-file", "compare/mypy.ini", "--no-error-summary",
                           "--hide-error-context"], cwd=root, capture_output=True, text=True)
    found = [line for line in done.stdout.splitlines() if ": error: " in line]
    if done.returncode and not found:
        found = [f"compare/mypy.ini: {done.stdout}{done.stderr}".strip()]
    return [line.replace(": error: ", ": ") for line in found]


if __name__ == "__main__":
    common.run_lint(check)
