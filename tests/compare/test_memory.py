# SPDX-License-Identifier: MIT
"""The memory run: what the ledger counts is what a program holds, and the sums on it are right."""

import dataclasses
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import jsonschema
import support

from compare.arms import allocators
from compare.measure import memory
from compare.measure.launch import Launcher, Shot
from compare.workloads.workload import Row, Workload

LEDGER = os.environ.get("HAK_BENCH_LEDGER")
PAIRS = os.environ.get("HAK_BENCH_PAIRS")
RANDOM_LIVE = os.environ.get("HAK_BENCH_RANDOM_LIVE")
HAKMEM = os.environ.get("HAK_BENCH_LIB")

# 40 blocks of a MiB, all written and kept; a child frees and takes, which is not the parent's.
PYTHON = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
blocks = []
for _ in range(40):
    blocks.append(libc.malloc(1 << 20))
    ctypes.memset(blocks[-1], 1, 1 << 20)
pid = os.fork()
if pid == 0:
    for block in blocks:
        libc.free(block)
    ctypes.memset(libc.malloc(200 << 20), 1, 1 << 20)
    os._exit(0)
os.waitpid(pid, 0)
os.system("true")
time.sleep(0.05)
"""


# What each of the programs below begins with: blocks of a MiB, all written.
TAKE = """
import ctypes, os, time
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.realloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
def take(count):
    blocks = [libc.malloc(1 << 20) for _ in range(count)]
    for block in blocks:
        ctypes.memset(block, 1, 1 << 20)
    return blocks
kept = take(30)
time.sleep(0.03)
"""
SLEEP = "time.sleep(0.2)"
CHILD = "pid = os.fork()\nif pid == 0: {}; time.sleep(0.2); os._exit(0)\nos.waitpid(pid, 0)"
OTHER = """
pid = os.posix_spawn("/usr/bin/python3", ["python3", "-S", "-c", os.environ["TEXT"]],
                     dict(os.environ))
os.waitpid(pid, 0)
"""
# A child in the same memory, as vfork makes it: the C function usleep on a stack of its own.
SHARING = """
stack = ctypes.create_string_buffer(1 << 16)
top = (ctypes.addressof(stack) + (1 << 16)) & ~63
usleep = ctypes.cast(libc.usleep, ctypes.c_void_p)
pid = libc.clone(usleep, ctypes.c_void_p(top), 0x100 | 17, ctypes.c_void_p(200000))
os.waitpid(pid, 0)
"""


def made_up(count=1000, **fields):
    """A run that grows to its middle and shrinks: Rss is 5000 KiB and twice what is alive."""
    live_kib = [min(i, count - i) * 10 for i in range(count)]
    said = {"begin_ms": 1e6, "owner": 7, "peak_live_b": max(live_kib) * 1024,
            "t_ms": [2.0 * i for i in range(count)], "ledger_kib": [i for i in range(count)],
            "rss_kib": [5000 + 2 * k + i for i, k in enumerate(live_kib)],
            "pss_kib": [4000 + 2 * k + i for i, k in enumerate(live_kib)],
            "pss_shmem_kib": [i for i in range(count)], "lazyfree_kib": [3] * count,
            "anon_huge_kib": [0] * count, "live_b": [1024 * k for k in live_kib],
            "vmas": [30] * count, "processes": [1] * count,
            "others_private_kib": [0] * count,
            "peak_pair_b": [1024 * max(live_kib), 1280 * max(live_kib)]}
    return said | fields


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def timeline(self, said):
        path = Path(self.folder.name) / "samples.json"
        path.write_text(json.dumps(said))
        return memory.read(path)


class Sums(Folder):
    def metric(self, said, reported=None, base=1000):
        run = {"minflt": 2000, "majflt": 1, "bookkeeping_kib": 500} | (reported or {})
        return memory.metric_of(self.timeline(said), run, base)

    def test_what_the_ledger_needs_is_taken_off(self):
        metric = self.metric(made_up())
        self.assertEqual(metric["peak_rss_kib"], 5000 + 2 * 5000)
        self.assertEqual(metric["peak_pss_kib"], 4000 + 2 * 5000)
        self.assertEqual(metric["peak_less_lazyfree_kib"], 15000 - 3)
        self.assertEqual(metric["minflt"], 2000 - 999 // 4)

    def test_base_and_bookkeeping_come_off_net_numbers_and_the_overhead_only(self):
        metric = self.metric(made_up())
        self.assertEqual(metric["net_peak_rss_kib"], 15000 - 1500)
        self.assertAlmostEqual(metric["overhead_at_peak_live"], (15000 - 1500) / 5000, 3)

    def test_no_ratio_of_less_than_a_mib_or_without_a_ledger(self):
        self.assertIsNone(self.metric(made_up(count=200))["overhead_at_peak_live"])
        metric = self.metric(made_up(owner=0))
        self.assertIsNone(metric["peak_live_b"])
        self.assertIsNone(metric["overhead_at_peak_live"])

    def test_the_allocators_rounding_is_what_it_says_over_what_was_asked_for(self):
        self.assertEqual(self.metric(made_up())["internal_fragmentation"], 1.25)
        self.assertIsNone(self.metric(made_up(count=200))["internal_fragmentation"])
        silent = made_up(peak_pair_b=[5000 * 1024, 0])
        self.assertIsNone(self.metric(silent)["internal_fragmentation"])

    def test_the_allocators_rounding_does_not_depend_on_when_samples_were_taken(self):
        late = made_up(live_b=[0] * 999 + [2 << 20])
        self.assertEqual(self.metric(late)["internal_fragmentation"], 1.25)

    def test_with_children_it_is_the_larger_of_two_sums_without_a_page_twice(self):
        said = made_up(processes=[1] * 500 + [3] * 500)
        said["pss_kib"] = [100000 + i for i in range(1000)]
        said["others_private_kib"] = [7] * 700 + [95000] * 300
        timeline = self.timeline(said)
        self.assertEqual(timeline.series["rss_kib"][400], 5000 + 2 * 4000)
        self.assertEqual(timeline.series["rss_kib"][600], 100000)
        self.assertEqual(timeline.series["rss_kib"][800], 5000 + 2 * 2000 + 95000)
        self.assertEqual(timeline.series["own_rss_kib"][600], 5000 + 2 * 4000)
        metric = self.metric(said)
        self.assertEqual((metric["peak_rss_kib"], metric["processes_peak"]),
                         (5000 + 2 * 3000 + 95000, 3))
        self.assertEqual(metric["rss_at_peak_live_kib"], 15000)

    def test_the_mean_weighs_each_sample_by_its_time(self):
        self.assertEqual(memory.mean_over_time([0, 1, 10], [100, 200, 7]), 190)
        self.assertEqual(memory.mean_over_time([4], [9]), 9)

    def test_thinning_keeps_the_ends_and_the_peaks(self):
        said = made_up(count=7777)
        said["rss_kib"][4321] = 10 ** 9
        said["live_b"][1234] = 10 ** 12
        places = memory.thinned(self.timeline(said))
        self.assertLessEqual(len(places), memory.SERIES_MAX)
        self.assertTrue({0, 1234, 4321, 7776} <= set(places))
        self.assertEqual(places, sorted(set(places)))

    def test_retained_comes_from_the_workload_or_from_the_moment_of_the_drain(self):
        told = self.metric(made_up(), {"rest_100ms_kib": 9000, "rest_1s_kib": 8000})
        self.assertEqual(told["retained_100ms_kib"], 9000 - 999)
        self.assertEqual(told["retained_1s_kib"], 8000 - 999)
        self.assertIsNone(told["retained_5s_kib"])
        seen = self.metric(made_up(), {"drained_ms": 1e6 + 1400.5})
        self.assertEqual(seen["retained_100ms_kib"], 5000 + 2 * 10 * (1000 - 751))
        self.assertIsNone(seen["retained_1s_kib"])


class Runs(Folder):
    def setUp(self):
        super().setUp()
        self.launcher = Launcher(support.LAUNCH, self.folder.name)
        libc = allocators.loader_cache()["libc.so.6"]
        self.arm = allocators.Arm("glibc", "system", libc)
        self.shot = Shot(self.launcher, (libc,))
        self.validator = jsonschema.Draft202012Validator(support.schema())

    def measure(self, row, rest_s=0):
        row = dataclasses.replace(row, rest_s=rest_s)
        record = memory.measure(row, self.arm, self.shot, LEDGER)
        self.validator.validate(support.head(rec="mem", **record))
        return record

    def test_live_bytes_of_a_program_are_its_own_and_not_its_childrens(self):
        row = Row("blocks", ("/usr/bin/python3", "-S", "-E", "-c", PYTHON), 300)
        record = self.measure(row)
        self.assertIsNone(record["reason"])
        live_mib = record["metric"]["peak_live_b"] / (1 << 20)
        self.assertTrue(40 <= live_mib < 50, live_mib)
        self.assertGreater(record["live_b"][-1], 40 << 20)
        self.assertTrue(1.0 < record["metric"]["overhead_at_peak_live"] < 1.5)
        self.assertLess(record["metric"]["base_rss_kib"], 8192)

    def python(self, text, arm=None, text_of_child="pass"):
        """The record of a program that holds 30 MiB and goes on like this."""
        shot = dataclasses.replace(self.shot, preloads=(arm,)) if arm else self.shot
        row = Row("more", ("/usr/bin/python3", "-S", "-E", "-c", TAKE + text), 300,
                  env={"TEXT": TAKE + text_of_child}, rest_s=0)
        record = memory.measure(row, self.arm, shot, LEDGER)
        self.validator.validate(support.head(rec="mem", **record))
        self.assertIsNone(record["reason"])
        return record

    def peak_mib(self, *said):
        record = self.python(*said)
        return record["metric"]["peak_rss_kib"] / 1024, record

    def test_what_children_hold_is_resident_too_and_shared_pages_are_so_once(self):
        alone, record = self.peak_mib(SLEEP)
        self.assertNotIn("processes", record)
        for text, more_mib in ((CHILD.format("pass"), 0), (CHILD.format("take(50)"), 50),
                               (CHILD.format("os.fork(); take(25)"), 50)):
            peak, record = self.peak_mib(text)
            self.assertTrue(-1 < peak - alone - more_mib < 4, (text, alone, peak))
            self.assertGreater(record["metric"]["processes_peak"], 1)
            self.assertLess(record["metric"]["rss_at_peak_live_kib"] / 1024, alone + 4)
            self.assertLess(record["metric"]["overhead_at_peak_live"], 1.5)

    def test_a_program_that_was_started_counts_with_its_starter(self):
        alone, _ = self.peak_mib(SLEEP)
        peak, _ = self.peak_mib(OTHER, None, SLEEP)
        self.assertTrue(28 < peak - alone < 40, (alone, peak))

    def test_a_child_in_the_same_memory_is_not_counted_twice(self):
        alone, _ = self.peak_mib(SLEEP)
        peak, record = self.peak_mib(SHARING)
        self.assertLess(peak - alone, 4)
        self.assertNotIn("processes", record)

    def test_a_program_without_a_ledger_in_the_place_of_one_is_not_charged_for_it(self):
        text = "os.execve('/usr/bin/python3', ['python3', '-S', '-c', os.environ['TEXT']], {})"
        record = self.python(text, None, SLEEP)
        self.assertGreater(max(record["live_b"]), 30 << 20)
        self.assertEqual(record["live_b"][-1], 0)
        self.assertGreater(record["rss_kib"][-1], 30 << 10)

    def test_a_program_in_the_place_of_another_begins_from_nothing(self):
        text = "os.execv('/usr/bin/python3', ['python3', '-S', '-E', '-c', 'import time; " \
               "time.sleep(0.2)'])"
        record = self.python(text)
        self.assertTrue(0 < record["live_b"][-1] < 8 << 20, record["live_b"])

    def test_a_block_that_is_resized_is_alive_all_the_time(self):
        """24 MiB that glibc has to copy, not being a mapping (M_MMAP_THRESHOLD) nor the last."""
        text = ("libc.mallopt(-3, 32 << 20); libc.free.argtypes = [ctypes.c_void_p]\n"
                "for i in range(12):\n"
                "    b = libc.malloc(24 << 20); ctypes.memset(b, 1, 24 << 20)\n"
                "    last = libc.malloc(1 << 10)\n"
                "    b = libc.realloc(b, 28 << 20); kept.append(b)\n")
        record = self.python(text)
        live = record["live_b"]
        for one, next_one in zip(live, live[1:]):
            self.assertLess(one - next_one, 20 << 20)
        self.assertTrue(0 <= record["metric"]["peak_live_b"] - (366 << 20) < 8 << 20)

    def test_blocks_freed_by_their_size_are_gone(self):
        for arm in (None, HAKMEM):
            text = "for b in kept: libc.free_sized(ctypes.c_void_p(b), ctypes.c_size_t(1 << 20))"
            text += "\n" + SLEEP
            self.assertLess(self.python(text, arm)["live_b"][-1], 8 << 20)

    def test_rounding_is_that_of_the_allocator(self):
        """Blocks of 40 bytes: 48 under hakmem and mostly 40 under glibc, and of two MiB."""
        row = Workload("live", (RANDOM_LIVE, "50000", "40", "42", "--json"), 300, rest_s=0)
        for arm, low, high in ((self.shot.preloads[0], 1.0, 1.01), (HAKMEM, 1.19, 1.21)):
            shot = dataclasses.replace(self.shot, preloads=(arm,))
            metric = memory.measure(row, self.arm, shot, LEDGER)["metric"]
            self.assertTrue(low <= metric["internal_fragmentation"] <= high, (arm, metric))

    def test_every_peer_that_is_installed_is_followed(self):
        """tcmalloc allocates when it is first asked for a size."""
        row = Workload("live", (RANDOM_LIVE, "50000", "64", "42", "--json"), 300, rest_s=0)
        listed = allocators.peers(support.COMPARE / "allocators.toml", {})
        peers = [arm for arm in listed if arm.path]
        self.assertTrue(peers)
        for arm in peers:
            with self.subTest(arm=arm.name):
                shot = dataclasses.replace(self.shot, preloads=(arm.path,))
                record = memory.measure(row, arm, shot, LEDGER)
                self.assertIsNone(record["reason"])
                self.assertGreaterEqual(record["metric"]["internal_fragmentation"], 1)
                self.assertGreaterEqual(record["metric"]["peak_live_b"], 50000 * 64)

    def test_a_workload_ends_with_what_it_retains(self):
        row = Workload("live", (RANDOM_LIVE, "50000", "64", "42", "--json"), 300)
        record = self.measure(row, rest_s=0.15)
        metric = record["metric"]
        self.assertIsNone(record["reason"])
        self.assertEqual(metric["peak_live_b"], 50000 * 64)
        self.assertTrue(metric["base_rss_kib"] < metric["retained_100ms_kib"]
                        <= metric["peak_rss_kib"] + 64, metric)
        self.assertIsNone(metric["retained_1s_kib"])
        self.assertGreater(metric["vmas_peak"], 10)

    def test_pages_of_the_ledger_are_not_the_programs(self):
        """A MiB of blocks of 16 bytes has half a MiB or more of shadow: it must not be seen."""
        argv = (RANDOM_LIVE, "200000", "16", "42", "--json")
        said = self.measure(Workload("live", argv, 300))["metric"]["peak_rss_kib"]
        out = Path(self.folder.name) / "plain"
        plain = self.launcher.run(self.shot, argv, 300, out, out.with_suffix(".err"))["hwm_kib"]
        self.assertLess(abs(said - plain), 1024, (said, plain))

    def test_a_failed_run_says_why(self):
        record = self.measure(Row("gone", ("/bin/false",), 300))
        self.assertEqual(record["reason"], "exit 1")
        self.assertEqual(record["metric"], {})

    def test_samples_stay_bounded_when_the_run_is_long(self):
        out = Path(self.folder.name) / "samples.json"
        subprocess.run([support.LAUNCH, "--sample-ms", "0", "--sample-out", out, "--", "true"],
                       check=False, capture_output=True)
        self.assertFalse(out.exists())  # no interval, no samples: the launcher refuses
        subprocess.run([support.LAUNCH, "--sample-ms", "0.00001", "--sample-out", out, "--",
                        "sleep", "0.6"], check=True, capture_output=True)
        said = json.loads(out.read_text())
        self.assertLessEqual(len(said["t_ms"]), 8192)
        self.assertGreater(said["t_ms"][-1], 500)
        self.assertEqual(said["t_ms"], sorted(said["t_ms"]))


if __name__ == "__main__":
    unittest.main()
