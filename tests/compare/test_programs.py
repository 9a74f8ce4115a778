# SPDX-License-Identifier: MIT
"""Each real program that is here runs, is served by the allocator, and says the same twice."""

import tempfile
import unittest
from pathlib import Path

import support

from compare.arms import allocators
from compare.measure.launch import Launcher, Shot
from compare.workloads import generated, programs, stores, workload


class Programs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def test_same_output_each_time(self):
        rows, absent = programs.real_programs(self.folder.name)
        self.assertEqual(len(rows) + len(absent), 10)
        libc = allocators.loader_cache()["libc.so.6"]
        shot = Shot(Launcher(support.LAUNCH, self.folder.name), (libc,))
        for row in rows:
            with self.subTest(row.name):
                first, second = row.measure(shot), row.measure(shot)
                self.assertIsNone(first.failure, first.detail)
                self.assertEqual(first.checksum, second.checksum)
                self.assertGreater(first.metric["wall_s"], 0)
                self.assertGreater(first.metric["hwm_kib"], 500)

    def test_objects_of_python_come_from_malloc(self):
        """Its own allocator, where it is in use, ends the statistics it prints with arenas."""
        rows = {row.name: row for row in programs.real_programs(self.folder.name)[0]}
        row, shot = rows["python3 objects"], Shot(Launcher(support.LAUNCH, self.folder.name))
        options = row.argv[:row.argv.index(str(programs.INPUTS / "objects.py"))]
        hashes = set()
        for env, has_arenas in ((row.env, False), (row.env, False), ({}, True)):
            self.assertEqual(
                support.has_python_arenas(shot, options, env, self.folder.name), has_arenas)
            if env:
                hashes.add(Path(self.folder.name, "statistics").read_text())
        self.assertEqual(len(hashes), 1)

    def test_inputs_depend_on_the_seed_alone(self):
        for made in (lambda seed: generated.c_source(seed, 5), generated.smt_problem,
                     generated.fast_import):
            self.assertEqual(made(1), made(1))
            self.assertNotEqual(made(1), made(2))

    def test_a_repository_that_lost_an_object_is_wrong_data(self):
        rows = {row.name: row for row in programs.real_programs(self.folder.name)[0]}
        if "git repack" not in rows:
            self.skipTest("needs git")
        row, scratch = rows["git repack"], Path(self.folder.name)
        (scratch / "origin.git").rename(scratch / "packed.git")
        whole, hurt = workload.Outcome(), workload.Outcome()
        row.read(scratch / "stdout", whole)
        self.assertIsNone(whole.failure)
        for pack in (scratch / "packed.git/objects/pack").glob("*.pack"):
            pack.chmod(0o600)
            pack.write_bytes(pack.read_bytes()[:-100])
        row.read(scratch / "stdout", hurt)
        self.assertEqual(hurt.failure, "wrong data")

    def test_db_bench_is_read_without_its_times(self):
        row = stores.DbBenchRow("rocksdb", ("db_bench", "--benchmarks=fillrandom,readrandom"), 30)
        fill = "fillrandom   :  {0} micros/op 4 ops/sec {0} seconds 9 operations;  1 MB/s\n"
        read = fill.replace("fill", "read").replace("\n", " (5 of 9 found)\n")
        out = Path(self.folder.name) / "stdout"

        def outcome_of(text):
            out.write_text(text)
            outcome = workload.Outcome()
            row.read(out, outcome)
            return outcome

        one, other = (outcome_of((fill + read).format(t)) for t in (1.5, 2.5))
        self.assertEqual((one.failure, one.checksum), (None, other.checksum))
        less = outcome_of((fill + read).format(1.5).replace("5 of 9", "4 of 9"))
        self.assertNotEqual(less.checksum, one.checksum)
        self.assertEqual(outcome_of(fill.format(1)).failure, "no result")


class Declared(unittest.TestCase):
    def test_a_workload_that_was_not_built_is_named(self):
        rows, absent = workload.declared(support.COMPARE / "workloads.toml", {"pairs": "/x/pairs"})
        self.assertEqual(rows[0].name, "pairs 64 B")
        self.assertEqual({row.program for row in rows}, {"pairs"})
        self.assertIn(("larson churn", "needs larson"), absent)
        self.assertEqual(rows[0].argv[-1], "--json")


if __name__ == "__main__":
    unittest.main()
