# SPDX-License-Identifier: MIT
"""What is asked of the kernel: threads that interrupt each other, children, and real programs."""

import dataclasses
import io
import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import jsonschema
import support

from compare.analyse.summary import Summary
from compare.arms import allocators
from compare.measure import kernel
from compare.measure.launch import Launcher, Shot
from compare.measure.progress import Progress
from compare.measure.runner import Runner
from compare.measure.stopping import PLANS
from compare.records import runfile
from compare.report import grids, tables
from compare.workloads.workload import Row, Workload

PAIRS = os.environ["HAK_BENCH_PAIRS"]
LIBC = allocators.loader_cache()["libc.so.6"]
ANONYMOUS = "PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0"
FLAGS = "MAP_PRIVATE|MAP_ANONYMOUS"

# Known calls, past any allocator: 7 mappings of 1 MiB of which 3 go back, and 2 pieces of advice.
PYTHON = """
import ctypes, os
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p] + [ctypes.c_size_t] * 5
libc.munmap.argtypes = libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
def work():
    maps = [libc.mmap(None, 1 << 20, 3, 0x22, 2 ** 64 - 1, 0) for _ in range(7)]
    [libc.munmap(place, 1 << 20, 0) for place in maps[:3]]
    libc.madvise(maps[3], 1 << 19, 4)
    libc.madvise(maps[4], 4096, 14)
if {count} and os.fork() == 0:
    work()
    os._exit(0)
work()
if {count}:
    os.wait()
"""


def counted(*lines):
    return kernel.Counting(kernel.calls(lines)).total()


class Reading(unittest.TestCase):
    def test_a_call_in_two_parts_is_one(self):
        lines = (
            f"7 mmap(NULL, 4096, {ANONYMOUS} <unfinished ...>",
            "8  munmap(0x7f0000000000, 8192 <unfinished ...>",
            "7  <... mmap resumed>)      = 0x7f0000100000",
            "8  <... munmap resumed>)    = 0",
            f"8  mmap(NULL, 100, {ANONYMOUS}) = 0x7f0000200000")
        made = list(kernel.calls(lines))
        self.assertEqual([call[:2] for call in made],
                         [("7", "mmap"), ("8", "munmap"), ("8", "mmap")])
        metric = counted(*lines)
        self.assertEqual((metric["map_b"], metric["unmap_b"], metric["calls"]), (4196, 8192, 3))

    def test_a_call_that_never_ended_counts_for_nothing(self):
        self.assertEqual(counted("7 munmap(0x7f0000000000, 8192 <unfinished ...>",
                                 "7 munmap(0x7f0000000000, 8192) = ?",
                                 "7 +++ killed by SIGKILL +++")["calls"], 0)

    def test_a_failed_call_gives_no_bytes(self):
        metric = counted("7 munmap(0x7f0000000001, 8192) = -1 EINVAL (Invalid argument)")
        self.assertEqual((metric["failed_calls"], metric["unmap_b"]), (1, 0))

    def test_advice_that_drops_pages_gives_back_and_other_advice_does_not(self):
        metric = counted("7 madvise(0x7f0000000000, 4096, MADV_DONTNEED) = 0",
                         "7 madvise(0x7f0000000000, 4096, MADV_FREE) = 0",
                         "7 madvise(0x7f0000000000, 4096, MADV_HUGEPAGE) = 0")
        self.assertEqual((metric["purge_calls"], metric["purge_b"], metric["advice_calls"]),
                         (2, 8192, 1))

    def test_files_and_stacks_are_not_the_allocators(self):
        metric = counted(
            "7 mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, 3, 0) = 0x7f0000000000",
            f"7 mmap(NULL, 65536, PROT_NONE, {FLAGS}|MAP_STACK, -1, 0) = 0x7f0000100000",
            "7 madvise(0x7f0000101000, 4096, MADV_DONTNEED) = 0",
            "7 munmap(0x7f0000000000, 8192) = 0",
            f"7 mmap(NULL, 8192, {ANONYMOUS}) = 0x7f0000000000",
            "7 munmap(0x7f0000000000, 8192) = 0")
        self.assertEqual((metric["calls"], metric["map_b"], metric["unmap_b"]), (2, 8192, 8192))

    def test_the_break_is_each_programs_own(self):
        """A child goes on from its parent's break, even if the trace shows it too early."""
        metric = counted(
            "7 brk(NULL) = 0x10000",
            "7 brk(0x14000) = 0x14000",
            "7 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD <unfinished ...>",
            "8 brk(0x15000) = 0x15000",
            "7 <... clone resumed>, child_tidptr=0x7f00) = 8",
            "7 brk(0x12000) = 0x12000",
            '8 execve("/bin/true", ["true"], 0x7f /* 2 vars */) = 0',
            "8 brk(NULL) = 0x90000")
        self.assertEqual((metric["map_b"], metric["unmap_b"]), (0x5000, 0x2000))

    def test_threads_share_the_break_and_a_failed_exec_changes_nothing(self):
        metric = counted(
            "7 brk(NULL) = 0x10000",
            "7 clone3({flags=CLONE_VM|CLONE_THREAD} => {parent_tid=[8]}, 88) = 8",
            "8 brk(0x14000) = 0x14000",
            '8 execve("/x", ["x"], 0x7f) = -1 ENOENT (No such file or directory)',
            "7 brk(0x18000) = 0x18000")
        self.assertEqual(metric["map_b"], 0x8000)


def needs_strace(test):
    program, why = kernel.found()
    if why is not None:
        test.skipTest(why)
    return program


class Runs(unittest.TestCase):
    def setUp(self):
        self.program = needs_strace(self)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.shot = Shot(Launcher(support.LAUNCH, folder.name), (LIBC,))
        self.arm = allocators.Arm("glibc", "system", LIBC)

    def measure(self, row):
        record = kernel.measure(row, self.arm, self.shot, self.program)
        jsonschema.Draft202012Validator(support.schema()).validate(
            support.head(rec="kernel", **record))
        return record

    def python(self, text):
        return self.measure(Row("calls", ("/usr/bin/python3", "-S", "-E", "-c", text), 300))

    def test_calls_of_a_program_and_of_its_children_are_all_there(self):
        idle, one, two = (self.python(t)["metric"] for t in (
            "import ctypes, os; ctypes.CDLL(None)", PYTHON.format(count=0),
            PYTHON.format(count=1)))
        for metric, times in ((one, 1), (two, 2)):
            self.assertGreaterEqual(metric["map_b"] - idle["map_b"], times * 7 << 20)
            self.assertLess(metric["map_b"] - idle["map_b"], (times * 7 + 3) << 20)
            self.assertEqual(metric["unmap_b"] - idle["unmap_b"] >> 20, times * 3)
            self.assertEqual(metric["purge_b"] - idle["purge_b"], times << 19)
            self.assertEqual(metric["advice_calls"] - idle["advice_calls"], times)

    def test_the_allocator_under_test_serves_the_program_and_not_the_tracer(self):
        row = Row("who", ("/usr/bin/env",), 300)
        kernel.measure(row, self.arm, self.shot, self.program)
        said = (Path(self.shot.launcher.scratch) / "stdout").read_text()
        self.assertIn(f"LD_PRELOAD={LIBC}\n", said)

    def test_a_failure_has_its_words(self):
        for command, words in (("kill -SEGV $$", "crash SIGSEGV"), ("exit 3", "exit 3")):
            self.assertEqual(self.measure(Row("gone", ("/bin/sh", "-c", command), 300))["reason"],
                             words)

    def test_a_workload_is_traced_as_it_is(self):
        row = Workload("pairs", (PAIRS, "1000", "64", "--json"), 300)
        record = self.measure(row)
        self.assertIsNone(record["reason"])
        self.assertGreater(record["metric"]["map_b"], 0)


class Phase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def runner(self):
        row = Row("sleep", ("/bin/true",), 10)
        journal = runfile.Journal(self.folder / "runs.jsonl")
        present = [allocators.Arm("glibc", "system", LIBC), allocators.Arm("null", "null", LIBC),
                   allocators.Arm("other", "peer", LIBC)]
        return Runner(Launcher(support.LAUNCH, self.folder),
                      {"probe": support.PROBE, "ledger": ""},
                      [row, dataclasses.replace(row, name="absolute", memory="absolute")], present,
                      journal, PLANS["publish"], 7, Progress(io.StringIO()))

    def test_what_was_counted_is_not_counted_again_after_an_interruption(self):
        needs_strace(self)
        runner = self.runner()
        real, made = kernel.measure, []

        def once(*args):
            if made:
                raise KeyboardInterrupt
            made.append(args)
            return real(*args)
        with mock.patch.object(kernel, "measure", once), self.assertRaises(KeyboardInterrupt):
            runner.count_calls()
        runner.journal.close()
        self.runner().count_calls()
        self.runner().count_calls()
        lines = runfile.read(self.folder / "runs.jsonl")
        self.assertEqual([(r["rec"], r["workload"], r["arm"]) for r in lines],
                         [("kernel", "sleep", "glibc"), ("kernel", "sleep", "other")])

    def test_without_a_tracer_a_word_stands_in_the_report(self):
        runner = self.runner()
        with mock.patch.object(kernel.shutil, "which", lambda *_, **__: None):
            runner.count_calls()
        lines = runfile.read(self.folder / "runs.jsonl")
        jsonschema.Draft202012Validator(support.schema()).validate(lines[0])
        made = tables.markdown(Summary([*support.made_up_session(), *lines]))
        self.assertIn("calls of the kernel: skipped, needs strace", made)


class Report(unittest.TestCase):
    def test_the_table_is_there_when_there_are_records_and_only_then(self):
        titles = {grid.title: grid for grid in grids.all_grids(Summary(support.full_session()))}
        grid = titles["What each asks of the kernel"]
        said = [[entry.text for entry in line] for line in grid.lines]
        self.assertEqual(said[0][1:3], ["calls", "12\u202f345"])
        self.assertEqual(said[1][1:3], ["given back", "1.50 MiB"])
        self.assertIn("not measured", said[0])
        without = grids.all_grids(Summary(support.made_up_session()))
        self.assertNotIn("kernel", {grid.key for grid in without})

    def test_every_number_is_in_the_csv(self):
        made = tables.comma_separated(Summary(support.full_session()))
        for line in ("kernel_calls,real,,fast,1,12345,", "kernel_purge_b,real,B,glibc,1,524288,"):
            self.assertIn("\n" + line, made)

    def test_a_tracer_that_failed_does_not_decide_the_cell(self):
        records_ = support.made_up_session()
        records_.append(support.kernel_line("short", "fast") | {"reason": "timeout", "metric": {}})
        summary = Summary(records_)
        self.assertIsNone(summary.time.cells["short", "fast"].words)
        self.assertIn("timeout", tables.markdown(summary))


if __name__ == "__main__":
    unittest.main()
