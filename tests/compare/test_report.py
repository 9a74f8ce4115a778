# SPDX-License-Identifier: MIT
"""The report is a function of the records, and has no holes."""

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import support

from compare.analyse import estimates
from compare.analyse.estimates import Estimate
from compare.analyse.summary import Summary
from compare.report import canvas, caption, cells, charts, grids, latex, render, tables

FAILED = support.run_line(2, 99, "real", "same", {}, reason="crash SIGSEGV")
FILES = ("summary.md", "summary.csv", "tables.tex", "report.html")


def folder_of(test, records):
    folder = tempfile.TemporaryDirectory()
    test.addCleanup(folder.cleanup)
    lines = "".join(json.dumps(r) + "\n" for r in records)
    (Path(folder.name) / "runs.jsonl").write_text(lines)
    return Path(folder.name)


class Rendering(unittest.TestCase):
    def test_two_processes_with_other_hashes_write_the_same_bytes(self):
        folder = folder_of(self, support.full_session() + [FAILED])
        rendered = []
        for seed in ("1", "2"):
            done = subprocess.run(
                [*support.COMMAND, "report", str(folder)], check=True,
                env=os.environ | {"PYTHONHASHSEED": seed, "TZ": f"UTC+{seed}"}, capture_output=True)
            paths = [folder / name for name in FILES] + sorted((folder / "plots").iterdir())
            rendered.append([(p.name, p.read_bytes()) for p in paths] + [done.stdout])
        self.assertGreater(len(rendered[0]), len(FILES) + 5)
        self.assertEqual(*rendered)

    def test_what_is_no_longer_drawn_is_removed(self):
        folder = folder_of(self, support.made_up_session())
        (folder / "plots").mkdir()
        (folder / "plots" / "gone.svg").write_text("<svg/>")
        render.write(folder)
        self.assertFalse((folder / "plots" / "gone.svg").exists())

    def test_every_mode_and_every_lack_of_data_renders(self):
        for mode, blocks in (("compare", 0), ("publish", 1), ("calibrate", 7), ("ab", 7),
                             ("ablate", 7), ("calibrate", 0), ("ablate", 0)):
            with self.subTest(mode, blocks=blocks):
                records = support.made_up_session(blocks=blocks)
                records[0]["plan"]["mode"] = mode
                render.write(folder_of(self, records))


class Grids(unittest.TestCase):
    def test_no_cell_is_empty_and_every_line_is_complete(self):
        for records in (support.made_up_session(), support.full_session() + [FAILED]):
            for grid in grids.all_grids(Summary(records)):
                for line in grid.lines:
                    self.assertEqual(len(line), len(grid.head), grid.key)
                    self.assertTrue(all(e.text for e in line), (grid.key, line))

    def test_a_failure_has_its_words_in_every_table_and_every_format(self):
        summary = Summary(support.full_session() + [FAILED])
        for grid in grids.all_grids(summary):
            if "same" in grid.head and any(line[0].text == "real" for line in grid.lines):
                self.assertIn("crash SIGSEGV", tables.piped(grid), grid.key)
                self.assertIn("crash SIGSEGV", latex.table(grid, ""), grid.key)
        self.assertIn(",crash SIGSEGV\n", tables.comma_separated(summary))
        self.assertIn("crash SIGSEGV", tables.terminal(summary, 120))

    def test_wide_tables_are_split_and_keep_every_column(self):
        made = tables.terminal(Summary(support.made_up_session()), 60)
        above = made.split("Machine:")[0]
        self.assertLessEqual(max(len(line) for line in above.splitlines()), 60)
        for arm in ("gone", "same", "fast", "null/fast"):
            self.assertIn(arm, above)

    def test_says_what_was_skipped_and_missing(self):
        made = tables.markdown(Summary(support.made_up_session()))
        self.assertIn("redis: skipped, needs redis-server", made)
        self.assertIn("gone: missing, not installed", made)

    def test_csv_lines_have_as_many_fields_as_the_head(self):
        made = tables.comma_separated(Summary(support.full_session()))
        lines = list(csv.reader(made.splitlines()))
        self.assertEqual({len(line) for line in lines}, {15})
        self.assertIn("malloc p99.9", {line[0] for line in lines})

    def test_noise_and_the_judgement_of_all_cells_have_their_tables(self):
        records = support.made_up_session(12)
        records[0]["plan"]["mode"] = "calibrate"
        summary = Summary(records)
        grid = {g.key: g for g in grids.all_grids(summary)}
        self.assertIn("Copies that were called different: time: 3 of 3", grid["calibration"].note)
        effects = [line[3].text for line in grid["calibration"].lines]
        self.assertTrue(all(text.endswith("%") for text in effects), effects)
        self.assertEqual([line[0].text for line in grid["gate"].lines], ["same", "fast"])

    def test_a_pair_of_changes_has_its_interaction(self):
        grid = {g.key: g for g in grids.all_grids(Summary(support.ablation_session()))}
        self.assertIn("interactions", grid)
        (line,) = grid["interactions"].lines
        self.assertEqual(line[1].text, "no-a; no-b")
        self.assertTrue(line[3].text.startswith("1.25 ["), line[3].text)
        singles = {line[0].text: line[2].text for line in grid["worth"].lines}
        self.assertTrue(singles["no-a"].startswith("1.10 ["), singles)


class Words(unittest.TestCase):
    def test_three_digits_without_exponent(self):
        for value, said in ((0, "0"), (0.012345, "0.0123"), (1.5, "1.50"), (123456, "123456")):
            self.assertEqual(cells.number(value), said)

    def test_long_times_change_their_unit(self):
        row = {"unit": "ns/op"}
        for value, said in ((9999, "9999 ns/op"), (24886, "24.9 \u00b5s/op"),
                            (5.5e7, "55.0 ms/op")):
            self.assertEqual(cells.absolute(value, "time", row), said)

    def test_small_ratios_keep_two_digits_and_large_ones_lose_theirs(self):
        for ratio, said in ((0.93, "0.93"), (0.0042, "0.0042"), (1.0, "1.00"), (12.34, "12.3"),
                            (1212.4, "1212"), (0.0951, "0.10"), (9.999, "10.00")):
            self.assertEqual(cells.ratio_text(ratio), said)
        self.assertEqual(cells.interval(Estimate(0.0042, 0.0039, 0.0046, 9)),
                         "0.0042 [0.0039,0.0046]")

    def test_only_a_decided_cell_is_strong(self):
        for verdict in ("faster", "slower", "smaller", "larger"):
            self.assertTrue(estimates.is_decided(verdict))
            self.assertTrue(cells.Entry("x", cells.kind_of(verdict)).is_strong)
        for verdict in ("equivalent", "inconclusive", None):
            self.assertFalse(estimates.is_decided(verdict))
            self.assertFalse(cells.Entry("x", cells.kind_of(verdict)).is_strong)

    def test_the_answer_names_the_rows_that_were_lost(self):
        summary = Summary(support.made_up_session())
        means, losing = caption.answer(summary)
        self.assertIn("fast: 0.50 [", " ".join(means))
        self.assertIn("fast is larger than glibc in 2 of 2 rows", " ".join(losing))
        self.assertIn("slower than glibc in 0 of 3", " ".join(losing))


class Latex(unittest.TestCase):
    def test_nothing_of_a_name_is_taken_for_a_command(self):
        for sign in "&%$#_{}~^\\":
            self.assertNotEqual(latex.escaped(sign), sign)
        self.assertEqual(latex.escaped("a_b 50 %"), r"a\_b 50 \%")
        self.assertTrue(latex.escaped("\u00e9\u4e2d").isascii())


    def test_compiles_alone_and_inside_a_document(self):
        found = shutil.which("kpsewhich") and subprocess.run(
            ["kpsewhich", "booktabs.sty"], capture_output=True).returncode == 0
        if not found or not shutil.which("pdflatex"):
            self.skipTest("no pdflatex with booktabs")
        folder = folder_of(self, support.full_session() + [FAILED])
        render.write(folder)
        (folder / "host.tex").write_text(
            "\\documentclass{article}\\usepackage{booktabs,longtable,xcolor}\n"
            "\\begin{document}\\input{tables}after\\end{document}\n")
        for name in ("tables.tex", "host.tex"):
            done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", name],
                                  cwd=folder, capture_output=True, text=True, errors="replace")
            self.assertEqual(done.returncode, 0, done.stdout[-2000:])


class Charts(unittest.TestCase):
    def test_each_is_drawn_where_there_is_data_and_named_where_there_is_none(self):
        plots, absent = charts.all_plots(Summary(support.full_session()))
        self.assertEqual(absent, [])
        self.assertEqual(len({plot.file for plot in plots}), len(plots))
        plots, absent = charts.all_plots(Summary(support.made_up_session()))
        self.assertIn("latency percentiles", absent)
        self.assertIn("memory over time", absent)

    def test_labels_keep_their_distance_their_order_and_their_axis(self):
        wanted = [0.5, 0.51, 0.49, 0.99, 0.98]
        placed = canvas.spread_out(wanted, 0.1)
        order = sorted(range(5), key=lambda i: wanted[i])
        heights = [placed[i] for i in order]
        self.assertEqual(heights, sorted(heights))
        self.assertTrue(all(b - a > 0.0999 for a, b in zip(heights, heights[1:])))
        self.assertLessEqual(max(heights), 1)


class Cells(unittest.TestCase):
    def test_known_ratios_come_out(self):
        summary = Summary(support.made_up_session())
        cell = summary.time.cells["short", "fast"]
        self.assertAlmostEqual(cell.estimate.ratio, 0.5, delta=0.01)
        self.assertIn(cell.verdict, cells.BETTER)
        self.assertFalse(estimates.is_decided(summary.time.cells["short", "same"].verdict))
        self.assertAlmostEqual(summary.memory.cells["short", "fast"].estimate.ratio, 2)
        self.assertAlmostEqual(summary.time.null["short"].ratio, 1, delta=0.01)

    def test_absolute_rows_have_no_memory_ratio_and_are_in_no_mean(self):
        summary = Summary(support.made_up_session())
        self.assertIsNone(summary.memory.cells["tiny", "fast"].estimate)
        self.assertEqual(summary.memory.means["geometric mean", "fast"][1], 2)
        self.assertEqual(summary.time.means["geometric mean", "fast"][1], 3)
        self.assertEqual(summary.time.means["its real programs", "fast"][1], 1)

    def test_one_failed_run_decides_its_cell_and_leaves_the_others(self):
        records = support.made_up_session() + [FAILED]
        summary = Summary(records)
        self.assertEqual(summary.time.cells["real", "same"].words, "crash SIGSEGV")
        self.assertEqual(summary.time.means["geometric mean", "same"][1], 2)
        self.assertIsNotNone(summary.time.cells["short", "same"].estimate)
        made = tables.markdown(summary)
        self.assertIn("real, same: crash SIGSEGV in block 3", made)
        self.assertIn("(2/3 rows)", made)

    def test_an_unfinished_block_does_not_count(self):
        records = support.made_up_session()
        cut = [r for r in records if r["rec"] != "block_end" or r["block"] < 5]
        self.assertEqual(Summary(cut).blocks, 5)
        self.assertEqual(len(Summary(cut).time.cells["short", "fast"].values), 5)

    def test_without_a_finished_block_the_cells_say_so(self):
        summary = Summary(support.made_up_session(blocks=0))
        self.assertEqual(summary.time.cells["short", "fast"].words, "not run")


if __name__ == "__main__":
    unittest.main()
