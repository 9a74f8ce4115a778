# SPDX-License-Identifier: MIT
"""worth.py: tables of sessions that ask about one build: what a part is worth, what noise does.

Called by grids.py. Mode `ablate`: each arm is the base with one thing changed, or two; what a pair
does beyond its two parts is its interaction, pair / (a * b), with an interval of its own: of the
log ratios within each block. Mode `calibrate`: arms are copies of one library.
"""

import itertools
from collections.abc import Iterator
from typing import Any

from ..analyse import estimates
from ..analyse.summary import MEMORY, Summary, Table
from . import cells
from .cells import Entry, Grid


def settings(arm: dict[str, Any]) -> frozenset[tuple[str, str]]:
    """What an arm sets, as comparable pairs."""
    said = {**arm.get("options", {}), **{f"${k}": v for k, v in arm.get("env", {}).items()}}
    return frozenset((key, str(value)) for key, value in said.items())


def changes(summary: Summary) -> dict[str, frozenset[tuple[str, str]]]:
    """arm name -> what it sets that the base does not, for arms that change something."""
    base = next(a for a in summary.arms if a["arm"] == summary.base)
    differ = {a["arm"]: settings(a) - settings(base) for a in summary.arms
              if a["arm"] in summary.columns}
    return {arm: change for arm, change in differ.items() if change}


def pairs(changed: dict[str, frozenset[tuple[str, str]]]) -> Iterator[tuple[str, str, str]]:
    """(pair arm, its one part, its other part) of every arm that changes what two others do."""
    singles = {change: arm for arm, change in changed.items() if len(change) == 1}
    for arm, change in changed.items():
        for one, other in itertools.combinations(sorted(change, key=str), 2):
            if len(change) == 2 and {frozenset([one]), frozenset([other])} <= singles.keys():
                yield arm, singles[frozenset([one])], singles[frozenset([other])]


def interaction(summary: Summary, table: Table, arms: tuple[str, str, str], seed: Any) -> Any:
    """pair / (a * b) over all rows, within the blocks that have all three; or None."""
    rows = []
    for row in table.delta:
        pair, one, other = (table.cells[row, arm].pairs for arm in arms)
        blocks = sorted(pair.keys() & one.keys() & other.keys())
        if blocks:
            rows.append({b: pair[b] - one[b] - other[b] for b in blocks})
    return estimates.geometric_mean_ratio(rows, [summary.seed, 7, seed]) if rows else None


def told(change: frozenset[tuple[str, str]] | tuple[Any, ...]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(change))


def overall(table: Table) -> str:
    """The label of the mean over every row."""
    return next(iter(table.most))


def extremes(summary: Summary, arm: str) -> list[Entry]:
    """The rows where the arm gains most, and loses most, of those that are decided."""
    decided = [(cell.estimate.ratio, row) for (row, a), cell in summary.time.cells.items()
               if a == arm and estimates.is_decided(cell.verdict)]
    ends: tuple[Any, Any] = (min(decided, default=None), max(decided, default=None))
    holds = (ends[0] and ends[0][0] < 1, ends[1] and ends[1][0] > 1)
    return [Entry(f"{cells.ratio_text(end[0])} {end[1]}" if held else "-")
            for end, held in zip(ends, holds)]


def singles_grid(summary: Summary, changed: dict[str, frozenset[tuple[str, str]]]) -> Grid:
    tables = summary.time, summary.memory
    grid = Grid("worth", "What each part is worth",
                f"Geometric mean over the rows, ratio to {summary.base}, with its 95 % interval. "
                "Above 1: the base is better with the part as it has it.",
                ["arm", "changes", "time", "memory", "rows better, worse in time",
                 "time: most gained", "time: most lost"])
    for arm in summary.columns:
        verdicts = [table.verdict for (_, a), table in summary.time.cells.items() if a == arm]
        better = sum(v in cells.BETTER for v in verdicts)
        worse = sum(v in cells.WORSE for v in verdicts)
        line = [Entry(arm, "label"), Entry(told(changed.get(arm, ())) or "-")]
        line += [cells.mean_entry(table, overall(table), arm) for table in tables]
        grid.lines.append(line + [Entry(f"{better}, {worse}"), *extremes(summary, arm)])
    return grid


def pairs_grid(summary: Summary, changed: dict[str, frozenset[tuple[str, str]]]) -> Grid:
    grid = Grid("interactions", "Pairs, and what they do beyond their parts",
                "Interaction: pair / (a * b), 1 where the two parts do not know of each other.",
                ["pair", "parts", "time", "interaction", "memory", "interaction"])
    for number, (pair, one, other) in enumerate(pairs(changed)):
        line = [Entry(pair, "label"), Entry(f"{one}; {other}")]
        for table in (summary.time, summary.memory):
            line.append(cells.mean_entry(table, overall(table), pair))
            said = interaction(summary, table, (pair, one, other),
                               2 * number + (table.metric == MEMORY))
            line.append(Entry(cells.interval(said) if said else "-", "mean"))
        grid.lines.append(line)
    return grid


def detectable(table: Table, row: dict[str, Any]) -> str:
    """The smallest effect that the row's noise lets be seen."""
    value = table.mde.get(row["workload"])
    return "too few blocks" if value is None else f"{value - 1:.1%}"


def false_differences(summary: Summary) -> str:
    """How often copies were called different, in words; nothing where that was not asked."""
    said = [f"{metric}: {rate.found} of {rate.of} comparisons, {rate.rate:.1%} "
            f"[{rate.low:.1%},{rate.high:.1%}]"
            for metric, rate in (summary.calibration or {}).items() if rate.of]
    return "Copies that were called different: " + "; ".join(said) + "." if said else ""


def calibration_grid(summary: Summary) -> Grid:
    beside = "; what layouts differ in comes on top" if summary.layouts > 1 else ""
    grid = Grid("calibration", "What noise does",
                f"{false_differences(summary)} The same file twice. Delta: the smallest difference "
                "that is called one. Smallest effect: the least true one that these blocks find "
                f"four times in five{beside}.".strip(),
                ["workload", "time: null ratio", "delta", "smallest effect",
                 "memory: null ratio", "delta", "smallest effect", "n"])
    for row in summary.rows:
        line = [Entry(cells.row_label(row), "label")]
        for table in (summary.time, summary.memory):
            estimate = table.null.get(row["workload"])
            if estimate is None:
                line += [Entry("-")] * 3
                continue
            line += [Entry(cells.interval(estimate)), Entry(f"{table.delta[row['workload']]:.1%}"),
                     Entry(detectable(table, row))]
        grid.lines.append(line + [Entry(str(cells.blocks_of(summary, row)))])
    return grid


def gate_grid(summary: Summary) -> Grid:
    """What is left of each arm's differences when they are judged together."""
    grid = Grid("gate", "All differences of an allocator judged together",
                "Cells that are decided alone, and those that stand when all cells of the "
                "allocator are judged at once (Holm): better, worse.",
                ["allocator", "cells", "alone: better", "worse", "together: better", "worse"])
    for arm in summary.columns:
        claims = summary.gate.get(arm)
        if not claims:
            continue
        line = [Entry(arm, "label"), Entry(str(len(claims)))]
        for said in ([c.alone for c in claims], [c.verdict for c in claims]):
            line += [Entry(str(sum(v in words for v in said)))
                     for words in (cells.BETTER, cells.WORSE)]
        grid.lines.append(line)
    return grid


def grids(summary: Summary) -> Iterator[Grid]:
    """The tables that the session's mode asks for, and those that its data allows."""
    if summary.mode == "ablate":
        changed = changes(summary)
        yield singles_grid(summary, changed)
        yield pairs_grid(summary, changed)
    yield gate_grid(summary)
    if summary.mode == "calibrate" or any(summary.time.null.values()):
        yield calibration_grid(summary)
