# SPDX-License-Identifier: MIT
"""A campaign by GNU parallel on this machine."""

import sys
import tempfile
import unittest

from cluster import skip_without
from small_campaign import SmallCampaign

from compare.campaign import jobs


class Parallel(unittest.TestCase):
    def test_jobs_that_failed_are_run_again_and_finished_ones_are_not(self):
        with tempfile.TemporaryDirectory() as folder:
            small = SmallCampaign(folder)
            plan = jobs.read_plan(small.folder)
            broken = plan | {"command": ["sh", "-c", "exit 75"]}
            jobs.write_json(small.folder / "plan.json", broken)
            said = small.call("parallel", str(small.folder), fails=True)
            for job in (0, 1):
                self.assertIn(f"job {job} is not finished: status 75", said)
            self.assertEqual(jobs.open_jobs(small.folder, plan), [0, 1])
            jobs.write_json(small.folder / "plan.json", plan)
            small.call("parallel", str(small.folder))
            self.assertEqual(jobs.open_jobs(small.folder, plan), [])
            log = (small.folder / "joblog").read_text()
            small.check_merged(self)
            small.call("parallel", str(small.folder))
            self.assertEqual((small.folder / "joblog").read_text(), log)


if __name__ == "__main__":
    skip_without("parallel")
    sys.exit(unittest.main())
