# SPDX-License-Identifier: MIT
"""A campaign as a job array of Slurm, with a cluster of one node on loopback."""

import sys
import tempfile
import unittest
from pathlib import Path

import cluster
from small_campaign import SmallCampaign

from compare.campaign import jobs


class Slurm(unittest.TestCase):
    def test_an_array_of_jobs_is_run_and_merged(self):
        with cluster.Cluster() as slurm, tempfile.TemporaryDirectory() as folder:
            small = SmallCampaign(folder)
            words = ("slurm", str(small.folder), "--submit", "--wait")
            try:
                small.call(*words, env=small.env | slurm.env)
            except AssertionError as failure:
                self.fail(f"{failure}\n{slurm.words()}")
            plan = jobs.read_plan(small.folder)
            self.assertEqual(jobs.open_jobs(small.folder, plan), [])
            self.assertEqual(len(list(Path(small.folder).glob("slurm-?.out"))), 2)
            small.check_merged(self)
            self.assertIn("all jobs are finished", small.call(*words))

    def test_nothing_of_a_cluster_outlives_it(self):
        with cluster.Cluster() as slurm:
            script = slurm.folder / "sleeper.sh"
            script.write_text("#!/bin/sh\nsleep 60 & sleep 60\n")
            slurm.tool("sbatch", f"--output={slurm.folder}/sleeper.out", str(script))
            slurm.wait("a job", lambda: len(cluster.descendants(cluster.os.getpid())) >= 6)
        self.assertEqual(cluster.descendants(cluster.os.getpid()), [])


if __name__ == "__main__":
    cluster.skip_without(*cluster.TOOLS)
    sys.exit(unittest.main())
