# SPDX-License-Identifier: MIT
"""curves.py: charts over an axis of their own: time, percentile, threads.

Called by charts.py. Timelines and percentiles come from records beside the runs; the
curve over threads from rows whose names differ in the number of threads alone.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib import ticker

from ..analyse import estimates
from ..analyse.estimates import Estimate
from ..analyse.histograms import Histogram, NULL_OP, PERCENTILES, largest_in
from ..analyse.summary import Summary
from . import canvas, cells
from .canvas import GREY, INK, Plot
from .grids import operations


TIMELINES = 12  # charts; the page holds each whole


def arms_of(summary: Summary) -> list[str]:
    return [summary.base, *summary.columns]


def timeline_plot(summary: Summary, number: int, row: dict[str, Any]) -> Plot | None:
    """Small multiples: resident and live memory of each arm, all on the same scales."""
    name = row["workload"]
    records = [(arm, summary.mem.get((name, arm))) for arm in arms_of(summary)]
    found = [(arm, record) for arm, record in records if record and record["t_ms"]]
    if not found:
        return None
    lines = math.ceil(len(found) / 2)
    shape, axes = canvas.figure(lines, 2, 1.35 * lines + 0.35, sharex=True, sharey=True)
    top = 1
    for place, axis in enumerate(axes.flat):
        if place >= len(found):
            axis.set_visible(False)
            continue
        arm, record = found[place]
        t = [ms / 1000 for ms in record["t_ms"]]
        colour = canvas.look(summary, arm)[0]
        live = record.get("live_b")
        if live:
            axis.fill_between(t, [b / 2**20 for b in live], color=GREY, alpha=0.45, linewidth=0)
        axis.plot(t, [kib / 1024 for kib in record["rss_kib"]], color=colour, linewidth=1.3)
        axis.set_title(arm)
        top = max(top, *record["rss_kib"])
        axis.grid(True, alpha=0.3, linewidth=0.5)
    axes[0, 0].set_ylim(0, 1.05 * top / 1024)
    shape.supxlabel("seconds", fontsize=8)
    shape.supylabel("MiB", fontsize=8)
    note = ("Line: resident memory (RSS). Grey: bytes the program has asked for and not freed. One "
            "run of each, sampled.")
    if any("processes" in record for _, record in found):
        note += " Its children are in the line, and not in the grey."
    return canvas.finished(
        f"timeline-{number}", shape, f"Memory over time: {cells.row_label(row)}", note)


def live(summary: Summary, name: str) -> float | None:
    """The most bytes that were alive in a row, under any arm; None without a timeline."""
    said = [record["metric"].get("peak_live_b") or 0
            for (row, _), record in summary.mem.items() if row == name]
    return max(said) if said else None


def timeline_plots(summary: Summary) -> Iterator[Plot | None]:
    """The rows with most alive; the table has them all."""
    alive = {row["workload"]: live(summary, row["workload"]) for row in summary.rows}
    found = sorted((name for name, b in alive.items() if b is not None),
                   key=lambda name: -(alive[name] or 0))[:TIMELINES]
    for number, row in enumerate(summary.rows):
        if row["workload"] in found:
            yield timeline_plot(summary, number, row)


def nines(share: float) -> float:
    """Where a percentile stands on an axis on which each further nine has the same width."""
    return -math.log10(1 - share)


SHARES = [1 - 10 ** -(0.05 * i) for i in range(3, 81)]  # to 99.99 %


def values_at(hist: Histogram, shares: list[float] | tuple[float, ...]) -> list[float]:
    """Each share's percentile, at least half a nanosecond: the axis is logarithmic."""
    sums, buckets = np.cumsum(hist.table().sum(axis=0)), hist.buckets()
    places = np.searchsorted(sums, np.array(shares) * sums[-1] * (1 - 1e-12))
    return [max(largest_in(buckets[place], hist.sub_bits), 0.5) for place in places]


def latency_axis(axis: Any, summary: Summary, name: str, op: str) -> None:
    ends = []
    marks = [nines(p) for p in PERCENTILES]
    for arm in arms_of(summary):
        hist = summary.hists.get((name, arm, op))
        if hist is None:
            continue
        colour, marker = canvas.look(summary, arm)
        values = values_at(hist, SHARES)
        axis.plot([nines(p) for p in SHARES], values, color=colour, linewidth=1.2)
        axis.plot(marks, values_at(hist, PERCENTILES), marker, color=colour, markersize=4)
        ends.append((arm, (colour, marker), nines(SHARES[-1]), values[-1]))
    floor = summary.hists.get((name, summary.base, NULL_OP))
    if floor is not None and op != NULL_OP:
        values = values_at(floor, SHARES)
        axis.plot([nines(p) for p in SHARES], values, color=GREY, linewidth=1.2, linestyle="--")
        ends.append(("doing nothing", (GREY, "_"), nines(SHARES[-1]), values[-1]))
    axis.set_yscale("log")
    axis.set_xlim(nines(0.3), nines(SHARES[-1]) * 1.02)
    axis.set_xticks(marks, [f"{100 * p:g}" for p in PERCENTILES])
    axis.set_title(op)
    axis.set_ylabel("ns")
    axis.grid(True, alpha=0.3, linewidth=0.5)
    canvas.label_ends(axis, ends, 0.085)


def latency_plot(summary: Summary, number: int, row: dict[str, Any]) -> Plot | None:
    name = row["workload"]
    ops = [op for op in operations(summary, name) if op != NULL_OP]
    if not ops:
        return None
    shape, axes = canvas.figure(len(ops), 1, 2.7 * len(ops))
    for axis, op in zip(axes[:, 0], ops):
        latency_axis(axis, summary, name, op)
    axes[-1, 0].set_xlabel("percentile")
    return canvas.finished(
        f"latency-{number}", shape, f"Latency: {cells.row_label(row)}",
        "Each further nine has the same width. The dashed line is the operation that does nothing: "
        "what the clock and the machine cost.")


def latency_plots(summary: Summary) -> Iterator[Plot | None]:
    for number, row in enumerate(summary.rows):
        yield latency_plot(summary, number, row)


def family(row: dict[str, Any]) -> str | None:
    """The row's name without its number of threads; None where it has none in it."""
    threads = str(row["threads"])
    name, found = re.subn(rf"(?<![\w.])(?:T=|T)?{threads}(?: threads?)?(?![\w.])(?! ?[KM]i?B| B)",
                          "", row["workload"], count=1)
    return re.sub(r"[\s,]+", " ", name).strip() if found else None


def families(summary: Summary) -> dict[str, dict[int, dict[str, Any]]]:
    """name -> {threads: row}, of those that were run with several numbers of threads."""
    found: dict[tuple[str, str, str], dict[int, dict[str, Any]]] = {}
    for row in summary.rows:
        name = family(row)
        if name is not None and row["group"] != "program":
            found.setdefault((row["group"], name, row["score"]), {})[row["threads"]] = row
    return {key[1]: dict(sorted(rows.items())) for key, rows in found.items()
            if len(rows) > 1 and 1 in rows}


def gain(summary: Summary, row: dict[str, Any], arm: str, first: dict[str, Any],
         seed: Any) -> Estimate | None:
    """How many times the baseline's work at one thread the arm does at this row's threads."""
    over = summary.time.cells[first["workload"], summary.base].values
    under = summary.time.cells[row["workload"], arm].values
    blocks = sorted(over.keys() & under.keys())
    if not blocks:
        return None
    return estimates.row_ratio({b: math.log(over[b] / under[b]) for b in blocks},
                           [summary.seed, 11, seed])


def thread_axis(axis: Any, summary: Summary, name: str, rows: dict[int, dict[str, Any]]) -> None:
    first, cores = rows[1], summary.session["env"]["cores"]
    ends, top = [], 1.0
    for place, arm in enumerate(arms_of(summary)):
        gains = [(t, g) for t, row in rows.items()
                 if (g := gain(summary, row, arm, first, 97 * place + t)) is not None]
        if not gains:
            continue
        colour, marker = canvas.look(summary, arm)
        t, y = [t for t, _ in gains], [g.ratio for _, g in gains]
        errors = [[max(0, g.ratio - g.low) if cells.has_interval(g) else 0 for _, g in gains],
                  [max(0, g.high - g.ratio) if cells.has_interval(g) else 0 for _, g in gains]]
        axis.errorbar(t, y, yerr=errors, fmt=marker + "-", color=colour, markersize=4,
                      linewidth=1.2, elinewidth=0.9)
        ends.append((arm, (colour, marker), t[-1], y[-1]))
        top = max(top, *y)
    most = max(rows)
    axis.plot([1, min(cores, most)], [1, min(cores, most)], ":", color=INK, linewidth=0.9)
    axis.set_xscale("log", base=2)
    axis.set_xlim(0.9, most * 1.15)
    axis.set_ylim(0, top * 1.15)
    axis.set_xticks(list(rows), [str(t) for t in rows])
    axis.xaxis.set_minor_locator(ticker.NullLocator())
    canvas.oversubscribed(axis, cores, most)
    axis.set_title(name)
    axis.set_ylabel("times the work")
    axis.grid(True, alpha=0.3, linewidth=0.5)
    canvas.label_ends(axis, ends, 0.085)


def thread_plot(summary: Summary) -> Plot | None:
    found = {name: rows for name, rows in families(summary).items()
             if summary.time.cells[rows[1]["workload"], summary.base].values}
    if not found:
        return None
    shape, axes = canvas.figure(len(found), 1, 2.7 * len(found))
    for axis, (name, rows) in zip(axes[:, 0], found.items()):
        thread_axis(axis, summary, name, rows)
    axes[-1, 0].set_xlabel("threads")
    return canvas.finished(
        "threads", shape, "Threads",
        f"Operations a second, relative to {summary.base} with one thread; higher is better. "
        "Dotted: twice the threads, twice the work. Where there are more threads than processors, "
        "this is no scaling.")
