# SPDX-License-Identifier: MIT
"""peak_report.py: tables and charts of the memory of servers over time, from the records of a run.

Called by render.py for folders of the sub-command curves, and by that for docs. A pure function of
the records. Invariant: every (server, allocator) has a line; one that has no numbers has its words.
"""

import csv
import io
import re
import statistics
from typing import Any

from . import canvas
from .cells import number

Record = dict[str, Any]

COLUMNS = (("start_rss_kib", "start"), ("peak_rss_kib", "peak"), ("after_1s_rss_kib", "after 1 s"),
           ("after_10s_rss_kib", "after 10 s"), ("end_rss_kib", "at the end"))
HEADLINE = "after_10s_rss_kib"
SPREAD_KIB = 1024  # least and largest are shown when they are further apart
LOSS = 1.02  # times the least of the others: closer is as good
LOSS_KIB = 1024  # and no more than this
BEFORE_S = 4.0  # of the fill, in a chart
POINTS_MAX = 150  # of a line in a chart
TITLE = "Memory over time"


class Peaks:
    """The records of a folder: what Summary is to those of timed runs."""

    def __init__(self, records: list[Record]) -> None:
        self.session = next(r for r in records if r["rec"] == "session")
        self.rows: list[Record] = self.session["workloads"]
        self.arms: list[Record] = self.session["arms"]
        self.base: str = self.session["plan"]["base"]
        self.columns = [arm["arm"] for arm in self.arms if arm["arm"] != self.base]
        self.curves: dict[tuple[str, str], list[Record]] = {}
        for record in records:
            if record["rec"] == "curve":
                self.curves.setdefault((record["workload"], record["arm"]), []).append(record)

    def names(self) -> list[str]:
        return [self.base, *self.columns]

    def words(self, row: str, arm: str) -> str | None:
        """What stands instead of numbers: one run that failed decides it."""
        missing = next(a["missing"] for a in self.arms if a["arm"] == arm)
        if missing:
            return str(missing)
        runs = self.curves.get((row, arm), [])
        failed = [run["reason"] for run in runs if run["reason"]]
        return str(failed[0]) if failed else None if runs else "not run"

    def values(self, row: str, arm: str, metric: str) -> list[int]:
        return [run["metric"][metric] for run in self.curves.get((row, arm), [])
                if metric in run["metric"]]

    def median(self, row: str, arm: str, metric: str) -> float | None:
        if self.words(row, arm) is not None:
            return None
        values = self.values(row, arm, metric)
        return statistics.median(values) if values else None

    def middle_run(self, row: str, arm: str) -> Record:
        """The run that a chart shows: with the median at its end."""
        def place(run: Record) -> tuple[int, int]:
            metric = run["metric"]
            return int(metric.get(HEADLINE, metric["end_rss_kib"])), int(run["run"])

        runs = sorted(self.curves[row, arm], key=place)
        return runs[(len(runs) - 1) // 2]


def own(peaks: Peaks) -> list[str]:
    return [arm["arm"] for arm in peaks.arms if arm["kind"] == "hakmem"]


def others(peaks: Peaks) -> list[str]:
    return [name for name in peaks.names() if name not in own(peaks)]


def mib(kib: float) -> str:
    """Whole MiB from ten on, so that a cell claims no more than three digits."""
    return f"{kib / 1024:.0f}" if kib >= 10 * 1024 else str(number(kib / 1024))


def cell(peaks: Peaks, row: str, arm: str, metric: str) -> str:
    values = peaks.values(row, arm, metric)
    if not values:
        return "-"
    text = mib(statistics.median(values))
    if max(values) - min(values) > SPREAD_KIB:
        text += f" [{mib(min(values))},{mib(max(values))}]"
    return text


def least(peaks: Peaks, row: str, metric: str) -> tuple[str, float] | None:
    """The allocator that is not ours and holds least, with its median."""
    found = [(value, arm) for arm in others(peaks)
             if (value := peaks.median(row, arm, metric)) is not None]
    return (min(found)[1], min(found)[0]) if found else None


def losses(peaks: Peaks) -> list[str]:
    """A sentence for each number of ours that is above the least of the others."""
    said = []
    for row in (row["workload"] for row in peaks.rows):
        for metric, word in COLUMNS[1:]:
            best = least(peaks, row, metric)
            for arm in own(peaks):
                value = peaks.median(row, arm, metric)
                if best is None or value is None:
                    continue
                if value > LOSS * best[1] and value > best[1] + LOSS_KIB:
                    said.append(f"{row}, {word}: {arm} {mib(value)} MiB, {best[0]} "
                                f"{mib(best[1])} MiB")
    return said


def headline(peaks: Peaks, arm: str) -> str | None:
    parts = []
    for row in (row["workload"] for row in peaks.rows):
        value = peaks.median(row, arm, HEADLINE)
        if value is None:
            continue
        beside = [f"{name} {mib(median)}" for name in others(peaks)
                  if (median := peaks.median(row, name, HEADLINE)) is not None]
        parts.append(f"{row} {mib(value)} ({', '.join(beside)})")
    return f"{arm}: MiB 10 s after the peak: {'; '.join(parts)}." if parts else None


def table(peaks: Peaks, row: Record) -> list[str]:
    """The lines of a server's table."""
    lines = ["| MiB | " + " | ".join(word for _, word in COLUMNS) + " |",
             "|---|" + "---:|" * len(COLUMNS)]
    for arm in peaks.names():
        words = peaks.words(row["workload"], arm)
        cells = [words] + [""] * (len(COLUMNS) - 1) if words is not None else [
            cell(peaks, row["workload"], arm, metric) for metric, _ in COLUMNS]
        lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    return lines


def method(peaks: Peaks) -> str:
    plan, counts = peaks.session["plan"], {len(runs) for runs in peaks.curves.values()} or {0}
    runs = " or ".join(str(count) for count in sorted(counts))
    return (f"Resident memory (Rss) of the server, {runs} runs under each allocator by turns, "
            f"sampled every {plan['interval_ms']:g} ms: the median, and in brackets the "
            "least and the largest run where they are more than a MiB apart. `after 1 s` counts "
            f"from the end of the drop; the server then idles for {plan['idle_s']:g} s, which "
            "`at the end` closes. In each run malloc, free, calloc and realloc were those of the "
            "allocator, by libprobe.so.")


def machine(peaks: Peaks) -> str:
    env = peaks.session["env"]
    return (f"Machine: {env['cpu']}, {env['cores']} processors, kernel {env['kernel']}, "
            f"THP {env['thp_enabled']}, libc {env['libc']}; {peaks.session['t']}; "
            f"revision {env['revision']}.")


def noise_line(peaks: Peaks) -> str:
    runs = [run for group in peaks.curves.values() for run in group]
    noisy = sum(run["noise"]["noisy"] for run in runs)
    return f"Runs: {len(runs)}, of which {noisy} while other processes used the machine."


def markdown(peaks: Peaks) -> str:
    head = [f"* {line}" for arm in own(peaks) if (line := headline(peaks, arm))]
    lines = [f"# {TITLE}", "", *head, "", machine(peaks), "", method(peaks), "",
             noise_line(peaks)]
    for row in peaks.rows:
        lines += ["", f"## {row['workload']}", "", row["peak"] + ".", "", *table(peaks, row)]
    lines += ["", "## Where another allocator holds less", ""]
    lines += [f"* {loss}" for loss in losses(peaks)] or ["Nowhere."]
    if peaks.session["absent"]:
        lines += ["", "## Left out", ""]
        lines += [f"* {gone['workload']}: {gone['reason']}" for gone in peaks.session["absent"]]
    lines += ["", "## Versions", ""]
    lines += [f"* {arm['arm']}: {arm['version']}" for arm in peaks.arms]
    return "\n".join(lines) + "\n"


def comma_separated(peaks: Peaks) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["workload", "arm", "metric", "unit", "n", "median", "least", "largest",
                     "words"])
    for row in (row["workload"] for row in peaks.rows):
        for arm in peaks.names():
            words = peaks.words(row, arm)
            if words is not None:
                writer.writerow([row, arm, "", "KiB", 0, "", "", "", words])
                continue
            metrics = sorted({name for run in peaks.curves[row, arm] for name in run["metric"]})
            for metric in metrics:
                values = peaks.values(row, arm, metric)
                writer.writerow([row, arm, metric, "KiB", len(values),
                                 f"{statistics.median(values):g}", min(values), max(values), ""])
    return out.getvalue()


# ---- charts ----


def points(run: Record) -> tuple[list[float], list[float]]:
    """(seconds from the end of the drop, MiB), as many as a chart can show, the peak with them."""
    dropped, end = run["marks_ms"]["dropped"], run["marks_ms"]["end"]
    chosen = [i for i, t in enumerate(run["t_ms"]) if dropped - BEFORE_S * 1e3 <= t <= end]
    step = max(1, -(-len(chosen) // POINTS_MAX))
    kept = set(chosen[::step]) | set(chosen[-1:])
    if chosen:
        rss: list[int] = run["rss_kib"]
        kept.add(max(chosen, key=rss.__getitem__))
    order = sorted(kept)
    return ([(run["t_ms"][i] - dropped) / 1e3 for i in order],
            [run["rss_kib"][i] / 1024 for i in order])


def slug(row: str) -> str:
    return "memory-" + re.sub(r"[^a-z0-9]+", "-", row.lower()).strip("-")


def plot(peaks: Peaks, row: Record) -> canvas.Plot | None:
    name = row["workload"]
    arms = [arm for arm in peaks.names() if peaks.words(name, arm) is None]
    if not arms:
        return None
    shape, axes = canvas.figure(1, 1, 3.0)
    axis, ends, top = axes[0, 0], [], 1.0
    for arm in arms:
        t, values = points(peaks.middle_run(name, arm))
        look = canvas.look(peaks, arm)
        axis.plot(t, values, color=look[0], linewidth=1.3)
        ends.append((arm, look, t[-1], values[-1]))
        top = max(top, *values)
    axis.set_ylim(0, 1.05 * top)
    axis.set_xlim(-BEFORE_S, max(end[2] for end in ends))
    axis.axvline(0, color=canvas.GREY, linewidth=0.7, linestyle=":")
    axis.set_xlabel("seconds since the end of the peak")
    axis.set_ylabel("resident MiB")
    axis.set_title(name)
    axis.grid(True, alpha=0.3, linewidth=0.5)
    canvas.label_ends(axis, ends, 0.085)
    note = ("Resident memory (Rss), of each allocator the run with the median 10 s after the peak. "
            f"The server: {row['peak']}.")
    made: canvas.Plot = canvas.finished(slug(name), shape, f"{TITLE}: {name}", note)
    return made


def all_plots(peaks: Peaks) -> list[canvas.Plot]:
    return [made for row in peaks.rows if (made := plot(peaks, row)) is not None]
