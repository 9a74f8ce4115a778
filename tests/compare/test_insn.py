# SPDX-License-Identifier: MIT
"""Counting instructions: callgrind's output is read right, and counts repeat."""

import os
import tempfile
import tomllib
import unittest
from pathlib import Path

import jsonschema
import support

from compare.arms import allocators
from compare.commands import insn
from compare.measure import instructions
from compare.measure.launch import Launcher, Shot
from compare.workloads.workload import Workload

PAIRS = os.environ.get("HAK_BENCH_PAIRS")
RANDOM_MIXED = os.environ.get("HAK_BENCH_RANDOM_MIXED")
LIBRARY = os.environ.get("HAK_BENCH_LIB")

# `main` of the program calls twice into the library, which calls libc once.
OUTPUT = """# callgrind format
version: 1
positions: line
events: Ir
summary: 111

ob=(1) /x/program
fl=(1) ???
fn=(1) main
0 10
cob=(2) /x/liballoc.so
cfi=(1)
cfn=(2) malloc
calls=2 0
0 90
+3 4

fn=(3) step
* 7

ob=(2)
fl=(1)
fn=(2)
0 40
cob=(3) /x/libc.so
cfn=(4) memset
calls=1 0
0 30
-2 20

ob=(3)
fn=(4)
0 30

totals: 111
"""


def workload(name, *argv, **fields):
    return Workload(name, (*argv, "--json"), 300, **fields)


class Reading(unittest.TestCase):
    def costs(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "callgrind.out"
            path.write_text(text)
            return instructions.costs_by_object(path)

    def test_own_cost_goes_to_the_object_and_calls_count_once(self):
        self.assertEqual(self.costs(OUTPUT),
                         {"/x/program": 21, "/x/liballoc.so": 60, "/x/libc.so": 30})

    def test_lines_that_do_not_add_up_are_refused(self):
        with self.assertRaises(ValueError):
            self.costs(OUTPUT.replace("totals: 111", "totals: 112"))

    def test_work_is_shortened_but_not_to_nothing(self):
        self.assertEqual(instructions.shorter(("60000", "64")), ("3000", "64"))
        self.assertEqual(instructions.shorter(("5000", "64")), ("1000", "64"))
        self.assertEqual(instructions.shorter(("12", "64")), ("12", "64"))
        with self.assertRaises(instructions.NotCounted):
            instructions.shorter(("--count", "60000"))

    def test_rows_that_are_not_for_counting_say_why(self):
        for fields, more in (({"threads": 2}, ()), ({}, ("--seconds", "1"))):
            with self.assertRaises(instructions.NotCounted) as raised:
                instructions.args_of(workload("row", "x", "100", *more, **fields))
            self.assertTrue(instructions.is_left_out(str(raised.exception)))
        given = workload("row", "x", "100", insn_args=("7", "--touch", "1"))
        self.assertEqual(instructions.args_of(given), ("7", "--touch", "1", "--json"))

    def test_the_table_shows_reasons_and_leaves_out_rows_nobody_counted(self):
        base = {"rec": "insn", "arm": "a", "ops": 2, "instructions": 9, "per_op": 4.5,
                "allocator_per_op": 3.25, "reason": None}
        table = instructions.insn_table([
            base | {"workload": "one"}, base | {"workload": "one", "arm": "b", "reason": "exit 3"},
            base | {"workload": "two", "reason": instructions.NO_WORK}])
        self.assertIn("| one | 3.2 / 4.5 | exit 3 |", table)
        self.assertNotIn("two", table)


class Gate(unittest.TestCase):
    def verdict(self, now, reason=None):
        record = {"allocator_per_op": now, "reason": reason}
        return insn.verdict({"name": "row", "per_op": 100.0}, record)[1]

    def test_more_than_the_slack_exceeds(self):
        self.assertTrue(self.verdict(100.4))
        self.assertTrue(self.verdict(50))
        self.assertFalse(self.verdict(100.6))
        self.assertFalse(self.verdict(None, "crash SIGSEGV"))

    def test_the_stored_rows_are_rows_of_the_suite(self):
        gate = tomllib.loads((support.COMPARE / "insn_gate.toml").read_text())
        suite = tomllib.loads((support.COMPARE / "workloads.toml").read_text())["row"]
        self.assertLessEqual({row["name"] for row in gate["row"]}, {row["name"] for row in suite})
        self.assertTrue(all(row["per_op"] > 0 for row in gate["row"]))


@unittest.skipUnless(Path(instructions.VALGRIND).exists(), "valgrind is not installed")
class Counting(unittest.TestCase):
    ROWS = (("pairs", PAIRS, "20000", "64"), ("mixed", RANDOM_MIXED, "20000", "1000", "16", "512"))

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.launcher = Launcher(support.LAUNCH, folder.name)
        self.validator = jsonschema.Draft202012Validator(support.schema())

    def count(self, row, arm):
        record = instructions.measure(row, arm, Shot(self.launcher, (arm.path,)))
        self.validator.validate(support.head(rec="insn", **record))
        return record

    def arms(self):
        return (allocators.Arm("glibc", "system", allocators.loader_cache()["libc.so.6"]),
                allocators.Arm("hakmem", "hakmem", LIBRARY))

    def test_counts_repeat(self):
        for name, *argv in self.ROWS:
            row = workload(name, *argv, insn_args=tuple(argv[1:]))
            for arm in self.arms():
                with self.subTest(f"{name}, {arm.name}"):
                    first, second = self.count(row, arm), self.count(row, arm)
                    self.assertIsNone(first["reason"])
                    if arm.kind == "system":
                        self.assertEqual(first, second)
                    for field in ("per_op", "allocator_per_op"):
                        self.assertGreater(first[field], 5)
                        change = abs(first[field] / second[field] - 1)
                        self.assertLess(change, instructions.TOLERANCE)

    def test_only_the_timed_part_counts(self):
        """The checks and the warm-up around it would double what a pair takes."""
        few, many = (self.count(workload("pairs", PAIRS, insn_args=(count, "64")), self.arms()[1])
                     for count in ("20000", "80000"))
        self.assertAlmostEqual(few["allocator_per_op"], many["allocator_per_op"], delta=0.5)

    def test_a_failed_run_says_why(self):
        record = self.count(workload("pairs", PAIRS, insn_args=("nonsense",)), self.arms()[0])
        self.assertEqual(record["reason"], "exit 2")


if __name__ == "__main__":
    unittest.main()
