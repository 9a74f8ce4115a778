# SPDX-License-Identifier: MIT
"""The spread of layouts is in the interval, in the schedule, and in what is said of a ratio."""

import math
import unittest

import jsonschema
import numpy as np
import support
from simulated_layouts import LAYOUTS, by_blocks, estimate, experiment

from compare.analyse import estimates, layouts
from compare.analyse.summary import Summary
from compare.measure.schedule import Schedule
from compare.measure.stopping import RowNoise
from compare.report import tables


class OneSlowLayout(unittest.TestCase):
    def words(self, made, *settings):
        return [estimates.verdict(made(seed, *settings), estimates.LEAST_DELTA)
                for seed in range(100)]

    def test_of_three_percent_with_a_mean_of_nothing_is_no_difference(self):
        slow = np.array([-0.01, 0.02, -0.01])
        self.assertEqual(set(self.words(estimate, 24, slow, np.zeros(LAYOUTS))), {"inconclusive"})

    def test_is_no_difference_although_blocks_alone_would_say_so(self):
        slow = np.array([0, 0.04, 0.02])
        self.assertEqual(set(self.words(estimate, 60, slow, np.zeros(LAYOUTS))), {"inconclusive"})
        self.assertGreater(self.words(by_blocks, 60, slow, np.zeros(LAYOUTS)).count("slower"), 50)

    def test_does_not_hide_what_all_layouts_share(self):
        shared = np.array([0.045, 0.05, 0.055])
        self.assertGreater(self.words(estimate, 24, shared, np.zeros(LAYOUTS)).count("slower"), 80)


class Fit(unittest.TestCase):
    def test_finds_the_effects_where_there_is_no_noise(self):
        over, under = np.array([0.01, -0.03, 0.02]), np.array([0, 0.04, -0.04])
        pairs, builds = experiment(1, 13, over + 0.1, under, lambda _, n: np.zeros(n))
        found = layouts.fit(pairs, builds, LAYOUTS)
        np.testing.assert_allclose(found.arm, over, atol=1e-12)
        np.testing.assert_allclose(found.base, under, atol=1e-12)
        np.testing.assert_allclose(list(found.aligned.values()), 0.1, atol=1e-12)
        by_arm, by_base = layouts.by_layout(estimates.Estimate(2.0, 1.9, 2.1, 13), found)
        self.assertAlmostEqual(by_arm[1], 2 * math.exp(-0.03))
        self.assertAlmostEqual(by_base[1], 2 * math.exp(-0.04))

    def test_is_none_where_blocks_are_too_few_or_always_the_same_pair(self):
        self.assertIsNone(layouts.fit(*experiment(1, 5, 0, 0), LAYOUTS))
        self.assertIsNotNone(layouts.fit(*experiment(1, 6, 0, 0), LAYOUTS))
        pairs, _ = experiment(1, 12, 0, 0)
        self.assertIsNone(layouts.fit(pairs, {b: (b[1] % 3, b[1] % 3) for b in pairs}, LAYOUTS))

    def test_of_equal_values_gives_no_nan(self):
        pairs, builds = experiment(1, 12, np.zeros(3), np.zeros(3), lambda _, n: np.zeros(n))
        found = layouts.fit(pairs, builds, LAYOUTS)
        self.assertEqual(layouts.row_ratio(pairs, found, 1), estimates.Estimate(1, 1, 1, 12))
        self.assertEqual(layouts.p_beyond(estimates.Estimate(1, 1, 1, 12), found, 0.01), 0)

    def test_what_layouts_differ_in_does_not_ask_for_more_blocks(self):
        def noise(count):
            made = RowNoise("a", count)
            for block in range(12):
                a, b = Schedule(3, 1).layouts(0, block, LAYOUTS)
                x = math.exp((0, 0.05, -0.05)[b] + 0.001 * (-1) ** block)
                made.add(block, [("a", a, 1.0), ("b", b, x)])
            return made.widest()

        self.assertLess(noise(LAYOUTS), 0.002)
        self.assertGreater(noise(0), 0.02)


class Schedules(unittest.TestCase):
    def test_each_layout_is_in_one_of_three_blocks_and_each_pair_in_one_of_nine(self):
        schedule = Schedule(3, 5, palindromes=True)
        pairs = [schedule.layouts(2, number, 3) for number in range(36)]
        for start in range(0, 36, 3):
            for side in zip(*pairs[start:start + 3]):
                self.assertEqual(sorted(side), [0, 1, 2])
        for start in range(0, 36, 9):
            self.assertEqual(len(set(pairs[start:start + 9])), 9)

    def test_a_layout_is_not_tied_to_an_order_of_the_arms(self):
        schedule = Schedule(3, 5, palindromes=True)
        met = {(tuple(schedule.arms(0, n)), schedule.layouts(0, n, 3)[0]) for n in range(180)}
        self.assertEqual(len(met), 6 * 3)

    def test_the_seed_decides_and_nothing_else(self):
        def drawn(seed):
            return [Schedule(3, seed).layouts(1, number, 3) for number in range(9)]

        self.assertEqual(drawn(7), drawn(7))
        self.assertEqual(Schedule(2, 7).layouts(1, 4, 3), drawn(7)[4])
        self.assertNotEqual(drawn(7), drawn(8))


def session(over, blocks=24, count=LAYOUTS, base=100.0):
    """a, b and a copy of a, with these effects of b's layouts, as bench-ab leaves them."""
    kinds = {"a": "hakmem", "b": "hakmem", "null": "null"}
    rng, schedule = np.random.default_rng(4), Schedule(3, 4)
    lines = [support.head(
        rec="session", id="made-up", t="2026-01-01T00:00:00Z", env=support.ENV, absent=[],
        arms=[support.arm_line(arm, kind) for arm, kind in kinds.items()],
        workloads=[support.workload_line("one"), support.workload_line("two")],
        plan={"mode": "ab", "seed": 4, "input_seed": 1, "blocks": blocks, "quiet": True,
              "base": "a", "null_of": "a", "time_budget_s": 1, "design": "made up",
              "layouts": count})]
    for block in range(blocks):
        own, other = schedule.layouts(0, block, count)
        builds = {"a": own, "b": other, "null": own}
        for row in ("one", "two"):
            for slot, arm in enumerate(kinds):
                effect = over[builds[arm]] if arm == "b" else 0
                x = base * math.exp(effect + rng.normal(0, 0.002))
                line = support.run_line(block, slot, row, arm, {"ns_per_op": x, "hwm_kib": 5000})
                lines.append(line | {"build": builds[arm]})
        lines.append(support.head(rec="block_end", block=block))
    return lines


class Told(unittest.TestCase):
    def test_the_records_are_of_the_schema(self):
        validator = jsonschema.Draft202012Validator(support.schema())
        for line in session((0, 0, 0), 2):
            validator.validate(line)

    def test_one_slow_layout_is_no_difference_and_stands_in_its_line(self):
        summary = Summary(session((-0.01, 0.02, -0.01)))
        cell = summary.time.cells["one", "b"]
        self.assertEqual(cell.verdict, "inconclusive")
        mean, _ = summary.time.means["geometric mean", "b"]
        self.assertGreater(mean.half_width(), 0.02)
        self.assertEqual(summary.memory.cells["one", "b"].verdict, "equivalent")
        said = tables.markdown(summary)
        self.assertRegex(said, r"\| one \| b, time \|.*\| 0.99 1.02 0.99 \| 1.00 1.00 1.00 \|")
        self.assertIn("Each build was linked 3 times", said)

    def test_a_difference_of_all_layouts_is_one_and_stands_in_the_gate(self):
        summary = Summary(session((0.05, 0.051, 0.049)))
        self.assertEqual(summary.time.cells["one", "b"].verdict, "slower")
        self.assertIn("slower", [claim.verdict for claim in summary.gate["b"]])

    def test_too_few_blocks_for_three_layouts_carry_no_interval(self):
        summary = Summary(session((0, 0, 0), 4))
        self.assertTrue(math.isnan(summary.time.cells["one", "b"].estimate.low))
        self.assertIn("too few blocks", tables.markdown(summary))

    def test_a_small_claim_of_one_layout_is_owned_up_to(self):
        said = tables.markdown(Summary(session((0.02,), count=1)))
        self.assertIn("of one layout of a build", said)
        self.assertNotIn("By layout", said)
        lines = session((0.3,), count=1)
        for line in lines[1:]:
            if line["rec"] == "run" and line["arm"] == "b":
                line["metric"]["hwm_kib"] = 9000
        self.assertNotIn("of one layout", tables.markdown(Summary(lines)))

    def test_a_session_that_recorded_no_layouts_claims_nothing_of_them(self):
        lines = session((0.02,), count=1)
        del lines[0]["plan"]["layouts"]
        self.assertNotIn("layout", tables.markdown(Summary(lines)))


if __name__ == "__main__":
    unittest.main()
