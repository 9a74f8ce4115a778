# SPDX-License-Identifier: MIT
"""schedule.py: the order of the runs: randomised complete blocks.

Called by the runner. A block is one row under all arms, one after the other, so that a ratio within
a block compares neighbours in time; a round has one block of each row that is still open, in random
order. The order of the arms is a Williams square (Williams 1949) with shuffled rows and names: over
its rows each arm takes each position, and follows each other arm, equally often. With few arms a
block may be a palindrome instead (ABBA, BAAB): each arm runs twice, at the same mean position, so
that a drift of the machine cancels within the block. Where builds have several layouts, a block
takes one of each side. Of N blocks that follow each other each layout is in one, in random order;
of N times N each pair is in one: so what the layouts of either side differ in can be told from what
the other's do, and neither is tied to a place in the square. Everything follows from the seed and
the numbers of round and row, not from what ran before: a session that was killed goes on in the
same order.
"""

import random
from typing import Any


def williams_square(n: int) -> list[list[int]]:
    """Orders of range(n), balanced for position and for the predecessor."""
    first = [0]
    for step in range(1, n):
        first.append((first[-1] + (step if step % 2 else -step)) % n)
    square = [[(x + shift) % n for x in first] for shift in range(n)]
    if n % 2:
        square += [list(reversed(order)) for order in square]
    return square


class Schedule:
    def __init__(self, arm_count: int, seed: Any, palindromes: bool = False) -> None:
        self.arm_count, self.seed = arm_count, seed
        self.palindromes = palindromes

    def draw(self, *place: Any) -> random.Random:
        return random.Random(f"{self.seed} {place}")

    def rows(self, rows: list[int] | range, number: int) -> list[int]:
        """The rows of round `number`, shuffled."""
        rows = sorted(rows)
        return self.draw("rows", number).sample(rows, len(rows))

    def layouts(self, row: int, number: int, count: int) -> tuple[int, int]:
        """Of the row's block `number`: (the base's layout, that of what is compared with it)."""
        cycle, place = divmod(number, count)
        own = self.draw("layouts", row, cycle).sample(range(count), count)[place]
        shifts = self.draw("pairs", row, cycle // count).sample(range(count), count)
        return own, (own + shifts[cycle % count]) % count

    def arms(self, row: int, number: int) -> list[int]:
        """The arms of the row's block `number`, in the order they are to be run."""
        draw = self.draw("arms", row)
        names = draw.sample(range(self.arm_count), self.arm_count)
        square = williams_square(self.arm_count)
        draw.shuffle(square)
        order = [names[x] for x in square[number % len(square)]]
        return order + order[::-1] if self.palindromes else order
