# SPDX-License-Identifier: MIT
"""worth.py: tables of sessions that ask about one build: what a part is worth, what noise does.

Called by grids.py. Mode `ablate`: each arm is the base with one thing changed, or two; what a pair
does beyond its two parts is its interaction, pair / (a * b), with an interval of its own: of the
log ratios within each block. Mode `calibrate`: arms are copies of one library.
"""

import itertools
import math

import cells
import stats
from cells import Entry, Grid
from summary import MEMORY


def settings(arm):
    """What an arm sets, as comparable pairs."""
    said = {**arm.get("options", {}), **{f"${k}": v for k, v in arm.get("env", {}).items()}}
    return frozenset((key, str(value)) for key, value in said.items())


def changes(summary):
    """arm name -> what it sets that the base does not, for arms that change something."""
    base = next(a for a in summary.arms if a["arm"] == summary.base)
    differ = {a["arm"]: settings(a) - settings(base) for a in summary.arms
              if a["arm"] in summary.columns}
    return {arm: change for arm, change in differ.items() if change}


def pairs(changed):
    """(pair arm, its one part, its other part) of every arm that changes what two others do."""
    singles = {change: arm for arm, change in changed.items() if len(change) == 1}
    for arm, change in changed.items():
        for one, other in itertools.combinations(sorted(change, key=str), 2):
            if len(change) == 2 and {frozenset([one]), frozenset([other])} <= singles.keys():
                yield arm, singles[frozenset([one])], singles[frozenset([other])]


def interaction(summary, table, arms, seed):
    """pair / (a * b) over all rows and their common blocks, or None."""
    rows = []
    for row in table.delta:
        values = [table.cells[row, a].values for a in (arms[0], summary.base, *arms[1:])]
        if all(table.cells[row, a].estimate for a in arms):
            rows.append(values)
    if not rows:
        return None
    blocks = sorted(set.intersection(*(set(v) for values in rows for v in values)), key=str)
    if not blocks:
        return None
    d = [[math.log(p[b] * base[b] / (one[b] * other[b])) for b in blocks]
         for p, base, one, other in rows]
    return stats.geometric_mean_ratio(d, [summary.seed, 7, seed])


def told(change):
    return ", ".join(f"{key}={value}" for key, value in sorted(change))


def overall(table):
    """The label of the mean over every row."""
    return next(iter(table.most))


def singles_grid(summary, changed):
    tables = summary.time, summary.memory
    grid = Grid("worth", "What each part is worth",
                f"Geometric mean over the rows, ratio to {summary.base}, with its 95 % interval. "
                "Above 1: the base is better with the part as it has it.",
                ["arm", "changes", "time", "memory", "rows better, worse in time"])
    for arm in summary.columns:
        verdicts = [table.verdict for (_, a), table in summary.time.cells.items() if a == arm]
        better = sum(v in cells.BETTER for v in verdicts)
        worse = sum(v in cells.WORSE for v in verdicts)
        line = [Entry(arm, "label"), Entry(told(changed.get(arm, ())) or "-")]
        line += [cells.mean_entry(table, overall(table), arm) for table in tables]
        grid.lines.append(line + [Entry(f"{better}, {worse}")])
    return grid


def pairs_grid(summary, changed):
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


def detectable(summary, row):
    """The smallest effect that the row's noise lets be seen, as text."""
    known = getattr(summary, "mde", None) or {}
    value = known.get(row["workload"])
    if value is None:
        return "-"
    value = getattr(value, "ratio", value)
    return f"{100 * (value - 1 if value >= 1 else value):.1f} %"


def calibration_grid(summary):
    null = summary.time.null
    grid = Grid("calibration", "What noise does",
                "Copies of one library against each other. Delta: the smallest difference that is "
                "called one. Smallest effect: what these blocks find four times in five.",
                ["workload", "null ratio", "delta", "smallest effect", "n"])
    for row in summary.rows:
        estimate = null.get(row["workload"])
        grid.lines.append([
            Entry(cells.row_label(row), "label"),
            Entry(cells.interval(estimate) if estimate else "-"),
            Entry(f"{summary.time.delta.get(row['workload'], stats.LEAST_DELTA):.1%}"),
            Entry(detectable(summary, row)), Entry(str(cells.blocks_of(summary, row)))])
    return grid


def grids(summary, extras):
    """The tables that the session's mode asks for, and those that its data allows."""
    mode = summary.session["plan"].get("mode", "compare")
    if mode == "ablate":
        changed = changes(summary)
        yield singles_grid(summary, changed)
        yield pairs_grid(summary, changed)
    if mode == "calibrate" or any(summary.time.null.values()):
        yield calibration_grid(summary)
