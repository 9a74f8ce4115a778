# SPDX-License-Identifier: MIT
"""histograms.py: latencies of a cell: percentiles with intervals, from its blocks' histograms.

Called by summary.py. Buckets are log-linear, as those of HdrHistogram (G. Tene): exact below
2^sub_bits, then 2^(sub_bits-1) steps an octave. A value is reported as the largest that its bucket
holds: nothing is told faster than it was. Histograms of blocks add up; the interval of a percentile
is a bootstrap over whole blocks, widened as in estimates.py. Invariant: a percentile is never
interpolated: it is in a bucket that was hit.
"""

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import estimates
from .walsh import counts_of

PERCENTILES = (0.5, 0.9, 0.99, 0.999, 0.9999)
LONG_NS = (10_000, 100_000, 1_000_000)
RESAMPLES = 999
NULL_OP = "null"


def lower_bound(index: int, sub_bits: int) -> int:
    half = 1 << (sub_bits - 1)
    if index < 2 * half:
        return index
    exponent = index // half - 1
    return (index - exponent * half) << exponent


def largest_in(index: int, sub_bits: int) -> int:
    return lower_bound(index + 1, sub_bits) - 1


@dataclass(frozen=True)
class Percentile:
    share: float
    value: int
    low: float  # of its 95 % interval over blocks; NaN with too few of them
    high: float


class Histogram:
    """All values of one (row, arm, operation), block by block."""

    def __init__(self, unit: str, sub_bits: int) -> None:
        self.unit, self.sub_bits = unit, sub_bits
        # block -> bucket -> values
        self.blocks: dict[Any, dict[int, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, block: tuple[str, int], counts: dict[str, int]) -> None:
        for index, n in counts.items():
            self.blocks[block][int(index)] += n

    def buckets(self) -> list[int]:
        return sorted({index for counts in self.blocks.values() for index in counts})

    def table(self) -> NDArray[Any]:
        """Counts, a line for each block and a column for each bucket that was hit."""
        order = self.buckets()
        return np.array([[counts.get(index, 0) for index in order]
                         for _, counts in sorted(self.blocks.items())], dtype=float)

    def count(self) -> int:
        return sum(sum(counts.values()) for counts in self.blocks.values())

    def above(self, limit: int) -> int:
        """How many values are in buckets that begin at the limit or above it."""
        return sum(n for counts in self.blocks.values() for index, n in counts.items()
                   if lower_bound(index, self.sub_bits) >= limit)

    def largest(self) -> int:
        return largest_in(self.buckets()[-1], self.sub_bits)

    def found(self, sums: NDArray[Any], share: float) -> Any:
        """The columns in which this share of all values is reached; sums: cumulative counts."""
        wanted = np.ceil(sums[:, -1:] * share * (1 - 1e-12))
        return np.count_nonzero(sums < np.maximum(wanted, 1), axis=1)

    def percentile(self, share: float) -> int:
        sums = np.cumsum(self.table().sum(axis=0, keepdims=True), axis=1)
        return largest_in(self.buckets()[int(self.found(sums, share)[0])], self.sub_bits)

    def percentiles(self, seed: Any) -> list[Percentile]:
        """Of all PERCENTILES, with intervals."""
        table, n = self.table(), len(self.blocks)
        values = np.array([largest_in(index, self.sub_bits) for index in self.buckets()])
        sums = np.cumsum(table.sum(axis=0, keepdims=True), axis=1)
        if n >= estimates.LEAST_BLOCKS:
            counts = counts_of(estimates.drawn(n, RESAMPLES, np.random.default_rng(seed)))
            drawn = np.cumsum(counts @ table, axis=1)
        lines = []
        for share in PERCENTILES:
            low = high = math.nan
            if n >= estimates.LEAST_BLOCKS:
                spread = values[self.found(drawn, share)]
                low, high = map(float, estimates.quantiles(spread, estimates.widened_level(n)))
            value = int(values[self.found(sums, share)[0]])
            lines.append(Percentile(share, value, low, high))
        return lines


def merged(records: list[dict[str, Any]],
           key: Callable[..., Any]) -> dict[tuple[str, str, str], Histogram]:
    """(row, arm, operation) -> Histogram; `key` names the block of a record."""
    found: dict[tuple[str, str, str], Histogram] = {}
    for record in records:
        place = record["workload"], record["arm"], record["op"]
        hist = found.setdefault(place, Histogram(record["unit"], record["sub_bits"]))
        hist.add(key(record), record["counts"])
    return found
