# SPDX-License-Identifier: MIT
"""cells.py: how a number, a ratio with its interval, and a cell of a table are written.

Called by the tables, the charts, the captions and README's table, so that the same cell reads the
same everywhere. Invariant: text is never empty, and never an exponent.
"""

import math
from dataclasses import dataclass, field
from typing import Any

from ..analyse import estimates
from ..analyse.estimates import Estimate
from ..analyse.summary import MEMORY, Summary, Table

BETTER, WORSE = zip(*estimates.WORDS.values())
LARGER = {"ns/op": ("\u00b5s/op", "ms/op", "s/op")}  # each a thousand of the one before


@dataclass(frozen=True)
class Entry:
    """One cell as text; kind: label, base, plain, better, worse, equal, open, words or mean."""

    text: str
    kind: str = "plain"

    @property
    def is_strong(self) -> bool:
        return self.kind in ("better", "worse")


@dataclass
class Grid:
    """A table: a key (its anchor), how to read it, heads, and lines of entries as long as these.

    The first entry of a line is its label.
    """

    key: str
    title: str
    note: str
    head: list[Any]
    lines: list[Any] = field(default_factory=list)
    tail: int = 0  # the last lines that are means


def kind_of(verdict: str) -> str:
    """The kind of entry that a verdict makes."""
    if verdict in BETTER:
        return "better"
    if verdict in WORSE:
        return "worse"
    return "equal" if verdict == estimates.EQUIVALENT else "open"


def number(x: float) -> str:
    """Three significant digits without an exponent."""
    if x == 0 or not math.isfinite(x):
        return f"{x:g}"
    return f"{x:.{max(0, 2 - math.floor(math.log10(abs(x))))}f}"


def grouped(x: float) -> str:
    """A count, in groups of three digits."""
    return f"{x:,.0f}".replace(",", "\u202f") if abs(x) >= 10000 else f"{x:.0f}"


def mebibytes(kib: float) -> str:
    return f"{number(kib / 1024)} MiB"


def absolute(value: float, metric: str, row: dict[str, Any]) -> str:
    if metric == MEMORY:
        return mebibytes(value)
    unit = row["unit"]
    for larger in LARGER.get(unit, ()):
        if value >= 9999.5:
            value, unit = value / 1000, larger
    return f"{number(value)} {unit}"


def decimals(ratio: float) -> int:
    """Two decimals, fewer for large ratios, more where two would say nothing."""
    if not math.isfinite(ratio) or ratio <= 0 or 0.095 <= ratio < 10:
        return 2
    magnitude = math.floor(math.log10(ratio))
    return max(0, (2 if magnitude > 0 else 1) - magnitude)


def ratio_text(ratio: float, places: int | None = None) -> str:
    return f"{ratio:.{decimals(ratio) if places is None else places}f}"


def has_interval(estimate: Estimate) -> bool:
    return not math.isnan(estimate.low)


def interval(estimate: Estimate) -> str:
    """`0.93 [0.92,0.95]`; without an interval the ratio alone."""
    places = decimals(estimate.ratio)
    text = ratio_text(estimate.ratio, places)
    if not has_interval(estimate):
        return text
    return f"{text} [{estimate.low:.{places}f},{estimate.high:.{places}f}]"


def row_label(row: dict[str, Any]) -> str:
    return str(row["workload"]) + (f" (T={row['threads']})" if row["threads"] > 1 else "")


def cell_entry(table: Table, row: dict[str, Any], arm: str, with_interval: bool = True) -> Entry:
    """The cell of an arm: its words, its ratio, or its value where there is no ratio."""
    cell = table.cells[row["workload"], arm]
    if cell.words is not None:
        return Entry(cell.words, "words")
    if cell.estimate is not None:
        text = interval(cell.estimate) if with_interval else ratio_text(cell.estimate.ratio)
        return Entry(text, kind_of(cell.verdict))
    if row["workload"] in table.delta:
        return Entry("no base", "words")
    return Entry(absolute(cell.spread.median, table.metric, row))


def base_entry(summary: Summary, table: Table, row: dict[str, Any]) -> Entry:
    cell = table.cells[row["workload"], summary.base]
    if cell.words is not None:
        return Entry(cell.words, "words")
    return Entry(absolute(cell.spread.median, table.metric, row), "base")


def mean_of(estimate: Estimate, rows: int, most: int, with_interval: bool = True) -> Entry:
    """A geometric mean, with the number of its rows where some are missing."""
    text = interval(estimate) if with_interval else ratio_text(estimate.ratio)
    return Entry(text + (f" ({rows}/{most} rows)" if rows < most else ""), "mean")


def mean_entry(table: Table, label: str, arm: str, with_interval: bool = True) -> Entry:
    if (label, arm) not in table.means:
        return Entry("-", "mean")
    estimate, rows = table.means[label, arm]
    return mean_of(estimate, rows, table.most[label], with_interval)


def blocks_of(summary: Summary, row: dict[str, Any]) -> int:
    """The blocks that the row's ratios rest on."""
    return summary.row_blocks[row["workload"]]
