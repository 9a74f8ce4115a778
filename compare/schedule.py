# SPDX-License-Identifier: MIT
"""schedule.py: the order of the runs: randomised complete blocks.

Called by the runner. In a block every (row, arm) comes once: rows in random order, and the arms of
a row one after the other, so that a ratio within a block compares neighbours in time. The order of
the arms is a Williams square (Williams 1949) with shuffled rows and names: over its rows each arm
takes each position, and follows each other arm, equally often. A seed decides everything.
"""

import random


def williams_square(n):
    """Orders of range(n), balanced for position and for the predecessor."""
    first = [0]
    for step in range(1, n):
        first.append((first[-1] + (step if step % 2 else -step)) % n)
    square = [[(x + shift) % n for x in first] for shift in range(n)]
    if n % 2:
        square += [list(reversed(order)) for order in square]
    return square


class Schedule:
    def __init__(self, row_count, arm_count, seed):
        self.random = random.Random(seed)
        self.row_count = row_count
        self.orders = []
        for _ in range(row_count):
            names = self.random.sample(range(arm_count), arm_count)
            square = williams_square(arm_count)
            self.random.shuffle(square)
            self.orders.append([[names[x] for x in order] for order in square])

    def block(self, number):
        """The (row, arm) index pairs of one block, in the order they are to be run."""
        rows = self.random.sample(range(self.row_count), self.row_count)
        cells = []
        for row in rows:
            orders = self.orders[row]
            cells += [(row, arm) for arm in orders[number % len(orders)]]
        return cells
