# SPDX-License-Identifier: MIT
"""What makes a machine busy and a run invalid, on made-up texts of /proc."""

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import support  # noqa: F401 (import path)

from compare.measure import noise

CALM = {
    "loadavg": "0.05 0.10 0.10 1/200 4711\n",
    "stat": "cpu  1000 0 500 8000 10 0 5 0 0 0\n",
    "meminfo": "MemTotal: 8000000 kB\nMemAvailable: 7000000 kB\nSwapTotal: 100 kB\n"
               "SwapFree: 100 kB\n",
    "vmstat": "nr_free_pages 5\npswpin 3\npswpout 4\n",
    "pressure/cpu": "some avg10=0.10 avg60=9.00 avg300=9.00 total=5000\nfull avg10=9.00 total=1\n",
    "pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
    "pressure/io": "some avg10=1.99 avg60=0.00 avg300=0.00 total=0\n",
}

WORKING = "cpu  1010 0 500 8190 10 0 5 0 0 0\n"  # two seconds later: one tick in twenty


def process(name, parent, ticks):
    return f"4711 ({name}) S {parent} 1 1 0 -1 0 0 0 0 0 {ticks} 0 0 0 20 0 1 0 9 9 9\n"


class Machine:
    """A folder that stands for /proc; what happens while somebody sleeps can be planned."""

    def __init__(self, test):
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.later = []
        for name, text in CALM.items():
            self.write(name, text)
        for target, value in (("PROC", self.root), ("time.sleep", self.sleep)):
            patch = mock.patch(f"compare.measure.noise.{target}", value)
            patch.start()
            test.addCleanup(patch.stop)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def sleep(self, _):
        if self.later:
            for name, text in self.later.pop(0).items():
                self.write(name, text)


class Preflight(unittest.TestCase):
    def setUp(self):
        self.machine = Machine(self)

    def test_a_calm_machine_gives_no_finding(self):
        self.assertEqual(noise.preflight(), [])

    def test_each_kind_of_trouble_is_one_finding(self):
        troubles = {
            "pressure on cpu": ("pressure/cpu", "some avg10=2.00 total=1\n"),
            "pressure on memory": ("pressure/memory", "some avg10=7.5 total=1\n"),
            "pressure on io": ("pressure/io", "some avg10=99.00 total=1\n"),
            "1023 MiB of memory": ("meminfo", "MemAvailable: 1048000 kB\n"),
            "8 KiB of swap": ("meminfo", CALM["meminfo"].replace("Free: 100", "Free: 92")),
        }
        for words, (name, text) in troubles.items():
            calm = (self.machine.root / name).read_text()
            self.machine.write(name, text)
            findings = noise.preflight()
            self.machine.write(name, calm)
            self.assertEqual(len(findings), 1, (words, findings))
            self.assertIn(words, findings[0])

    def test_a_load_average_counts_while_something_runs(self):
        self.machine.write("loadavg", "0.30 0 0 1/2 3\n")
        self.assertEqual(noise.preflight(), [], "it remembers what has ended")
        self.machine.later = [{"stat": WORKING}]
        self.assertIn("load average is 0.30", noise.preflight()[0])

    def test_stolen_time_counts_from_one_percent(self):
        for stolen, count in ((1, 0), (3, 1)):
            self.machine.write("stat", CALM["stat"])
            text = f"cpu  1000 0 500 {8200 - stolen} 10 0 5 {stolen} 0 0\n"
            self.machine.later = [{"stat": text}]
            self.assertEqual(len(noise.preflight()), count, stolen)

    def test_another_process_is_named_but_not_ourselves(self):
        tick = round(1 / noise.TICK_S)
        before = {f"{os.getpid()}/stat": process("we", 77, 0), "77/stat": process("shell", 1, 0),
                  "88/stat": process("odd) (name", 1, 0), "99/stat": process("idle", 1, 5)}
        for name, text in before.items():
            self.machine.write(name, text)
        self.machine.later = [{
            f"{os.getpid()}/stat": process("we", 77, tick), "77/stat": process("shell", 1, tick),
            "88/stat": process("odd) (name", 1, tick // 2), "99/stat": process("idle", 1, 6)}]
        self.assertEqual(noise.preflight(1.0), ["odd) (name takes 50% of a processor"])

    def test_a_machine_without_pressure_files_can_be_quiet(self):
        for what in ("cpu", "memory", "io"):
            (self.machine.root / "pressure" / what).unlink()
        self.assertEqual(noise.preflight(), [])


class Settle(unittest.TestCase):
    def setUp(self):
        self.machine = Machine(self)
        self.machine.write("pressure/cpu", "some avg10=50.00 total=1\n")
        self.said = []

    def test_waits_until_the_machine_is_quiet(self):
        self.machine.later = [{}, {}, {}, {"pressure/cpu": CALM["pressure/cpu"]}]
        self.assertEqual(noise.settle(60, self.said.append), [])
        self.assertEqual(len(self.said), 2)
        self.assertIn("pressure on cpu is 50.0", self.said[0])

    def test_gives_back_what_is_left_when_patience_ends(self):
        findings = noise.settle(-1, self.said.append)
        self.assertEqual(len(findings), 1)
        self.assertEqual(self.said, [])


class Invalid(unittest.TestCase):
    def words(self, **fields):
        calm = {"steal_ms": 0, "foreign_ms": 0, "capacity_ms": 200, "swap_pages": 0,
                "clock_jump_ms": 0, "psi_some_us": 0}
        return noise.invalid(calm | fields)

    def test_a_calm_run_counts(self):
        self.assertIsNone(self.words())
        self.assertIsNone(noise.invalid(support.QUIET))

    def test_below_the_floors_nothing_is_known(self):
        self.assertIsNone(self.words(steal_ms=20, foreign_ms=60))

    def test_each_reason_has_its_words(self):
        self.assertEqual(self.words(steal_ms=80), "stolen time 80 ms")
        self.assertEqual(self.words(foreign_ms=120), "others ran for 120 ms")
        self.assertEqual(self.words(swap_pages=1), "1 pages swapped")
        self.assertEqual(self.words(clock_jump_ms=-51), "the clock jumped by -51 ms")

    def test_a_long_run_bears_its_share(self):
        self.assertIsNone(self.words(steal_ms=99, foreign_ms=399, capacity_ms=2000))
        self.assertEqual(self.words(steal_ms=101, capacity_ms=2000), "stolen time 101 ms")
        self.assertEqual(self.words(foreign_ms=401, capacity_ms=2000), "others ran for 401 ms")


    def test_others_count_sooner_where_something_waited(self):
        said = {"foreign_ms": 45, "psi_some_us": 45000}
        self.assertEqual(self.words(**said), "others ran for 45 ms while something waited")
        self.assertIsNone(self.words(**said | {"psi_some_us": 19000}), "of an idle processor")
        self.assertIsNone(self.words(**said | {"foreign_ms": 19}), "the run's own")
        self.assertIsNone(self.words(**said | {"capacity_ms": 2000}), "a small part of it")

    def test_more_threads_than_processors_wait_anyhow(self):
        heard = support.QUIET | {"capacity_ms": 200, "foreign_ms": 45, "psi_some_us": 45000}
        processors = len(os.sched_getaffinity(0))
        self.assertIsNotNone(noise.invalid(heard, {}, processors))
        self.assertIsNone(noise.invalid(heard, {}, processors + 1))

    def test_a_run_that_was_read_from_disk_says_nothing(self):
        def words(**metric):
            return noise.invalid(support.QUIET, metric)
        self.assertIsNone(words(majflt=4, wall_s=0.1))
        self.assertEqual(words(majflt=5, wall_s=0.1), "5 pages read from disk")
        self.assertIsNone(words(majflt=39, wall_s=2.0), "a small part of it")
        self.assertIsNone(words(wall_s=0.1), "nobody knows")


class Metering(unittest.TestCase):
    def test_what_others_take_is_foreign_and_what_we_take_is_not(self):
        machine = Machine(self)
        with mock.patch("compare.measure.noise.own_time", side_effect=[1.0, 1.5]):
            meter = noise.Meter()
            machine.write("stat", "cpu  1080 0 500 8000 10 0 5 7 0 0\n")
            machine.write("vmstat", "pswpin 5\npswpout 4\n")
            read = meter.read()
        self.assertEqual(read["foreign_ms"], round(80 * noise.TICK_S * 1e3) - 500)
        self.assertEqual(read["steal_ms"], round(7 * noise.TICK_S * 1e3))
        self.assertEqual(read["swap_pages"], 2)
        self.assertTrue(read["noisy"])

    def test_a_clock_that_was_set_is_seen(self):
        Machine(self)
        with mock.patch("compare.measure.noise.clock_difference", side_effect=[100.0, 99.9]):
            self.assertEqual(noise.Meter().read()["clock_jump_ms"], -100)

    def test_works_on_this_machine(self):
        read = noise.Meter().read()
        self.assertLessEqual(abs(read["clock_jump_ms"]), 5)
        self.assertIsInstance(noise.preflight(0.05), list)


if __name__ == "__main__":
    unittest.main()
