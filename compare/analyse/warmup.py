# SPDX-License-Identifier: MIT
"""warmup.py: how many leading segments of a run are warm-up, if it becomes steady at all.

Called by summary.py. A run's timed region comes in equal segments of work. Change points in the
level of their logarithms are those of least squares with a penalty for each, found exactly by
optimal partitioning (Jackson et al. 2005; PELT, Killick et al. 2012, is the same optimum faster;
Barrett et al., OOPSLA'17, use it on virtual machines). What lies before the last change of level
is dropped, up to half of the run. A level still changing in the second half, or a trend in what is
kept (Mann-Kendall, by scipy), is no steady state: then the whole run counts. Invariant: the drop
belongs to the row; no arm of it is given another than the rest.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEAST_SEGMENTS = 20
MATERIAL = 0.01  # a change of the logarithm by less matters to nobody
LEAST_NOISE = 0.001  # of the logarithm: where segments are nearly equal, changes are not warm-up
SOLID = 3  # fewer segments in a row may be a disturbance
PENALTY = 5.0  # times log(segments), in variances of the noise, for each change point
SIGNIFICANT = 0.001  # of a trend; each arm of each row is asked
NORMAL_MAD = 0.6745  # median absolute deviation of a standard normal


@dataclass(frozen=True)
class Steady:
    drop: int
    is_steady: bool


NOT_STEADY = Steady(0, False)


def noise_of(x: NDArray[Any]) -> float:
    """Standard deviation without the changes of level: from differences of neighbours."""
    return max(float(np.median(np.abs(np.diff(x)))) / NORMAL_MAD / math.sqrt(2), LEAST_NOISE)


def pieces(x: NDArray[Any]) -> list[tuple[int, int]]:
    """[(start, end)] of the stretches of one level."""
    n = len(x)
    y = (x - np.median(x)) / noise_of(x)
    once, twice = (np.concatenate(([0.0], np.cumsum(v))) for v in (y, y * y))
    penalty = PENALTY * math.log(n)
    best, origin = np.zeros(n + 1), np.zeros(n + 1, dtype=int)
    best[0] = -penalty
    for end in range(1, n + 1):
        start = np.arange(end)
        cost = twice[end] - twice[start] - (once[end] - once[start]) ** 2 / (end - start)
        total = best[:end] + cost + penalty
        origin[end] = int(np.argmin(total))
        best[end] = total[origin[end]]
    found, end = [], n
    while end:
        found.append((int(origin[end]), end))
        end = int(origin[end])
    return found[::-1]


def levels(x: NDArray[Any]) -> list[tuple[int, float]]:
    """[(end, level)] of the pieces, without disturbances: short ones, after which the level is
    again what it was before, or the run is over."""
    found = [(start, end, float(x[start:end].mean())) for start, end in pieces(x)]
    kept: list[tuple[int, float]] = []
    for place, (start, end, level) in enumerate(found):
        after = found[place + 1][2] if place + 1 < len(found) else None
        if kept and end - start < SOLID:
            if after is None or abs(after - kept[-1][1]) <= MATERIAL:
                continue
        kept.append((end, level))
    return kept


def is_trending(x: NDArray[Any]) -> bool:
    """The level still moves, by a clear trend, more than is material."""
    if abs(stats.theilslopes(x)[0]) * len(x) <= MATERIAL:
        return False
    return bool(stats.kendalltau(np.arange(len(x)), x).pvalue < SIGNIFICANT)


def steady(segments: NDArray[Any] | list[float]) -> Steady:
    """What of one profile is to be dropped."""
    if len(segments) < LEAST_SEGMENTS or min(segments) <= 0:
        return NOT_STEADY
    x = np.log(np.asarray(segments, dtype=float))
    found = levels(x)
    drop = max((end for end, level in found if abs(level - found[-1][1]) > MATERIAL), default=0)
    if drop > len(x) // 2 or is_trending(x[drop:]):
        return NOT_STEADY
    return Steady(drop, True)


def steady_score(segments: NDArray[Any]) -> tuple[float, int, bool]:
    """(mean of the kept segments, number dropped, whether it became steady) of one run."""
    said = steady(segments)
    return float(np.mean(segments[said.drop:])), said.drop, said.is_steady


def profile(runs: list[Any]) -> Any:
    """The median over runs of each segment; runs are first brought to the same level."""
    x = np.asarray(runs, dtype=float)
    level = np.median(x, axis=1, keepdims=True)
    return np.median(x / np.where(level > 0, level, 1), axis=0)


def row_steady(arms: dict[str, Any]) -> Steady:
    """One answer for a row from its arms' runs, {arm: [segments of a run, ...]}: the largest
    drop; not steady where an arm is not, or where runs were not cut into equally many."""
    lengths = {len(segments) for runs in arms.values() for segments in runs}
    if len(lengths) != 1 or min(lengths) < LEAST_SEGMENTS:
        return NOT_STEADY
    found = [steady(profile(runs)) for runs in arms.values() if runs]
    if not all(one.is_steady for one in found):
        return NOT_STEADY
    return Steady(max(one.drop for one in found), True)
