# SPDX-License-Identifier: MIT
"""layouts.py: what is left of a ratio when both builds might have been linked otherwise.

Called by summary.py and stopping.py. A layout (linking.py) is a level above the block, as in
Kalibera & Jones (ISMM'13): its effect is the same in all its blocks, and no number of blocks
averages it out. The log ratio of a block is

    d = centre + (the arm's layout) - (the base's layout) + the noise of the block

with layouts drawn apart for either side and crossed over the blocks (schedule.py), so that least
squares tell the effects from each other and from the noise. The centre is the mean over layouts:
effects add up to nothing on either side. Its variance is V = V_arm + V_base - V_noise, where V_arm
is the variance of the arm's layout effects over their number, V_base that of the base's, and
V_noise what the noise of the blocks puts into each of the two, and so once too often into the sum.
Freedom after Satterthwaite (Biometrics Bulletin, 1946). That is a t-interval over layouts; where it
is wider on a side than the interval over blocks, of the values freed of the layouts' effects, it
is the interval. The wider of two: with three layouts nobody can tell whether there is a spread at
all, and a test that finds none would narrow the interval just when it should not.
Invariant: effects that all layouts share, and nothing else, move the centre.

What simulation says (tests/compare/test_layouts.py): with three layouts the interval covers at
least 94 %, up to 99 % where layouts differ by less than the blocks' noise: there it is too wide,
the price of three. Where they differ by as much, the interval over 12 blocks alone covers 75 %,
over 24 some 54 %, over 60 some 38 %: more blocks make it worse.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats as distributions

from . import estimates
from .estimates import Estimate


@dataclass(frozen=True)
class Fit:
    """What the layouts do in one row, or in the mean of several. Effects are of log ratios."""

    aligned: dict[str, Any]  # block -> d without the effects; a mean has none
    arm: NDArray[Any]  # effect of each layout of the arm; their sum is 0
    base: NDArray[Any]  # and of the base
    noise: float  # variance that the blocks' noise gives to the centre
    freedom: float  # of that variance

    def variance(self) -> tuple[float, float]:
        """(V, its degrees of freedom); V may come out negative where there is no spread."""
        last = len(self.arm) - 1
        arm, base = (float(np.var(side, ddof=1)) / len(side) for side in (self.arm, self.base))
        total = arm + base - self.noise
        squares = (arm ** 2 + base ** 2) / last + self.noise ** 2 / self.freedom
        return total, max(last, total ** 2 / squares) if squares > 0 else last

    def half_width(self, confidence: float = estimates.CONFIDENCE) -> float:
        """Of the t-interval over layouts."""
        total, freedom = self.variance()
        if total <= 0:
            return 0.0
        return float(distributions.t.ppf((1 + confidence) / 2, freedom)) * math.sqrt(total)


def design(places: list[tuple[int, int]], count: int) -> NDArray[Any]:
    """The columns of least squares: the centre, the arm's layouts, the base's (sums are zero)."""
    columns = np.zeros((len(places), 2 * count - 1))
    columns[:, 0] = 1
    for line, (arm, base) in zip(columns, places):
        for layout, sign, first in ((arm, 1, 1), (base, -1, count)):
            own = line[first:first + count - 1]
            own[:] = -sign if layout == count - 1 else 0
            if layout < count - 1:
                own[layout] = sign
    return columns


def fit(pairs: dict[Any, Any], builds: dict[Any, Any], count: int) -> Fit | None:
    """The Fit of a row; None where its blocks are too few to tell layouts and noise apart.

    `pairs`: block -> d; `builds`: block -> (the arm's layout, the base's)."""
    columns = design([builds[block] for block in pairs], count)
    freedom = len(pairs) - columns.shape[1]
    if freedom < 1 or np.linalg.matrix_rank(columns) < columns.shape[1]:
        return None
    d = np.array(list(pairs.values()))
    found = np.linalg.lstsq(columns, d, rcond=None)[0]
    arm, base = (np.append(side, -side.sum()) for side in np.split(found[1:], 2))
    rest = d - columns @ found
    noise = float(rest @ rest) / freedom
    # The fit took away some of the noise, too; what is left is stretched to its size.
    values = found[0] + rest * math.sqrt((len(d) - 1) / freedom)
    return Fit(dict(zip(pairs, values.tolist())), arm, base, noise / len(d), freedom)


def mean(fits: list[Fit]) -> Fit:
    """Of the rows' effects: the layouts are the same files in every row."""
    noise = np.array([one.noise for one in fits])
    squares = sum(one.noise ** 2 / one.freedom for one in fits)
    freedom = noise.sum() ** 2 / squares if squares > 0 else min(one.freedom for one in fits)
    return Fit({}, np.mean([one.arm for one in fits], axis=0),
               np.mean([one.base for one in fits], axis=0),
               float(noise.sum()) / len(fits) ** 2, freedom)


def widened(estimate: Estimate, found: Fit) -> Estimate:
    """The estimate over blocks, not narrower than what the layouts say."""
    if math.isnan(estimate.low):
        return estimate
    reach = math.exp(found.half_width())
    return estimates.Estimate(estimate.ratio, min(estimate.low, estimate.ratio / reach),
                          max(estimate.high, estimate.ratio * reach), estimate.n)


def without_interval(estimate: Estimate) -> Estimate:
    return estimates.Estimate(estimate.ratio, math.nan, math.nan, estimate.n)


def row_ratio(pairs: dict[tuple[str, int], float], found: Fit | None, seed: Any) -> Estimate:
    """One row's ratio; `found`: its Fit, or None: then nothing is said about the spread."""
    if found is None:
        return without_interval(estimates.row_ratio(pairs, seed))
    return widened(estimates.row_ratio(found.aligned, seed), found)


def geometric_mean_ratio(rows: list[dict[tuple[str, int], float]], fits: list[Any],
                         seed: Any) -> Estimate:
    if None in fits:
        return without_interval(estimates.geometric_mean_ratio(rows, seed))
    made = estimates.geometric_mean_ratio([one.aligned for one in fits], seed)
    return widened(made, mean(fits))


def p_beyond(estimate: Estimate, found: Fit, delta: float) -> float:
    """Of the hypothesis that the ratio lies within 1 +- delta, by the t-interval over layouts."""
    total, freedom = found.variance()
    if total <= 0:
        return 0.0
    centre = math.log(estimate.ratio)
    sides = [centre - math.log1p(delta)] + [math.log1p(-delta) - centre] * (delta < 1)
    beyond = max(sides) / math.sqrt(total)
    return float(min(1.0, 2 * distributions.t.sf(beyond, freedom)))


def by_layout(estimate: Estimate, found: Fit) -> tuple[list[float], list[float]]:
    """(ratios of the arm's layouts, of the base's): each against all layouts of the other side."""
    return (estimate.ratio * np.exp(found.arm)).tolist(), \
        (estimate.ratio * np.exp(-found.base)).tolist()
