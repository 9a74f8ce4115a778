# SPDX-License-Identifier: MIT
"""charts.py: the pictures of a session's ratios: rows, the trade of time and memory, noise.

Called by render.py through `all_plots`, which adds the curves of curves.py. A chart that has no
data is not drawn; `all_plots` says which. The same records give the same bytes.
"""

import math
from collections.abc import Iterator
from typing import Any

from matplotlib import ticker

from ..analyse import estimates
from ..analyse.estimates import Estimate
from ..analyse.summary import Summary, TIME, Table
from . import canvas, cells, curves
from .canvas import GREY, INK, Plot

LANE_INCHES, HEAD_INCHES = 0.13, 0.24  # of an arm's lane; of a row's name
RATIO_ROWS, NOISE_ROWS = 12, 24  # most rows of a chart: it has to fit on paper


def reach_of(estimate: Estimate) -> tuple[float, float]:
    """How far the interval goes below the ratio, and above; clamped as the ratio is."""
    ratio = canvas.clamped(estimate.ratio)
    if not cells.has_interval(estimate):
        return 0, 0
    low, high = canvas.clamped(estimate.low), canvas.clamped(estimate.high)
    return max(0, ratio - low), max(0, high - ratio)


def draw_point(axis: Any, summary: Summary, arm: str, estimate: Estimate, y: float,
               strong: bool) -> None:
    colour, marker = canvas.look(summary, arm)
    below, above = reach_of(estimate)
    x = canvas.clamped(estimate.ratio)
    axis.errorbar([x], [y], xerr=[[below], [above]], fmt=marker, color=colour, markersize=4.5,
                  elinewidth=1.1, markerfacecolor=colour if strong else "none")
    if x != estimate.ratio:
        side = -1 if x > 1 else 1
        axis.annotate(cells.ratio_text(estimate.ratio), (x, y), xytext=(side * 6, 0),
                      textcoords="offset points", va="center", fontsize=8,
                      ha="right" if side < 0 else "left")


def legend_above(axis: Any, summary: Summary, arms: list[str]) -> None:
    handles, columns = [], 3 if max(map(len, arms)) < 10 else 2
    for arm in arms:
        colour, marker = canvas.look(summary, arm)
        handles += axis.plot([], [], marker, color=colour, label=arm, linestyle="none")
    axis.legend(handles=handles, loc="lower left", bbox_to_anchor=(-0.01, 1), ncols=columns,
                fontsize=8, bbox_transform=canvas.above(axis, 14), columnspacing=1.2,
                handletextpad=0.2, borderaxespad=0.2)


def parts(rows: list[dict[str, Any]], most: int) -> list[list[dict[str, Any]]]:
    """The rows in as few runs of about the same length as keep each to `most`."""
    size = math.ceil(len(rows) / math.ceil(len(rows) / most)) if rows else 1
    return [rows[i:i + size] for i in range(0, len(rows), size)]


def numbered(title: str, which: tuple[int, int]) -> str:
    place, count = which
    return f"{title}, {place + 1} of {count}" if count > 1 else title


def drawn_ratios(summary: Summary, table: Table, rows: list[dict[str, Any]]) -> Iterator[float]:
    """All that charts of these rows must have room for."""
    for row in rows:
        for arm in summary.columns:
            estimate = table.cells[row["workload"], arm].estimate
            if estimate is not None:
                yield estimate.ratio
                if cells.has_interval(estimate):
                    yield from (estimate.low, estimate.high)


def ratio_plots(summary: Summary, table: Table) -> Iterator[Plot]:
    """A point and its interval for each cell that has a ratio, under the name of its row."""
    rows = [row for row in summary.rows
            if any(table.cells[row["workload"], arm].estimate for arm in summary.columns)]
    arms = [arm for arm in summary.columns
            if any(table.cells[row["workload"], arm].estimate for row in rows)]
    values, chunks = list(drawn_ratios(summary, table, rows)), parts(rows, RATIO_ROWS)
    for place, chunk in enumerate(chunks):
        yield ratio_plot(summary, table, arms, chunk, values, (place, len(chunks)))


def ratio_plot(summary: Summary, table: Table, arms: list[str], rows: list[dict[str, Any]],
               values: list[float], which: tuple[int, int]) -> Plot:
    pitch = HEAD_INCHES + LANE_INCHES * len(arms)
    shape, axes = canvas.figure(1, 1, pitch * len(rows) + 0.9)
    axis = axes[0, 0]
    for place, row in enumerate(rows):
        name = row["workload"]
        axis.text(0.005, place * pitch + 0.1, cells.row_label(row), fontsize=8, va="center",
                  transform=axis.get_yaxis_transform(), fontweight="bold")
        axis.axhline(place * pitch, color=GREY, linewidth=0.4, alpha=0.5)
        for lane, arm in enumerate(arms):
            cell = table.cells[name, arm]
            if cell.estimate is None:
                continue
            draw_point(axis, summary, arm, cell.estimate,
                       place * pitch + HEAD_INCHES + LANE_INCHES * (lane + 0.2),
                       estimates.is_decided(cell.verdict))
    axis.set_ylim(pitch * len(rows), 0)
    axis.set_yticks([])
    canvas.ratio_axis(axis, summary, values)
    word = "time" if table.metric == TIME else "peak memory"
    axis.set_xlabel(f"{word}: ratio to {summary.base}, lower is better")
    legend_above(axis, summary, arms)
    return canvas.finished(
        f"ratios-{table.metric}-{which[0] + 1}", shape, numbered(f"Ratios in {word}", which),
        f"Ratio to {summary.base} with its 95 % interval, lower is better. A filled marker is "
        f"decided, a hollow one is not. Ratios beyond {canvas.REACH} times stand at the edge, with "
        "their number.")


def trade_axis(axis: Any, summary: Summary, label: str) -> bool:
    """Geometric means of time and memory against each other, with both intervals."""
    points: list[tuple[str, Estimate, Estimate]] = []
    for arm in summary.columns:
        time, memory = (table.means.get((label, arm)) for table in (summary.time, summary.memory))
        if time and memory:
            points.append((arm, time[0], memory[0]))
    if not points:
        return False
    for arm, time, memory in points:
        colour, marker = canvas.look(summary, arm)
        errors = [[[e.ratio - e.low], [e.high - e.ratio]] if cells.has_interval(e) else None
                  for e in (time, memory)]
        axis.errorbar([time.ratio], [memory.ratio], xerr=errors[0], yerr=errors[1], fmt=marker,
                      color=colour, markersize=6, elinewidth=1)
    axis.plot([1], [1], "o", color=INK, markersize=6)
    for set_scale, which in ((axis.set_xscale, axis.xaxis), (axis.set_yscale, axis.yaxis)):
        set_scale("log", base=2)
        which.set_major_formatter(lambda x, _: f"{x:.3g}")
        which.set_minor_formatter(lambda x, _: "")
    for values, set_limits, axis_of in (
            ([p[1] for p in points], axis.set_xlim, axis.xaxis),
            ([p[2] for p in points], axis.set_ylim, axis.yaxis)):
        low = min([1, *(e.low if cells.has_interval(e) else e.ratio for e in values)])
        high = max([1, *(e.high if cells.has_interval(e) else e.ratio for e in values)])
        pad = max(1.05, (high / low) ** 0.08)
        set_limits(low / pad, high * pad)
        axis_of.set_major_locator(ticker.FixedLocator(ticks(low, high)))
    axis.axvline(1, color=GREY, linewidth=0.7)
    axis.axhline(1, color=GREY, linewidth=0.7)
    axis.grid(True, alpha=0.3, linewidth=0.5)
    axis.set_title(f"{label} ({summary.time.most[label]} rows in time, "
                   f"{summary.memory.most[label]} in memory)")
    axis.set_ylabel("memory ratio")
    axis.set_xlabel("time ratio; left and down is better")
    ends = [(summary.base, (INK, "o"), 1.0, 1.0)]
    ends += [(arm, canvas.look(summary, arm), t.ratio, m.ratio) for arm, t, m in points]
    canvas.label_ends(axis, ends, 0.08)
    return True


def ticks(low: float, high: float) -> list[float]:
    """Round ratios between two bounds: at least three where two decimals allow."""
    for steps in ([2.0**i for i in range(-10, 11)], [0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7],
                  *([round(step * i, 2) for i in range(1, 301)]
                    for step in (0.2, 0.1, 0.05, 0.02))):
        inside = [s for s in steps if low / 1.03 <= s <= high * 1.03]
        if len(inside) >= 3:
            return inside
    return [1]


def trade_plot(summary: Summary) -> Plot | None:
    labels = [label for label in summary.time.most
              if any((label, arm) in t.means for arm in summary.columns
                     for t in (summary.time, summary.memory))]
    labels = [label for label in labels if any(
        all((label, arm) in t.means for t in (summary.time, summary.memory))
        for arm in summary.columns)]
    if not labels:
        return None
    shape, axes = canvas.figure(len(labels), 1, 3.1 * len(labels))
    for axis, label in zip(axes[:, 0], labels):
        trade_axis(axis, summary, label)
    return canvas.finished("trade", shape, "Time and memory traded",
                           f"Geometric means of the ratios to {summary.base}, each with its 95 % "
                           "interval in both directions. Nearer to the lower left is better.")


def block_ratios(table: Table, row: str, arm: str, base: str) -> list[float]:
    over, under = table.cells[row, arm].values, table.cells[row, base].values
    return [over[b] / under[b] for b in sorted(over.keys() & under.keys())]


def noise_plots(summary: Summary) -> Iterator[Plot]:
    """Each row: the null ratio of every block, delta around 1, and what was measured."""
    chunks = parts([row for row in summary.rows if summary.time.null.get(row["workload"])],
                   NOISE_ROWS)
    for place, chunk in enumerate(chunks):
        yield noise_plot(summary, summary.time, chunk, (place, len(chunks)))


def noise_plot(summary: Summary, table: Table, rows: list[dict[str, Any]],
               which: tuple[int, int]) -> Plot:
    arm = summary.original if summary.original != summary.base else None
    pitch = 0.44
    shape, axes = canvas.figure(1, 1, pitch * len(rows) + 0.9)
    axis, values = axes[0, 0], []
    for place, row in enumerate(rows):
        name, y = row["workload"], place * pitch
        ratios = block_ratios(table, name, "null", summary.original)
        delta = table.delta[name]
        axis.text(0.005, y + 0.11, cells.row_label(row), fontsize=8, va="center",
                  transform=axis.get_yaxis_transform())
        axis.fill_betweenx([y + 0.2, y + 0.42], max(1 / canvas.REACH, 1 - delta), 1 + delta,
                           color=GREY, alpha=0.25, linewidth=0)
        axis.plot([canvas.clamped(r) for r in ratios], [y + 0.31] * len(ratios), "|", color=GREY,
                  markersize=7)
        values += [*ratios, 1 + delta]
        cell = table.cells[name, arm] if arm else None
        if cell and cell.estimate:
            strong = estimates.is_decided(cell.verdict)
            values.append(cell.estimate.ratio)
            draw_point(axis, summary, arm, cell.estimate, y + 0.31, strong)
    axis.set_ylim(pitch * len(rows), 0)
    axis.set_yticks([])
    canvas.ratio_axis(axis, summary, values)
    axis.set_xlabel("ratio of time")
    measured = f" {arm} against {summary.base} is the point with its interval." if arm else ""
    return canvas.finished(
        f"noise-{which[0] + 1}", shape, numbered("Is it bigger than noise?", which),
        f"Strokes: null / {summary.original}, the same file twice, of every block; the band is "
        f"1 \u00b1 delta.{measured}")


def all_plots(summary: Summary) -> tuple[list[Plot], list[str]]:
    """(the plots that have data, the words on those that have none)."""
    plots, absent = [], []
    for title, made in (
        ("time against memory", [trade_plot(summary)]),
        ("curves over threads", [curves.thread_plot(summary)]),
        ("latency percentiles", curves.latency_plots(summary)),
        ("memory over time", curves.timeline_plots(summary)),
        ("ratios in time", ratio_plots(summary, summary.time)),
        ("ratios in memory", ratio_plots(summary, summary.memory)),
        ("noise", noise_plots(summary)),
    ):
        drawn = [plot for plot in made if plot is not None]
        plots += drawn
        if not drawn:
            absent.append(title)
    return plots, absent


