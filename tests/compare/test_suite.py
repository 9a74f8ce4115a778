# SPDX-License-Identifier: MIT
"""workloads.toml is refused where a row is in no declared group, or its memory has no words."""

import tempfile
import unittest
from pathlib import Path

import support

from compare.workloads import suite, workload

DECLARED = """
[groups]
one = "first"
programs = "real programs"
[measures]
hwm_kib = "peak memory"
rss_kib = "resident"
[[row]]
name = "a"
group = "one"
program = "pairs"
args = "1"
threads = 1
[[row]]
name = "b"
group = "one"
program = "pairs"
args = "2"
threads = 1
memory_field = "rss_kib"
"""


class Declarations(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "workloads.toml"

    def read(self, text):
        self.file.write_text(text)
        return suite.read(self.file)

    def refuses(self, old, new, sentence):
        self.assertIn(old, DECLARED)
        with self.assertRaisesRegex(SystemExit, sentence):
            self.read(DECLARED.replace(old, new, 1))

    def test_those_of_this_repository_are_complete_and_use_every_group(self):
        declared = suite.read()
        used = {row["group"] for row in declared.rows}
        self.assertEqual(used | {suite.PROGRAMS}, set(declared.groups))

    def test_a_row_without_a_group_is_refused_wherever_the_rows_are_wanted(self):
        self.refuses('group = "one"\n', "", "workloads.toml: a: its group is missing")
        with self.assertRaisesRegex(SystemExit, "a: its group is missing"):
            workload.declared(self.file, {"pairs": "/x/pairs"})

    def test_a_group_that_is_not_declared_is_refused(self):
        self.refuses('group = "one"\n', 'group = "two"\n', "its group is two; there are one")
        self.refuses('one = "first"\n', "", "its group is one")

    def test_no_workload_passes_for_a_real_program(self):
        self.refuses('group = "one"\n', 'group = "programs"\n', "its group is programs")

    def test_a_memory_field_without_words_is_refused(self):
        self.refuses('"rss_kib"', '"rss_9_kib"', "b: no measure is called rss_9_kib")

    def test_a_name_that_is_there_twice_is_refused(self):
        self.refuses('name = "b"', 'name = "a"', "a: the name is there twice")

    def test_without_the_real_programs_or_the_peak_nothing_is_read(self):
        self.refuses('programs = "real programs"\n', "", "are not declared")
        self.refuses('hwm_kib = "peak memory"\n', "", "are not declared")


class Rows(unittest.TestCase):
    """Rows of a session, which hold no group themselves."""

    def setUp(self):
        self.suite = suite.Suite([{"name": "a", "group": "one", "cliff": "at its size"}],
                                 {"one": "first"}, {suite.PEAK: "peak memory"})

    def test_are_found_by_their_names(self):
        row = support.workload_line("a")
        self.assertEqual((self.suite.group(row), self.suite.cliff(row)), ("one", "at its size"))
        self.assertEqual(self.suite.measure(row), "peak memory")

    def test_a_real_program_is_known_by_its_record_whatever_its_name(self):
        row = support.workload_line("a", group=suite.PROGRAM)
        self.assertEqual((self.suite.group(row), self.suite.cliff(row)), (suite.PROGRAMS, None))

    def test_a_row_that_is_not_declared_is_named(self):
        with self.assertRaisesRegex(SystemExit, "b is in no group"):
            self.suite.group(support.workload_line("b"))

    def test_a_measure_without_words_is_named(self):
        row = support.workload_line("a") | {"memory_field": "odd_kib"}
        with self.assertRaisesRegex(SystemExit, "a: .* has no words for odd_kib"):
            self.suite.measure(row)


if __name__ == "__main__":
    unittest.main()
