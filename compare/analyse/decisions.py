# SPDX-License-Identifier: MIT
"""decisions.py: what may be said of many cells, and how little this machine can see.

Called by summary.py. Holm's step-down (Scandinavian Journal of Statistics, 1979) over the cells of
a gate; Cliff's delta; the smallest effect that would be found; the rate of false differences
between copies. Invariant: p-values serve a gate's decisions only; no table shows them.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats as distributions

from . import estimates
from .walsh import Walsh, counts_of, hodges_lehmann, rank_of_interval

ALPHA = 1 - estimates.CONFIDENCE
POWER = 0.8
RESAMPLES = 1999
EXACT = 50  # values up to which Wilcoxon's statistic is counted out


@dataclass(frozen=True)
class Superiority:
    probability: float  # that the arm needs less than the base in a block; ties count half
    cliff: float  # from -1, always more, to 1, always less


def superiority(log_ratios: list[float]) -> Superiority:
    """Cliff's delta for pairs (his d_w: Cliff, Ordinal Methods, 1996): blocks are compared within
    themselves, since between them the machine has changed."""
    cliff = -float(np.mean(np.sign(log_ratios)))
    return Superiority((1 + cliff) / 2, cliff)


def p_beyond(log_ratios: NDArray[Any] | list[float], delta: float) -> float:
    """Of the hypothesis that the ratio lies within 1 +- delta: Wilcoxon's signed ranks against
    the nearer edge, doubled, since either side may turn out."""
    d = np.asarray(log_ratios, dtype=float)
    sides = [(d - math.log1p(delta), "greater")]
    if delta < 1:  # where noise reaches further, no ratio is small enough
        sides.append((d - math.log1p(-delta), "less"))
    method = "exact" if len(d) <= EXACT else "approx"
    found = [distributions.wilcoxon(x[x != 0], alternative=side, method=method).pvalue
             for x, side in sides if np.any(x)]
    return min(1.0, 2 * min(found, default=1.0))


def holm(p_values: list[float]) -> Any:
    """The p-values adjusted so that ALPHA holds for all of them together."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, stepped)
    return adjusted.tolist()


@dataclass(frozen=True)
class Claim:
    """A cell of a gate: what it says alone, and after Holm."""

    row: str
    metric: str
    alone: str
    verdict: str
    adjusted: float


def gate(cells: list[tuple[str, str, str, float]]) -> list[Claim]:
    """`cells`: (row, metric, verdict, p-value) of every cell of the gate -> claims.

    A difference stands where the cell's own interval shows it and Holm upholds it."""
    adjusted = holm([p for *_, p in cells])
    claims = []
    for (row, metric, alone, _), p in zip(cells, adjusted):
        lost = estimates.is_decided(alone) and p >= ALPHA
        claims.append(Claim(row, metric, alone, estimates.INCONCLUSIVE if lost else alone, p))
    return claims


def smallest_effect(null_log_ratios: NDArray[Any] | list[float], delta: float, seed: Any,
                    n: int | None = None, power: float = POWER) -> float | None:
    """The smallest true ratio above 1 that n blocks with the null arm's noise show with this
    power to lie above 1 + delta; None where n blocks are too few to show anything.

    The low end of the signed-rank interval moves with the effect: how low it comes in
    resamples of the noise says how far it has to be moved."""
    d = np.asarray(null_log_ratios, dtype=float)
    n = n or len(d)
    rank = rank_of_interval(n, estimates.CONFIDENCE)
    if not rank:
        return None
    rng = np.random.default_rng(seed)
    counts = counts_of(rng.integers(0, len(d), (RESAMPLES, n)), len(d))
    low = Walsh(d - hodges_lehmann(d)).ranked(counts, [rank])[0]
    return math.exp(math.log1p(delta) - np.quantile(low, 1 - power))


@dataclass(frozen=True)
class Rate:
    rate: float
    low: float
    high: float
    found: int
    of: int


def false_positive_rate(verdicts: list[str]) -> Rate:
    """Of comparisons of copies, where every difference found is false; interval of Clopper and
    Pearson. Copies of a row share their base: the comparisons are not quite independent."""
    verdicts = list(verdicts)
    found = sum(map(estimates.is_decided, verdicts))
    if not verdicts:
        return Rate(math.nan, 0.0, 1.0, 0, 0)
    interval = distributions.binomtest(found, len(verdicts)).proportion_ci(
        estimates.CONFIDENCE, method="exact")
    return Rate(found / len(verdicts), interval.low, interval.high, found, len(verdicts))
