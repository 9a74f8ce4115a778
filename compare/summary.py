# SPDX-License-Identifier: MIT
"""summary.py: from the records of a session to the cells of its tables.

Called by report.py; a pure function of the records. Invariant: every (row, arm) of the session
has a cell. What failed, was missing, or was refused stands in its cell in words; the failure of
one run decides the cell, however many other runs went well.
"""

import math
from dataclasses import dataclass, field

import stats

TIME, MEMORY = "time", "memory"
MEANS = {
    "geometric mean": lambda row: True,
    "its real programs": lambda row: row["group"] == "program",
}


@dataclass
class Cell:
    words: str | None = None  # instead of numbers
    spread: stats.Spread | None = None  # of the raw values
    estimate: stats.Estimate | None = None  # ratio to the baseline
    verdict: str | None = None
    values: dict = field(default_factory=dict)  # block -> raw value


@dataclass
class Table:
    metric: str
    cells: dict  # (row name, arm name) -> Cell
    null: dict  # row name -> Estimate of null / its original
    delta: dict  # row name -> smallest difference called one
    means: dict  # (label of MEANS, arm name) -> (Estimate, number of rows)
    most: dict  # label of MEANS -> the rows that could be in it


class Summary:
    def __init__(self, records):
        self.session = next(r for r in records if r["rec"] == "session")
        self.proofs = [r for r in records if r["rec"] == "proof"]
        ended = {r["block"] for r in records if r["rec"] == "block_end"}
        self.runs = [r for r in records if r["rec"] == "run"]
        self.counted = [r for r in self.runs if r["block"] in ended or not r["valid"]]
        self.blocks = len(ended)
        self.noisy = sum(r["noise"]["noisy"] for r in self.counted)
        self.rows = self.session["workloads"]
        self.arms = self.session["arms"]
        self.base = self.session["plan"]["base"]
        self.seed = self.session["plan"]["seed"]
        self.original = self.session["plan"]["null_of"]
        self.columns = [a["arm"] for a in self.arms if a["arm"] not in (self.base, "null")]
        self.words = self.reasons()
        self.time = self.table(TIME)
        self.memory = self.table(MEMORY)

    def reasons(self):
        """(row, arm) -> the words of its cell, for those that have no numbers."""
        words = {}
        for arm in self.arms:
            if arm["missing"]:
                words |= {(row["workload"], arm["arm"]): "missing" for row in self.rows}
        for record in [*self.proofs, *self.counted]:
            if record["reason"]:
                words.setdefault((record["workload"], record["arm"]), record["reason"])
        return words

    def table(self, metric):
        cells = {}
        for row in self.rows:
            key = row["score"] if metric == TIME else row.get("memory_field", "hwm_kib")
            for arm in self.arms:
                place = row["workload"], arm["arm"]
                cells[place] = Cell(words=self.words.get(place))
            for run in self.counted:
                cell = cells.get((run["workload"], run["arm"]))
                if run["workload"] == row["workload"] and cell.words is None:
                    cell.values[run["block"]] = run["metric"][key]
        for cell in cells.values():
            if cell.values:
                cell.spread = stats.spread(list(cell.values.values()))
            elif cell.words is None:
                cell.words = "not run"
        table = Table(metric, cells, {}, {}, {}, {})
        for place, row in enumerate(self.rows):
            if metric == MEMORY and row["memory"] == "absolute":
                continue
            self.estimate(table, row["workload"], place)
        for label, belongs in MEANS.items():
            names = [r["workload"] for r in self.rows
                     if belongs(r) and r["workload"] in table.delta]
            table.most[label] = len(names)
            for place, arm in enumerate(self.columns):
                self.mean(table, label, names, arm, place)
        return table

    def ratio(self, table, row, arm, base, seed):
        over, under = table.cells.get((row, arm)), table.cells.get((row, base))
        if not over or not under:
            return None
        blocks = sorted(over.values.keys() & under.values.keys())
        if not blocks:
            return None
        d = [math.log(over.values[b] / under.values[b]) for b in blocks]
        return stats.median_ratio(d, seed)

    def estimate(self, table, row, place):
        """Ratios of one row. Seeds differ by row and arm, and depend on nothing else."""
        seeds = [self.seed, place]
        table.null[row] = self.ratio(table, row, "null", self.original, [*seeds, 0])
        table.delta[row] = stats.delta_of(table.null[row])
        for number, arm in enumerate(self.columns):
            cell = table.cells[row, arm]
            cell.estimate = self.ratio(table, row, arm, self.base, [*seeds, number + 1])
            if cell.estimate is not None:
                cell.verdict = stats.verdict(cell.estimate, table.delta[row])

    def mean(self, table, label, names, arm, place):
        """The arm's geometric mean over the rows it has a ratio in, over their common blocks."""
        pairs = [(table.cells[name, arm].values, table.cells[name, self.base].values)
                 for name in names if table.cells[name, arm].estimate]
        if not pairs:
            return
        blocks = sorted(set.intersection(*(over.keys() & under.keys() for over, under in pairs)))
        if not blocks:
            return
        d = [[math.log(over[b] / under[b]) for b in blocks] for over, under in pairs]
        mean = stats.geometric_mean_ratio(d, [self.seed, len(self.rows), place])
        table.means[label, arm] = mean, len(pairs)
