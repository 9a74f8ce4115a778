# SPDX-License-Identifier: MIT
"""tables.py: the tables of a session as text: for the terminal, as Markdown, as CSV.

Called by render.py and readme_table.py. Every cell is filled: a number, or the words why there is
none.
"""

import csv
import io
import textwrap
from collections.abc import Iterator

from ..analyse.summary import Summary, TIME
from . import caption
from .cells import Entry, Grid
from .grids import all_grids, pair_grid, ratio_grid

GAP = "  "


def plain_line(entries: list[Entry], strong: str) -> list[str]:
    return [strong.format(e.text) if e.is_strong else e.text for e in entries]


def aligned(grid: Grid, width: int) -> str:
    """Columns under each other; the arms are split over several tables when they are too wide."""
    lines = [grid.head, *(plain_line(line, "{}*") for line in grid.lines)]
    widths = [max(len(line[c]) for line in lines) for c in range(len(grid.head))]
    chunks: list[list[int]] = [[]]
    fixed = widths[0]
    for column in range(1, len(widths)):
        used = fixed + sum(len(GAP) + widths[c] for c in chunks[-1])
        if chunks[-1] and used + len(GAP) + widths[column] > width:
            chunks.append([])
        chunks[-1].append(column)
    tables = []
    for chunk in chunks:
        shown = []
        for line in lines:
            parts = [line[0].ljust(fixed)] + [line[c].rjust(widths[c]) for c in chunk]
            shown.append(GAP.join(parts).rstrip())
        rule = "-" * max(map(len, shown))
        last = len(shown) - grid.tail
        tail = [rule, *shown[last:]] if grid.tail else []
        tables.append("\n".join([shown[0], rule, *shown[1:last], *tail]))
    return "\n\n".join(tables)


def piped(grid: Grid) -> str:
    """A Markdown table; a bar in a name would end its cell."""
    lines = [grid.head, *(plain_line(line, "**{}**") for line in grid.lines)]
    made = ["| " + " | ".join(t.replace("|", "\\|") for t in line) + " |" for line in lines]
    made.insert(1, "|---|" + "---:|" * (len(grid.head) - 1))
    return "\n".join(made)


def markdown(summary: Summary) -> str:
    means, losing = caption.answer(summary)
    parts = ["# Comparison of allocators", ""]
    parts += [f"* {line}" for line in [*means, *losing, caption.failures(summary)]] + [""]
    parts += [line + "\n" for line in caption.caption(summary)]
    for grid in all_grids(summary):
        parts += [f"## {grid.title}", "", grid.note, "", piped(grid), ""]
    lines = caption.versions(summary)
    parts += ["## Allocators", "", *[f"* {line}" for line in lines], ""]
    notes = caption.footnotes(summary)
    if notes:
        parts += ["## Skipped, failed, refused", "", *[f"* {line}" for line in notes], ""]
    if caption.programs(summary):
        parts += ["## Programs", "", caption.programs(summary) + ".", ""]
    return "\n".join(parts)


def terminal(summary: Summary, width: int) -> str:
    grids = [ratio_grid(summary, summary.time), ratio_grid(summary, summary.memory),
             pair_grid(summary)]
    shown = {grid.key for grid in grids}
    grids += [grid for grid in all_grids(summary) if grid.key not in shown]
    parts = []
    for grid in grids:
        parts += [grid.title.upper(), "", aligned(grid, width), ""]
    means, losing = caption.answer(summary)
    for lines in (caption.caption(summary), caption.versions(summary), caption.footnotes(summary),
                  [*means, *losing]):
        parts += [textwrap.fill(line, min(width, 100), subsequent_indent="  ") for line in lines]
        parts += [""] * bool(lines)
    return "\n".join(parts)


def ratio_lines(summary: Summary) -> Iterator[list[int | str]]:
    for table in (summary.time, summary.memory):
        for row in summary.rows:
            unit = row["unit"] if table.metric == TIME else "KiB"
            for arm in summary.arms:
                cell = table.cells[row["workload"], arm["arm"]]
                line = [table.metric, row["workload"], unit, arm["arm"], len(cell.values)]
                s, e = cell.spread, cell.estimate
                line += [f"{x:.6g}" for x in (s.median, s.least, s.p90, s.cv)] if s else [""] * 4
                line += [f"{x:.5f}" for x in (e.ratio, e.low, e.high)] if e else [""] * 3
                line.append(f"{table.delta[row['workload']]:.5f}" if e else "")
                yield line + [cell.verdict or "", cell.words or ""]


def single_lines(summary: Summary) -> Iterator[list[int | str]]:
    """What was measured once, or added up: one value each, in the column of medians."""
    blank = [""] * 9
    for (row, arm), record in sorted(summary.mem.items()):
        if record.get("reason"):
            yield ["memory over time", row, "", arm, 0, "", *blank[1:], record["reason"]]
        for key, value in sorted(record["metric"].items()):
            unit = "KiB" if key.endswith("_kib") else "B" if key.endswith("_b") else ""
            yield [key, row, unit, arm, 1, "" if value is None else f"{value:.6g}", *blank]
    for (row, arm, op), hist in sorted(summary.hists.items()):
        for found in summary.percentiles(row, arm, op):
            yield [f"{op} p{100 * found.share:g}", row, hist.unit, arm, hist.count(),
                   f"{found.value:.6g}", *blank]
    for (row, arm), record in sorted(summary.kernel.items()):
        for key, value in sorted(record["metric"].items()):
            unit = "B" if key.endswith("_b") else ""
            yield [f"kernel_{key}", row, unit, arm, 1, value, *blank]
    for (row, arm), record in sorted(summary.insn.items()):
        if record.get("reason"):
            yield ["instructions", row, "instructions/op", arm, 0, "", *blank[1:],
                   record["reason"]]
        else:
            yield ["instructions", row, "instructions/op", arm, 1, f"{record['per_op']:.6g}",
                   *blank]


def comma_separated(summary: Summary) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["metric", "workload", "unit", "arm", "n", "median", "least", "p90", "cv",
                     "ratio", "low95", "high95", "delta", "verdict", "words"])
    writer.writerows(ratio_lines(summary))
    writer.writerows(single_lines(summary))
    return out.getvalue()
