# SPDX-License-Identifier: MIT
"""common.py: what the lints share: the tracked files, C text without comments, the command line.

A finding is one string, "file:line: text" (or "file: text"), with the file named from the root.
"""
import os
import pathlib
import re
import subprocess
import sys

SKIP = 77  # the exit status that Meson reads as "skipped"

_TOKENS = re.compile(
    r'//(?:\\\n|[^\n])*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'
    r"(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])*'",
    re.S,
)


def tracked(root):
    """Sorted paths from the root, of the files git tracks; all files where there is no git."""
    root = pathlib.Path(root)
    if (root / ".git").exists():
        try:
            done = subprocess.run(
                ["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=True
            )
            names = done.stdout.decode().split("\0")
            return sorted(n for n in names if n and (root / n).is_file())
        except (OSError, subprocess.CalledProcessError):
            pass
    return walked(root)


def walked(root):
    """Sorted paths from the root of all files outside .git, caches and build directories."""
    found = []
    for folder, folders, files in os.walk(root):
        at_root = pathlib.Path(folder) == pathlib.Path(root)
        folders[:] = [
            d
            for d in folders
            if d not in (".git", ".cache", "__pycache__")
            and not (at_root and d.startswith("build"))
        ]
        found += [os.path.relpath(os.path.join(folder, f), root) for f in files]
    return sorted(found)


def read(root, name):
    """The text of a file; bytes that are not UTF-8 become replacement characters."""
    return (pathlib.Path(root) / name).read_text(encoding="utf-8", errors="replace")


def c_files(root, *folders):
    """The tracked .c and .h files, those below `folders` where any is given."""
    for name in tracked(root):
        if name.endswith((".c", ".h")) and (not folders or name.split("/")[0] in folders):
            yield name


def strip_c(text, strings=True):
    """C text with comments (and string and character literals) blanked; lines keep their number."""

    def blank(match):
        token = match.group(0)
        if token.startswith("/"):
            return re.sub(r"[^\n]", " ", token)
        if not strings:
            return token
        return token[0] + " " * (len(token) - 2) + token[-1]

    return _TOKENS.sub(blank, text)


def run_lint(check, subject=None):
    """The command line `lint.py ROOT`: prints findings; exit 1 on any, 77 when check gives None."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {os.path.basename(sys.argv[0])} {subject or 'ROOT'}")
    findings = check(sys.argv[1])
    if findings is None:
        sys.exit(SKIP)
    for finding in findings:
        print(finding)
    sys.exit(1 if findings else 0)
