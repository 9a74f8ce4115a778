# SPDX-License-Identifier: MIT
"""summary.py: from the records of a session to the cells of its tables.

Called by render.py; a pure function of the records. Invariant: every (row, arm) of the session
has a cell. What failed, was missing, or was refused stands in its cell in words; the failure of
one run decides the cell, however many other runs went well. All arms of a row are scored alike:
what is dropped as warm-up is the row's.
"""

import functools
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from . import decisions, estimates, histograms, layouts, warmup
from .counted import Counted, block_of
from .decisions import Claim, Rate
from .estimates import Estimate
from .histograms import Percentile
from .warmup import Steady

TIME, MEMORY = "time", "memory"
SEGMENTED = "ns_per_op"  # the score that segments are parts of
MEANS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "geometric mean": lambda row: True,
    "its real programs": lambda row: bool(row["group"] == "program"),
}


@dataclass
class Cell:
    words: str | None = None  # instead of numbers
    spread: estimates.Spread | None = None  # of the raw values
    estimate: estimates.Estimate | None = None  # ratio to the baseline
    verdict: str | None = None
    values: dict[Any, Any] = field(default_factory=dict)  # (machine, block) -> raw value
    pairs: dict[Any, Any] = field(default_factory=dict)  # the same -> ln(value / the baseline's)
    superiority: decisions.Superiority | None = None  # over the baseline
    fit: layouts.Fit | None = None  # what the builds' layouts do, where there are several


@dataclass
class Table:
    metric: str
    cells: dict[Any, Any]  # (row name, arm name) -> Cell
    null: dict[str, Any]  # row name -> Estimate of null / its original
    delta: dict[str, Any]  # row name -> smallest difference called one
    means: dict[Any, Any]  # (label of MEANS, arm name) -> (Estimate, number of rows)
    most: dict[str, Any]  # label of MEANS -> the rows that could be in it
    mde: dict[str, Any]  # row name -> smallest ratio above 1 found four times in five, or None


def middle(scores: list[float]) -> float:
    """One value of a block in which an arm ran once, or (in palindromes) more than once."""
    if len(scores) == 1:
        return scores[0]
    return statistics.geometric_mean(scores) if min(scores) > 0 else statistics.fmean(scores)


class Summary:
    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.session = next(r for r in records if r["rec"] == "session")
        self.rows = self.session["workloads"]
        self.arms = self.session["arms"]
        plan = self.session["plan"]
        self.mode = plan.get("mode", "compare")
        self.base, self.seed, self.original = plan["base"], plan["seed"], plan["null_of"]
        self.layouts = plan.get("layouts", 1)
        self.columns = [a["arm"] for a in self.arms if a["arm"] not in (self.base, "null")]
        self.proofs = [r for r in records if r["rec"] == "proof"]
        self.select(records)
        self.words = self.reasons()
        self.steady = {row["workload"]: self.steadiness(row) for row in self.rows}
        self.time = self.table(TIME)
        self.memory = self.table(MEMORY)
        self.mde = self.time.mde
        self.gate = {arm: self.claims(arm) for arm in self.columns}
        self.calibration = self.calibrated() if self.mode == "calibrate" else None

    def select(self, records: list[dict[str, Any]]) -> None:
        """What of the records counts, by what it is of."""
        choice = Counted(records)
        self.counted = choice.runs(records)
        self.good: dict[str, list[dict[str, Any]]] = {row["workload"]: [] for row in self.rows}
        for run in self.counted:
            if run["valid"]:
                self.good[run["workload"]].append(run)
        self.builds = {(r["workload"], r["arm"], block_of(r)): r.get("build", 0)
                       for r in self.counted}
        held = {name: {block_of(r) for r in runs} for name, runs in self.good.items()}
        self.row_blocks = {name: len(blocks) for name, blocks in held.items()}
        self.blocks = max([len(choice.whole), *self.row_blocks.values()])
        self.row_ends = {r["workload"]: r for r in records if r["rec"] == "row_end"}
        self.refused = choice.refused  # blocks that were done again, with the reason
        self.disturbed = choice.disturbed  # those that count although they were disturbed
        self.noisy = sum(r["noise"]["noisy"] for r in self.counted)
        self.machines = sorted({block_of(r)[0] for r in self.counted} - {""})
        self.mem = {(r["workload"], r["arm"]): r for r in records if r["rec"] == "mem"}
        self.insn = {(r["workload"], r["arm"]): r for r in records if r["rec"] == "insn"}
        self.kernel = {(r["workload"], r["arm"]): r for r in records if r["rec"] == "kernel"}
        self.left_out = {r["what"]: r["reason"] for r in records if r["rec"] == "left_out"}
        if self.kernel:  # left out at first, and done later
            self.left_out.pop("calls of the kernel", None)
        hists = [r for r in records if r["rec"] == "hist" and choice.counts(r)]
        self.hists = histograms.merged(hists, block_of)  # by (row, arm, operation)

    def reasons(self) -> dict[tuple[str, str], str]:
        """(row, arm) -> the words of its cell, for those that have no numbers."""
        words: dict[tuple[str, str], str] = {}
        for arm in self.arms:
            if arm["missing"]:
                words |= {(row["workload"], arm["arm"]): "missing" for row in self.rows}
        for record in [*self.proofs, *self.counted]:
            if record.get("reason"):
                words.setdefault((record["workload"], record["arm"]), record["reason"])
        return words

    @functools.cache
    def percentiles(self, row: str, arm: str, operation: str) -> list[Percentile]:
        """Of the latencies of one operation, with intervals."""
        place = sorted(self.hists).index((row, arm, operation))
        return self.hists[row, arm, operation].percentiles([self.seed, place, 3])

    def steadiness(self, row: dict[str, Any]) -> Steady:
        """What the row's arms drop as warm-up."""
        arms: dict[str, list[Any]] = {}
        for run in self.good[row["workload"]]:
            if (row["workload"], run["arm"]) not in self.words:
                arms.setdefault(run["arm"], []).append(run.get("segments") or [])
        if row["score"] != SEGMENTED or not arms:
            return warmup.NOT_STEADY
        return warmup.row_steady(arms)

    def score(self, run: dict[str, Any], row: dict[str, Any], metric: str) -> Any:
        if metric == MEMORY:
            return run["metric"][row.get("memory_field", "hwm_kib")]
        drop, whole = self.steady[row["workload"]].drop, run["metric"][row["score"]]
        if not drop:
            return whole
        # The whole, scaled: with several threads the segments are not quite its parts.
        segments = run["segments"]
        return whole * statistics.fmean(segments[drop:]) / statistics.fmean(segments)

    def cells(self, metric: str) -> dict[tuple[str, str], Cell]:
        cells = {}
        for row in self.rows:
            for arm in self.arms:
                place = row["workload"], arm["arm"]
                cells[place] = Cell(words=self.words.get(place))
            for run in self.good[row["workload"]]:
                cell = cells.get((run["workload"], run["arm"]))
                if cell is not None and cell.words is None:
                    scores = cell.values.setdefault(block_of(run), [])
                    scores.append(self.score(run, row, metric))
        for cell in cells.values():
            cell.values = {block: middle(scores) for block, scores in cell.values.items()}
            if cell.values:
                cell.spread = estimates.spread(list(cell.values.values()))
            elif cell.words is None:
                cell.words = "not run"
        return cells

    def table(self, metric: str) -> Table:
        table = Table(metric, self.cells(metric), {}, {}, {}, {}, {})
        for place, row in enumerate(self.rows):
            if metric == MEMORY and row["memory"] == "absolute":
                continue
            self.estimate(table, row["workload"], place)
        for label, belongs in MEANS.items():
            names = [r["workload"] for r in self.rows
                     if belongs(r) and r["workload"] in table.delta]
            table.most[label] = len(names)
            for place, arm in enumerate(self.columns):
                held = [table.cells[name, arm] for name in names
                        if table.cells[name, arm].estimate]
                if held:
                    seed = [self.seed, len(self.rows), place]
                    table.means[label, arm] = self.mean(held, seed), len(held)
        return table

    def mean(self, held: list[Cell], seed: Any) -> Estimate:
        """The geometric mean of the ratios of cells of several rows."""
        rows = [cell.pairs for cell in held]
        if self.layouts == 1:
            return estimates.geometric_mean_ratio(rows, seed)
        return layouts.geometric_mean_ratio(rows, [cell.fit for cell in held], seed)

    @staticmethod
    def pairs(table: Table, row: str, arm: str, base: str | None) -> dict[tuple[str, int], float]:
        """ln of the ratio within each block that both have; nothing where one has no size."""
        over, under = table.cells.get((row, arm)), table.cells.get((row, base))
        if not over or not under or min([*over.values.values(), *under.values.values()],
                                        default=0) <= 0:
            return {}
        blocks = sorted(over.values.keys() & under.values.keys())
        return {b: math.log(over.values[b] / under.values[b]) for b in blocks}

    def estimate(self, table: Table, row: str, place: int) -> None:
        """Ratios of one row. Seeds differ by row and arm, and depend on nothing else."""
        noise = self.pairs(table, row, "null", self.original)
        table.null[row] = estimates.row_ratio(noise, [self.seed, place, 0]) if noise else None
        delta = table.delta[row] = estimates.delta_of(table.null[row])
        if noise:
            table.mde[row] = decisions.smallest_effect(
                list(noise.values()), delta, [self.seed, place, 1, 0])
        for number, arm in enumerate(self.columns):
            cell = table.cells[row, arm]
            cell.pairs = self.pairs(table, row, arm, self.base)
            if cell.pairs:
                cell.estimate = self.ratio(cell, row, arm, [self.seed, place, number + 1])
                cell.verdict = estimates.verdict(cell.estimate, delta, table.metric)
                cell.superiority = decisions.superiority(list(cell.pairs.values()))

    def ratio(self, cell: Cell, row: str, arm: str, seed: Any) -> Estimate:
        """The ratio of a cell to the baseline, over blocks, and over layouts where there are."""
        if self.layouts == 1:
            return estimates.row_ratio(cell.pairs, seed)
        builds = {block: tuple(self.builds[row, name, block] for name in (arm, self.base))
                  for block in cell.pairs}
        cell.fit = layouts.fit(cell.pairs, builds, self.layouts)
        return layouts.row_ratio(cell.pairs, cell.fit, seed)

    def claims(self, arm: str) -> list[Claim]:
        """What the arm's differences come to when all its cells are judged together."""
        judged = []
        for table in (self.time, self.memory):
            for row, delta in table.delta.items():
                cell = table.cells[row, arm]
                if cell.estimate and not math.isnan(cell.estimate.low):
                    judged.append((row, table.metric, cell.verdict, self.p_beyond(cell, delta)))
        return decisions.gate(judged)

    @staticmethod
    def p_beyond(cell: Cell, delta: float) -> float:
        """By blocks, and no smaller than by layouts where there are several."""
        if cell.fit is None:
            return decisions.p_beyond(list(cell.pairs.values()), delta)
        return max(decisions.p_beyond(list(cell.fit.aligned.values()), delta),
                   layouts.p_beyond(cast(Estimate, cell.estimate), cell.fit, delta))

    def calibrated(self) -> dict[str, Rate]:
        """metric -> how often copies of one library were called different.

        Two twins are compared with each other, by the delta of the null arm and the original: no
        run is in both. A twin against the original would share the original's runs with delta,
        which widens just when the twin seems to differ.
        """
        rates, missing = {}, {a["arm"] for a in self.arms if a["missing"]}
        one, other = [arm for arm in self.columns if arm not in missing][:2]
        for table in (self.time, self.memory):
            verdicts = []
            for place, (row, delta) in enumerate(table.delta.items()):
                pairs = self.pairs(table, row, other, one)
                if len(pairs) >= estimates.LEAST_BLOCKS and table.null[row] is not None:
                    ratio = estimates.row_ratio(pairs, [self.seed, place, 4])
                    verdicts.append(estimates.verdict(ratio, delta, table.metric))
            rates[table.metric] = decisions.false_positive_rate(verdicts)
        return rates
