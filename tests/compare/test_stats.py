# SPDX-License-Identifier: MIT
"""Statistics on data whose truth is known."""

import math
import unittest

import numpy as np
import support  # noqa: F401 (import path)

import stats


def coverage(draw, n, truth, trials=400):
    hits = 0
    for trial in range(trials):
        estimate = stats.median_ratio(draw(np.random.default_rng(trial), n), trial)
        hits += estimate.low <= math.exp(truth) <= estimate.high
    return hits / trials


class Interval(unittest.TestCase):
    def test_covers_the_truth_of_normal_noise(self):
        for n in (6, 7, 12, 25):
            share = coverage(lambda rng, n: rng.normal(-0.3, 0.05, n), n, -0.3)
            self.assertGreaterEqual(share, 0.92, n)

    def test_covers_the_median_of_skewed_noise(self):
        median = 0.1 * math.log(2)
        for n in (7, 15):
            share = coverage(lambda rng, n: rng.exponential(0.1, n), n, median)
            self.assertGreaterEqual(share, 0.92, n)

    def test_is_not_uselessly_wide(self):
        share = coverage(lambda rng, n: rng.normal(0, 0.05, n), 25, 0.06)
        self.assertLess(share, 0.25)

    def test_shrinks_with_more_blocks(self):
        rng = np.random.default_rng(1)
        few, many = (stats.median_ratio(rng.normal(0, 0.1, n), 1) for n in (7, 40))
        self.assertLess(many.high - many.low, few.high - few.low)

    def test_same_seed_gives_same_interval(self):
        d = np.random.default_rng(2).normal(0, 0.1, 9)
        self.assertEqual(stats.median_ratio(d, 5), stats.median_ratio(d, 5))

    def test_constant_data_has_no_width(self):
        estimate = stats.median_ratio([math.log(2)] * 7, 1)
        for value in (estimate.ratio, estimate.low, estimate.high):
            self.assertAlmostEqual(value, 2)

    def test_too_few_blocks_have_no_interval(self):
        for n in range(1, stats.LEAST_BLOCKS):
            estimate = stats.median_ratio([0.0] * n, 1)
            self.assertEqual((estimate.ratio, estimate.n), (1, n))
            self.assertTrue(math.isnan(estimate.low))


class Point(unittest.TestCase):
    def test_is_the_median_and_ignores_an_outlier(self):
        d = [math.log(x) for x in (0.9, 0.8, 0.85, 50, 0.7)]
        self.assertAlmostEqual(stats.median_ratio(d, 1).ratio, 0.85)

    def test_geometric_mean_of_medians(self):
        rows = [[math.log(2)] * 5, [math.log(8)] * 5]
        self.assertAlmostEqual(stats.geometric_mean_ratio(rows, 1).ratio, 4)

    def test_what_rows_of_a_block_share_does_not_average_out(self):
        shared = np.random.default_rng(4).normal(0, 0.1, 12)
        one = stats.geometric_mean_ratio([shared], 1)
        ten = stats.geometric_mean_ratio([shared] * 10, 1)
        self.assertAlmostEqual(one.high - one.low, ten.high - ten.low)

    def test_spread(self):
        s = stats.spread([4, 1, 2, 3, 5])
        self.assertEqual((s.least, s.median), (1, 3))
        self.assertAlmostEqual(s.p90, 4.6)
        self.assertAlmostEqual(s.cv, math.sqrt(2.5) / 3)


class Verdict(unittest.TestCase):
    def test_needs_the_whole_interval_outside(self):
        for low, high, word in ((0.8, 0.9, "lower"), (0.8, 1.0, "open"), (1.1, 1.2, "higher"),
                                (0.995, 1.005, "equal"), (0.9, 1.1, "open")):
            self.assertEqual(stats.verdict(stats.Estimate(1, low, high, 9), 0.01), word)

    def test_without_an_interval_nothing_is_said(self):
        nan = math.nan
        self.assertEqual(stats.verdict(stats.Estimate(0.5, nan, nan, 1), 0.01), "open")

    def test_delta_is_what_the_null_arm_shows_but_at_least_a_hundredth(self):
        self.assertEqual(stats.delta_of(None), 0.01)
        self.assertEqual(stats.delta_of(stats.Estimate(1, 0.999, 1.002, 9)), 0.01)
        self.assertAlmostEqual(stats.delta_of(stats.Estimate(1, 0.96, 1.02, 9)), 0.04)


if __name__ == "__main__":
    unittest.main()
