# SPDX-License-Identifier: MIT
"""small_campaign.py: two jobs of the real command line, for the tests of batch systems.

Called by test_campaign_slurm.py and test_campaign_parallel.py. The environment names the programs:
HAK_BENCH_LAUNCH, HAK_BENCH_PROBE, HAK_BENCH_PAIRS, HAK_BENCH_LIB. The only peer is glibc.
"""

import os
import subprocess
from pathlib import Path

import jsonschema
import support

from compare.records import runfile

BLOCKS = 2
ROW = "pairs 64 B"
CAMPAIGN = [*support.COMMAND, "campaign"]
PEERS = """
[[allocator]]
name = "glibc"
sonames = ["libc.so.6"]
package = "libc6"
"""


class SmallCampaign:
    def __init__(self, folder):
        self.folder, self.result = Path(folder) / "campaign", Path(folder) / "merged"
        self.env = os.environ | {"HAK_BENCH_ARGS": "--no-such-option"}  # jobs do not read it
        peers = Path(folder) / "peers.toml"
        peers.write_text(PEERS)
        self.call("plan", "--jobs", "2", "--split", "blocks", "--out", str(self.folder),
                  "--launch", support.LAUNCH, "--probe", support.PROBE,
                  "--bench", os.environ["HAK_BENCH_PAIRS"], "--peers", str(peers),
                  "--lib", "ours", os.environ["HAK_BENCH_LIB"], "--only", f"^{ROW}$",
                  "--blocks", str(BLOCKS), "--seed", "11", "--force")

    def call(self, *words, env=None, fails=False):
        """What it prints; with `fails`, how many jobs failed is the batch system's to say."""
        done = subprocess.run([*CAMPAIGN, *words], env=env or self.env, capture_output=True,
                              text=True, check=False, stdin=subprocess.DEVNULL)
        if (done.returncode != 0) != fails:
            raise AssertionError(f"{words}: status {done.returncode}\n{done.stdout}{done.stderr}"
                                 + "".join(p.read_text() for p in self.folder.glob("slurm-*")))
        return done.stdout + done.stderr

    def check_merged(self, test):
        """The merged folder has all blocks of both jobs, and a table."""
        self.call("merge", str(self.folder), "--out", str(self.result))
        lines = runfile.read(self.result / "runs.jsonl")
        validator = jsonschema.Draft202012Validator(support.schema())
        for line in lines:
            validator.validate(line)
        runs = [x for x in lines if x["rec"] == "run" and x["arm"] == "ours"]
        test.assertEqual({x["block"] for x in runs if x["valid"]}, set(range(BLOCKS)))
        test.assertEqual(len(lines[0]["jobs"]), 2)
        test.assertEqual(len(lines[0]["machines"]), 1)
        test.assertIn(ROW, (self.result / "summary.md").read_text())
