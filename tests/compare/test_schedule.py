# SPDX-License-Identifier: MIT
"""The order of runs: complete, random, balanced, and decided by the seed."""

import itertools
import unittest
from collections import Counter

import support  # noqa: F401 (import path)

from compare.measure.schedule import Schedule, williams_square


class Square(unittest.TestCase):
    def test_each_arm_takes_each_position_equally_often(self):
        for n in range(1, 10):
            square = williams_square(n)
            for position in zip(*square):
                self.assertEqual(set(Counter(position).values()), {len(square) // n}, n)

    def test_each_arm_follows_each_other_equally_often(self):
        for n in range(2, 10):
            pairs = Counter(p for order in williams_square(n) for p in itertools.pairwise(order))
            self.assertEqual(len(pairs), n * (n - 1), n)
            self.assertEqual(len(set(pairs.values())), 1, n)


class Blocks(unittest.TestCase):
    def test_a_block_has_every_arm_once(self):
        schedule = Schedule(8, 1)
        for number in range(20):
            self.assertEqual(sorted(schedule.arms(3, number)), list(range(8)))

    def test_a_round_has_every_open_row_once(self):
        for number in range(20):
            self.assertEqual(sorted(Schedule(2, 1).rows([4, 0, 7], number)), [0, 4, 7])

    def test_a_palindrome_runs_each_arm_twice_around_its_middle(self):
        for number in range(6):
            order = Schedule(2, 5, palindromes=True).arms(0, number)
            self.assertEqual(order, order[::-1])
            self.assertEqual(sorted(order), [0, 0, 1, 1])

    def test_both_arms_come_first_equally_often(self):
        first = [Schedule(2, 5, palindromes=True).arms(0, number)[0] for number in range(8)]
        self.assertEqual(sum(first), 4)

    def test_the_seed_decides_and_nothing_else(self):
        def orders(seed):
            schedule = Schedule(4, seed)
            return [(schedule.rows(range(5), n), schedule.arms(2, n)) for n in range(4)]

        self.assertEqual(orders(7), orders(7))
        self.assertEqual(orders(7)[3][1], Schedule(4, 7).arms(2, 3))
        self.assertNotEqual(orders(7), orders(8))


if __name__ == "__main__":
    unittest.main()
