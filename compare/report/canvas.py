# SPDX-License-Identifier: MIT
"""canvas.py: how every chart looks, and how it becomes SVG that is the same bytes each time.

Called by the modules of charts. Ink that must follow the page's colours (text, axes) is INK: the
report page replaces it. Colours have 3:1 on white and on near-black and differ for the colour-blind
(after Okabe & Ito's set); each arm has a marker of its own as well. A figure is as wide as a phone.
"""

import io
import re
from dataclasses import dataclass
from typing import Any

import matplotlib
from numpy.typing import NDArray

matplotlib.use("svg")
matplotlib.rcParams.update({
    "svg.hashsalt": "allocator-comparison", "svg.fonttype": "none", "font.size": 9,
    "font.family": "DejaVu Sans", "axes.spines.top": False, "axes.spines.right": False,
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
    "axes.titlesize": 9, "axes.titlelocation": "left", "legend.frameon": False,
})

from matplotlib import pyplot as plt  # noqa: E402 (the backend comes first)
from matplotlib import ticker, transforms  # noqa: E402

from ..analyse.summary import Summary

INK = "#1b1f24"
for part in ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"):
    matplotlib.rcParams[part] = INK

WIDTH = 3.6  # inches
GREY = "#7d8590"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b9558f", "#a67c00", "#7b6fd0", "#2a93c9", "#8a6d5b")
MARKERS = "osD^vPX*"
Crowd = tuple[float, list[int]]
REACH = 16  # ratios are drawn from 1/REACH to REACH at most


@dataclass(frozen=True)
class Plot:
    file: str  # from the result folder
    title: str
    note: str
    svg: str


def look(summary: Any, arm: str) -> tuple[str, str]:
    """(colour, marker) of an arm: of its place in the session, the same in every chart."""
    if arm == summary.base:
        return INK, "o"
    place = summary.columns.index(arm) if arm in summary.columns else -1
    return COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]


def figure(rows: int, columns: int, height: float, **options: Any) -> tuple[Any, NDArray[Any]]:
    """A figure of phone width; the axes always as a two-dimensional array."""
    shape, axes = plt.subplots(rows, columns, figsize=(WIDTH, height), layout="constrained",
                               squeeze=False, **options)
    return shape, axes


def rendered(shape: Any, title: str) -> str:
    """The figure as SVG text; it is closed."""
    out = io.StringIO()
    shape.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Title": title})
    plt.close(shape)
    return re.sub(r"[ \t]+$", "", out.getvalue(), flags=re.M)


def finished(name: str, shape: Any, title: str, note: str) -> Plot:
    return Plot(f"plots/{name}.svg", title, note, rendered(shape, title))


def plain(x: float, _: int | None = None) -> str:
    """A power of two as it is read: 1/8 is shorter than 0.125."""
    return f"{x:g}" if x >= 1 else f"1/{1 / x:g}"


def clamped(ratio: float, reach: int = REACH) -> float:
    return min(max(ratio, 1 / reach), reach)


def ratio_axis(axis: Any, summary: Summary, values: list[float], reach: int = REACH) -> None:
    """A logarithmic axis of ratios, no wider than what is drawn on it; a line at 1."""
    inside = [clamped(v, reach) for v in values] or [1]
    low, high = min(*inside, 0.8), max(*inside, 1.25)
    axis.set_xscale("log", base=2)
    axis.set_xlim(low / 1.12, high * 1.12)
    axis.xaxis.set_major_locator(ticker.FixedLocator([2.0**i for i in range(-6, 7)]))
    axis.xaxis.set_major_formatter(plain)
    axis.xaxis.set_minor_locator(ticker.NullLocator())
    axis.axvline(1, color=INK, linewidth=0.9)
    axis.grid(True, axis="x", alpha=0.35, linewidth=0.6)
    axis.tick_params(axis="x", top=True, labeltop=True)


def above(axis: Any, points: int) -> Any:
    """Coordinates of the axis, moved up: room for the numbers at its top."""
    up = transforms.ScaledTranslation(0, points / 72, axis.figure.dpi_scale_trans)
    return axis.transAxes + up


def spread_out(wanted: list[float], gap: float) -> list[float]:
    """The wanted positions, moved apart to at least `gap`, kept between 0 and 1 if they fit.

    The order stays; the middle of a crowd stays where it was, unless it would leave the axis.
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    crowds: list[Crowd] = []  # (sum of wanted places less their offsets, members)
    for i in order:
        crowds.append((wanted[i], [i]))
        while len(crowds) > 1 and start(crowds[-1], gap) < end(crowds[-2], gap) + gap:
            total, members = crowds.pop()
            crowds[-1] = crowds[-1][0] + total, crowds[-1][1] + members
    placed = [0.0] * len(wanted)
    for crowd in crowds:
        for number, i in enumerate(crowd[1]):
            placed[i] = start(crowd, gap) + number * gap
    return inside(placed, order, gap)


def inside(placed: list[float], order: list[int], gap: float) -> list[float]:
    """Places in order, pushed down from above 1, then up from below 0."""
    limit = 1.0
    for i in reversed(order):
        placed[i] = min(placed[i], limit)
        limit = placed[i] - gap
    limit = 0.0
    for i in order:
        placed[i] = max(placed[i], limit)
        limit = placed[i] + gap
    return placed


def start(crowd: Crowd, gap: float) -> float:
    total, members = crowd
    return total / len(members) - gap * (len(members) - 1) / 2


def end(crowd: Crowd, gap: float) -> float:
    return start(crowd, gap) + gap * (len(crowd[1]) - 1)


def label_ends(axis: Any, ends: list[Any], gap: float) -> None:
    """Names at the right edge of an axis: ends is (name, look, x, y of the last point)."""
    if not ends:
        return
    to_axis = axis.transData + axis.transAxes.inverted()
    at = [to_axis.transform((x, y)) for _, _, x, y in ends]
    for (name, (colour, marker), _, _), (x, y), shown in zip(
            ends, at, spread_out([y for _, y in at], gap)):
        axis.plot([x, 1.06], [y, shown], color=colour, linewidth=0.5, alpha=0.6, clip_on=False,
                  transform=axis.transAxes)
        axis.plot([1.06], [shown], marker, color=colour, markersize=4, clip_on=False,
                  transform=axis.transAxes)
        axis.annotate(name, (1.06, shown), xytext=(5, 0), xycoords="axes fraction",
                      textcoords="offset points", va="center", fontsize=8, annotation_clip=False)


def oversubscribed(axis: Any, cores: int, most: int) -> None:
    """Marks where there are more threads than processors."""
    if most > cores:
        axis.axvspan(cores * 1.05, most * 1.15, color=GREY, alpha=0.15, linewidth=0)
        axis.text(most * 1.1, 0.03, "oversubscribed", ha="right", va="bottom", fontsize=8,
                  transform=axis.get_xaxis_transform())
