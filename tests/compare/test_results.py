# SPDX-License-Identifier: MIT
"""test_results.py: the folders in results/ are what their runs say, byte for byte, and no more.

Called by `meson test`. Those with many runs take minutes: for whoever changes the report. Folders
that are not packed are their owner's, and no concern of this.
"""

import filecmp
import json
import re
import tempfile
import unittest
from pathlib import Path

import support
from compare.records import runfile
from compare.report import kept, render

RESULTS = support.COMPARE.parent / "results"
LINES_MAX = 2000
TABLES = ("summary.md", "summary.csv")
HELD = {"env.json", runfile.PACKED, *TABLES}


def stored():
    return [path.parent for path in sorted(RESULTS.glob(f"*/{runfile.PACKED}"))]


class Stored(unittest.TestCase):
    def test_tables_of_the_kept_folders_come_out_byte_for_byte(self):
        checked = 0
        for folder in stored():
            if len(runfile.read(folder / runfile.PACKED)) > LINES_MAX:
                continue
            with self.subTest(folder=folder.name), tempfile.TemporaryDirectory() as scratch:
                render.write_tables(scratch, render.load(folder))
                differ = filecmp.cmpfiles(folder, scratch, TABLES, shallow=False)
                self.assertEqual(differ[1:], ([], []))
            checked += 1
        self.assertGreater(checked, 0, "nothing was tested")

    def test_each_folder_is_complete_and_the_newest_publication_has_its_page(self):
        self.assertTrue(stored())
        for folder in stored():
            self.assertLessEqual(HELD, {path.name for path in folder.iterdir()}, folder.name)
        self.assertTrue((kept.newest_publication(RESULTS) / kept.PAGE).exists())

    def test_the_index_is_up_to_date(self):
        have = (RESULTS / kept.INDEX).read_text(encoding="utf-8")
        self.assertEqual(have, kept.index(RESULTS), "compare report --pack FOLDER writes it")
        for folder in stored():
            self.assertIn(f"]({folder.name}/summary.md)", have)


class Packing(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.results = Path(scratch.name)

    def folder(self, name, mode="compare", lines=None):
        folder = self.results / name
        folder.mkdir()
        lines = lines or support.made_up_session()
        lines[0]["plan"]["mode"] = mode
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / runfile.RUNS).write_text(text, encoding="utf-8")
        return folder

    def test_leaves_the_tables_and_the_same_runs(self):
        folder = self.folder("one")
        before = runfile.read(runfile.runs_of(folder))
        render.pack(folder)
        self.assertEqual({path.name for path in folder.iterdir()}, HELD - {"env.json"})
        self.assertEqual(runfile.read(runfile.runs_of(folder)), before)
        self.assertEqual(runfile.first(runfile.runs_of(folder)), before[0])
        tables = [(folder / name).read_bytes() for name in TABLES]
        render.pack(folder)  # again: nothing changes
        self.assertEqual([(folder / name).read_bytes() for name in TABLES], tables)

    def test_only_the_newest_publication_keeps_its_page(self):
        for name, mode in (("1", "publish"), ("2", "publish"), ("3", "compare")):
            render.pack(self.folder(name, mode))
        self.assertEqual([p.parent.name for p in self.results.glob("*/report.html")], ["2"])

    def test_a_session_that_is_being_written_is_left_alone(self):
        folder = self.folder("one")
        journal = runfile.Journal(folder / runfile.RUNS)
        self.addCleanup(journal.close)
        with self.assertRaises(BlockingIOError):
            runfile.pack(folder)
        self.assertEqual([path.name for path in folder.iterdir()], [runfile.RUNS])

    def test_a_packed_file_that_was_cut_off_is_called_damaged(self):
        folder = self.folder("one")
        runfile.pack(folder)
        path = runfile.runs_of(folder)
        path.write_bytes(path.read_bytes()[:-20])
        with self.assertRaises(runfile.Damaged):
            runfile.read(path)

    def test_the_index_has_a_line_a_packed_folder_and_fills_every_cell(self):
        for name, mode in (("1", "publish"), ("2", "calibrate"), ("3", "ab")):
            render.pack(self.folder(name, mode))
        render.pack(self.folder("4", "ablate", support.ablation_session()))
        self.folder("5")  # not packed
        lines = (self.results / kept.INDEX).read_text(encoding="utf-8").splitlines()
        lines = [line for line in lines if line.startswith("| [")]
        self.assertEqual([re.search(r"\((\d)/", line)[1] for line in lines], list("4321"))
        for line in lines:
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            self.assertEqual(len(cells), 5, line)
            self.assertTrue(all(cells), line)
        self.assertIn("fast: 0.50", lines[3])


if __name__ == "__main__":
    unittest.main()
