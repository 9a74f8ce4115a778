# SPDX-License-Identifier: MIT
"""Warm-up is found where it was put, and only there. Seeds are 0, 1, ... of each loop."""

import unittest

import numpy as np
import support  # noqa: F401 (import path)

from compare.analyse import warmup


def flat(seed, n=20, cv=0.01, level=100.0):
    return level * (1 + cv * np.random.default_rng(seed).normal(size=n))


def warming(seed, drop, times, n=20):
    x = flat(seed, n)
    x[:drop] *= times
    return x


class Found(unittest.TestCase):
    def test_a_slow_start_of_any_length_up_to_half(self):
        for drop, times in ((1, 1.5), (2, 1.2), (5, 1.1), (8, 1.05), (10, 2)):
            found = [warmup.steady(warming(seed, drop, times)).drop for seed in range(100)]
            self.assertGreater(np.mean(np.abs(np.array(found) - drop) <= 1), 0.95, drop)

    def test_a_fast_start_too(self):
        self.assertEqual(warmup.steady(warming(1, 4, 0.7)), warmup.Steady(4, True))

    def test_none_in_flat_noise(self):
        for n, cv in ((20, 0.002), (20, 0.01), (20, 0.05), (60, 0.05)):
            said = [warmup.steady(flat(seed, n, cv)) for seed in range(300)]
            self.assertGreater(said.count(warmup.Steady(0, True)) / 300, 0.95, (n, cv))

    def test_none_in_constant_segments(self):
        self.assertEqual(warmup.steady([7.0] * 20), warmup.Steady(0, True))

    def test_a_curve_that_levels_off_ends_up_steady_near_its_level(self):
        curve = 1 + 0.5 * np.exp(-np.arange(60) / 4)
        said = [warmup.steady_score(flat(seed, 60) * curve) for seed in range(100)]
        self.assertGreater(sum(is_steady for _, _, is_steady in said), 90)
        for mean, drop, is_steady in said:
            if is_steady:
                self.assertGreaterEqual(drop, 8)
                self.assertAlmostEqual(mean, 100, delta=2.5)

    def test_a_disturbance_in_the_middle_is_no_level(self):
        x = flat(3)
        x[13:15] *= 1.4
        self.assertEqual(warmup.steady(x), warmup.Steady(0, True))

    def test_a_slow_start_in_several_steps_is_dropped_whole(self):
        x = flat(4)
        x[:3] *= 3
        x[3:5] *= 3.05
        x[5:6] *= 1.5
        self.assertEqual(warmup.steady(x), warmup.Steady(6, True))

    def test_a_change_below_a_hundredth_is_nobodys_warm_up(self):
        self.assertEqual(warmup.steady([100.5] * 6 + [100.0] * 14), warmup.Steady(0, True))


class Unsteady(unittest.TestCase):
    def test_a_trend_has_no_steady_state(self):
        for seed in range(50):
            self.assertFalse(warmup.steady(flat(seed, 40) * np.linspace(1, 1.3, 40)).is_steady)

    def test_a_change_in_the_second_half_has_none_either(self):
        for seed in range(50):
            self.assertEqual(warmup.steady(warming(seed, 14, 1.3)), warmup.NOT_STEADY)

    def test_too_few_segments_say_nothing_and_the_whole_run_counts(self):
        self.assertEqual(warmup.steady_score([2.0, 1.0, 1.0, 1.0]), (1.25, 0, False))


class Row(unittest.TestCase):
    def test_drops_for_all_arms_what_the_slowest_to_warm_up_needs(self):
        arms = {"quick": [warming(s, 1, 2) for s in range(6)],
                "slow": [warming(s, 6, 2) for s in range(6)]}
        self.assertEqual(warmup.row_steady(arms), warmup.Steady(6, True))

    def test_is_not_steady_where_an_arm_is_not(self):
        arms = {"quick": [flat(s) for s in range(6)],
                "never": [warming(s, 15, 2) for s in range(6)]}
        self.assertEqual(warmup.row_steady(arms), warmup.NOT_STEADY)

    def test_one_disturbed_run_decides_nothing(self):
        runs = [flat(s) for s in range(6)] + [warming(9, 15, 3)]
        self.assertEqual(warmup.row_steady({"arm": runs}), warmup.Steady(0, True))

    def test_needs_runs_cut_into_equally_many(self):
        for runs in ([flat(1), flat(1, 25)], [[], flat(1)], [flat(1, 12)]):
            self.assertEqual(warmup.row_steady({"arm": runs}), warmup.NOT_STEADY)


if __name__ == "__main__":
    unittest.main()
