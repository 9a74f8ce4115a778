# SPDX-License-Identifier: MIT
"""How often the interval of a ratio over layouts holds the truth, in simulated experiments."""

import unittest

import numpy as np
import support  # noqa: F401 (import path)
from simulated_layouts import LAYOUTS, NOISE, by_blocks, estimate, experiment, heavy_tailed, normal

from compare.analyse import estimates, layouts

EXPERIMENTS = 2000


def coverage(made, *settings, trials=EXPERIMENTS):
    """The share of experiments, seeded 0, 1, ..., whose interval holds the truth, 1."""
    found = (made(seed, *settings) for seed in range(trials))
    return sum(one.low <= 1 <= one.high for one in found) / trials


class Coverage(unittest.TestCase):
    def covers(self, n, draw=normal):
        for over, under in ((0, 0), (0, NOISE / 2), (NOISE, NOISE)):
            with self.subTest(n=n, over=over, under=under):
                self.assertGreaterEqual(coverage(estimate, n, over, under, draw), 0.935)

    def test_of_9_blocks_is_at_least_93_5_percent_over_2000_experiments(self):
        self.covers(9)

    def test_of_12_blocks_is_at_least_93_5_percent_over_2000_experiments(self):
        self.covers(12)

    def test_of_24_blocks_is_at_least_93_5_percent_over_2000_experiments(self):
        self.covers(24)

    def test_of_heavy_tailed_noise_is_at_least_93_5_percent(self):
        self.covers(14, heavy_tailed)

    def test_is_no_more_than_99_percent_where_layouts_differ_more_than_blocks(self):
        self.assertLessEqual(coverage(estimate, 24, 3 * NOISE, 3 * NOISE, trials=600), 0.99)

    def test_by_blocks_alone_would_be_poor(self):
        self.assertLess(coverage(by_blocks, 24, NOISE, NOISE, trials=300), 0.75)

    def test_of_a_mean_over_rows_that_share_their_layouts(self):
        hits, trials = 0, 300
        for seed in range(trials):
            rng = np.random.default_rng(seed)
            sides = [rng.normal(0, 0.005, LAYOUTS) for _ in range(2)]
            fits = [layouts.fit(*experiment(1000 * seed + row, 12, *sides), LAYOUTS)
                    for row in range(4)]
            made = estimates.geometric_mean_ratio([one.aligned for one in fits], seed, 199)
            made = layouts.widened(made, layouts.mean(fits))
            hits += made.low <= 1 <= made.high
        self.assertGreaterEqual(hits / trials, 0.92)


if __name__ == "__main__":
    unittest.main()
