#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""follow.py TREE GUIDE: does what docs/adding-a-module.md says, in an empty folder.

Files are the guide's indented blocks behind "`FOLDER/FILE`:"; commands are its other indented
blocks. Each command must succeed; then the guide's promises are looked at: the module's name and
audit in what the program printed, its conformance suite, its column of the table, and a tree that
git finds unchanged.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"((?:[^\n]+\n)+)\n((?:(?: {4}[^\n]*)?\n)*? {4}[^\n]*\n(?=\n*(?:[^ \n]|\Z)))")
FILE = re.compile(r"`([\w-]+/[\w.-]+)`:\s*$")


def blocks(guide):
    """The indented blocks of the guide: (the file that it is, or None for commands; its text)."""
    for before, block in BLOCK.findall(guide):
        named = FILE.search(before)
        text = "\n".join(line[4:] for line in block.rstrip("\n").split("\n")) + "\n"
        yield (named.group(1) if named else None), text


def status(tree):
    """What git says of the tree; nothing where there is no git."""
    done = subprocess.run(["git", "-C", tree, "status", "--porcelain", "--ignored"],
                          capture_output=True, text=True, check=False)
    return done.stdout


def run(commands, folder, tree):
    """Runs the guide's commands, one shell for all; returns what they printed."""
    env = os.environ | {"HAKMEM": tree}
    for name in ("MESON_TEST_ITERATION", "LD_PRELOAD", "MALLOC_PERTURB_", "HAK_BENCH_ARGS"):
        env.pop(name, None)
    done = subprocess.run(["bash", "-ec", commands], cwd=folder, env=env, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(done.stdout)
    if done.returncode:
        sys.exit(f"the guide's commands fail with status {done.returncode}")
    return done.stdout


def table(folder):
    """The newest summary that the comparison has written below the folder."""
    return max(folder.glob("results/*/summary.md"), key=os.path.getmtime).read_text()


def main():
    tree, guide = sys.argv[1:]
    before = status(tree)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        commands = ""
        for file, text in blocks(pathlib.Path(guide).read_text(encoding="utf-8")):
            if file is None:
                commands += text
                continue
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_text(text)
        if "meson setup" not in commands or not list(folder.glob("*/*.c")):
            sys.exit("the guide has no command or no file")
        said = run(commands, folder, tree)
        module = next(folder.glob("*/*.c")).parent.name
        promises = {
            f"refill={module}": said, "[AUDIT_OK]": said, "Fail:               0": said,
            f"hakmem-{module}": table(folder),
        }
        for promise, text in promises.items():
            if promise not in text:
                sys.exit(f"not found: {promise}")
    if status(tree) != before:
        sys.exit(f"the tree has changed:\n{status(tree)}")


if __name__ == "__main__":
    main()
