# SPDX-License-Identifier: MIT
"""support.py: what the tests of compare/ share: the import path, tools, and made-up sessions."""

import dataclasses
import json
import math
import os
import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMPARE = ROOT / "compare"
COMMAND = [sys.executable, str(COMPARE)]
sys.path.insert(0, str(ROOT))

from compare.measure.stopping import PLANS  # noqa: E402 (the path comes first)

LAUNCH = os.environ.get("HAK_BENCH_LAUNCH")
PROBE = os.environ.get("HAK_BENCH_PROBE")

ENV = {
    "cpu": "Made Up CPU", "cores": 2, "kernel": "6.1", "thp_enabled": "always", "libc": "glibc 2",
    "revision": "abc1234", "programs": {"perl": "5"},
}
QUIET = {"foreign_ms": 0, "steal_ms": 0, "psi_some_us": 0, "load1": 0.1, "noisy": False}


def exactly(blocks, **fields):
    """The plan of a comparison with so many blocks."""
    plan = PLANS["compare"]
    return dataclasses.replace(plan, least=blocks, most=blocks, budget_s=None, **fields)


def schema():
    return json.loads((COMPARE / "schema.json").read_text())


def arm_line(name, kind, missing=None):
    file, digest = (None, None) if missing else (f"lib{name}.so", "0" * 64)
    return {"arm": name, "kind": kind, "file": file, "sha256": digest, "version": "1",
            "missing": missing}


def workload_line(name, group="pairs", memory="ratio"):
    return {"workload": name, "group": group, "threads": 1, "args": name, "score": "ns_per_op",
            "unit": "ns/op", "direction": "lower is better", "memory": memory, "timeout_s": 20}


def head(**fields):
    return {"schema": "allocbench", "v": 1} | fields


def made_up_session(blocks=9, seed=3):
    """Records with known truth: `fast` takes 0.5 of glibc's time and 2.0 of its memory on every
    row, `same` is glibc with noise, `null` is `fast` with noise; `gone` is missing."""
    rng = random.Random(seed)
    arms = [arm_line("glibc", "system"), arm_line("gone", "peer", "not installed"),
            arm_line("same", "peer"), arm_line("fast", "hakmem"), arm_line("null", "null")]
    rows = [workload_line("short"), workload_line("tiny", memory="absolute"),
            workload_line("real", group="program")]
    factor = {"glibc": (1, 1), "same": (1, 1), "fast": (0.5, 2), "null": (0.5, 2)}
    records = [head(
        rec="session", id="made-up", t="2026-01-01T00:00:00Z", env=ENV, arms=arms,
        workloads=rows, absent=[{"workload": "redis", "reason": "needs redis-server"}],
        plan={"seed": seed, "input_seed": 1, "blocks": blocks, "quiet": True, "base": "glibc",
              "null_of": "fast", "time_budget_s": 1, "design": "made up"})]
    for block in range(blocks):
        drift = math.exp(rng.gauss(0, 0.5))  # the machine's mood: common to a block
        slot = 0
        for row in rows:
            for arm, (time, memory) in factor.items():
                noise = math.exp(rng.gauss(0, 0.004))
                records.append(run_line(block, slot, row["workload"], arm, {
                    "ns_per_op": 20 * drift * time * noise, "hwm_kib": 4096 * memory}))
                slot += 1
        records.append(head(rec="block_end", block=block))
    return records


def run_line(block, slot, workload, arm, metric, reason=None):
    return head(rec="run", block=block, slot=slot, workload=workload, arm=arm, cpu=1, env_pad=7,
                metric=metric, checksum=None, noise=QUIET, valid=reason is None, reason=reason,
                detail=None, exit=None if reason else 0)


def timeline_line(workload, arm):
    t = list(range(0, 200, 10))
    rss = [3000 + 50 * min(ms, 100) for ms in t]
    return head(rec="mem", workload=workload, arm=arm, t_ms=t, rss_kib=rss, pss_kib=rss,
                lazyfree_kib=[0] * len(t), anon_huge_kib=[0] * len(t), vmas=[30] * len(t),
                live_b=[900 * kib for kib in rss],
                metric={"peak_rss_kib": max(rss), "peak_pss_kib": max(rss), "peak_live_b": 7.2e6,
                        "mean_rss_kib": 6000, "rss_at_peak_live_kib": max(rss),
                        "base_rss_kib": 1500, "overhead_at_peak_live": 1.2,
                        "retained_100ms_kib": 4000, "retained_1s_kib": 3000,
                        "retained_5s_kib": None, "vmas_peak": 30, "minflt": 9, "majflt": 0})


def kernel_line(workload, arm):
    return head(rec="kernel", workload=workload, arm=arm, reason=None,
                metric={"calls": 12345, "failed_calls": 0, "map_calls": 9, "map_b": 3 << 20,
                        "unmap_calls": 2, "unmap_b": 1 << 20, "purge_calls": 1,
                        "purge_b": 1 << 19, "remap_calls": 1, "advice_calls": 0})


def full_session(blocks=9):
    """made_up_session, and everything that may stand beside its runs; a row of two threads."""
    records = made_up_session(blocks)
    rows = records[0]["workloads"]
    for threads in (1, 2, 4):
        rows.append(workload_line(f"team {threads}", group="team") | {"threads": threads})
        for block in range(blocks):
            for arm, factor in (("glibc", 1), ("same", 1), ("fast", 0.5), ("null", 0.5)):
                records.append(run_line(block, 0, f"team {threads}", arm, {
                    "ns_per_op": (20 + block) * factor / min(2, threads), "hwm_kib": 5000}))
    for arm in ("glibc", "fast"):  # none of `same`: its cells need words
        records.append(timeline_line("real", arm))
        records.append(kernel_line("real", arm))
        records.append(head(rec="insn", workload="real", arm=arm, ops=10, instructions=500,
                            per_op=50.0, allocator_per_op=30.0, reason=None))
        for block in range(blocks):
            for op in ("malloc", "null"):
                records.append(head(rec="hist", workload="real", arm=arm, block=block, attempt=0,
                                    op=op, unit="ns", sub_bits=7,
                                    counts={"20": 900, "200": 90, "1000": 9, "1100": 1}))
    return records


def ablation_session(blocks=9):
    """Without a: 1.1 times the time; without b: 1.2; without both: 1.25 times their product."""
    records = made_up_session(0)
    session = records[0]
    session["plan"] |= {"mode": "ablate", "base": "all", "null_of": None, "blocks": blocks}
    options = {"all": ("yes", "yes"), "no-a": ("no", "yes"), "no-b": ("yes", "no"),
               "no-a-b": ("no", "no")}
    session["arms"] = [arm_line(name, "hakmem") | {"options": {"a": a, "b": b}}
                       for name, (a, b) in options.items()]
    factor = {"all": 1, "no-a": 1.1, "no-b": 1.2, "no-a-b": 1.1 * 1.2 * 1.25}
    for block in range(blocks):
        for slot, row in enumerate(session["workloads"]):
            for arm, times in factor.items():
                records.append(run_line(block, slot, row["workload"], arm, {
                    "ns_per_op": (20 + block) * times, "hwm_kib": 4096}))
        records.append(head(rec="block_end", block=block))
    return records


def has_python_arenas(shot, argv, env, folder):
    """Does Python, started so, serve small objects from arenas of its own? Its statistics say."""
    out, err = Path(folder, "statistics"), Path(folder, "statistics.err")
    code = "import sys; sys._debugmallocstats(); print(hash('a'))"
    report = shot.launcher.run(shot, (*argv, "-c", code), 300, out, err, env)
    assert report["exit"] == 0, report
    return "arenas" in err.read_text()
