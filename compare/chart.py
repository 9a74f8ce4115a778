# SPDX-License-Identifier: MIT
"""chart.py: the ratios of a session as a picture: a point and its interval for each cell.

Called by report.py. The same summary gives the same bytes: no date, no random identifiers. What
has no ratio has no point; the tables say why.
"""

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "allocator-comparison"

from matplotlib import pyplot as plt  # noqa: E402 (the backend comes first)

ROW_INCHES, LANE = 0.32, 0.8  # height of a row; the share of it that the points take


def lines_of(summary, table, arm, shift):
    """(y, ratio, how far the interval goes below, and above) of each row that has a ratio."""
    for y, row in enumerate(summary.rows):
        estimate = table.cells[row["workload"], arm].estimate
        if estimate is None:
            continue
        has_interval = estimate.low == estimate.low  # not NaN
        low, high = (estimate.low, estimate.high) if has_interval else (estimate.ratio,) * 2
        yield y + shift, estimate.ratio, estimate.ratio - low, high - estimate.ratio


def draw(summary, path):
    height = 1.6 + ROW_INCHES * len(summary.rows)
    figure, axes = plt.subplots(1, 2, sharey=True, figsize=(11, height), layout="constrained")
    lanes = max(1, len(summary.columns))
    for axis, table in zip(axes, (summary.time, summary.memory)):
        for place, arm in enumerate(summary.columns):
            shift = LANE * ((place + 0.5) / lanes - 0.5)
            points = list(lines_of(summary, table, arm, shift))
            if points:
                y, x, below, above = zip(*points)
                axis.errorbar(x, y, xerr=(below, above), fmt=".", label=arm, elinewidth=1)
        axis.axvline(1, color="black", linewidth=0.8)
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
        axis.set_xlabel(f"{table.metric}: ratio to {summary.base}, lower is better")
        axis.grid(True, axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(summary.rows)), [row["workload"] for row in summary.rows])
    axes[0].invert_yaxis()
    if axes[0].get_legend_handles_labels()[0]:
        axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=lanes, frameon=False)
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)
