#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""as_program.py LIB: the library started as a program says what it is and how it is used."""
import os
import subprocess
import sys
import unittest

LIB = os.path.abspath(sys.argv.pop(1))


def run(*command, **env):
    return subprocess.run(command, env=os.environ | env, capture_output=True, text=True,
                          timeout=60, check=False)


class AsProgram(unittest.TestCase):
    def says_the_build_line(self, done):
        line = run("true", LD_PRELOAD=LIB, HAKMEM_VERBOSE="1").stderr
        self.assertTrue(line.startswith("hakmem "), line)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith(line), done.stdout)
        self.assertIn("LD_PRELOAD=", done.stdout)

    def test_it_says_the_build_line(self):
        self.says_the_build_line(run(LIB))

    def test_arguments_change_nothing(self):
        self.says_the_build_line(run(LIB, "--help", "more"))

    def test_it_may_be_preloaded_too(self):
        self.says_the_build_line(run(LIB, LD_PRELOAD=LIB))


if __name__ == "__main__":
    unittest.main()
