# SPDX-License-Identifier: MIT
"""estimates.py: from paired measurements to a ratio, its interval, and what may be said of it.

Called by summary.py and decisions.py. The unit of repetition is the block:
d = ln(arm / base) of one block, both measured next to each other in it, so that what slows the
machine down for a while cancels. The estimate is exp of the Hodges-Lehmann median of d (the
median of the Walsh averages); the interval is a BCa bootstrap over blocks (Efron & Tibshirani
1993; the ratio with an effect-size interval as in Kalibera & Jones, ISMM'13). With few blocks
that is too narrow; it is widened as Hesterberg (The American Statistician, 2015) proposes: the
quantiles are taken at sqrt(n/(n-1)) * t, Student's t for n-1 degrees of freedom, in place of the
normal ones. Blocks that resemble their neighbours are resampled three at a time (Kuensch 1989).
Invariant: everything is seeded, and no data, however degenerate, give NaN once there are
LEAST_BLOCKS of them. What is decided for a gate: decisions.py.

Over several rows: their geometric mean. The rows are declared, not drawn: they stay as they are in
every resample. What is drawn: where a row was measured on several machines, machines; then, in
each machine, blocks. Rows with the same blocks are resampled together, and so keep what they have
in common; rows that stopped at different numbers of blocks are resampled apart. The percentile
interval is widened by the degrees of freedom of Welch and Satterthwaite over the parts drawn
apart. A row weighs the same as any other, a machine as any other of its row.

What simulation says (tests/compare/test_stats.py): the interval covers 93-97 % from 10 blocks on
for normal, heavy-tailed and skewed noise; of 6 skewed ones 92 %. Three at a time mend only part of
what strong correlation does: at lag-1 0.5 the interval covers 85 % instead of 78 %. With machines
drawn that differ two and a half times as much as blocks do, the interval of two covers 67 %, of
three 85 %, of five 94 %; where they differ as much as blocks, 85, 94 and 97 %.
"""

import math
import warnings
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .walsh import Walsh, counts_of, hodges_lehmann, rank_of_interval

CONFIDENCE = 0.95
RESAMPLES = 9999
MEAN_RESAMPLES = 1999
LEAST_BLOCKS = 6  # of five values even the whole range covers the centre in only 94 %
LEAST_DELTA = 0.01  # nobody should act on less than 1 %
BLOCKS_AT_ONCE = 3  # resampled together when neighbours are alike
ALIKE = 0.3  # lag-1 correlation, on either side, from which they are
LEAST_FOR_ALIKE = 15  # with fewer blocks the correlation is mostly noise

WORDS = {"time": ("faster", "slower"), "memory": ("smaller", "larger")}
EQUIVALENT, INCONCLUSIVE = "equivalent", "inconclusive"
METHOD_WORDS = (
    "the Hodges-Lehmann median over blocks of the ratio to {base} within the block, with a 95 % "
    "bootstrap interval over blocks (BCa, widened for few blocks)")


@dataclass(frozen=True)
class Estimate:
    ratio: float
    low: float
    high: float
    n: int

    def reach(self) -> float:
        """How far the interval goes from 1, on either side."""
        return max(abs(self.high - 1), abs(self.low - 1))

    def half_width(self) -> float:
        """Of the interval, on the scale of the log ratio: 0.01 is about 1 %."""
        return (math.log(self.high) - math.log(self.low)) / 2


def widened_level(n: float, freedom: float | None = None, confidence: float = CONFIDENCE) -> float:
    """The confidence level to ask of a bootstrap over n values."""
    t = stats.t.ppf((1 - confidence) / 2, freedom or n - 1)
    return float(1 - 2 * stats.norm.cdf(math.sqrt(n / (n - 1)) * t))


def quantiles(values: Any, level: float) -> Any:
    return np.quantile(values, [(1 - level) / 2, (1 + level) / 2])


def lag_correlation(d: NDArray[Any]) -> float:
    """Between each value and the one after it; 0 for constant data."""
    x = np.asarray(d, dtype=float) - np.mean(d)
    square = float(x @ x)
    return float(x[1:] @ x[:-1]) / square if square > 0 else 0.0


def is_alike(d: NDArray[Any]) -> bool:
    return len(d) >= LEAST_FOR_ALIKE and abs(lag_correlation(d)) > ALIKE


def drawn(n: int, resamples: int, rng: np.random.Generator, at_once: int = 1) -> NDArray[Any]:
    """Indices of resamples of n values, in runs of `at_once` neighbours."""
    starts = rng.integers(0, n - at_once + 1, (resamples, -(-n // at_once)))
    indices = starts[:, :, None] + np.arange(at_once)
    return indices.reshape(resamples, -1)[:, :n]


def percentile_interval(d: NDArray[Any], rng: np.random.Generator, resamples: int,
                        at_once: int) -> Any:
    """Bootstrap over runs of neighbours: there are n / at_once independent ones at best."""
    values = Walsh(d).medians(counts_of(drawn(len(d), resamples, rng, at_once)))
    return quantiles(values, widened_level(len(d) / at_once))


def bca_interval(d: NDArray[Any], rng: np.random.Generator, resamples: int) -> Any:
    walsh = Walsh(d)

    def statistic(indices: NDArray[Any], axis: Any) -> Any:
        return walsh.medians(counts_of(indices, len(d)))

    with warnings.catch_warnings():  # said below, by falling back
        warnings.simplefilter("ignore")
        result = stats.bootstrap((np.arange(len(d)),), statistic, vectorized=True, axis=-1,
                                 n_resamples=resamples, confidence_level=widened_level(len(d)),
                                 method="BCa", random_state=rng)
    return result.confidence_interval


def log_interval(d: NDArray[Any] | list[float], seed: Any, resamples: int = RESAMPLES) -> Any:
    """The interval of the Hodges-Lehmann median of d."""
    d = np.asarray(d, dtype=float)
    if np.ptp(d) == 0:
        return d[0], d[0]
    rng = np.random.default_rng(seed)
    if is_alike(d):
        return percentile_interval(d, rng, resamples, BLOCKS_AT_ONCE)
    low, high = bca_interval(d, rng, resamples)
    if math.isnan(low) or math.isnan(high):  # nearly all values equal: no acceleration
        return percentile_interval(d, np.random.default_rng(seed), resamples, 1)
    return low, high


def median_ratio(log_ratios: NDArray[Any] | list[float], seed: Any,
                 resamples: int = RESAMPLES) -> Estimate:
    """exp of the Hodges-Lehmann median of one row, with its interval."""
    n = len(log_ratios)
    ratio = math.exp(hodges_lehmann(log_ratios))
    if n < LEAST_BLOCKS:
        return Estimate(ratio, math.nan, math.nan, n)
    low, high = log_interval(log_ratios, seed, resamples)
    return Estimate(ratio, math.exp(low), math.exp(high), n)


def signed_rank_interval(log_ratios: list[float],
                         confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The distribution-free interval of the Hodges-Lehmann median, by Wilcoxon's signed ranks
    (Hollander & Wolfe 1999, 3.4): fast, needs no seed, but holds for symmetric noise only."""
    rank = rank_of_interval(len(log_ratios), confidence)
    if not rank:
        return math.nan, math.nan
    averages = Walsh(log_ratios).averages
    return float(averages[rank - 1]), float(averages[-rank])


def by_machine(row: NDArray[Any] | dict[tuple[str, int], float]) -> dict[str, dict[int, float]]:
    """A row, {(machine, block): d}, as machine -> {block: d}; a plain list is one machine's."""
    if not isinstance(row, dict):
        row = {("", block): d for block, d in enumerate(row)}
    split: dict[str, dict[int, float]] = defaultdict(dict)
    for (machine, block), d in sorted(row.items()):
        split[machine][block] = d
    return dict(split)


def parts(rows: list[dict[str, dict[int, float]]]) -> dict[Any, Any]:
    """Rows that are resampled together: they have the same blocks on the same machines."""
    found = defaultdict(list)
    for row in rows:
        found[tuple((m, tuple(blocks)) for m, blocks in sorted(row.items()))].append(row)
    return found


def sum_on(machine: str, rows: list[dict[str, dict[int, float]]], resamples: int,
           rng: np.random.Generator) -> Any:
    """The sum over rows of their medians on one machine, of each resample of its blocks."""
    n = len(rows[0][machine])
    counts = counts_of(drawn(n, resamples, rng))
    return sum(Walsh(list(row[machine].values())).medians(counts) for row in rows)


def drawn_sums(rows: list[dict[str, dict[int, float]]], resamples: int,
               rng: np.random.Generator) -> Any:
    """The sum over the rows of a part, machines and blocks drawn."""
    machines = list(rows[0])
    if len(machines) == 1:
        return sum_on(machines[0], rows, resamples, rng)
    total = np.zeros(resamples)
    for _ in machines:
        choice = rng.integers(0, len(machines), resamples)
        total += np.choose(choice, [sum_on(m, rows, resamples, rng) for m in machines])
    return total / len(machines)


def units(rows: list[Any]) -> int:
    """How many independent values a part rests on: machines, or the blocks of the only one."""
    machines = list(rows[0])
    return len(machines) if len(machines) > 1 else len(rows[0][machines[0]])


def level_of_parts(found: list[list[dict[str, dict[str, Any]]]], sums: list[NDArray[Any]]) -> float:
    variances = np.array([s.var() for s in sums])
    counts = np.array([units(rows) for rows in found])
    least = int(counts.min())
    if variances.sum() == 0:
        return widened_level(least)
    freedom = variances.sum() ** 2 / (variances ** 2 / (counts - 1)).sum()
    return widened_level(least, freedom)


def geometric_mean_ratio(rows: list[Any], seed: Any, resamples: int = MEAN_RESAMPLES) -> Estimate:
    """The geometric mean over rows of exp(Hodges-Lehmann median over blocks).

    `rows`: for each row a list of d, block by block, or a dictionary (machine, block) -> d."""
    split = [by_machine(row) for row in rows]
    ratio = math.exp(np.mean([np.mean([hodges_lehmann(list(blocks.values()))
                                       for blocks in row.values()]) for row in split]))
    n = min(sum(map(len, row.values())) for row in split)
    if n < LEAST_BLOCKS:
        return Estimate(ratio, math.nan, math.nan, n)
    rng = np.random.default_rng(seed)
    found = list(parts(split).values())
    sums = [drawn_sums(together, resamples, rng) for together in found]
    low, high = quantiles(sum(sums) / len(split), level_of_parts(found, sums))
    return Estimate(ratio, math.exp(low), math.exp(high), n)


def row_ratio(row: Any, seed: Any) -> Estimate:
    """One row's ratio: BCa over its blocks, or the mean over machines where there are several."""
    machines = by_machine(row)
    if len(machines) == 1:
        return median_ratio(list(*(blocks.values() for blocks in machines.values())), seed)
    return geometric_mean_ratio([row], seed)


def delta_of(null: Estimate | None) -> float:
    """The smallest difference to be called one: 1 %, or what the null arm shows as noise."""
    if null is None or math.isnan(null.low):
        return LEAST_DELTA
    return max(LEAST_DELTA, null.reach())


def verdict(estimate: Estimate, delta: float, metric: str = "time") -> str:
    """Where the whole 95 % interval lies against [1-delta, 1+delta], as one of four words.

    Inside is the equivalence test (TOST, Schuirmann 1987): two one-sided tests, each at 2.5 % here,
    since it is the printed interval that must lie inside."""
    lower, higher = WORDS[metric]
    if estimate.high < 1 - delta:
        return lower
    if estimate.low > 1 + delta:
        return higher
    if estimate.low >= 1 - delta and estimate.high <= 1 + delta:
        return EQUIVALENT
    return INCONCLUSIVE


def is_decided(word: str) -> bool:
    """A difference was found."""
    return any(word in pair for pair in WORDS.values())


@dataclass(frozen=True)
class Spread:
    least: float
    median: float
    p90: float
    cv: float


def spread(values: list[float]) -> Spread:
    x = np.asarray(values, dtype=float)
    cv = float(x.std(ddof=1) / x.mean()) if len(x) > 1 and x.mean() else 0.0
    return Spread(float(x.min()), float(np.median(x)), float(np.quantile(x, 0.9)), cv)
