# SPDX-License-Identifier: MIT
"""A session that is killed goes on; a disturbed block is run again; a row knows its end."""

import collections
import dataclasses
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

import support

from compare.analyse.counted import Counted
from compare.arms import allocators
from compare.measure import noise
from compare.measure.launch import Launcher
from compare.measure.progress import Progress
from compare.measure.runner import Runner
from compare.measure.stopping import PLANS, RowNoise, blocks_needed
from compare.records import runfile
from compare.workloads.workload import Outcome, Row

SEED = int(os.environ.get("HAK_TEST_SEED", "0")) or random.randrange(1 << 30)
BLOCKS = 5
LIBC = allocators.loader_cache()["libc.so.6"]
COMMAND = """import sys, test_runner; from pathlib import Path
test_runner.make_session(Path(sys.argv[1]))"""


def rows_of(folder):
    """Each run leaves a line in a file: what was run, whether it was recorded or not."""
    said = f"echo x >> {folder}/made; sleep 0.01; echo same"
    return [Row(name, ("/bin/sh", "-c", said), 300) for name in ("one", "two", "three")]


def make_runner(folder, plan):
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    link = folder / "libtwin.so"
    link.exists() or link.symlink_to(LIBC)
    present = [allocators.Arm("glibc", "system", LIBC), allocators.Arm("twin", "system", str(link))]
    journal = runfile.Journal(folder / "runs.jsonl")
    return Runner(Launcher(support.LAUNCH, scratch), {"probe": support.PROBE}, rows_of(folder),
                  present, journal, plan, 7, Progress(io.StringIO()))


def make_session(folder, plan=None):
    runner = make_runner(folder, plan or support.exactly(BLOCKS))
    runner.prove_all()
    runner.measure_all()
    runner.journal.close()
    return runner


def places(lines):
    return [(r["workload"], r["block"], r["attempt"], r["slot"], r["arm"], r["env_pad"])
            for r in lines if r["rec"] == "run"]


class Killed(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        # What a mark in the noise of this machine does is not asked here.
        patch = mock.patch.object(noise, "invalid", lambda *_: None)
        patch.start()
        self.addCleanup(patch.stop)

    def made(self):
        path = self.folder / "made"
        return path.read_text().count("x") if path.exists() else 0

    def start(self, text, *args):
        return subprocess.Popen([sys.executable, "-c", text, *map(str, args)],
                                cwd=Path(__file__).parent)

    def test_at_any_moment_it_loses_the_run_in_flight_and_nothing_else(self):
        print(f"seed {SEED}")
        draw, kills = random.Random(SEED), 0
        command = ("from compare.measure import noise; noise.invalid = lambda *_: None\n"
                   + COMMAND)
        command = f"import sys; sys.path.insert(0, {str(support.ROOT)!r})\n" + command
        while True:
            session = self.start(command, self.folder)
            # In the middle of a run, or between two: some runs further, and a little later.
            enough = self.made() + draw.randint(1, 9)
            while session.poll() is None and self.made() < enough:
                time.sleep(0.001)
            time.sleep(draw.random() * 0.05)
            if session.poll() is not None:
                self.assertEqual(session.returncode, 0)
                break
            session.kill()
            session.wait()
            kills += 1
            time.sleep(0.1)  # what it started dies with it
        self.assertGreater(kills, 1, "nothing was tested")
        lines = runfile.read(self.folder / "runs.jsonl")
        made = self.made()
        proofs = [(r["workload"], r["arm"]) for r in lines if r["rec"] == "proof"]
        runs = places(lines)
        self.assertEqual(len(proofs), len(set(proofs)))
        self.assertEqual(len(runs), len(set(runs)))
        self.assertEqual((len(proofs), len(runs)), (6, 6 * BLOCKS))
        self.assertLessEqual(made - len(proofs) - len(runs), kills)
        other = self.folder / "other"
        other.mkdir()
        whole = make_session(other)
        self.assertEqual(sorted(runs), sorted(places(whole.journal.lines)))

    def test_a_torn_line_is_cut_off(self):
        runner = make_session(self.folder)
        path = self.folder / "runs.jsonl"
        whole, lines = path.read_bytes(), runner.journal.lines
        for cut in (1, 7, len(whole.splitlines()[-1])):
            path.write_bytes(whole[:-cut])
            journal = runfile.Journal(path)
            self.assertEqual(journal.lines, lines[:-1])
            journal.close()
            self.assertTrue(path.read_bytes().endswith(b"\n"))

    def test_a_damaged_line_is_not_taken_for_a_torn_one(self):
        make_session(self.folder)
        path = self.folder / "runs.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        lines[3] = lines[3][:20] + b"\n"
        path.write_bytes(b"".join(lines))
        with self.assertRaisesRegex(runfile.Damaged, "line 4"):
            runfile.Journal(path)
        self.assertEqual(path.read_bytes(), b"".join(lines))

    def test_a_pilot_whose_plan_was_not_written_is_planned_all_the_same(self):
        plan = support.exactly(BLOCKS, pilot=3)
        lines = make_session(self.folder, plan).journal.lines
        pilot = next(n for n, line in enumerate(lines)
                     if line["rec"] == "block_end" and line["block"] == plan.pilot - 1)
        text = "".join(json.dumps(line) + "\n" for line in lines[:pilot + 1])
        (self.folder / "runs.jsonl").write_text(text)
        goes_on = make_session(self.folder, plan).journal.lines
        planned = [line["workload"] for line in goes_on if line["rec"] == "row_plan"]
        self.assertEqual(sorted(planned), ["one", "three", "two"])

    def test_a_histogram_without_its_run_is_cut_off(self):
        path = self.folder / "runs.jsonl"
        lines = [{"rec": "block_end"}, {"rec": "hist", "op": "malloc"}]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        self.assertEqual(runfile.read(path), lines[:1])

    def test_the_command_goes_on_in_the_folder_it_left(self):
        tools = ["--launch", support.LAUNCH, "--probe", support.PROBE, "--ledger",
                 os.environ["HAK_BENCH_LEDGER"], "--bench", os.environ["HAK_BENCH_PAIRS"],
                 "--lib", "mine", os.environ["HAK_BENCH_LIB"]]
        command = [*support.COMMAND, "run", *tools, "--only",
                   "^pairs 64 B$", "--arms", "^(mine|null)$", "--blocks", "12", "--force",
                   "--out", str(self.folder / "results")]
        for _ in range(30):
            session = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            began = time.monotonic()
            while session.poll() is None and not (
                    self.runs() > 4 and time.monotonic() - began > 1):
                time.sleep(0.02)
            if self.runs() < 36:
                break
        held = self.runs()
        session.kill()
        session.wait()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        folders = list((self.folder / "results").iterdir())
        self.assertEqual(len(folders), 1)
        lines = runfile.read(folders[0] / "runs.jsonl")
        self.assertEqual(lines[-1]["rec"], "session_end")
        self.assertEqual(sum(line["rec"] == "resume" for line in lines), 1)
        kept = next(n for n, line in enumerate(lines) if line["rec"] == "resume")
        self.assertGreaterEqual(len(places(lines[:kept])), held)
        again = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(again.returncode, 0)
        self.assertEqual(len(list((self.folder / "results").iterdir())), 2, "it had an end")

    def runs(self):
        paths = list((self.folder / "results").glob("*/runs.jsonl"))
        return len(places(runfile.read(paths[0]))) if paths else 0


class Disturbed(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def session(self, invalid, plan=None):
        with mock.patch.object(noise, "invalid", invalid), \
                mock.patch("compare.measure.runner.REST_AFTER_NOISE_S", 0):
            return make_session(self.folder, plan)

    def test_a_disturbed_block_is_run_again_and_stays_on_record(self):
        turn = iter([None] * 3 + ["stolen time 80 ms"])
        runner = self.session(lambda *_: next(turn, None))
        ends = [r for r in runner.journal.lines if r["rec"] == "block_end"]
        refused = [end for end in ends if not end["counts"]]
        self.assertEqual([end["reason"] for end in refused], ["stolen time 80 ms"])
        self.assertEqual(len(ends), 3 * BLOCKS + 1)
        self.assertEqual(len(places(runner.journal.lines)), 6 * BLOCKS + 2)

    def test_a_disturbed_block_ends_at_once(self):
        turn = iter([None] * 2 + ["stolen time 80 ms"])
        runner = self.session(lambda *_: next(turn, None))
        self.assertEqual(len(places(runner.journal.lines)), 6 * BLOCKS + 1)
        self.assertEqual(set(runner.blocks.values()), {BLOCKS})

    def test_after_a_program_was_read_from_disk_nobody_waits(self):
        for words, waits in (("9 pages read from disk", 0), ("stolen time 80 ms", 1)):
            turn = iter([words])
            self.folder = self.folder / "next"
            self.folder.mkdir()
            with mock.patch.object(noise, "invalid", lambda *_: next(turn, None)), \
                    mock.patch("compare.measure.runner.time",
                               mock.Mock(monotonic=time.monotonic)) as clock:
                runner = make_session(self.folder)
            self.assertEqual(len(places(runner.journal.lines)), 6 * BLOCKS + 1)
            self.assertEqual(sum(call.args[0] > 0 for call in clock.sleep.mock_calls), waits, words)
            self.assertGreaterEqual(runner.redone_s, 3 * waits)  # it is a cost of doing it again

    def test_on_a_machine_that_never_rests_the_last_attempt_counts(self):
        runner = self.session(lambda *_: "others ran")
        ends = [r for r in runner.journal.lines if r["rec"] == "block_end"]
        counting = [end for end in ends if end["counts"]]
        self.assertEqual(len(counting), 3 * BLOCKS)
        self.assertLess(runner.redone_s, 0.5 * runner.spent_s)

    def scripted(self, failures, invalid, **plan):
        """One row whose n-th run under the twin, the proof first, ends as `failures` says."""
        turn = iter(failures)

        class Scripted(Row):
            def measure(self, shot):
                is_twin = "twin" in shot.preloads[-1]
                outcome = Row.measure(self, shot)
                outcome.failure = next(turn, None) if is_twin else None
                if outcome.failure:
                    outcome.metric = {}
                return outcome

        with mock.patch.object(noise, "invalid", invalid), \
                mock.patch("compare.measure.runner.REST_AFTER_NOISE_S", 0), \
                mock.patch(f"{__name__}.rows_of",
                           lambda _: [Scripted("one", ("/bin/echo", "same"), 300)]):
            return make_session(self.folder, support.exactly(BLOCKS, **plan))

    @staticmethod
    def where_it_fails(_, metric=None, *__):
        return None if metric else "others ran"

    def words_of(self, runner):
        """What the runs that count say of the twin."""
        counted = Counted(runner.journal.lines).runs(runner.journal.lines)
        return {run["reason"] for run in counted if run["arm"] == "twin"}

    def test_a_timeout_in_a_disturbed_block_is_run_again(self):
        runner = self.scripted([None, None, "timeout"], self.where_it_fails)
        self.assertEqual(runner.blocks, {0: BLOCKS})
        self.assertEqual(self.words_of(runner), {None})
        self.assertIn("timeout", {r["reason"] for r in runner.journal.lines if r["rec"] == "run"})

    def test_a_timeout_in_the_last_attempt_is_final(self):
        runner = self.scripted([None] + ["timeout"] * 99, self.where_it_fails)
        self.assertIn("timeout", self.words_of(runner))
        self.assertEqual(runner.given_up, {(0, 1)})
        late = [r["attempt"] for r in runner.journal.lines if r.get("reason") == "timeout"
                and r["rec"] == "run"]
        self.assertEqual(late, [0, 1, 2])

    def test_a_timeout_in_a_block_that_counts_is_final(self):
        runner = self.scripted([None, None, "timeout"], lambda *_: None)
        self.assertEqual(self.words_of(runner), {None, "timeout"})
        twins = [place for place in places(runner.journal.lines) if place[4] == "twin"]
        self.assertEqual(len(twins), 2, "it was run again after its end")

    def test_a_crash_in_a_disturbed_block_is_final(self):
        runner = self.scripted([None, None, "crash SIGSEGV"], lambda *_: "others ran")
        self.assertIn("crash SIGSEGV", self.words_of(runner))
        self.assertEqual(runner.given_up, {(0, 1)})

    def test_an_arm_is_not_run_twice_in_an_attempt_that_it_did_not_end_in_time(self):
        third = iter([None, None, "stolen time 80 ms"])
        runner = self.scripted([None, "timeout"], lambda *_: next(third, None), palindromes=True)
        self.assertEqual(self.words_of(runner), {None})
        first = [place for place in places(runner.journal.lines) if place[1:3] == (0, 0)]
        self.assertEqual(sum(place[4] == "twin" for place in first), 1)

    def test_a_timeout_of_a_proof_on_a_disturbed_machine_is_proved_again(self):
        runner = self.scripted(["timeout"], self.where_it_fails)
        self.assertEqual(self.words_of(runner), {None})
        proofs = [r for r in runner.journal.lines if r["rec"] == "proof"]
        self.assertEqual([r["reason"] for r in proofs if r["arm"] == "twin"], [None])

    def test_the_order_in_a_block_and_the_rows_of_a_round_are_complete(self):
        runner = self.session(lambda *_: None)
        seen = collections.Counter(place[:2] for place in places(runner.journal.lines))
        self.assertEqual(set(seen.values()), {2})
        self.assertEqual(len(seen), 3 * BLOCKS)

    def test_palindromes_run_each_arm_twice(self):
        runner = self.session(lambda *_: None, support.exactly(2, palindromes=True))
        for row in ("one", "two", "three"):
            order = [p[4] for p in places(runner.journal.lines) if p[:2] == (row, 0)]
            self.assertEqual(order, order[::-1])
            self.assertEqual(len(order), 4)

    def test_a_used_up_budget_ends_every_row_after_its_first_block(self):
        plan = dataclasses.replace(PLANS["compare"], budget_s=1e-9)
        runner = self.session(lambda *_: None, plan)
        ends = [r for r in runner.journal.lines if r["rec"] == "row_end"]
        self.assertEqual({(r["reason"], r["blocks"]) for r in ends}, {("time", 1)})


class Precision(unittest.TestCase):
    def row(self, deviation, blocks, seed=3):
        draw, row = random.Random(seed), RowNoise("base")
        for block in range(blocks):
            row.add(block, [("base", 0, 10.0), ("arm", 0, 9.0 * (1 + draw.gauss(0, deviation)))])
        return row

    def test_a_difference_of_ten_percent_does_not_make_a_row_noisy(self):
        self.assertLess(self.row(0.001, 10).widest(), 0.002)

    def test_a_noisy_row_is_planned_longer_than_a_quiet_one(self):
        plan = PLANS["publish"]
        self.assertEqual(self.row(0.001, 6).needed(plan), plan.least)
        self.assertEqual(self.row(0.5, 6).needed(plan), plan.most)

    def test_the_plan_is_what_makes_the_interval_narrow_enough(self):
        draw = random.Random(5)
        pilot = [draw.gauss(0, 0.02) for _ in range(200)]
        self.assertAlmostEqual(blocks_needed(pilot[:60], 0.004), 98, delta=25)
        self.assertEqual(blocks_needed(pilot[:60], 0.1), 60)


if __name__ == "__main__":
    unittest.main()
