# SPDX-License-Identifier: MIT
"""runner.py: makes the runs: first one proof of each (row, arm), then block after block.

Called by bench_compare.py. A run that fails is recorded with its reason, and its cell is not run
again: the reason is what the table shows. The proof runs are untimed, warm the page cache, and
tell how long a block takes, so that the number of blocks fits the time budget; blocks are always
complete unless the user interrupts.
"""

import os
import random
import time
from pathlib import Path

import proof
from launch import Shot
from noise import Meter
from schedule import Schedule

MAX_BLOCKS = 40
MAX_PAD = 4096


def one_cpu():
    """The processor for one-thread rows: not the first, where interrupts and this harness are."""
    cpus = sorted(os.sched_getaffinity(0))
    return 1 if 1 in cpus else cpus[-1]


class Runner:
    def __init__(self, launcher, probe, rows, arms, writer, seed, progress):
        self.launcher, self.probe = launcher, probe
        self.rows, self.arms = rows, arms
        self.writer, self.progress = writer, progress
        self.random = random.Random(seed)
        self.schedule = Schedule(len(rows), len(arms), seed)
        self.checksums = {}  # row name -> the baseline's
        self.given_up = set()  # (row, arm) indices whose cell is decided
        self.duration_s = {}  # (row, arm) indices -> seconds of the last run

    def shot(self, row, arm, probe_out=None):
        preloads, env = (arm.path,), {}
        if probe_out is not None:
            preloads, env = (self.probe, arm.path), {"HAK_PROBE_OUT": str(probe_out)}
        cpu = one_cpu() if row.threads == 1 else None
        return Shot(self.launcher, preloads, cpu, self.random.randrange(MAX_PAD), env)

    def compare(self, row, outcome):
        """The oracle: what the first arm (the baseline) computed, every arm must compute."""
        if outcome.failure is None and outcome.checksum is not None:
            expected = self.checksums.setdefault(row.name, outcome.checksum)
            if outcome.checksum != expected:
                outcome.failure = "wrong data"

    def prove(self, cell):
        row, arm = self.rows[cell[0]], self.arms[cell[1]]
        probe_out = Path(self.launcher.scratch) / "probe.jsonl"
        probe_out.unlink(missing_ok=True)
        began = time.monotonic()
        outcome = row.measure(self.shot(row, arm, probe_out))
        self.duration_s[cell] = time.monotonic() - began
        self.compare(row, outcome)
        processes = proof.read_probe(probe_out)
        objection = proof.objection(arm, processes) if outcome.failure is None else outcome.detail
        reason = outcome.failure or ("not served" if objection else None)
        if reason is not None:
            self.given_up.add(cell)
        self.writer.write(
            rec="proof", workload=row.name, arm=arm.name, served=reason is None, reason=reason,
            detail=objection, exit=outcome.exit, checksum=outcome.checksum,
            processes=proof.record(processes))

    def run(self, cell, block, slot):
        row, arm = self.rows[cell[0]], self.arms[cell[1]]
        shot = self.shot(row, arm)
        meter, began = Meter(), time.monotonic()
        outcome = row.measure(shot)
        noise = meter.read()
        self.duration_s[cell] = time.monotonic() - began
        self.compare(row, outcome)
        if outcome.failure is not None:
            self.given_up.add(cell)
        self.writer.write(
            rec="run", block=block, slot=slot, workload=row.name, arm=arm.name,
            cpu=shot.cpu, env_pad=shot.env_pad, metric=outcome.metric, checksum=outcome.checksum,
            noise=noise, valid=outcome.failure is None, reason=outcome.failure,
            detail=outcome.detail, exit=outcome.exit)

    def open_cells(self):
        return [c for c in self.duration_s if c not in self.given_up]

    def block_s(self):
        return sum(self.duration_s[c] for c in self.open_cells())

    def prove_all(self):
        cells = [(r, a) for r in range(len(self.rows)) for a in range(len(self.arms))]
        for done, cell in enumerate(cells):
            self.show("proof", done, len(cells), cell)
            self.prove(cell)

    def measure_all(self, deadline, blocks):
        """`blocks` blocks, or, when that is None, as many as fit before the deadline."""
        done = 0
        while done < (blocks or MAX_BLOCKS) and self.open_cells():
            if blocks is None and done and time.monotonic() + self.block_s() > deadline:
                break
            fit = int(max(0, deadline - time.monotonic()) / max(self.block_s(), 1e-3))
            total = blocks or max(done + 1, min(MAX_BLOCKS, done + fit))
            cells = [c for c in self.schedule.block(done) if c not in self.given_up]
            for slot, cell in enumerate(cells):
                later = sum(self.duration_s[c] for c in cells[slot:])
                left_s = later + (total - done - 1) * self.block_s()
                self.show(f"block {done + 1}/{total}", slot, len(cells), cell, left_s)
                self.run(cell, done, slot)
            done += 1
            self.writer.write(rec="block_end", block=done - 1)
        return done

    def show(self, phase, done, total, cell, left_s=None):
        left = "" if left_s is None else f"  {int(left_s) // 60}:{int(left_s) % 60:02d} left"
        names = f"{self.rows[cell[0]].name} · {self.arms[cell[1]].name}"
        self.progress.step(f"{phase}  {done + 1}/{total}{left}  {names}", done + 1 == total)
