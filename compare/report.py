# SPDX-License-Identifier: MIT
"""report.py: the tables of a session as text: for the terminal, as Markdown, as CSV.

Called by bench_compare.py, and by hand: `report.py results/<folder>` renders the folder again from
its runs.jsonl, byte for byte the same. Every cell is filled: a number, or the words why there is
none. Ratios are to the baseline, lower is better, in time as in memory.
"""

import csv
import io
import math
import sys
import textwrap
from pathlib import Path

import chart
import records
import stats
from summary import MEANS, MEMORY, TIME, Summary

GAP = "  "


def number(x):
    """Three significant digits without an exponent."""
    if x == 0 or not math.isfinite(x):
        return f"{x:g}"
    return f"{x:.{max(0, 2 - math.floor(math.log10(abs(x))))}f}"


def absolute(value, metric, row):
    if metric == MEMORY:
        return f"{number(value / 1024)} MiB"
    return f"{number(value)} {row['unit']}"


def interval(estimate):
    if math.isnan(estimate.low):
        return f"{estimate.ratio:.2f}"
    return f"{estimate.ratio:.2f} [{estimate.low:.2f},{estimate.high:.2f}]"


class Style:
    """How a cell that is decided stands out."""

    def __init__(self, strong):
        self.strong = strong

    def mark(self, text, verdict):
        return self.strong.format(text) if stats.is_decided(verdict) else text


TERMINAL, MARKDOWN = Style("{}*"), Style("**{}**")


def row_label(row):
    return row["workload"] + (f" (T={row['threads']})" if row["threads"] > 1 else "")


def cell_text(table, row, arm, style, with_interval):
    cell = table.cells[row["workload"], arm]
    if cell.words is not None:
        return cell.words
    if cell.estimate is None:
        if row["workload"] not in table.delta:
            return absolute(cell.spread.median, table.metric, row)
        return "no base"
    text = interval(cell.estimate) if with_interval else f"{cell.estimate.ratio:.2f}"
    return style.mark(text, cell.verdict)


def base_text(summary, table, row):
    cell = table.cells[row["workload"], summary.base]
    return cell.words or absolute(cell.spread.median, table.metric, row)


def null_text(table, row):
    null = table.null.get(row["workload"])
    return interval(null) if null is not None else "-"


def ratio_grid(summary, table, style):
    """Header and lines of one metric with intervals."""
    null = [f"null/{summary.original}"] if summary.original else []
    grid = [["workload", summary.base, *summary.columns, *null]]
    for row in summary.rows:
        line = [row_label(row), base_text(summary, table, row)]
        line += [cell_text(table, row, arm, style, True) for arm in summary.columns]
        grid.append(line + [null_text(table, row)] * len(null))
    for label, most in table.most.items():
        means = [mean_text(table, label, arm, most) for arm in summary.columns]
        grid.append([label, "1", *means] + [""] * len(null))
    return grid


def mean_text(table, label, arm, most):
    if (label, arm) not in table.means:
        return "-"
    estimate, rows = table.means[label, arm]
    return interval(estimate) + (f" ({rows}/{most} rows)" if rows < most else "")


def pair_grid(summary, style):
    """Time and memory side by side: ratios without intervals."""
    arms = summary.columns
    base = summary.base
    grid = [["workload", f"time: {base}", *arms, f"memory: {base}", *arms]]
    for row in summary.rows:
        line = [row_label(row)]
        for table in (summary.time, summary.memory):
            line.append(base_text(summary, table, row))
            line += [cell_text(table, row, arm, style, False) for arm in arms]
        grid.append(line)
    for label in MEANS:
        line = [label]
        for table in (summary.time, summary.memory):
            means = [table.means.get((label, arm)) for arm in arms]
            line += ["", *(f"{mean[0].ratio:.2f}" if mean else "-" for mean in means)]
        grid.append(line)
    return grid


def aligned(grid, width):
    """Columns under each other; the arms are split over several tables when they are too wide."""
    widths = [max(len(line[c]) for line in grid) for c in range(len(grid[0]))]
    chunks, fixed = [[]], widths[0]
    for column in range(1, len(widths)):
        used = fixed + sum(len(GAP) + widths[c] for c in chunks[-1])
        if chunks[-1] and used + len(GAP) + widths[column] > width:
            chunks.append([])
        chunks[-1].append(column)
    tables = []
    for chunk in chunks:
        lines = []
        for line in grid:
            cells = [line[0].ljust(fixed)] + [line[c].rjust(widths[c]) for c in chunk]
            lines.append(GAP.join(cells).rstrip())
        rule = "-" * max(map(len, lines))
        last = len(lines) - len(MEANS)
        tables.append("\n".join([lines[0], rule, *lines[1:last], rule, *lines[last:]]))
    return "\n\n".join(tables)


def piped(grid):
    lines = ["| " + " | ".join(line) + " |" for line in grid]
    lines.insert(1, "|---|" + "---:|" * (len(grid[0]) - 1))
    return "\n".join(lines)


def deltas(table):
    values = sorted(table.delta.values())
    if not values:
        return "-"
    return f"{values[0]:.1%} to {values[-1]:.1%}, median {values[len(values) // 2]:.1%}"


def caption(summary):
    env, plan = summary.session["env"], summary.session["plan"]
    others = "".join(f"; {row['workload']}: {row['memory_field']}" for row in summary.rows
                     if row.get("memory_field", "hwm_kib") != "hwm_kib")
    lines = [
        f"Machine: {env['cpu']}, {env['cores']} processors, kernel {env['kernel']}, "
        f"THP {env['thp_enabled']}, libc {env['libc']}; {summary.session['t']}; "
        f"revision {env['revision']}.",
        f"{summary.blocks} randomised complete blocks, seed {summary.seed}; a fresh process for "
        "each run; one-thread rows pinned to one processor; T above the processors is "
        "oversubscription.",
        "Time is the workload's own ns/op, or the program's wall time (redis: the client's). "
        f"Memory is VmHWM of the child (redis: of the server{others}). Rows whose live memory is "
        "under a MiB, or whose work depends on speed, show memory in MiB, not as a ratio.",
        f"A cell is {stats.METHOD_WORDS.format(base=summary.base)}; lower is better. "
        "Marked cells lie outside 1 +- delta with their whole interval; delta is 1 %, or "
        "what the null arm shows where that is more "
        f"(time: {deltas(summary.time)}; memory: {deltas(summary.memory)}).",
    ]
    if summary.original:
        lines.append(f"The null arm is the same file as {summary.original} under a second name: "
                     "its ratio to it is noise, and nothing smaller is a difference.")
    noisy = f"{summary.noisy} of {len(summary.counted)} runs were noisy (others used the machine)"
    lines.append(noisy + ("" if plan["quiet"] else "; the machine was busy at the start") + ".")
    if summary.blocks < stats.LEAST_BLOCKS:
        lines.append(f"Fewer than {stats.LEAST_BLOCKS} blocks carry no 95 % interval: nothing is "
                     "marked, and no difference is shown.")
    return lines


def versions(summary):
    lines = []
    for arm in summary.arms:
        if arm["missing"]:
            lines.append(f"{arm['arm']}: missing, {arm['missing']}")
        else:
            lines.append(f"{arm['arm']}: {arm['file']} {arm['sha256'][:12]}, {arm['version']}")
    return lines


def footnotes(summary):
    """What was skipped, and the story behind each cell that holds words."""
    lines = [f"{a['workload']}: skipped, {a['reason']}" for a in summary.session["absent"]]
    told = set()
    for record in [*summary.proofs, *summary.counted]:
        place = record["workload"], record["arm"]
        if record["reason"] and place not in told:
            told.add(place)
            is_proof = record["rec"] == "proof"
            when = "the proof run" if is_proof else f"block {record['block'] + 1}"
            detail = f": {record['detail']}" if record["detail"] else ""
            lines.append(f"{place[0]}, {place[1]}: {record['reason']} in {when}{detail}")
    return lines


def markdown(summary):
    parts = ["# Comparison of allocators", ""]
    parts += [line + "\n" for line in caption(summary)]
    parts += ["![ratios with intervals](summary.svg)", ""]
    parts += ["## Time and memory side by side", "", piped(pair_grid(summary, MARKDOWN)), ""]
    for title, table in (("Time", summary.time), ("Peak memory", summary.memory)):
        parts += [f"## {title}", "", piped(ratio_grid(summary, table, MARKDOWN)), ""]
    parts += ["## Allocators", "", *[f"* {line}" for line in versions(summary)], ""]
    notes = footnotes(summary)
    if notes:
        parts += ["## Skipped, failed, refused", "", *[f"* {line}" for line in notes], ""]
    programs = [f"{name} {v}" for name, v in summary.session["env"]["programs"].items()]
    parts += ["## Programs", "", "; ".join(programs) + ".", ""]
    return "\n".join(parts)


def terminal(summary, width):
    parts = []
    for title, grid in (
        ("TIME, ratio to the baseline", ratio_grid(summary, summary.time, TERMINAL)),
        ("PEAK MEMORY, ratio to the baseline", ratio_grid(summary, summary.memory, TERMINAL)),
        ("TIME AND MEMORY side by side", pair_grid(summary, TERMINAL)),
    ):
        parts += [title, "", aligned(grid, width), ""]
    for lines in (caption(summary), versions(summary), footnotes(summary)):
        parts += [textwrap.fill(line, min(width, 100), subsequent_indent="  ") for line in lines]
        parts += [""] * bool(lines)
    return "\n".join(parts)


def comma_separated(summary):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["metric", "workload", "unit", "arm", "n", "median", "least", "p90", "cv",
                     "ratio", "low95", "high95", "delta", "verdict", "words"])
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
                writer.writerow(line + [cell.verdict or "", cell.words or ""])
    return out.getvalue()


def write(folder):
    """Renders a result folder from its runs.jsonl; returns the summary for the terminal."""
    folder = Path(folder)
    summary = Summary(records.read(folder / "runs.jsonl"))
    (folder / "summary.md").write_text(markdown(summary), encoding="utf-8")
    (folder / "summary.csv").write_text(comma_separated(summary), encoding="utf-8")
    chart.draw(summary, folder / "summary.svg")
    return summary


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: report.py RESULT_FOLDER")
    sys.stdout.write(terminal(write(sys.argv[1]), 160))
