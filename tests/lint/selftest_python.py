#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""selftest_python.py [TestCase]: each lint of Python passes a clean tree and names a planted fault.

The settings are those of compare/.
"""
import pathlib
import shutil
import sys
import unittest

import common
import python_faults
import python_types
from selftest_tree import Tree

COMPARE = pathlib.Path(__file__).resolve().parents[2] / "compare"
CLEAN = '"""A module."""\n\n\ndef twice(count: int) -> int:\n    return 2 * count\n'


class Package(Tree):
    SETTINGS = ""

    def setUp(self):
        super().setUp()
        self.write({"compare/__init__.py": '"""A package."""\n', "compare/clean.py": CLEAN,
                    f"compare/{self.SETTINGS}": (COMPARE / self.SETTINGS).read_text()})


@unittest.skipUnless(shutil.which("mypy"), "mypy is not installed")
class Types(Package):
    """python_types.py"""

    SETTINGS = "mypy.ini"

    def test_names_what_has_no_type_or_another(self):
        self.assertEqual(python_types.check(self.root), [])
        for line, words in (
                ("def half(count): return count / 2", "missing a type annotation"),
                ("def last(names: list) -> None: pass", "Missing type parameters"),
                ("length: int = 'three'", "Incompatible types"),
        ):
            text = f'"""A module."""\n\n{line}\n'
            self.names(python_types.check, "compare/planted.py", text, 3, words)


@unittest.skipUnless(shutil.which("pylint"), "pylint is not installed")
class Faults(Package):
    """python_faults.py"""

    SETTINGS = "pylintrc"

    def test_names_what_is_unused_or_not_there(self):
        self.assertEqual(python_faults.check(self.root), [])
        for line, words in (
                ("import os", "unused-import"), ("print(nowhere)", "undefined-variable"),
                ("from . import absent", "no-name-in-module"),
        ):
            text = f'"""A module."""\n\n{line}\n'
            if words == "no-name-in-module":
                text += "print(absent)\n"
            self.names(python_faults.check, "compare/planted.py", text, 3, words)


if __name__ == "__main__":
    program = unittest.main(exit=False)
    if program.result.wasSuccessful() and len(program.result.skipped) == program.result.testsRun:
        sys.exit(common.SKIP)
    sys.exit(0 if program.result.wasSuccessful() else 1)
