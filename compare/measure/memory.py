# SPDX-License-Identifier: MIT
"""memory.py: one untimed run of a (row, arm) that shows its memory over time.

Called by the runner: `measure` gives the fields of a `mem` record. The launcher samples the
process, and libledger in front of the allocator counts the bytes that are alive at the same clock.
What the ledger itself needs is taken off everywhere here. The metric is of the process as it is;
`base_rss_kib` (a program that does nothing, under the same arm) and `bookkeeping_kib` (what a
workload of harness/ keeps for itself) are taken off only where it says net or overhead.
Peaks of resident memory are those of the samples: a peak between two of them is not seen. The
largest sum of live bytes is exact, and so are the usable bytes at that moment.
A process with children: what is resident is the larger of two sums that count no page twice and
may miss some: its Rss and what each other has for itself alone; and the Pss of all. Live bytes, and
what is resident per live byte, are of the process alone: the ledger counts no others.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..arms.allocators import Arm
from ..workloads.workload import Row, Workload
from .launch import Sample, Shot

INTERVAL_MS = 2
SERIES_MAX = 200
FAMILY = ("own_rss_kib", "processes")  # only of a process with children
SERIES = ("rss_kib", "pss_kib", "lazyfree_kib", "anon_huge_kib", "live_b", "vmas")
# The moment after the last free, and who may know of it: give_back looks by itself, and earlier.
RETAINED = (("retained_100ms_kib", 100, ("rss_100ms_kib", "rest_100ms_kib")),
            ("retained_1s_kib", 1000, ("rss_1000ms_kib", "rest_1s_kib")),
            ("retained_5s_kib", 5000, ("rest_5s_kib",)))
LEAST_LIVE_B = 1 << 20  # below, a ratio would be one of the process, not of the allocator
PAGE_KIB = 4
SLEEP = ("/bin/sleep", "0.1")

bases: dict[tuple[tuple[Any, ...], str], int | None] = {}  # (library, ledger) -> KiB


@dataclass(frozen=True)
class Timeline:
    """The samples of one run, without the ledger's pages; times in ms from the start."""

    begin_ms: float  # by the monotonic clock
    ledger_kib: int  # at the end
    peak_live_b: int | None
    # (live, usable) bytes when most were live, to 64 bytes; (0, 0): not known
    peak_pair_b: tuple[int, ...]
    t_ms: list[Any]
    series: dict[str, Any]


def read(path: Path | str) -> Timeline | None:
    """The timeline the launcher wrote, or None when it never saw the program run."""
    said = json.loads(Path(path).read_text())
    if not said["t_ms"]:
        return None
    ledger = said["ledger_kib"]
    series = {name: said[name] for name in SERIES}
    own = [r - k for r, k in zip(said["rss_kib"], ledger)]
    # After a fork the child has its share of the ledger, and of other shared memory there is.
    series["pss_kib"] = [p - min(k, s) for p, k, s in zip(
        said["pss_kib"], ledger, said["pss_shmem_kib"])]
    series["own_rss_kib"] = own
    series["processes"] = said["processes"]
    series["rss_kib"] = [max(o + private, p) if n > 1 else o for o, private, p, n in zip(
        own, said["others_private_kib"], series["pss_kib"], said["processes"])]
    claimed = said.get("owner", 0) != 0
    if not claimed:
        series["live_b"] = []
    return Timeline(said["begin_ms"], ledger[-1], said["peak_live_b"] if claimed else None,
                    tuple(said["peak_pair_b"]) if claimed else (0, 0), said["t_ms"], series)


def mean_over_time(t_ms: list[float], values: list[int]) -> float:
    """Each value holds until the next sample: their distances differ."""
    if len(t_ms) < 2:
        return values[0]
    spans = [b - a for a, b in zip(t_ms, t_ms[1:])]
    return sum(v * s for v, s in zip(values, spans)) / max(sum(spans), 1e-9)


def has_children(timeline: Timeline) -> bool:
    return bool(max(timeline.series["processes"]) > 1)


def place_of_peak(values: list[int]) -> int:
    return max(range(len(values)), key=values.__getitem__)


def thinned(timeline: Timeline, most: int = SERIES_MAX) -> list[int]:
    """Places of the samples to keep: the ends, and of each stretch the two highest moments."""
    count = len(timeline.t_ms)
    if count <= most:
        return list(range(count))
    kept, stretches = {0, count - 1}, (most - 2) // 2
    for n in range(stretches):
        part = range(count * n // stretches, count * (n + 1) // stretches)
        for name in ("rss_kib", "live_b"):
            values = timeline.series[name] or timeline.series["rss_kib"]
            kept.add(max(part, key=values.__getitem__))
    return sorted(kept)


def retained(timeline: Timeline, said: dict[str, Any]) -> dict[str, Any]:
    """What was resident so long after everything was freed, where the row tells."""
    found: dict[str, int | None] = {}
    for name, after_ms, fields in RETAINED:
        found[name] = None
        known = [said[field] for field in fields if field in said]
        if known:
            found[name] = known[0] - timeline.ledger_kib
        elif "drained_ms" in said:
            at = said["drained_ms"] - timeline.begin_ms + after_ms
            place = next((i for i, t in enumerate(timeline.t_ms) if t >= at), None)
            if place is not None:
                found[name] = timeline.series["rss_kib"][place]
    return found


def per_live_byte(timeline: Timeline, base_kib: int | None, own_kib: int) -> dict[str, Any]:
    """What each byte costs at the moment when most of them are alive."""
    place = place_of_peak(timeline.series["live_b"])
    live, rss = (timeline.series[s][place] for s in ("live_b", "own_rss_kib"))
    found = {"rss_at_peak_live_kib": rss}
    if live >= LEAST_LIVE_B and base_kib is not None:
        found["overhead_at_peak_live"] = round((rss - own_kib) * 1024 / live, 4)
    peak, usable = timeline.peak_pair_b
    if peak >= LEAST_LIVE_B and usable > 0:  # else the allocator does not say
        found["internal_fragmentation"] = round(max(1, usable / peak), 4)
    return found


def metric_of(timeline: Timeline, said: dict[str, Any], base_kib: int | None) -> dict[str, Any]:
    """The numbers of the record; `said` is what the run reported, by field."""
    rss, live = timeline.series["rss_kib"], timeline.series["live_b"]
    own_kib = (base_kib or 0) + said.get("bookkeeping_kib", 0)
    metric = {
        "peak_rss_kib": max(rss),
        "peak_pss_kib": max(timeline.series["pss_kib"]),
        "mean_rss_kib": round(mean_over_time(timeline.t_ms, rss)),
        "peak_less_lazyfree_kib": max(
            r - z for r, z in zip(rss, timeline.series["lazyfree_kib"])),
        "net_peak_rss_kib": max(rss) - own_kib,
        "base_rss_kib": base_kib,
        "bookkeeping_kib": said.get("bookkeeping_kib", 0),
        "peak_live_b": timeline.peak_live_b,
        "rss_at_peak_live_kib": None,
        "overhead_at_peak_live": None,
        "internal_fragmentation": None,
        "vmas_peak": max(timeline.series["vmas"]),
        "minflt": said["minflt"] - timeline.ledger_kib // PAGE_KIB,
        "majflt": said["majflt"],
    } | retained(timeline, said)
    if has_children(timeline):
        metric["processes_peak"] = max(timeline.series["processes"])
    if live:
        metric |= per_live_byte(timeline, base_kib, own_kib)
    return metric


def samples_file(shot: Shot) -> Path:
    return Path(shot.launcher.scratch) / "samples.json"


def sampled(shot: Shot, ledger_path: str, rest_s: float) -> Shot:
    """The same shot, with the sampler running and the ledger in front."""
    out = samples_file(shot)
    out.unlink(missing_ok=True)
    return replace(shot, preloads=(str(ledger_path), *shot.preloads),
                   sample=Sample(INTERVAL_MS, str(out), rest_s))


def timeline_of(shot: Shot) -> Timeline | None:
    out = samples_file(shot)
    return read(out) if out.exists() else None


def base_kib(shot: Shot, ledger_path: str) -> int | None:
    """What is resident in a program that does nothing, under the same arm and ledger."""
    key = (shot.preloads, str(ledger_path))
    if key not in bases:
        scratch = Path(shot.launcher.scratch)
        idle = replace(sampled(shot, ledger_path, 0), env=shot.env | {"LC_ALL": "C"})
        shot.launcher.run(idle, SLEEP, 10, scratch / "idle.out", scratch / "idle.err")
        timeline = timeline_of(shot)
        bases[key] = max(timeline.series["rss_kib"]) if timeline else None
    return bases[key]


def measure(row: Row | Workload, arm: Arm, shot: Shot, ledger_path: str,
            check: Callable[..., Any] = lambda row, outcome: None) -> dict[str, Any]:
    """Fields of the `mem` record of this row and arm; `reason` says why there are no numbers.

    `check` may find a failure in the outcome: a checksum that is not the baseline's.
    """
    base = base_kib(shot, ledger_path)
    shot = sampled(shot, ledger_path, row.rest_s)
    outcome = replace(row, timeout_s=row.timeout_s + row.rest_s).measure(shot)
    check(row, outcome)
    record: dict[str, Any] = {"workload": row.name, "arm": arm.name, "reason": outcome.failure,
                              "t_ms": [], "metric": {}}
    record |= {name: [] for name in SERIES}
    timeline = timeline_of(shot)
    if timeline is None:
        return record | {"reason": outcome.failure or "no sample"}
    if outcome.failure is not None:
        return record
    kept = thinned(timeline)
    record["t_ms"] = [round(timeline.t_ms[i], 1) for i in kept]
    for name in (*SERIES, *(FAMILY if has_children(timeline) else ())):
        if timeline.series[name]:
            record[name] = [timeline.series[name][i] for i in kept]
    record["metric"] = metric_of(timeline, outcome.metric, base)
    return record
