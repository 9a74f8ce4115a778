# SPDX-License-Identifier: MIT
"""What may be said of many cells, and how little can be seen, on data whose truth is known."""

import math
import unittest

import numpy as np
import support  # noqa: F401 (import path)

from compare.analyse import decisions, estimates


def judged(row, verdict, log_ratios, delta=0.01):
    """A cell as a gate takes it."""
    return row, "time", verdict, decisions.p_beyond(log_ratios, delta)


class Holm(unittest.TestCase):
    def test_adjusts_as_in_the_textbook(self):
        adjusted = decisions.holm([0.01, 0.04, 0.03, 0.005])
        for said, known in zip(adjusted, (0.03, 0.06, 0.06, 0.02)):
            self.assertAlmostEqual(said, known)
        self.assertEqual(decisions.holm([]), [])
        self.assertEqual(decisions.holm([0.9, 0.8]), [1, 1])

    def test_a_gate_over_copies_is_red_in_under_5_percent(self):
        red = 0
        for seed in range(300):
            rng = np.random.default_rng(seed)
            cells = [judged(str(k), "slower", rng.normal(math.log1p(0.01), 0.02, 15))
                     for k in range(20)]  # at the edge of delta, and each told a difference
            red += any(estimates.is_decided(claim.verdict) for claim in decisions.gate(cells))
        self.assertLess(red / 300, 0.05)

    def test_a_gate_upholds_what_is_clear_and_drops_what_one_cell_among_many_shows(self):
        rng = np.random.default_rng(2)
        clear = judged("a", "slower", rng.normal(0.2, 0.01, 15))
        weak = judged("b", "slower", [0.03, 0.02, 0.05, 0.04, 0.06, 0.012, 0.07])
        rest = [judged(str(k), "inconclusive", rng.normal(0, 0.05, 15)) for k in range(9)]
        words = [claim.verdict for claim in decisions.gate([clear, weak, *rest])]
        self.assertEqual(words[:2], ["slower", "inconclusive"])
        self.assertEqual(decisions.gate([weak])[0].verdict, "slower")
        self.assertEqual(set(words[2:]), {"inconclusive"})

    def test_what_lies_inside_delta_is_no_evidence(self):
        self.assertEqual(decisions.p_beyond([0.0] * 12, 0.01), 1)
        self.assertAlmostEqual(decisions.p_beyond([0.5] * 12, 0.01), 2 * 0.5 ** 12)
        self.assertEqual(decisions.p_beyond([math.log1p(0.01)] * 8, 0.01), 1)


class EffectSize(unittest.TestCase):
    def test_cliffs_delta_counts_blocks_with_ties_as_half(self):
        s = decisions.superiority([-0.1, -0.2, 0.3, 0.0])
        self.assertAlmostEqual(s.cliff, 0.25)
        self.assertAlmostEqual(s.probability, 0.625)
        self.assertEqual(decisions.superiority([-1.0] * 5), decisions.Superiority(1, 1))


class SmallestEffect(unittest.TestCase):
    def test_is_found_four_times_in_five(self):
        noise = np.random.default_rng(3).normal(0, 0.02, 400)
        smallest = decisions.smallest_effect(noise, 0.01, 1, n=15)
        found = 0
        for seed in range(400):
            d = np.random.default_rng(seed).normal(math.log(smallest), 0.02, 15)
            found += estimates.median_ratio(d, seed, 599).low > 1.01
        self.assertGreater(found / 400, 0.70)
        self.assertLess(found / 400, 0.88)

    def test_grows_with_noise_and_delta_and_shrinks_with_blocks(self):
        noise = np.random.default_rng(4).normal(0, 0.02, 20)
        usual = decisions.smallest_effect(noise, 0.01, 1)
        self.assertGreater(decisions.smallest_effect(3 * noise, 0.01, 1), usual)
        self.assertGreater(decisions.smallest_effect(noise, 0.03, 1), usual)
        self.assertLess(decisions.smallest_effect(noise, 0.01, 1, n=40), usual)

    def test_of_no_noise_is_delta_and_of_too_few_blocks_is_unknown(self):
        self.assertAlmostEqual(decisions.smallest_effect([0.0] * 9, 0.01, 1), 1.01)
        self.assertIsNone(decisions.smallest_effect([0.0] * 5, 0.01, 1))


class FalsePositives(unittest.TestCase):
    def test_rate_has_the_interval_of_clopper_and_pearson(self):
        rate = decisions.false_positive_rate(["equivalent"] * 38 + ["slower", "smaller"])
        self.assertEqual((rate.found, rate.of, rate.rate), (2, 40, 0.05))
        self.assertAlmostEqual(rate.low, 0.0061, places=4)
        self.assertAlmostEqual(rate.high, 0.1692, places=4)

    def test_of_nothing_says_nothing(self):
        rate = decisions.false_positive_rate([])
        self.assertEqual((rate.low, rate.high, rate.of), (0, 1, 0))


if __name__ == "__main__":
    unittest.main()
