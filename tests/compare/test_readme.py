# SPDX-License-Identifier: MIT
"""The tables of README and docs/measured.md are those of their folder, and other text is found."""

import contextlib
import dataclasses
import io
import json
import re
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import support

from compare.analyse.summary import Summary
from compare.commands import report
from compare.records import runfile
from compare.report import readme_table, render
from compare.workloads import suite

REPOSITORY = support.COMPARE.parent
GROUPS = {"one": "first", "two": "second", suite.PROGRAMS: "real programs"}
MEASURES = {suite.PEAK: "peak memory", "rss_kib": "resident"}
LINES = support.made_up_session()


def suite_of(**rows):
    return suite.Suite([{"name": name, "group": group} for name, group in rows.items()],
                       GROUPS, MEASURES)


SUITE = suite_of(short="one", tiny="two")
PAGES = {"README.md": readme_table.short_block, readme_table.FULL_PAGE: readme_table.block}


def moved(declared, name, group):
    rows = [row | ({"group": group} if row["name"] == name else {}) for row in declared.rows]
    return dataclasses.replace(declared, rows=rows)


def made(lines=LINES, declared=SUITE):
    return readme_table.block("results/made-up", Summary(lines), declared)


def unwrapped(text):
    return text.replace("\n", " ")


def with_row(name, **fields):
    """LINES, with other fields in the record of one row."""
    lines = [json.loads(json.dumps(line)) for line in LINES]
    for row in lines[0]["workloads"]:
        if row["workload"] == name:
            row |= fields
    for line in lines:
        if line.get("workload") == name and line["rec"] == "run":
            line["metric"]["rss_kib"] = line["metric"]["hwm_kib"]
    return lines


def line_of(text, label):
    """The cells of the first line with this label, of arms `gone`, `same` and `fast`."""
    found = [line for line in text.splitlines() if line.startswith(f"| {label} |")]
    return [cell.strip() for cell in found[0].strip("| ").split("|")][1:]


class Written(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.readme = Path(folder.name) / "README.md"
        self.results = Path(folder.name) / "results" / "2026-01-01-made-up"
        self.results.mkdir(parents=True)
        text = "".join(json.dumps(r) + "\n" for r in LINES)
        (self.results / "runs.jsonl").write_text(text)
        self.readme.write_text(f"# A\n\n{readme_table.BEGIN}\n{readme_table.END}\n\nafter\n")

    def update(self, *options, declared=SUITE):
        with contextlib.redirect_stdout(io.StringIO()), \
                mock.patch.object(suite, "read", return_value=declared):
            return report.main(["--readme", *options, str(self.results), str(self.readme)])

    def test_is_between_the_marks_and_checked(self):
        self.assertEqual(self.update("--check"), 1)
        self.assertEqual(self.update(), 0)
        text = self.readme.read_text()
        self.assertTrue(text.startswith("# A\n") and text.endswith("\nafter\n"))
        self.assertIn("(../results/2026-01-01-made-up/summary.md)", text)
        self.assertEqual(self.update("--check"), 0)

    def test_the_short_marks_get_the_short_tables(self):
        begin, end = readme_table.SHORT_BEGIN, readme_table.SHORT_END
        self.readme.write_text(f"# A\n\n{begin}\n{end}\n\nafter\n")
        self.assertEqual(self.update("--check"), 1)
        self.assertEqual(self.update(), 0)
        text = self.readme.read_text()
        self.assertIn("(results/2026-01-01-made-up/summary.md)", text)
        self.assertEqual(line_of(text, "time, first (1 row)")[-1], "1 / 0 / 0")
        self.assertNotIn("What the tables do not show:", text)
        self.assertEqual(readme_table.folder_named(self.readme), self.results.resolve())
        self.readme.write_text(text.replace("1 / 0 / 0", "2 / 0 / 0"))
        self.assertEqual(self.update("--check"), 1)

    def test_a_page_without_marks_is_refused(self):
        self.readme.write_text("# A\n")
        with self.assertRaisesRegex(SystemExit, "README.md: no marks"):
            self.update()

    def test_any_digit_between_the_marks_that_is_changed_is_found(self):
        self.update()
        text = self.readme.read_text()
        places = [m.start() for m in re.finditer(r"\d", text)]
        self.assertGreater(len(places), 100)
        for place in places[::15]:
            digit = str((int(text[place]) + 1) % 10)
            self.readme.write_text(text[:place] + digit + text[place + 1:])
            self.assertEqual(self.update("--check"), 1, text[place - 20:place + 20])

    def test_a_row_that_changes_its_group_is_found(self):
        self.update()
        self.assertEqual(self.update("--check", declared=moved(SUITE, "short", "two")), 1)

    def test_a_row_of_no_group_is_refused(self):
        with self.assertRaisesRegex(SystemExit, "tiny is in no group"):
            self.update(declared=suite_of(short="one"))


class Groups(unittest.TestCase):
    def test_each_has_a_mean_of_its_own_and_there_is_none_over_all(self):
        text = made()
        for label in ("time, first (1 row)", "time, second (1 row)", "time, real programs (1 row)"):
            self.assertTrue(line_of(text, label)[2].startswith("0.50 ["), label)
        self.assertTrue(line_of(text, "peak memory, first (1 row)")[2].startswith("2.00"))
        self.assertNotIn("peak memory, second", text)
        self.assertNotRegex(text, r"\((3|2) rows\)")

    def test_a_row_is_in_the_mean_of_its_group(self):
        text = made(declared=moved(SUITE, "short", "two"))
        self.assertTrue(line_of(text, "time, second (2 rows)")[2].startswith("0.50 ["))
        self.assertNotIn("time, first", text)

    def test_a_row_on_a_cliff_is_in_no_mean_and_is_named(self):
        rows = [SUITE.rows[0], SUITE.rows[1] | {"cliff": "its threshold"}]
        text = made(declared=dataclasses.replace(SUITE, rows=rows))
        self.assertNotIn("time, second", text)
        self.assertIn("In no mean, and in no count: tiny (its threshold).", unwrapped(text))

    def test_memory_that_is_no_peak_is_in_no_mean_of_peaks(self):
        text = made(with_row("short", memory_field="rss_kib"))
        self.assertNotIn("peak memory, first", text)
        self.assertTrue(line_of(text, "resident, short")[2].startswith("**2.00"))
        self.assertEqual(line_of(text, "memory that is no peak (1 row)"), ["0", "0", "1"])

    def test_an_arm_that_lacks_rows_says_so(self):
        failed = support.run_line(2, 99, "tiny", "same", {}, reason="crash SIGSEGV")
        text = made([*LINES, failed], suite_of(short="one", tiny="one"))
        self.assertIn("(1/2 rows)", line_of(text, "time, first (2 rows)")[1])
        self.assertEqual(line_of(text, "time, first (2 rows)")[0], "-")


class Standing(unittest.TestCase):
    def test_wins_and_losses_are_counted_against_the_best_of_the_others(self):
        text = made()
        self.assertRegex(text, r"\| time, first \(1 row\) \| 1 \| 0 \| 0 \|")
        self.assertRegex(text, r"\| peak memory, first \(1 row\) \| 0 \| 0 \| 1 \|")

    def test_a_rival_as_good_leaves_it_undecided_and_a_better_one_behind(self):
        for factor, counts in ((0.5, "0 | 1 | 0"), (0.4, "0 | 0 | 1")):
            lines = with_row("short")
            for line in lines:
                if (line.get("workload"), line.get("arm")) == ("short", "same"):
                    line["metric"]["ns_per_op"] *= factor
            self.assertIn(f"| time, first (1 row) | {counts} |", made(lines))


class Words(unittest.TestCase):
    def test_who_is_compared_is_named_with_versions(self):
        self.assertIn("Compared: glibc (1), gone (missing, not installed), same (1).",
                      unwrapped(made()))

    def test_what_is_not_shown_is_said(self):
        text = unwrapped(made())
        self.assertIn("What the tables do not show: another machine, or more than 2 processors",
                      text)
        self.assertIn("the memory of 1 of the 3 rows", text)

    def test_prose_is_no_wider_than_a_page(self):
        prose = [line for line in made().splitlines() if not line.startswith(("|", "All rows"))]
        self.assertLessEqual(max(map(len, prose)), 100)


class ThisRepository(unittest.TestCase):
    def test_pages_say_what_their_folder_says_and_another_digit_or_group_is_found(self):
        for name, maker in PAGES.items():
            have = (REPOSITORY / name).read_text()
            folder = readme_table.folder_named(REPOSITORY / name)
            self.assertIsNotNone(folder, "the table names no folder")
            summary, declared = render.load(folder), suite.read()
            wanted = maker(folder, summary, declared)
            self.assertTrue(wanted in have, f"compare report --readme FOLDER {name} writes it")
            digit = have.index("[", have.index("| time, classics")) + 1
            self.assertFalse(wanted in have[:digit] + "9" + have[digit + 1:])
            other = readme_table.groups(summary, moved(declared, "sh6bench 1", "micro"))
            self.assertFalse(all(label in have for _, label, _ in other))

    def test_both_pages_are_of_one_folder(self):
        folders = {readme_table.folder_named(REPOSITORY / name) for name in PAGES}
        self.assertEqual(len(folders), 1, folders)

    def test_readme_has_no_mean_over_all_rows(self):
        folder = readme_table.folder_named(REPOSITORY / "README.md")
        summary_line = runfile.first(runfile.runs_of(folder))
        for name in PAGES:
            self.assertNotIn(f"({len(summary_line['workloads'])} rows)",
                             (REPOSITORY / name).read_text())


if __name__ == "__main__":
    unittest.main()
