# SPDX-License-Identifier: MIT
"""grids.py: the tables of a session, before it is decided how they are printed.

Called by tables.py, latex.py and page.py, which print the same grids (cells.Grid). Invariant: a
grid has no empty entry; what failed stands in it in words.
"""

import math
from collections.abc import Iterator
from typing import Any

from ..analyse import histograms, layouts
from ..analyse.histograms import Percentile
from ..analyse.summary import Summary, TIME, Table
from . import cells, worth
from .cells import Entry, Grid

LOWER = "Lower is better."
MARK = "Bold: the whole interval lies outside 1 \u00b1 delta. Grey: inconclusive."


def labelled(row: dict[str, Any]) -> Entry:
    return Entry(cells.row_label(row), "label")


def ratio_grid(summary: Summary, table: Table) -> Grid:
    """One metric: the baseline's value, each arm's ratio to it with its interval, null, n."""
    is_time = table.metric == TIME
    null = [f"null/{summary.original}"] if summary.original else []
    grid = Grid(
        table.metric, "Time" if is_time else "Peak memory",
        f"Ratio to {summary.base} with its 95 % interval. {LOWER} {MARK}"
        + ("" if is_time else " Values in MiB: no ratio, too little is alive."),
        ["workload", summary.base, *summary.columns, *null, "n"])
    for row in summary.rows:
        line = [labelled(row), cells.base_entry(summary, table, row)]
        line += [cells.cell_entry(table, row, arm) for arm in summary.columns]
        if null:
            estimate = table.null.get(row["workload"])
            line.append(Entry(cells.interval(estimate) if estimate else "-"))
        grid.lines.append(line + [Entry(str(cells.blocks_of(summary, row)))])
    for label, most in table.most.items():
        means = [cells.mean_entry(table, label, arm) for arm in summary.columns]
        rows = Entry(f"{most} rows", "mean")
        grid.lines.append([Entry(label, "label"), Entry("1", "base"), *means,
                           *[Entry("-")] * len(null), rows])
    grid.tail = len(table.most)
    return grid


def pair_grid(summary: Summary) -> Grid:
    """Time and memory side by side: ratios without intervals."""
    arms, base = summary.columns, summary.base
    grid = Grid("pairs", "Time and memory side by side",
                f"Ratios to {base}, without their intervals. {LOWER} {MARK}",
                ["workload", f"time: {base}", *arms, f"memory: {base}", *arms])
    tables = summary.time, summary.memory
    for row in summary.rows:
        line = [labelled(row)]
        for table in tables:
            line.append(cells.base_entry(summary, table, row))
            line += [cells.cell_entry(table, row, arm, False) for arm in arms]
        grid.lines.append(line)
    for label in summary.time.most:
        line = [Entry(label, "label")]
        for table in tables:
            line += [Entry("1", "base")]
            line += [cells.mean_entry(table, label, arm, False) for arm in arms]
        grid.lines.append(line)
    grid.tail = len(summary.time.most)
    return grid


def words_or_missing(summary: Summary, row: dict[str, Any], arm: str) -> Entry:
    """Why an arm has no record of its own for a row."""
    cell = summary.time.cells.get((row["workload"], arm))
    return Entry(cell.words if cell and cell.words else "not measured", "words")


def recorded(summary: Summary, row: dict[str, Any], arm: str, record: dict[str, Any] | None,
             value: str | None) -> Entry:
    """`value` from the record that an arm has of its own for a row, or why there is none."""
    if record is None:
        return words_or_missing(summary, row, arm)
    if record.get("reason") or not value:
        return Entry(record.get("reason") or "not said", "words")
    return Entry(value)


RETAINED = (("peak RSS", "peak_rss_kib"), ("mean RSS", "mean_rss_kib"),
            ("retained 0.1 s", "retained_100ms_kib"), ("retained 1 s", "retained_1s_kib"),
            ("retained 5 s", "retained_5s_kib"), ("peak of live bytes", "peak_live_b"),
            ("RSS at peak live / live", "overhead_at_peak_live"),
            ("usable / live at peak live", "internal_fragmentation"))


def memory_value(metric: dict[str, Any], key: str) -> str | None:
    value = metric.get(key)
    if value is None:
        return None
    if key in ("overhead_at_peak_live", "internal_fragmentation"):
        return cells.ratio_text(value)
    return cells.mebibytes(value / 1024 if key.endswith("_b") else value)


def timeline_grid(summary: Summary) -> Grid:
    """What a separate run saw over time: peak, what stays after the work, overhead."""
    arms = [summary.base, *summary.columns]
    grid = Grid("retained", "Memory over time",
                "One separate, untimed run of each cell, sampled: no intervals. Retained: resident "
                f"that long after everything was freed. {LOWER}", ["workload", "measure", *arms])
    for row in summary.rows:
        records = {arm: summary.mem.get((row["workload"], arm)) for arm in arms}
        if not any(records.values()):
            continue
        for title, key in RETAINED:
            said = {arm: memory_value(r["metric"], key) for arm, r in records.items() if r}
            if not any(said.values()):
                continue
            line = [labelled(row), Entry(title, "label")]
            line += [recorded(summary, row, arm, record, said.get(arm))
                     for arm, record in records.items()]
            grid.lines.append(line)
    return grid


def call_count(metric: dict[str, int]) -> str | None:
    return cells.grouped(metric["calls"]) if metric else None


def given_back(metric: dict[str, int]) -> str | None:
    return cells.mebibytes((metric["unmap_b"] + metric["purge_b"]) / 1024) if metric else None


def kernel_grid(summary: Summary) -> Grid:
    """What a separate run asked of the kernel."""
    arms = [summary.base, *summary.columns]
    grid = Grid("kernel", "What each asks of the kernel",
                "One separate, untimed run of each cell under strace: calls of mmap, munmap, "
                "brk, mremap and madvise, and what was given back by munmap, brk, MADV_DONTNEED "
                "and MADV_FREE, in address space, touched or not. Without mappings of files and "
                "stacks of threads; what the loader and the workload take for themselves is in "
                "all columns alike. Fewer calls are better.",
                ["workload", "measure", *arms])
    for row in summary.rows:
        records = {arm: summary.kernel.get((row["workload"], arm)) for arm in arms}
        if not any(records.values()):
            continue
        for title, said in (("calls", call_count), ("given back", given_back)):
            line = [labelled(row), Entry(title, "label")]
            line += [recorded(summary, row, arm, record, said(record["metric"] if record else {}))
                     for arm, record in records.items()]
            grid.lines.append(line)
    return grid


def operations(summary: Summary, name: str) -> list[str]:
    """The operations that a row timed one by one, the null operation last."""
    ops = sorted({op for row, _, op in summary.hists if row == name})
    return sorted(ops, key=lambda op: op == histograms.NULL_OP)


def percentile_text(percentile: Percentile) -> str:
    said = cells.grouped(percentile.value)
    if math.isnan(percentile.low):
        return said
    return f"{said} [{cells.grouped(percentile.low)},{cells.grouped(percentile.high)}]"


LONG = tuple(f"> {ns / 1000:g} \u00b5s" for ns in histograms.LONG_NS)


def latency_line(summary: Summary, row: dict[str, Any], arm: str, op: str,
                 width: int) -> list[Entry]:
    label = [Entry(op, "label"), Entry(arm, "label")]
    hist = summary.hists.get((row["workload"], arm, op))
    if hist is None:
        return label + [words_or_missing(summary, row, arm)] * (width - len(label))
    found = [percentile_text(p) for p in summary.percentiles(row["workload"], arm, op)]
    counts = [hist.largest(), hist.count(), *map(hist.above, histograms.LONG_NS)]
    return label + [Entry(said) for said in [*found, *map(cells.grouped, counts)]]


def latency_grids(summary: Summary) -> Iterator[Grid]:
    """A grid for each row that recorded single operations: percentiles, and how many were long."""
    heads = [f"p{100 * share:g}" for share in histograms.PERCENTILES]
    for number, row in enumerate(summary.rows):
        grid = Grid(f"latency-{number}", f"Latency: {cells.row_label(row)}",
                    "Nanoseconds of one operation over all counted blocks, percentiles with 95 % "
                    "intervals over blocks. The operation `null` does nothing: what the clock and "
                    f"the machine cost. {LOWER}",
                    ["operation", "allocator", *heads, "max", "count", *LONG])
        for op in operations(summary, row["workload"]):
            for arm in [summary.base, *summary.columns]:
                grid.lines.append(latency_line(summary, row, arm, op, len(grid.head)))
        yield grid


def per_operation(record: dict[str, Any] | None) -> str | None:
    """In all, and of the allocator where that was told apart; None without a count."""
    if record is None or record.get("reason"):
        return None
    inside = record.get("allocator_per_op")
    return cells.number(record["per_op"]) + (f" ({cells.number(inside)})" if inside else "")


def instruction_grid(summary: Summary) -> Grid:
    arms = [summary.base, *summary.columns]
    grid = Grid("instructions", "Instructions",
                "Instructions of an operation, counted by callgrind: in all, and in brackets those "
                f"inside the allocator. Exact, without noise, and no time. {LOWER}",
                ["workload", *arms])
    for row in summary.rows:
        records = {arm: summary.insn.get((row["workload"], arm)) for arm in arms}
        if not any(records.values()):
            continue
        line = [recorded(summary, row, arm, record, per_operation(record))
                for arm, record in records.items()]
        grid.lines.append([labelled(row), *line])
    return grid


def layout_line(summary: Summary, table: Table, row: dict[str, Any], arm: str) -> list[Entry]:
    """The ratios of each layout of an arm, and of the base's."""
    cell = table.cells[row["workload"], arm]
    line = [labelled(row), Entry(f"{arm}, {table.metric}", "label")]
    if cell.fit is None:
        return [*line, cells.cell_entry(table, row, arm), *[Entry("too few blocks", "words")] * 2]
    sides = layouts.by_layout(cell.estimate, cell.fit)
    return [*line, cells.cell_entry(table, row, arm),
            *(Entry(" ".join(map(cells.ratio_text, side))) for side in sides)]


def layout_grid(summary: Summary) -> Grid:
    """What each ratio would be by one layout of a build, the other side having all of its own."""
    grid = Grid("layouts", "By layout",
                "The same objects in other orders; the first is as built. What differs along a "
                f"line is what the order does, and the noise of its blocks. {LOWER}",
                ["workload", "metric", f"ratio to {summary.base}", "by layout",
                 f"by layout of {summary.base}"])
    if summary.layouts > 1:
        grid.lines = [layout_line(summary, table, row, arm) for row in summary.rows
                      for table in (summary.time, summary.memory) for arm in summary.columns
                      if table.cells[row["workload"], arm].estimate]
    return grid


def all_grids(summary: Summary) -> list[Grid]:
    """Every grid that has lines, in the order of the report."""
    grids = [pair_grid(summary), ratio_grid(summary, summary.time),
             ratio_grid(summary, summary.memory), layout_grid(summary), *worth.grids(summary),
             timeline_grid(summary), kernel_grid(summary), *latency_grids(summary),
             instruction_grid(summary)]
    return [grid for grid in grids if grid.lines]

