# SPDX-License-Identifier: MIT
"""Campaigns: what a plan gives to each job, what is run again, and what a merge refuses."""

import copy
import json
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import jsonschema
import support

from compare.campaign import jobs, merging
from compare.commands import campaign, run
from compare.measure import session
from compare.records import runfile

# In place of the sub-command run: it leaves a result folder, or fails as it is told.
STAND_IN = """
import json, pathlib, sys
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
count = out / "calls"
count.write_text(str(int(count.read_text()) + 1 if count.exists() else 1))
status = int(pathlib.Path(sys.argv[1]).read_text())
if status in (0, 1):
    (out / "made").mkdir()
    (out / "made/runs.jsonl").write_text(json.dumps(sys.argv) + "\\n")
    (out / "made/summary.md").touch()
assert status != 99, "an error of the harness, which Python ends with 1"
sys.exit(status)
"""


def session_of(rows, seed, cpu="Made Up CPU", blocks=7):
    """A made-up session of some of its rows on one machine."""
    lines = copy.deepcopy(support.made_up_session(blocks=blocks, seed=seed))
    lines[0]["workloads"] = [r for r in lines[0]["workloads"] if r["workload"] in rows]
    lines[0]["env"] |= {"cpu": cpu, "memory_kib": 1 << 23}
    return [x for x in lines if x["rec"] != "run" or x["workload"] in rows]


def part(rows, seed, mark="m", **fields):
    return merging.Part(session_of(rows, seed, **fields), mark)


class Planning(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = Path(folder.name) / "c"
        self.options = ["--launch", "/bin/true", "--probe", "/bin/true", "--bench",
                        "/x/pairs", "/x/larson", "--only", "^(pairs|larson)", "--seed", "5"]

    def plan(self, *words):
        args, options = campaign.parse(["plan", "--out", str(self.out), *self.options, *words])
        with mock.patch("builtins.print"):
            self.assertEqual(jobs.plan(args, options), 0)
        return jobs.read_plan(self.out)

    def test_every_row_is_in_exactly_one_job(self):
        plan = self.plan("--jobs", "3")
        self.assertEqual(len(plan["jobs"]), 3)
        args = campaign.parse(["plan", "--out", "x", "--jobs", "1", *self.options])
        bench = run.parse(args[1])
        for row in session.chosen_rows(bench, self.out.parent)[0]:
            hits = [k for k, job in enumerate(plan["jobs"]) if run.parse(
                [*plan["command"][3:], *job["options"]]).only.search(row.name)]
            self.assertEqual(len(hits), 1, row.name)

    def test_jobs_differ_in_their_seed_and_the_plan_decides_it(self):
        seeds = [job["options"][-1] for job in self.plan("--jobs", "3")["jobs"]]
        self.assertEqual(len(set(seeds)), 3)
        self.assertEqual(seeds[2], str(jobs.seed_of(5, 2)))

    def test_blocks_are_shared_out(self):
        plan = self.plan("--jobs", "3", "--split", "blocks", "--blocks", "11")
        self.assertEqual([job["options"][1] for job in plan["jobs"]], ["4", "4", "3"])

    def test_refuses_more_jobs_than_there_is_work(self):
        for words in (["--jobs", "99"], ["--jobs", "3", "--split", "blocks", "--blocks", "2"]):
            with self.assertRaises(jobs.Refused):
                self.plan(*words)
            self.assertFalse(self.out.exists())

    def test_a_second_plan_does_not_overwrite_the_first(self):
        self.plan("--jobs", "2")
        with self.assertRaisesRegex(jobs.Refused, "has a plan already"):
            self.plan("--jobs", "1")

    def test_jobs_take_about_equally_long(self):
        seed = 4711
        rng = random.Random(seed)
        names = [f"row {k}" for k in range(40)]
        seconds = {name: rng.expovariate(1) for name in names[:36]}
        parts = jobs.balanced(names, seconds, 4)
        self.assertEqual(sorted(sum(parts, [])), sorted(names), f"seed {seed}")
        totals = [sum(seconds.get(n, 0.7) for n in part) for part in parts]
        self.assertLess(max(totals), 4 / 3 * sum(totals) / 4, f"seed {seed}")

    def test_durations_come_from_an_earlier_result(self):
        line = support.run_line(0, 0, "a", "glibc", {"wall_s": 2.0, "hwm_kib": 1})
        failed = support.run_line(0, 1, "a", "fast", {"wall_s": 20}, reason="timeout")
        writer = runfile.Journal(Path(self.out.parent) / "runs.jsonl")
        for x in (line, failed):
            writer.write(x)
        writer.close()
        self.assertEqual(jobs.durations(self.out.parent), {"a": 2.0})


class Running(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.status = self.folder / "status"
        (self.folder / "bench.py").write_text(STAND_IN)
        command = [sys.executable, str(self.folder / "bench.py"), str(self.status)]
        jobs.write_json(self.folder / "plan.json", {
            "split": "rows", "seed": 1, "command": command, "secret": "s",
            "jobs": [{"options": ["--only", "a b"]}, {"options": ["--only", "c"]}]})

    def run_job(self, number, status=0):
        self.status.write_text(str(status))
        done = subprocess.run(
            [*support.COMMAND, "campaign", "run", self.folder, str(number)],
            capture_output=True, text=True, check=False)
        self.said = done.stdout + done.stderr
        return done.returncode

    def calls(self, number):
        return (self.folder / f"job-{number}/calls").read_text()

    def test_a_finished_job_is_not_run_again(self):
        self.assertEqual(self.run_job(1), 0)
        self.assertEqual(self.run_job(1), 0)
        self.assertEqual(self.calls(1), "1")
        made = json.loads((self.folder / "job-1/made/runs.jsonl").read_text())
        self.assertEqual(made[2:4], ["--only", "c"])

    def test_a_job_that_could_not_run_is_run_again(self):
        for status in (75, 130, 2):
            self.assertEqual(self.run_job(0, status), status, self.said)
            self.assertIn(f"not finished: status {status}", self.said)
        self.assertEqual(jobs.open_jobs(self.folder, jobs.read_plan(self.folder)), [0, 1])
        self.assertEqual(self.run_job(0), 0)
        self.assertEqual(self.calls(0), "4")

    def test_an_arm_that_failed_is_a_result(self):
        self.assertEqual(self.run_job(0, 1), 0)
        self.assertEqual(jobs.outcome_of(self.folder, 0)["status"], 1)

    def test_a_harness_that_broke_is_no_result(self):
        self.assertEqual(self.run_job(0, 99), 2, self.said)
        self.assertIn("it left no table", self.said)
        self.assertIsNone(jobs.outcome_of(self.folder, 0))

    def test_there_is_no_job_behind_the_last(self):
        self.assertEqual(self.run_job(2), 2, self.said)
        self.assertIn("there is no job 2", self.said)

    def test_the_array_has_the_open_jobs_only(self):
        self.run_job(0)
        args, options = campaign.parse(["slurm", str(self.folder), "--partition=all"])
        with mock.patch("builtins.print") as said:
            jobs.slurm(args, options)
        self.assertRegex(said.call_args[0][0], r"^sbatch --partition=all \S+/array\.sh$")
        self.assertIn("--array=1\n", (self.folder / "array.sh").read_text())

    def test_nothing_is_merged_before_all_jobs_are_finished(self):
        self.run_job(0)
        args, _ = campaign.parse(["merge", str(self.folder), "--out", str(self.folder / "m")])
        with self.assertRaisesRegex(jobs.Refused, "not finished: job 1"):
            jobs.merge(args)


class Merging(unittest.TestCase):
    plan = {"seed": 9, "split": "rows"}

    def merged(self, *parts):
        lines = merging.merged(parts, "all", self.plan)
        validator = jsonschema.Draft202012Validator(support.schema())
        for line in lines:
            validator.validate(line)
        seen = [(x["workload"], x["arm"], x["block"]) for x in lines if x["rec"] == "run"]
        self.assertEqual(len(seen), len(set(seen)))
        self.assertEqual(len(seen), sum(x["rec"] == "run" for p in parts for x in p.lines))
        return lines

    def test_rows_of_two_jobs_stand_in_one_table(self):
        lines = self.merged(part(["tiny", "real"], 3), part(["short"], 4))
        self.assertEqual({w["workload"] for w in lines[0]["workloads"]}, {"short", "tiny", "real"})
        self.assertEqual({x["block"] for x in lines if x["rec"] == "run"}, set(range(7)))
        with tempfile.TemporaryDirectory() as folder:
            summary = merging.write(lines, Path(folder) / "all")
            self.assertIn("short", (Path(folder) / "all/summary.md").read_text())
            self.assertFalse([w for w in summary.words.values() if w != "missing"])

    def test_blocks_of_a_row_follow_each_other(self):
        rows = ["short", "tiny", "real"]
        lines = self.merged(part(rows, 3), part(rows, 4, "n"), part(rows, 5, "n"))
        ends = [(x["workload"], x["block"]) for x in lines if x["rec"] == "block_end"]
        self.assertEqual(sorted(ends), sorted((r, b) for r in rows for b in range(21)))
        slug = lines[0]["machine"].removesuffix("-1")
        machines = {x["block"]: x["machine"] for x in lines if x["rec"] == "run"}
        self.assertEqual([machines[b] for b in (0, 6, 7, 13, 14, 20)],
                         [f"{slug}-1"] * 2 + [f"{slug}-2"] * 4)

    def test_rows_of_one_block_stay_together_where_a_job_has_fewer(self):
        lines = self.merged(part(["short"], 3, blocks=9), part(["short", "real"], 4, "n"))
        places = {(x["workload"], x["block"]) for x in lines
                  if x["rec"] == "run" and x["block"] >= 9}
        self.assertEqual(places, {(r, b) for r in ("short", "real") for b in range(9, 16)})

    def test_a_block_that_was_cut_off_stays_cut_off(self):
        cut = part(["short"], 3)
        cut.lines.pop()
        lines = self.merged(part(["real"], 3), cut)
        ends = [x["block"] for x in lines if x["rec"] == "block_end" and x["workload"] == "short"]
        self.assertEqual(ends, list(range(6)))

    def test_every_machine_keeps_its_environment(self):
        lines = self.merged(part(["short"], 3, cpu="One"), part(["real"], 4, cpu="Two"))
        machines = lines[0]["machines"]
        self.assertEqual(sorted(env["cpu"] for env in machines.values()), ["One", "Two"])
        self.assertLessEqual({x["machine"] for x in lines[1:]}, machines.keys())
        self.assertEqual(machines[lines[0]["machine"]], lines[0]["env"])

    def test_refuses_another_file_under_the_same_name(self):
        other = part(["real"], 4)
        other.lines[0]["arms"][2]["sha256"] = "1" * 64
        with self.assertRaisesRegex(merging.Different, "the arm same is another file"):
            self.merged(part(["short"], 3), other)

    def test_refuses_an_arm_that_one_machine_lacks(self):
        other = part(["real"], 4)
        other.lines[0]["arms"].pop(2)
        with self.assertRaisesRegex(merging.Different, "not every job has the arms same"):
            self.merged(part(["short"], 3), other)

    def test_refuses_a_row_that_is_another_one_elsewhere(self):
        other = part(["short"], 4)
        other.lines[0]["workloads"][0]["args"] = "twice as long"
        with self.assertRaisesRegex(merging.Different, "the row short is another one"):
            self.merged(part(["short"], 3), other)

    def test_a_row_absent_in_one_job_and_run_in_another_is_not_absent(self):
        first = part(["short"], 3)
        first.lines[0]["absent"].append({"workload": "real", "reason": "needs real"})
        lines = self.merged(first, part(["real"], 4))
        self.assertEqual([a["workload"] for a in lines[0]["absent"]], ["redis"])


if __name__ == "__main__":
    unittest.main()
