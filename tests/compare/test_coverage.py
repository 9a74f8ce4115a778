# SPDX-License-Identifier: MIT
"""How often the interval of a ratio holds the truth, over 2000 simulated experiments a case."""

import math
import unittest

import numpy as np
import support  # noqa: F401 (import path)
from scipy import stats as distributions

from compare.analyse import estimates

EXPERIMENTS = 2000
# Fewer resamples than a report takes: the ends get noisier, not narrower, and the test quicker.
RESAMPLES = 599
PSEUDO_MEDIAN = distributions.gamma.ppf(0.5, 2) / 2  # of the exponential distribution
NOISES = {
    "normal": lambda rng, n: rng.normal(0, 0.05, n),
    "heavy-tailed": lambda rng, n: 0.05 * rng.standard_t(3, n),
    "skewed": lambda rng, n: 0.05 * (rng.exponential(1, n) - PSEUDO_MEDIAN),
}


def coverage(draw, n, truth=0.0, trials=EXPERIMENTS):
    """The share of experiments, seeded 0, 1, ..., whose interval holds the truth."""
    hits = 0
    for seed in range(trials):
        d = truth + draw(np.random.default_rng([seed, n]), n)
        estimate = estimates.median_ratio(d, seed, RESAMPLES)
        hits += estimate.low <= math.exp(truth) <= estimate.high
    return hits / trials


class Coverage(unittest.TestCase):
    def covers(self, n):
        for name, draw in NOISES.items():
            with self.subTest(noise=name, n=n):
                share = coverage(draw, n)
                self.assertGreaterEqual(share, 0.93)
                self.assertLessEqual(share, 0.97)

    def test_of_10_blocks_is_93_to_97_percent_over_2000_experiments(self):
        self.covers(10)

    def test_of_15_blocks_is_93_to_97_percent_over_2000_experiments(self):
        self.covers(15)

    def test_of_20_blocks_is_93_to_97_percent_over_2000_experiments(self):
        self.covers(20)

    def test_of_40_blocks_is_93_to_97_percent_over_2000_experiments(self):
        self.covers(40)

    def test_of_6_blocks_is_at_least_91_percent(self):
        for name, draw in NOISES.items():
            with self.subTest(noise=name):
                self.assertGreaterEqual(coverage(draw, 6, trials=800), 0.91)

    def test_does_not_depend_on_the_truth(self):
        self.assertGreaterEqual(coverage(NOISES["normal"], 12, truth=-0.3, trials=400), 0.92)

    def test_of_blocks_that_resemble_their_neighbours_is_better_three_at_a_time(self):
        def resembling(rng, n, rho=0.5):
            d = [rng.normal(0, 1 / math.sqrt(1 - rho * rho))]
            while len(d) < n:
                d.append(rho * d[-1] + rng.normal())
            return np.array(d)

        together, single = 0, 0
        for seed in range(300):
            d = resembling(np.random.default_rng(seed), 20)
            low, high = estimates.log_interval(d, seed, RESAMPLES)
            together += low <= 0 <= high
            low, high = estimates.bca_interval(d, np.random.default_rng(seed), RESAMPLES)
            single += low <= 0 <= high
        self.assertGreater(together, single + 10)


if __name__ == "__main__":
    unittest.main()
