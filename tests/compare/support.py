# SPDX-License-Identifier: MIT
"""support.py: what the tests of compare/ share: the import path, tools, and made-up sessions."""

import json
import math
import os
import random
import sys
from pathlib import Path

COMPARE = Path(__file__).resolve().parents[2] / "compare"
sys.path.insert(0, str(COMPARE))

LAUNCH = os.environ.get("HAK_BENCH_LAUNCH")
PROBE = os.environ.get("HAK_BENCH_PROBE")

ENV = {
    "cpu": "Made Up CPU", "cores": 2, "kernel": "6.1", "thp_enabled": "always", "libc": "glibc 2",
    "revision": "abc1234", "programs": {"perl": "5"},
}
QUIET = {"foreign_ms": 0, "steal_ms": 0, "psi_some_us": 0, "load1": 0.1, "noisy": False}


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
