# SPDX-License-Identifier: MIT
"""stopping.py: how many blocks a row gets: a pilot, a plan from its noise, and when to stop.

Called by the runner. A row stops when the 95 % interval of each of its log ratios is narrower than
the precision asked for, but not before the least number of blocks; or at the most; or when the time
is used up. It never stops because a difference was found, or was not: looking until something is
significant makes something significant. What the plan reads is therefore the noise alone.
The only level that is repeated is the process: segments within a process share its layout, and say
little of what the next process will do (Kalibera & Jones, ISMM'13, on where to put repetitions).
"""

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from scipy import stats as distributions

from ..analyse import layouts
from ..analyse.estimates import CONFIDENCE


@dataclass(frozen=True)
class Plan:
    mode: str
    least: int  # blocks of a row, whatever its precision
    most: int
    pilot: int
    precision: float  # half-width of the interval of a log ratio
    budget_s: float | None  # of all runs together; None: no limit
    needs_quiet: bool = False  # refuses a busy machine
    palindromes: bool = False
    with_memory: bool = False  # a memory timeline of each row and arm, after the timed runs

    def record(self) -> Any:
        return {"mode": self.mode, "min_blocks": self.least, "max_blocks": self.most,
                "pilot_blocks": self.pilot, "precision": self.precision,
                "time_budget_s": self.budget_s}


PLANS = {
    "compare": Plan("compare", 6, 40, 6, 0.01, 900),
    "publish": Plan("publish", 15, 40, 6, 0.01, 3600, needs_quiet=True, with_memory=True),
    "calibrate": Plan("calibrate", 10, 10, 6, 0.01, None, needs_quiet=True),
    "ab": Plan("ab", 12, 120, 6, 0.004, 600, palindromes=True),
    "ablate": Plan("ablate", 10, 20, 6, 0.01, 1500),
}


def student(n: int) -> float:
    """How many standard errors of n values the interval of their mean reaches."""
    return float(distributions.t.ppf((1 + CONFIDENCE) / 2, n - 1))


def half_width(differences: list[float]) -> float:
    """Of the interval of the mean of log ratios; infinite for fewer than two."""
    n = len(differences)
    if n < 2:
        return math.inf
    return student(n) * float(np.std(differences, ddof=1)) / math.sqrt(n)


def blocks_needed(differences: list[float], precision: Any) -> Any:
    """For the interval to become as narrow as that, if the noise stays what the pilot shows."""
    deviation = float(np.std(differences, ddof=1))
    n = len(differences)
    while n < 100000:
        wanted = (student(n) * deviation / precision) ** 2
        if wanted <= n:
            return n
        n = max(n + 1, math.ceil(wanted) if n < 30 else math.ceil((wanted + n) / 2))
    return n


class RowNoise:
    """The scores of one row: how precise its ratios to the baseline are by now.

    Where builds have several layouts, what these differ in is left out: more blocks do not mend
    it."""

    def __init__(self, base: str, layout_count: int = 0) -> None:
        self.base, self.layout_count = base, layout_count
        self.logs: dict[str, dict[int, float]] = {}  # arm -> {block: mean log score}
        self.builds: dict[tuple[str, int], int] = {}  # (arm, block) -> layout

    def add(self, block: int, scores: list[tuple[str, int, float]]) -> None:
        """`scores`: (arm, its layout, score) of each run that counts."""
        by_arm: dict[str, list[float]] = {}
        for arm, build, score in scores:
            if score > 0:
                by_arm.setdefault(arm, []).append(math.log(score))
                self.builds[arm, block] = build
        for arm, logs in by_arm.items():
            self.logs.setdefault(arm, {})[block] = sum(logs) / len(logs)

    def forget(self, arm: str) -> None:
        """It has failed: there will be no more of it."""
        self.logs.pop(arm, None)

    def differences(self) -> dict[str, list[float]]:
        """arm -> log ratios to the baseline, over the blocks that both have."""
        base = self.logs.get(self.base, {})
        return {arm: self.freed(arm, {b: log - base[b] for b, log in logs.items() if b in base})
                for arm, logs in self.logs.items() if arm != self.base}

    def freed(self, arm: str, pairs: dict[int, float]) -> list[float]:
        """Without the effects of layouts, where the blocks can tell them."""
        found = None
        if self.layout_count > 1:
            builds = {b: (self.builds[arm, b], self.builds[self.base, b]) for b in pairs}
            found = layouts.fit(pairs, builds, self.layout_count)
        freed: dict[int, float] = cast(dict[int, float], found.aligned) if found else pairs
        return list(freed.values())

    def widest(self) -> float:
        return max((half_width(d) for d in self.differences().values()), default=math.inf)

    def needed(self, plan: Plan) -> Any:
        """Blocks that the row will need, by the noise so far; the least without a pilot."""
        found = [d for d in self.differences().values() if len(d) >= plan.pilot]
        wanted = max((blocks_needed(d, plan.precision) for d in found), default=plan.least)
        return min(plan.most, max(plan.least, wanted))
