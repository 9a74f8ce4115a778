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

import arms
import memory
from launch import Launcher, Shot
from workloads import Row, Workload

LEDGER = os.environ.get("HAK_BENCH_LEDGER")
PAIRS = os.environ.get("HAK_BENCH_PAIRS")
RANDOM_LIVE = os.environ.get("HAK_BENCH_RANDOM_LIVE")

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


def made_up(count=1000, **fields):
    """A run that grows to its middle and shrinks: Rss is 5000 KiB and twice what is alive."""
    live_kib = [min(i, count - i) * 10 for i in range(count)]
    said = {"begin_ms": 1e6, "owner": 7, "peak_live_b": max(live_kib) * 1024,
            "t_ms": [2.0 * i for i in range(count)], "ledger_kib": [i for i in range(count)],
            "rss_kib": [5000 + 2 * k + i for i, k in enumerate(live_kib)],
            "pss_kib": [4000 + 2 * k + i for i, k in enumerate(live_kib)],
            "pss_shmem_kib": [i for i in range(count)], "lazyfree_kib": [3] * count,
            "anon_huge_kib": [0] * count, "live_b": [1024 * k for k in live_kib],
            "vmas": [30] * count}
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
        libc = arms.loader_cache()["libc.so.6"]
        self.arm = arms.Arm("glibc", "system", libc)
        self.shot = Shot(self.launcher, (libc,))
        self.validator = jsonschema.Draft202012Validator(support.schema())

    def measure(self, row, rest_s=0):
        row = dataclasses.replace(row, rest_s=rest_s)
        record = memory.measure(row, self.arm, self.shot, LEDGER)
        self.validator.validate(support.head(rec="mem", **record))
        return record

    def test_live_bytes_of_a_program_are_its_own_and_not_its_childrens(self):
        row = Row("blocks", ("/usr/bin/python3", "-S", "-E", "-c", PYTHON), 20)
        record = self.measure(row)
        self.assertIsNone(record["reason"])
        live_mib = record["metric"]["peak_live_b"] / (1 << 20)
        self.assertTrue(40 <= live_mib < 50, live_mib)
        self.assertGreater(record["live_b"][-1], 40 << 20)
        self.assertTrue(1.0 < record["metric"]["overhead_at_peak_live"] < 1.5)
        self.assertLess(record["metric"]["base_rss_kib"], 8192)

    def test_a_workload_ends_with_what_it_retains(self):
        row = Workload("live", (RANDOM_LIVE, "50000", "64", "42", "--json"), 20)
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
        said = self.measure(Workload("live", argv, 20))["metric"]["peak_rss_kib"]
        out = Path(self.folder.name) / "plain"
        plain = self.launcher.run(self.shot, argv, 20, out, out.with_suffix(".err"))["hwm_kib"]
        self.assertLess(abs(said - plain), 1024, (said, plain))

    def test_a_failed_run_says_why(self):
        record = self.measure(Row("gone", ("/bin/false",), 20))
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
