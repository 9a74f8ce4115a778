# SPDX-License-Identifier: MIT
"""Ratios, means and verdicts on data whose truth is known. Seeds are 0, 1, ... of each loop."""

import math
import unittest

import numpy as np
import support  # noqa: F401 (import path)

from compare.analyse import estimates, walsh

NOISES = {
    "normal": lambda rng, n: rng.normal(0, 0.05, n),
    "heavy-tailed": lambda rng, n: 0.05 * rng.standard_t(3, n),
    "skewed": lambda rng, n: 0.05 * (rng.exponential(1, n) - 0.839),
}


class Interval(unittest.TestCase):
    def test_excludes_what_is_not_so(self):
        hits = sum(estimates.median_ratio(np.random.default_rng(s).normal(0, 0.05, 25), s, 599).high
                   > math.exp(0.06) for s in range(200))
        self.assertLess(hits, 10)

    def test_shrinks_with_more_blocks(self):
        rng = np.random.default_rng(1)
        few, many = (estimates.median_ratio(rng.normal(0, 0.1, n), 1) for n in (7, 40))
        self.assertLess(many.half_width(), few.half_width())

    def test_same_seed_gives_same_interval(self):
        d = np.random.default_rng(2).normal(0, 0.1, 25)
        self.assertEqual(estimates.median_ratio(d, 5), estimates.median_ratio(d, 5))
        self.assertNotEqual(estimates.median_ratio(d, 5), estimates.median_ratio(d, 6))

    def test_constant_data_has_no_width(self):
        estimate = estimates.median_ratio([math.log(2)] * 7, 1)
        for value in (estimate.ratio, estimate.low, estimate.high):
            self.assertAlmostEqual(value, 2)

    def test_degenerate_data_never_give_nan(self):
        shapes = [[0.0] * 9 + [1.0], [0.0, 1.0] * 5, [0.0] * 5 + [1.0], [0.0] * 14 + [5.0] * 6,
                  [1e-300] * 6 + [0.0], [0.0, 1.0] * 10]
        for d in shapes:
            estimate = estimates.median_ratio(d, 3)
            self.assertTrue(math.isfinite(estimate.low) and math.isfinite(estimate.high), d)
            self.assertLessEqual(estimate.low, estimate.ratio + 1e-12)
            self.assertGreaterEqual(estimate.high, estimate.ratio - 1e-12)

    def test_too_few_blocks_have_no_interval(self):
        for n in range(1, estimates.LEAST_BLOCKS):
            estimate = estimates.median_ratio([0.0] * n, 1)
            self.assertEqual((estimate.ratio, estimate.n), (1, n))
            self.assertTrue(math.isnan(estimate.low))

    def test_of_signed_ranks_is_that_of_the_tables(self):
        # Hollander & Wolfe, table of the signed rank statistic: at most 2.5 % a side.
        ranks = {5: 0, 6: 1, 8: 4, 10: 9, 15: 26, 20: 53}
        for n, rank in ranks.items():
            self.assertEqual(walsh.rank_of_interval(n, 0.95), rank, n)
        low, high = estimates.signed_rank_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        self.assertEqual((low, high), (1.0, 6.0))


class Point(unittest.TestCase):
    def test_is_the_hodges_lehmann_median(self):
        # Averages of pairs of 1, 2, 6: 1, 1.5, 2, 3.5, 4, 6.
        self.assertAlmostEqual(walsh.hodges_lehmann([1, 2, 6]), 2.75)
        self.assertAlmostEqual(walsh.hodges_lehmann([6, 1]), 3.5)
        self.assertAlmostEqual(walsh.hodges_lehmann([4]), 4)

    def test_hardly_moves_for_an_outlier(self):
        d = [math.log(x) for x in (0.84, 0.86, 0.85, 50, 0.85, 0.83, 0.87)]
        self.assertAlmostEqual(estimates.median_ratio(d, 1).ratio, 0.85, delta=0.02)

    def test_of_a_resample_is_that_of_its_own_averages(self):
        rng = np.random.default_rng(8)
        for n in (2, 5, 6, 11):
            d = rng.normal(size=n)
            indices = estimates.drawn(n, 50, rng)
            fast = walsh.Walsh(d).medians(walsh.counts_of(indices))
            slow = [walsh.hodges_lehmann(d[line]) for line in indices]
            self.assertEqual(fast.tolist(), slow)

    def test_spread(self):
        s = estimates.spread([4, 1, 2, 3, 5])
        self.assertEqual((s.least, s.median), (1, 3))
        self.assertAlmostEqual(s.p90, 4.6)
        self.assertAlmostEqual(s.cv, math.sqrt(2.5) / 3)


class Mean(unittest.TestCase):
    def test_is_geometric_over_rows(self):
        rows = [[math.log(2)] * 5, [math.log(8)] * 5]
        self.assertAlmostEqual(estimates.geometric_mean_ratio(rows, 1).ratio, 4)

    def test_what_rows_of_a_block_share_does_not_average_out(self):
        shared = np.random.default_rng(4).normal(0, 0.1, 12)
        one = estimates.geometric_mean_ratio([shared], 1)
        ten = estimates.geometric_mean_ratio([shared] * 10, 1)
        self.assertAlmostEqual(one.high - one.low, ten.high - ten.low)

    def test_rows_of_different_blocks_average_out(self):
        rng = np.random.default_rng(5)
        rows = [rng.normal(0, 0.1, n) for n in range(15, 24)]
        one, nine = (estimates.geometric_mean_ratio(some, 1) for some in (rows[:1], rows))
        self.assertLess(nine.half_width(), one.half_width() / 2)
        self.assertEqual(nine.n, 15)

    def test_covers_the_truth_together_and_apart(self):
        for sizes in ([10] * 5, [10, 12, 15, 20, 25]):
            hits = 0
            for seed in range(400):
                rng = np.random.default_rng(seed)
                rows = [rng.normal(0, 0.05 * (1 + k), n) for k, n in enumerate(sizes)]
                estimate = estimates.geometric_mean_ratio(rows, seed, 499)
                hits += estimate.low <= 1 <= estimate.high
            self.assertGreaterEqual(hits / 400, 0.92, sizes)
            self.assertLessEqual(hits / 400, 0.985, sizes)

    def test_what_differs_between_machines_stays_in_the_interval(self):
        rng = np.random.default_rng(6)
        row = {(m, b): shift + rng.normal(0, 0.001) for m, shift in
               (("a", -0.1), ("b", 0.0), ("c", 0.1), ("d", 0.05), ("e", -0.05)) for b in range(10)}
        merged = estimates.row_ratio(row, 1)
        alone = estimates.row_ratio({k: d for k, d in row.items() if k[0] == "b"}, 1)
        self.assertAlmostEqual(merged.ratio, 1, delta=0.01)
        self.assertGreater(merged.half_width(), 20 * alone.half_width())

    def test_five_machines_that_differ_cover_the_truth_and_two_do_not(self):
        def coverage(machines, experiments=200):
            hits = 0
            for seed in range(experiments):
                rng = np.random.default_rng([seed, machines])
                shifts = rng.normal(0, 0.05, machines)
                row = {(str(m), b): shift + rng.normal(0, 0.02)
                       for m, shift in enumerate(shifts) for b in range(10)}
                estimate = estimates.geometric_mean_ratio([row], seed, 499)
                hits += estimate.low <= 1 <= estimate.high
            return hits / experiments

        self.assertGreaterEqual(coverage(5), 0.9)
        self.assertLess(coverage(2), 0.8)

    def test_a_machine_weighs_the_same_however_many_blocks_it_has(self):
        row = {("a", b): 0.0 for b in range(40)} | {("b", b): math.log(4) for b in range(10)}
        self.assertAlmostEqual(estimates.geometric_mean_ratio([row], 1).ratio, 2)

    def test_rows_of_one_machine_each_draw_no_machines(self):
        rng = np.random.default_rng(7)
        rows = [{(m, b): d for b, d in enumerate(rng.normal(0, 0.01, 12))} for m in "ab"]
        here = [list(row.values()) for row in rows]
        apart = estimates.geometric_mean_ratio(rows, 1)
        self.assertLess(apart.half_width(), 0.02)
        self.assertEqual(apart.ratio, estimates.geometric_mean_ratio(here, 1).ratio)


class Verdict(unittest.TestCase):
    def test_needs_the_whole_interval_outside_or_inside(self):
        for low, high, word in (
                (0.8, 0.9, "faster"), (0.8, 1.0, "inconclusive"), (1.1, 1.2, "slower"),
                (0.995, 1.005, "equivalent"), (0.9, 1.1, "inconclusive")):
            self.assertEqual(estimates.verdict(estimates.Estimate(1, low, high, 9), 0.01), word)

    def test_has_words_of_its_own_for_memory(self):
        for low, high, word in ((0.8, 0.9, "smaller"), (1.1, 1.2, "larger"), (1, 1, "equivalent")):
            estimate = estimates.Estimate(1, low, high, 9)
            self.assertEqual(estimates.verdict(estimate, 0.01, "memory"), word)

    def test_without_an_interval_nothing_is_said(self):
        nan = math.nan
        estimate = estimates.Estimate(0.5, nan, nan, 1)
        self.assertEqual(estimates.verdict(estimate, 0.01), "inconclusive")

    def test_delta_is_what_the_null_arm_shows_but_at_least_a_hundredth(self):
        self.assertEqual(estimates.delta_of(None), 0.01)
        self.assertEqual(estimates.delta_of(estimates.Estimate(1, 0.999, 1.002, 9)), 0.01)
        self.assertAlmostEqual(estimates.delta_of(estimates.Estimate(1, 0.96, 1.02, 9)), 0.04)

    def test_copies_are_called_different_in_under_5_percent(self):
        for name, draw in NOISES.items():
            found = 0
            for seed in range(400):
                rng = np.random.default_rng(seed)
                null, twin = (estimates.median_ratio(draw(rng, 15), seed, 599) for _ in range(2))
                found += estimates.is_decided(estimates.verdict(twin, estimates.delta_of(null)))
            self.assertLess(found / 400, 0.05, name)

    def test_equivalence_is_found_where_it_is_and_rarely_where_it_is_not(self):
        said = {0.0: 0, math.log(1.02): 0, math.log(1.03): 0}
        for truth in said:
            for seed in range(300):
                d = np.random.default_rng(seed).normal(truth, 0.01, 20)
                word = estimates.verdict(estimates.median_ratio(d, seed, 599), 0.02)
                said[truth] += word == "equivalent"
        found, at_the_edge, beyond = said.values()
        self.assertGreater(found / 300, 0.99)
        self.assertLess(at_the_edge / 300, 0.05)
        self.assertEqual(beyond, 0)


if __name__ == "__main__":
    unittest.main()
