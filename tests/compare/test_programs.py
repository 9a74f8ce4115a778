# SPDX-License-Identifier: MIT
"""Each real program that is here runs, is served by the allocator, and says the same twice."""

import tempfile
import unittest

import support

import arms
import programs
import workloads
from launch import Launcher, Shot


class Programs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def test_same_output_each_time(self):
        rows, absent = programs.real_programs(self.folder.name)
        self.assertEqual(len(rows) + len(absent), 7)
        libc = arms.loader_cache()["libc.so.6"]
        shot = Shot(Launcher(support.LAUNCH, self.folder.name), (libc,))
        for row in rows:
            with self.subTest(row.name):
                first, second = row.measure(shot), row.measure(shot)
                self.assertIsNone(first.failure, first.detail)
                self.assertEqual(first.checksum, second.checksum)
                self.assertGreater(first.metric["wall_s"], 0)
                self.assertGreater(first.metric["hwm_kib"], 500)

    def test_inputs_depend_on_the_seed_alone(self):
        self.assertEqual(programs.c_source(1, 5), programs.c_source(1, 5))
        self.assertNotEqual(programs.c_source(1, 5), programs.c_source(2, 5))


class Declared(unittest.TestCase):
    def test_a_workload_that_was_not_built_is_named(self):
        rows, absent = workloads.declared(support.COMPARE / "workloads.toml", {"pairs": "/x/pairs"})
        self.assertEqual(rows[0].name, "pairs 64 B")
        self.assertEqual({row.group for row in rows}, {"pairs"})
        self.assertIn(("larson churn", "needs larson"), absent)
        self.assertEqual(rows[0].argv[-1], "--json")


if __name__ == "__main__":
    unittest.main()
