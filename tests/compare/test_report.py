# SPDX-License-Identifier: MIT
"""The report is a function of the records, and has no holes."""

import json
import tempfile
import unittest
from pathlib import Path

import support

import report
from summary import Summary

FAILED = support.run_line(2, 99, "real", "same", {}, reason="crash SIGSEGV")


class Rendering(unittest.TestCase):
    def test_twice_from_the_same_lines_is_identical(self):
        records = support.made_up_session()
        with tempfile.TemporaryDirectory() as folder:
            lines = "".join(json.dumps(r) + "\n" for r in records)
            (Path(folder) / "runs.jsonl").write_text(lines)
            texts = []
            for _ in range(2):
                summary = report.write(folder)
                texts.append([(Path(folder) / name).read_bytes()
                              for name in ("summary.md", "summary.csv", "summary.svg")])
                texts[-1].append(report.terminal(summary, 120))
        self.assertEqual(*texts)

    def test_no_cell_is_empty(self):
        summary = Summary(support.made_up_session() + [FAILED])
        for table in (summary.time, summary.memory):
            for line in report.ratio_grid(summary, table, report.MARKDOWN)[:-2]:
                self.assertTrue(all(line), line)

    def test_wide_tables_are_split_and_keep_every_column(self):
        summary = Summary(support.made_up_session())
        text = report.terminal(summary, 60)
        tables = text.split("Machine:")[0]
        self.assertLessEqual(max(len(line) for line in tables.splitlines()), 60)
        for arm in ("gone", "same", "fast", "null/fast"):
            self.assertIn(arm, tables)

    def test_says_what_was_skipped_and_missing(self):
        text = report.markdown(Summary(support.made_up_session()))
        self.assertIn("redis: skipped, needs redis-server", text)
        self.assertIn("gone: missing, not installed", text)

    def test_three_digits_without_exponent(self):
        for value, text in ((0, "0"), (0.012345, "0.0123"), (1.5, "1.50"), (123456, "123456")):
            self.assertEqual(report.number(value), text)


class Cells(unittest.TestCase):
    def test_known_ratios_come_out(self):
        summary = Summary(support.made_up_session())
        cell = summary.time.cells["short", "fast"]
        self.assertAlmostEqual(cell.estimate.ratio, 0.5, delta=0.01)
        self.assertEqual(cell.verdict, "faster")
        self.assertNotIn(summary.time.cells["short", "same"].verdict, ("faster", "slower"))
        self.assertAlmostEqual(summary.memory.cells["short", "fast"].estimate.ratio, 2)
        self.assertAlmostEqual(summary.time.null["short"].ratio, 1, delta=0.01)

    def test_absolute_rows_have_no_memory_ratio_and_are_in_no_mean(self):
        summary = Summary(support.made_up_session())
        self.assertIsNone(summary.memory.cells["tiny", "fast"].estimate)
        self.assertEqual(summary.memory.means["geometric mean", "fast"][1], 2)
        self.assertEqual(summary.time.means["geometric mean", "fast"][1], 3)
        self.assertEqual(summary.time.means["its real programs", "fast"][1], 1)

    def test_one_failed_run_decides_its_cell_and_leaves_the_others(self):
        summary = Summary(support.made_up_session() + [FAILED])
        self.assertEqual(summary.time.cells["real", "same"].words, "crash SIGSEGV")
        self.assertEqual(summary.time.means["geometric mean", "same"][1], 2)
        self.assertIsNotNone(summary.time.cells["short", "same"].estimate)
        text = report.markdown(summary)
        self.assertIn("real, same: crash SIGSEGV in block 3", text)
        self.assertIn("(2/3 rows)", text)

    def test_an_unfinished_block_does_not_count(self):
        records = support.made_up_session()
        cut = [r for r in records if r["rec"] != "block_end" or r["block"] < 5]
        self.assertEqual(Summary(cut).blocks, 5)
        self.assertEqual(len(Summary(cut).time.cells["short", "fast"].values), 5)

    def test_without_a_finished_block_the_cells_say_so(self):
        summary = Summary(support.made_up_session(blocks=0))
        self.assertEqual(summary.time.cells["short", "fast"].words, "not run")
        report.markdown(summary), report.terminal(summary, 100), report.comma_separated(summary)


if __name__ == "__main__":
    unittest.main()
