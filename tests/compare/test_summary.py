# SPDX-License-Identifier: MIT
"""Which records count, and what a summary says of them, on sessions made up with known truth."""

import math
import random
import unittest

import support

from compare.analyse import estimates
from compare.analyse.summary import Summary
from compare.records import runfile
from compare.report import caption, grids, tables

SEED = 11
RESULTS = support.COMPARE.parent / "results"


def session(arms, rows, **plan):
    return support.head(
        rec="session", id="made-up", t="2026-01-01T00:00:00Z", env=support.ENV, absent=[],
        arms=[support.arm_line(arm, "hakmem") for arm in arms],
        workloads=[support.workload_line(row) for row in rows],
        plan={"seed": SEED, "input_seed": 1, "blocks": 9, "quiet": True, "base": arms[0],
              "null_of": arms[0], "time_budget_s": 1, "design": "made up"} | plan)


def block(number, row, factors, rng, attempt=0, counts=True, noise=0.003, **more):
    """The runs of one (row, block), and its end."""
    drift = math.exp(rng.gauss(0, 0.3))
    lines = []
    for slot, (arm, factor) in enumerate(factors.items()):
        x = 100 * drift * factor * math.exp(rng.gauss(0, noise))
        lines.append(support.run_line(number, slot, row, arm, {"ns_per_op": x, "hwm_kib": 5000}))
        lines[-1] |= {"attempt": attempt} | more
    lines.append(support.head(rec="block_end", block=number, workload=row, attempt=attempt,
                              counts=counts, reason=None if counts else "stolen time 80 ms"))
    return lines


class Counting(unittest.TestCase):
    FACTORS = {"base": 1, "twice": 2, "null": 1}

    def lines(self):
        rng = random.Random(SEED)
        found = [session(["base", "twice", "null"], ["long", "short"])]
        for number in range(15):
            found += block(number, "long", self.FACTORS, rng)
        for number in range(8):
            found += block(number, "short", self.FACTORS, rng)
        return found

    def test_rows_may_have_different_numbers_of_blocks(self):
        ends = [support.head(rec="row_end", workload="short", blocks=8, reason="precise",
                             half_width=0.004)]
        summary = Summary(self.lines() + ends)
        self.assertEqual(summary.row_blocks, {"long": 15, "short": 8})
        self.assertEqual(summary.blocks, 15)
        self.assertEqual(summary.row_ends["short"]["reason"], "precise")
        self.assertEqual(summary.time.cells["short", "twice"].estimate.n, 8)
        mean, rows = summary.time.means["geometric mean", "twice"]
        self.assertEqual((rows, mean.n), (2, 8))
        self.assertAlmostEqual(mean.ratio, 2, delta=0.02)

    def test_a_block_done_again_counts_once_with_its_last_attempt(self):
        rng = random.Random(SEED)
        disturbed = {"base": 1, "twice": 7, "null": 3}
        redone = block(15, "long", disturbed, rng, counts=False)
        redone += block(15, "long", self.FACTORS, rng, attempt=1)
        summary = Summary(self.lines() + redone)
        cell = summary.time.cells["long", "twice"]
        self.assertEqual(len(cell.values), 16)
        self.assertAlmostEqual(math.exp(cell.pairs["", 15]), 2, delta=0.05)
        self.assertEqual([end["reason"] for end in summary.refused], ["stolen time 80 ms"])

    def test_a_block_given_up_does_not_count(self):
        rng = random.Random(SEED)
        lost = [line for attempt in range(3) for line in
                block(15, "long", self.FACTORS, rng, attempt=attempt, counts=False)]
        summary = Summary(self.lines() + lost)
        self.assertEqual(summary.row_blocks["long"], 15)
        self.assertEqual(len(summary.refused), 3)

    def test_a_block_cut_off_does_not_count_and_its_row_alone_lacks_it(self):
        rng = random.Random(SEED)
        summary = Summary(self.lines() + block(15, "long", self.FACTORS, rng)[:-1])
        self.assertEqual(summary.row_blocks, {"long": 15, "short": 8})

    def test_what_drifts_during_a_palindrome_cancels(self):
        lines = [session(["base", "twice"], ["row"], null_of=None)]
        for number in range(8):
            for slot, arm in enumerate(["base", "twice", "twice", "base"]):
                x = 1.1 ** slot * {"base": 100, "twice": 200}[arm]
                lines.append(support.run_line(number, slot, "row", arm,
                                              {"ns_per_op": x, "hwm_kib": 5000}))
            lines.append(support.head(rec="block_end", block=number, workload="row", attempt=0,
                                      counts=True, reason=None))
        estimate = Summary(lines).time.cells["row", "twice"].estimate
        self.assertAlmostEqual(estimate.ratio, 2.0)
        self.assertEqual(estimate.n, 8)

    def test_a_failure_decides_the_cell_even_in_a_block_that_does_not_count(self):
        failed = support.run_line(3, 9, "short", "twice", {}, reason="crash SIGSEGV")
        summary = Summary(self.lines() + [failed | {"attempt": 2}])
        self.assertEqual(summary.time.cells["short", "twice"].words, "crash SIGSEGV")
        self.assertEqual(summary.memory.cells["short", "twice"].words, "crash SIGSEGV")
        self.assertIsNone(summary.time.cells["short", "base"].words)
        self.assertEqual(summary.time.means["geometric mean", "twice"][1], 1)

    def test_histograms_of_refused_attempts_are_left_out(self):
        def hist(number, attempt, value):
            return support.head(rec="hist", workload="long", arm="base", block=number, op="malloc",
                                attempt=attempt, unit="ns", sub_bits=7, counts={str(value): 10})

        summary = Summary(self.lines() + [hist(b, 0, 40 + b) for b in range(8)] + [hist(1, 1, 99)])
        found = summary.hists["long", "base", "malloc"]
        self.assertEqual((found.count(), found.largest()), (80, 47))
        self.assertEqual(summary.percentiles("long", "base", "malloc")[0].value, 43)

    def test_mem_and_insn_are_there_by_row_and_arm(self):
        said = [support.head(rec=rec, workload="long", arm="base") for rec in ("mem", "insn")]
        summary = Summary(self.lines() + said)
        self.assertEqual(summary.mem["long", "base"], said[0])
        self.assertEqual(summary.insn["long", "base"], said[1])

    def test_a_failure_when_sampled_is_told_and_leaves_the_timed_cells_their_numbers(self):
        lost = support.timeline_line("long", "twice") | {"reason": "crash SIGSEGV", "metric": {}}
        summary = Summary(self.lines() + [support.timeline_line("long", "base"), lost])
        self.assertIsNone(summary.time.cells["long", "twice"].words)
        self.assertIn("1 crash SIGSEGV when sampled", caption.failures(summary))
        self.assertIn("crash SIGSEGV", grids.timeline_grid(summary).lines[0][-1].text)
        self.assertIn(",crash SIGSEGV", tables.comma_separated(summary))

    def test_a_machine_has_blocks_of_its_own(self):
        rng = random.Random(SEED)
        found = [session(["base", "twice", "null"], ["long"])]
        for machine, factor in (("m1", 1.9), ("m2", 2.1)):
            for number in range(8):
                lines = block(number, "long", self.FACTORS | {"twice": factor}, rng)
                found += [line | {"machine": machine} for line in lines]
        summary = Summary(found)
        estimate = summary.time.cells["long", "twice"].estimate
        self.assertEqual((summary.machines, estimate.n), (["m1", "m2"], 16))
        self.assertLess(estimate.low, 1.95)
        self.assertGreater(estimate.high, 2.05)


class Verdicts(unittest.TestCase):
    def test_the_four_words_and_what_goes_with_them(self):
        rng = random.Random(SEED)
        factors = {"base": 1, "same": 1, "quick": 0.9, "late": 1.1, "null": 1}
        found = [session(list(factors), ["row"])]
        for number in range(20):
            found += block(number, "row", factors, rng)
        summary = Summary(found)
        cells = {arm: summary.time.cells["row", arm] for arm in summary.columns}
        self.assertEqual([cells[arm].verdict for arm in ("same", "quick", "late")],
                         ["equivalent", "faster", "slower"])
        self.assertEqual(cells["quick"].superiority.cliff, 1)
        self.assertEqual(summary.memory.cells["row", "late"].verdict, "equivalent")
        self.assertEqual(summary.gate["late"][0].verdict, "slower")
        self.assertGreater(summary.mde["row"], 1.01)
        self.assertLess(summary.mde["row"], 1.02)

    def test_noise_of_the_null_arm_makes_small_differences_inconclusive(self):
        rng = random.Random(SEED)
        factors = {"base": 1, "late": 1.02, "null": 1}
        found = [session(list(factors), ["row"])]
        for number in range(12):
            found += block(number, "row", factors, rng, noise=0.1)
        summary = Summary(found)
        self.assertEqual(summary.time.cells["row", "late"].verdict, "inconclusive")
        self.assertGreater(summary.time.delta["row"], 0.02)

    def test_ab_finds_a_planted_three_percent_and_no_planted_nothing(self):
        for factor, word in ((1.03, "slower"), (1.0, "equivalent")):
            rng = random.Random(SEED)
            factors = {"a": 1, "b": factor, "null": 1}
            found = [session(list(factors), ["row"], mode="ab")]
            for number in range(20):
                found += block(number, "row", factors, rng, noise=0.004)
            summary = Summary(found)
            self.assertEqual((summary.base, summary.columns), ("a", ["b"]))
            self.assertEqual(summary.gate["b"][0].verdict, word)

    def test_calibration_counts_false_differences_of_copies(self):
        rng = random.Random(SEED)
        factors = {"lib": 1, "twin-1": 1, "twin-2": 1, "twin-3": 1, "null": 1}
        found = [session(list(factors), [f"row {k}" for k in range(15)], mode="calibrate")]
        for number in range(10):
            for k in range(15):
                found += block(number, f"row {k}", factors, rng, noise=0.02)
        summary = Summary(found)
        rate = summary.calibration["time"]
        self.assertEqual(rate.of, 15)
        self.assertLessEqual(rate.rate, 0.05)
        self.assertEqual(set(summary.mde), {f"row {k}" for k in range(15)})
        self.assertIsNone(Summary(found[:1] + found[1:7]).calibration["time"].low or None)

    def test_a_value_of_zero_has_no_ratio(self):
        rng = random.Random(SEED)
        found = [session(["base", "x", "null"], ["row"])]
        for number in range(8):
            found += block(number, "row", {"base": 1, "x": 1, "null": 1}, rng)
        for run in found:
            if run.get("arm") == "x":
                run["metric"]["hwm_kib"] = 0
        cell = Summary(found).memory.cells["row", "x"]
        self.assertEqual((cell.estimate, cell.spread.median), (None, 0))


class WarmUp(unittest.TestCase):
    def lines(self, slow):
        """`slow` leading segments of arm x take three times as long."""
        rng = random.Random(SEED)
        found = [session(["base", "x", "null"], ["row"])]
        for number in range(10):
            lines = block(number, "row", {"base": 1, "x": 0.5, "null": 1}, rng)
            for run in lines[:-1]:
                level = run["metric"]["ns_per_op"]
                run["segments"] = [level * math.exp(rng.gauss(0, 0.002)) for _ in range(20)]
                if run["arm"] == "x":
                    run["segments"][:slow] = [3 * s for s in run["segments"][:slow]]
                run["metric"]["ns_per_op"] = sum(run["segments"]) / 20
            found += lines
        return found

    def test_is_dropped_for_all_arms(self):
        summary = Summary(self.lines(5))
        self.assertEqual((summary.steady["row"].drop, summary.steady["row"].is_steady), (5, True))
        self.assertAlmostEqual(summary.time.cells["row", "x"].estimate.ratio, 0.5, delta=0.005)

    def test_without_a_steady_state_the_whole_run_counts(self):
        summary = Summary(self.lines(14))
        self.assertFalse(summary.steady["row"].is_steady)
        self.assertAlmostEqual(summary.time.cells["row", "x"].estimate.ratio, 1.2, delta=0.01)

    def test_without_segments_the_whole_run_counts(self):
        lines = self.lines(5)
        for line in lines:
            line.pop("segments", None)
        summary = Summary(lines)
        self.assertAlmostEqual(summary.time.cells["row", "x"].estimate.ratio, 0.75, delta=0.01)


class Stored(unittest.TestCase):
    def test_result_folders_load_and_every_cell_says_something(self):
        folders = sorted(RESULTS.glob("*/runs.jsonl.xz"))[:3]
        self.assertTrue(folders)
        for path in folders:
            summary = Summary(runfile.read(path))
            self.assertGreaterEqual(summary.blocks, estimates.LEAST_BLOCKS, path)
            for table in (summary.time, summary.memory):
                for place, cell in table.cells.items():
                    self.assertTrue(cell.words or cell.values, place)


if __name__ == "__main__":
    unittest.main()
