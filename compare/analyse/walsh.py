# SPDX-License-Identifier: MIT
"""walsh.py: the averages of all pairs of values, and their order statistics under resampling.

Called by estimates.py and decisions.py. The Hodges-Lehmann median of d is the median of its Walsh
averages (d_i + d_j) / 2, i <= j (Hodges & Lehmann 1963). A resample holds value i c_i times, and
so the average of i < j c_i * c_j times, that of i with itself c_i (c_i + 1) / 2 times: the
averages need sorting once, after which a resample is a cumulative sum. Invariant: the result is
the same, to the bit, as sorting each resample's own averages.
"""

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 1 << 22  # multiplicities held at a time: a few megabytes


def counts_of(indices: NDArray[Any], n: int | None = None) -> NDArray[Any]:
    """How often each resample (row) of `indices` holds each of n values."""
    indices = np.asarray(indices)
    shape = indices.shape[:-1]
    flat = indices.reshape(-1, indices.shape[-1])
    n = n or flat.shape[1]
    places = flat + n * np.arange(len(flat))[:, None]
    counts = np.bincount(places.ravel(), minlength=n * len(flat))
    return counts.reshape(*shape, n)


class Walsh:
    def __init__(self, d: NDArray[Any] | list[float]) -> None:
        d = np.asarray(d, dtype=float)
        first, second = np.triu_indices(len(d))
        averages = (d[first] + d[second]) / 2
        order = np.argsort(averages, kind="stable")
        self.averages = averages[order]
        self.first, self.second = first[order], second[order]
        self.alone = np.flatnonzero(self.first == self.second)

    def ranked(self, counts: NDArray[Any], ranks: list[int]) -> NDArray[Any]:
        """The averages of these ranks (from 1) of each resample; counts: (resamples, n)."""
        total = int(counts[0].sum())
        kind = np.int16 if total * (total + 1) // 2 < 1 << 15 else np.int64
        step = max(1, AT_ONCE // len(self.averages))
        found = np.empty((len(ranks), len(counts)))
        for start in range(0, len(counts), step):
            held = np.ascontiguousarray(counts[start:start + step].T, dtype=kind)
            times = held[self.first]
            times *= held[self.second]
            own = held[self.first[self.alone]]
            times[self.alone] = own * (own + 1) // 2
            np.cumsum(times, axis=0, out=times)
            for place, rank in enumerate(ranks):
                index = np.add.reduce(times < rank, axis=0, dtype=kind)
                found[place, start:start + step] = self.averages[index]
        return found

    def medians(self, counts: NDArray[Any]) -> Any:
        """The Hodges-Lehmann median of each resample; any shape of (..., n)."""
        flat = counts.reshape(-1, counts.shape[-1])
        held = int(flat[0].sum())
        pairs = held * (held + 1) // 2
        ranks = sorted({(pairs + 1) // 2, (pairs + 2) // 2})
        return self.ranked(flat, ranks).mean(axis=0).reshape(counts.shape[:-1])


def hodges_lehmann(d: NDArray[Any] | list[float]) -> float:
    return float(np.median(Walsh(d).averages))


@functools.lru_cache(maxsize=None)
def rank_of_interval(n: int, confidence: float) -> int:
    """The largest k such that the k-th smallest and k-th largest Walsh average enclose the centre
    with this confidence; 0: too few values. Distribution of Wilcoxon's statistic by counting."""
    ways = np.array([1.0])
    for rank in range(1, n + 1):
        half = np.array([0.5])
        ways = np.convolve(ways, np.concatenate((half, np.zeros(rank - 1), half)))
    tail = np.cumsum(ways)
    return int(np.searchsorted(tail, (1 - confidence) / 2, side="right"))
