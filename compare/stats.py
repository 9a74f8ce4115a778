# SPDX-License-Identifier: MIT
"""stats.py: from paired measurements to a ratio with its interval.

Called by summary.py. The unit of repetition is the block: d = ln(arm / base) of one block, both
measured next to each other in it, so that what slows the machine down for a while cancels. The
estimate is exp(median d); the interval is a bootstrap over blocks (Efron; the ratio with an
effect-size interval as in Kalibera & Jones, ISMM'13). With few blocks a percentile interval is too
narrow; it is widened as Hesterberg (The American Statistician, 2015) proposes: the quantiles are
taken at Phi(sqrt(n/(n-1)) * t) with Student's t for n-1 degrees of freedom. Everything is seeded.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 4999
LEAST_BLOCKS = 6  # of five values even the whole range covers the median in only 94 %
LEAST_DELTA = 0.01  # nobody should act on less than 1 %


@dataclass(frozen=True)
class Estimate:
    ratio: float
    low: float
    high: float
    n: int

    def reach(self):
        """How far the interval goes from 1, on either side."""
        return max(abs(self.high - 1), abs(self.low - 1))


def widened_level(n, confidence=CONFIDENCE):
    """The confidence level to ask of a percentile bootstrap over n values."""
    t = stats.t.ppf((1 - confidence) / 2, n - 1)
    return 1 - 2 * stats.norm.cdf(math.sqrt(n / (n - 1)) * t)


def bootstrap(n, statistic, seed):
    """Interval of statistic(indices, axis) over resampled blocks 0..n-1."""
    result = stats.bootstrap(
        (np.arange(n),), statistic, vectorized=True, n_resamples=RESAMPLES,
        confidence_level=widened_level(n), method="percentile",
        random_state=np.random.default_rng(seed),
    )
    return result.confidence_interval


def geometric_mean_ratio(log_ratios, seed):
    """The geometric mean over rows of exp(median over blocks).

    `log_ratios`: one list of d per row, all over the same blocks in the same order; the bootstrap
    takes whole blocks, and so keeps what rows of a block have in common.
    """
    d = np.asarray(log_ratios, dtype=float)
    n = d.shape[1]
    ratio = math.exp(np.median(d, axis=1).mean())
    if n < LEAST_BLOCKS:
        return Estimate(ratio, math.nan, math.nan, n)

    def statistic(indices, axis):
        return np.median(d[:, indices.astype(int)], axis=axis).mean(axis=0)

    low, high = bootstrap(n, statistic, seed)
    return Estimate(ratio, math.exp(low), math.exp(high), n)


def median_ratio(log_ratios, seed):
    """exp(median d) of one row, with its interval."""
    return geometric_mean_ratio([log_ratios], seed)


def delta_of(null):
    """The smallest difference to be called one: 1 %, or what the null arm shows as noise."""
    if null is None or math.isnan(null.low):
        return LEAST_DELTA
    return max(LEAST_DELTA, null.reach())


def verdict(estimate, delta):
    """`lower`, `higher`, `equal` or `open`: where the interval lies against [1-delta, 1+delta]."""
    if estimate.high < 1 - delta:
        return "lower"
    if estimate.low > 1 + delta:
        return "higher"
    if estimate.low >= 1 - delta and estimate.high <= 1 + delta:
        return "equal"
    return "open"


@dataclass(frozen=True)
class Spread:
    least: float
    median: float
    p90: float
    cv: float


def spread(values):
    x = np.asarray(values, dtype=float)
    cv = float(x.std(ddof=1) / x.mean()) if len(x) > 1 and x.mean() else 0.0
    return Spread(float(x.min()), float(np.median(x)), float(np.quantile(x, 0.9)), cv)
