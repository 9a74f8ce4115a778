#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""selftest_tree.py: what the self tests of lints share: a folder to plant violations in."""
import os
import pathlib
import shlex
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
HEAD = "/* SPDX-License-Identifier: MIT */\n/* Some file: what it is, and for whom. */\n"


def compile_c(*args, check=True):
    """Runs the compiler; returns whether it succeeded."""
    command = shlex.split(os.environ.get("CC", "cc")) + [str(a) for a in args]
    done = subprocess.run(command, capture_output=True, text=True)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)}\n{done.stderr}")
    return done.returncode == 0


class Tree(unittest.TestCase):
    """A temporary folder, and the two assertions that every lint owes."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def write(self, files):
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def passes(self, lint, files):
        self.write(files)
        self.assertEqual(lint(self.root), [])

    def names(self, lint, name, text, line, words):
        """Plants one file, expects exactly one finding at its line with the words, removes it."""
        self.write({name: text})
        findings = lint(self.root)
        (self.root / name).unlink()
        self.assertEqual(len(findings), 1, findings)
        self.assertTrue(findings[0].startswith(f"{name}:{line}: "), findings)
        self.assertIn(words, findings[0])
