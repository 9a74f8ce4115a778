# SPDX-License-Identifier: MIT
"""A campaign by GNU parallel on this machine."""

import sys
import tempfile
import unittest

from cluster import skip_without
from small_campaign import SmallCampaign

import campaign


class Parallel(unittest.TestCase):
    def test_jobs_are_run_taken_up_again_and_merged(self):
        with tempfile.TemporaryDirectory() as folder:
            small = SmallCampaign(folder)
            plan = campaign.read_plan(small.folder)
            sound = plan["command"]
            campaign.write_json(small.folder / "plan.json", plan | {"command": ["false"]})
            for number in (0, 1):  # as if one job had been interrupted
                campaign.job_folder(small.folder, number).mkdir()
            small.call("run", str(small.folder), "0", status=1)
            campaign.write_json(small.folder / "plan.json", plan | {"command": sound})
            small.call("parallel", str(small.folder))
            self.assertEqual(campaign.open_jobs(small.folder, plan), [])
            log = (small.folder / "joblog").read_text().splitlines()
            self.assertEqual(len(log), 1 + 2)
            small.check_merged(self)
            small.call("parallel", str(small.folder))
            self.assertEqual((small.folder / "joblog").read_text().splitlines(), log)


if __name__ == "__main__":
    skip_without("parallel")
    sys.exit(unittest.main())
