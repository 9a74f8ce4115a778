# SPDX-License-Identifier: MIT
"""Buckets, percentiles and their intervals, on values that are known."""

import math
import unittest
from collections import Counter

import numpy as np
import support

from compare.analyse import histograms

SEED = 5


def index_of(value, sub_bits=7):
    """As the contract of the records says it."""
    if value < 1 << sub_bits:
        return value
    e = value.bit_length() - sub_bits
    return e * (1 << (sub_bits - 1)) + (value >> e)


def record(values, block=0, **fields):
    counts = {str(k): n for k, n in Counter(index_of(int(v)) for v in values).items()}
    return support.head(rec="hist", workload="w", arm="a", block=block, op="malloc", unit="ns",
                        sub_bits=7, counts=counts, **fields)


def merged(records):
    return histograms.merged(records, lambda r: ("", r["block"]))["w", "a", "malloc"]


class Buckets(unittest.TestCase):
    def test_hold_the_values_that_are_put_in(self):
        for value in [*range(2000), 12345, 10 ** 6, 2 ** 40 + 17]:
            index = index_of(value)
            self.assertLessEqual(histograms.lower_bound(index, 7), value)
            self.assertGreaterEqual(histograms.largest_in(index, 7), value)

    def test_are_exact_when_small_and_within_a_64th_when_large(self):
        self.assertEqual(histograms.largest_in(index_of(100), 7), 100)
        self.assertLess(histograms.largest_in(index_of(10 ** 6), 7), 10 ** 6 * (1 + 1 / 63))


class Percentiles(unittest.TestCase):
    def test_are_those_of_the_values(self):
        hist = merged([record(range(1, 101))])
        self.assertEqual([hist.percentile(p) for p in (0.5, 0.9, 0.99, 1)], [50, 90, 99, 100])
        self.assertEqual((hist.largest(), hist.count()), (100, 100))

    def test_of_one_value_is_that_value(self):
        hist = merged([record([77])])
        self.assertEqual([p.value for p in hist.percentiles(SEED)], [77] * 5)

    def test_counts_of_long_operations(self):
        hist = merged([record([50] * 90 + [20_000] * 6 + [200_000] * 3 + [2_000_000])])
        self.assertEqual([hist.above(limit) for limit in histograms.LONG_NS], [10, 4, 1])

    def test_add_up_over_blocks(self):
        hist = merged([record([10] * 50, 0), record([90] * 50, 1), record([90] * 2, 1)])
        self.assertEqual((hist.count(), hist.percentile(0.4), hist.percentile(0.6)), (102, 10, 90))

    def test_interval_covers_the_truth(self):
        hits = 0
        truth = 1000 * math.log(10)  # of the exponential distribution: p90
        for seed in range(100):
            rng = np.random.default_rng(seed)
            hist = merged([record(rng.exponential(1000, 300), b) for b in range(10)])
            p90 = hist.percentiles(seed)[1]
            hits += p90.low * (1 - 1 / 64) <= truth <= p90.high
        self.assertGreaterEqual(hits, 90)

    def test_interval_holds_what_differs_between_blocks(self):
        hist = merged([record([100 + 5 * b] * 1000, b) for b in range(12)])
        p50 = hist.percentiles(SEED)[0]
        self.assertLess(p50.low, 120)
        self.assertGreater(p50.high, 135)

    def test_of_too_few_blocks_have_no_interval(self):
        p50 = merged([record([5] * 10, b) for b in range(5)]).percentiles(SEED)[0]
        self.assertEqual(p50.value, 5)
        self.assertTrue(math.isnan(p50.low))


if __name__ == "__main__":
    unittest.main()
