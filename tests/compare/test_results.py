# SPDX-License-Identifier: MIT
"""test_results.py: the folders in results/ are what their records say, byte for byte.

Called by `meson test`. Those with many records take minutes: for whoever changes the report.
"""

import filecmp
import shutil
import tempfile
import unittest
from pathlib import Path

import support
import report

RESULTS = support.COMPARE.parent / "results"
RECORDS_MAX = 2000


def is_small(folder):
    with open(folder / "runs.jsonl", "rb") as f:
        return sum(1 for _ in f) <= RECORDS_MAX


class Results(unittest.TestCase):
    def check(self, folder):
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch) / folder.name
            copy.mkdir()
            for name in ("runs.jsonl", "env.json"):
                shutil.copy(folder / name, copy)
            report.write(copy)
            names = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
            made = sorted(str(p.relative_to(copy)) for p in copy.rglob("*") if p.is_file())
            self.assertEqual(made, names)
            differ = filecmp.cmpfiles(folder, copy, names, shallow=False)
            self.assertEqual(differ[1:], ([], []))

    def test_report_regenerates_the_published_folders_byte_for_byte(self):
        folders = [p.parent for p in sorted(RESULTS.glob("*/runs.jsonl"))]
        small = [folder for folder in folders if is_small(folder)]
        self.assertTrue(small, "nothing was tested")
        for folder in small:
            with self.subTest(folder=folder.name):
                self.check(folder)


if __name__ == "__main__":
    unittest.main()
