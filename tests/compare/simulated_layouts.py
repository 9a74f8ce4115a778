# SPDX-License-Identifier: MIT
"""simulated_layouts.py: blocks of two builds whose layouts differ by as much as is said.

For test_layouts.py and test_layout_coverage.py. The seed decides all of it.
"""

import numpy as np
import support  # noqa: F401 (import path)

from compare.analyse import estimates, layouts
from compare.measure.schedule import Schedule

RESAMPLES = 399  # fewer than a report takes: see test_coverage.py
LAYOUTS = 3
NOISE = 0.01


def normal(rng, n):
    return rng.normal(0, NOISE, n)


def heavy_tailed(rng, n):
    return NOISE * rng.standard_t(3, n)


def experiment(seed, n, over, under, draw=normal):
    """(pairs, builds) of n blocks; `over`, `under`: effects of the layouts, or their spread."""
    rng, schedule = np.random.default_rng([seed, n]), Schedule(3, seed)
    over, under = (rng.normal(0, side, LAYOUTS) if np.isscalar(side) else side
                   for side in (over, under))
    builds = {("", b): schedule.layouts(0, b, LAYOUTS)[::-1] for b in range(n)}
    pairs = {block: over[arm] - under[base] + noise
             for (block, (arm, base)), noise in zip(builds.items(), draw(rng, n))}
    return pairs, builds


def estimate(seed, *settings):
    """With layouts, as summary.py makes it."""
    found = layouts.fit(*experiment(seed, *settings), LAYOUTS)
    made = estimates.median_ratio(list(found.aligned.values()), seed, RESAMPLES)
    return layouts.widened(made, found)


def by_blocks(seed, *settings):
    pairs, _ = experiment(seed, *settings)
    return estimates.median_ratio(list(pairs.values()), seed, RESAMPLES)
