# SPDX-License-Identifier: MIT
"""The order of runs: complete, random, balanced, and decided by the seed."""

import itertools
import unittest
from collections import Counter

import support  # noqa: F401 (import path)

from schedule import Schedule, williams_square


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
    def test_a_block_has_every_cell_once(self):
        schedule = Schedule(5, 8, 1)
        for number in range(20):
            cells = schedule.block(number)
            self.assertEqual(sorted(cells), list(itertools.product(range(5), range(8))))

    def test_the_arms_of_a_row_are_neighbours(self):
        rows = [row for row, _ in Schedule(6, 3, 1).block(0)]
        self.assertEqual(len(list(itertools.groupby(rows))), 6)

    def test_the_seed_decides(self):
        def blocks(seed):
            schedule = Schedule(5, 4, seed)
            return [schedule.block(n) for n in range(4)]

        self.assertEqual(blocks(7), blocks(7))
        self.assertNotEqual(blocks(7), blocks(8))


if __name__ == "__main__":
    unittest.main()
