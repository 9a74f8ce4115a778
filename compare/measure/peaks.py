# SPDX-License-Identifier: MIT
"""peaks.py: one run of a server that goes through a peak and then idles, followed by the sampler.

Called by the sub-command curves: `measure` gives the fields of a `curve` record. The probe stands
in front of the allocator in every run, so that each curve is proved to be the allocator's; nothing
else is preloaded. Times are in ms from the start of the process. A moment between two samples is
that of the later one; a moment that the idleness did not reach has no number.
"""

import http.client
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..arms.allocators import Arm
from ..records import runfile
from ..workloads.servers import Server
from ..workloads.workload import last_words
from . import memory, noise, proof
from .launch import Sample, Shot, failure_of

INTERVAL_MS = 50.0
SETTLE_S = 0.5  # between the first answer and the fill, for a number of the start
SERIES = ("rss_kib", "pss_kib", "lazyfree_kib", "anon_huge_kib")
MOMENTS = (("after_1s", 1000.0), ("after_10s", 10000.0))  # from the end of the drop
FAILURES = (OSError, EOFError, ValueError, http.client.HTTPException)


def now_ms() -> float:
    return time.monotonic() * 1e3


def moment(times: list[float], values: list[int], at: float, end: float) -> int | None:
    """The value at the first sample from that moment on; None behind the end."""
    for t, value in zip(times, values):
        if at <= t <= end:
            return value
    return None


def metric_of(times: list[float], series: dict[str, list[int]],
              marks: dict[str, float]) -> dict[str, int | None]:
    """The numbers of a run: at its start, its peak, and when it is idle."""
    metric: dict[str, int | None] = {}
    for name in ("rss_kib", "pss_kib"):
        values = series[name]
        before = [v for t, v in zip(times, values) if t <= marks["fill"]]
        busy = [v for t, v in zip(times, values) if marks["fill"] <= t <= marks["dropped"]]
        idle = [v for t, v in zip(times, values) if marks["dropped"] <= t <= marks["end"]]
        metric[f"start_{name}"] = before[-1] if before else None
        metric[f"peak_{name}"] = max([*busy, *idle[:1]], default=None)
        for word, after_ms in MOMENTS:
            metric[f"{word}_{name}"] = moment(
                times, values, marks["dropped"] + after_ms, marks["end"])
        metric[f"end_{name}"] = idle[-1] if idle else None
    return metric


def drive(server: Server, address: Path, process: Any, idle_s: float) -> dict[str, float]:
    """Plays the client: the moments of the monotonic clock, in ms."""
    marks = {}
    with server.client(address, process) as client:
        time.sleep(SETTLE_S)
        marks["fill"] = now_ms()
        client.fill()
        marks["filled"] = now_ms()
        client.drop()
        marks["dropped"] = now_ms()
        time.sleep(idle_s)
        marks["end"] = now_ms()
        client.stop()
    return marks


def measure(server: Server, arm: Arm, shot: Shot, probe: str, idle_s: float) -> dict[str, Any]:
    """Fields of the `curve` record; `reason` says why there are no numbers."""
    server.prepare()
    scratch = Path(shot.launcher.scratch)
    address, samples, probed = (
        scratch / name for name in ("peak.sock", "peak.json", "peak-probe.jsonl"))
    for path in (address, samples, probed):
        path.unlink(missing_ok=True)
    shot = replace(shot, preloads=(probe, str(arm.path)),
                   env=shot.env | arm.env | {"HAK_PROBE_OUT": str(probed)},
                   sample=Sample(INTERVAL_MS, str(samples), with_ledger=False))
    meter, began = noise.Meter(), time.monotonic()
    timeout_s = server.timeout_s + idle_s
    process = shot.launcher.start(shot, server.argv(address), timeout_s,
                                  scratch / "server.out", scratch / "server.err", server.env)
    marks: dict[str, float] = {}
    detail = None
    try:
        marks = drive(server, address, process, idle_s)
    except FAILURES as error:
        detail = str(error) or type(error).__name__
        process.terminate()  # the server with it
    report = shot.launcher.finish(process, timeout_s)
    processes = proof.read_probe(probed)
    reason = "no answer" if detail else failure_of(report)
    if reason is None:
        detail = proof.objection(arm, processes)
        reason = "not served" if detail else None
    elif report["signal"] and detail is None:
        detail = last_words(scratch / "server.err") or None
    timeline = memory.read(samples) if samples.exists() else None
    if reason is None and timeline is None:
        reason = "no sample"
    record: dict[str, Any] = {
        "workload": server.name, "arm": arm.name, "took_s": round(time.monotonic() - began, 3),
        "reason": reason, "detail": detail and runfile.without_paths(detail), "noise": meter.read(),
        "processes": proof.record(processes), "marks_ms": {}, "metric": {}, "t_ms": [],
    } | {name: [] for name in SERIES}
    if reason is not None or timeline is None:
        return record
    marks = {name: at - timeline.begin_ms for name, at in marks.items()}
    record["marks_ms"] = {name: round(at, 1) for name, at in marks.items()}
    record["metric"] = {name: value for name, value in metric_of(
        timeline.t_ms, timeline.series, marks).items() if value is not None}
    record["t_ms"] = [round(t, 1) for t in timeline.t_ms]
    for name in SERIES:
        record[name] = timeline.series[name]
    return record
