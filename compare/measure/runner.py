# SPDX-License-Identifier: MIT
"""runner.py: makes the runs: one proof of each (row, arm), then block after block, then memory.

Called by session.py. A block is one row under all arms; when one of its runs met so much noise
that it says nothing, the block ends there and is run again; what was made stays on record. A run
that fails is recorded with its reason, and its cell is not run again: the reason is what the table
shows. But a timeout is no more than late, which a disturbed machine makes anyone: it is decided
with its block. After the memory runs each (row, arm) may run once more, for its calls of the
kernel. What has been done is known from the journal alone, by `note`, which sees each line once,
whether it was written just now or by a session that was killed: going on is nothing special.
"""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..arms.allocators import Arm
from ..records.runfile import Journal
from ..workloads.workload import Outcome, Row
from . import kernel, memory, noise, proof
from .launch import Launcher, Shot, is_timeout
from .progress import Progress
from .schedule import Schedule
from .stopping import Plan, RowNoise

Cell = tuple[int, int]  # the numbers of a row and an arm
MAX_PAD = 4096
ATTEMPTS = 3
REDO_SHARE = 0.25  # of the session's time; on a machine that never rests blocks count as they are
REST_AFTER_NOISE_S = 3


def one_cpu() -> int:
    """The processor for one-thread rows: not the first, where interrupts and this harness are."""
    cpus = sorted(os.sched_getaffinity(0))
    return 1 if 1 in cpus else cpus[-1]


def rest_s(end: dict[str, Any]) -> int:
    """Between a block's end and its next attempt. What was read from disk is in memory now."""
    return 0 if noise.COLD in end["reason"] else REST_AFTER_NOISE_S


class Runner:
    """`arms` are those present, the baseline first."""

    def __init__(self, launcher: Launcher, tools: dict[str, str], rows: list[Row], arms: list[Arm],
                 journal: Journal, plan: Plan, seed: int, progress: Progress,
                 is_busy: bool = False) -> None:
        self.launcher, self.tools = launcher, tools  # tools: probe and ledger by name
        self.rows, self.arms = rows, arms
        self.journal, self.plan, self.progress = journal, plan, progress
        self.seed, self.is_busy = seed, is_busy
        self.schedule = Schedule(len(arms), seed, plan.palindromes)
        self.row_of = {row.name: number for number, row in enumerate(rows)}
        self.arm_of = {arm.name: number for number, arm in enumerate(arms)}
        self.checksums: dict[str, str] = {}  # row name -> the baseline's
        self.given_up: set[Cell] = set()  # cells (row, arm) whose words are decided
        self.proved: set[tuple[Cell, int]] = set()
        self.measured: set[Cell] = set()
        self.traced: set[Cell] = set()
        self.duration_s: dict[Cell, float] = {}  # cell -> seconds of its last run
        self.attempt: dict[tuple[int, int], int] = {}  # (row, block) -> attempts that have ended
        self.blocks = dict.fromkeys(range(len(rows)), 0)  # row -> blocks that count
        self.made: dict[tuple[int, int, int], dict[int, dict[str, Any]]] = {}  # by slot
        self.trouble: dict[tuple[int, int, int], str] = {}  # why the first invalid run is that
        self.noise_of = [RowNoise(arms[0].name, len(arms[0].layouts)) for _ in rows]
        self.planned: dict[int, int] = {}  # row -> blocks that the pilot asked for
        self.closed: set[int] = set()  # rows that have all their blocks
        self.spent_s = self.redone_s = 0.0
        for line in journal.lines:
            self.note(line)

    # ---- what the lines of the journal mean ----

    def note(self, line: dict[str, Any]) -> None:
        handler = getattr(self, "note_" + line["rec"], None)
        if handler is not None:
            handler(line)

    def write(self, *records: Any) -> None:
        self.journal.write(*records)
        for line in self.journal.lines[-len(records):]:
            self.note(line)

    def cells(self) -> list[tuple[int, int]]:
        return [(r, a) for r in range(len(self.rows)) for a in range(len(self.arms))]

    def cell_of(self, line: dict[str, Any]) -> tuple[int, int]:
        return self.row_of[line["workload"]], self.arm_of[line["arm"]]

    def note_result(self, line: dict[str, Any]) -> tuple[int, int]:
        cell = self.cell_of(line)
        self.duration_s[cell] = line["took_s"]
        self.spent_s += line["took_s"]
        if line["reason"] is None and line["checksum"] is not None:
            self.checksums.setdefault(line["workload"], line["checksum"])
        return cell

    def give_up(self, cell: tuple[int, int]) -> None:
        self.given_up.add(cell)
        self.noise_of[cell[0]].forget(self.arms[cell[1]].name)

    def note_proof(self, line: dict[str, Any]) -> None:
        cell = self.note_result(line)
        self.proved.add((cell, line["build"]))
        if line["reason"] is not None:
            self.give_up(cell)

    def note_run(self, line: dict[str, Any]) -> None:
        row, arm = self.note_result(line)
        if line["reason"] is not None and not is_timeout(line["reason"]):
            self.give_up((row, arm))
        place = row, line["block"], line["attempt"]
        self.made.setdefault(place, {})[line["slot"]] = line
        words = noise.invalid(line["noise"], line["metric"], self.rows[row].threads)
        if words is not None:
            self.trouble.setdefault(place, words)

    def note_block_end(self, line: dict[str, Any]) -> None:
        row = self.row_of[line["workload"]]
        block, attempt = line["block"], line["attempt"]
        self.attempt[row, block] = attempt + 1
        runs = self.made.pop((row, block, attempt), {}).values()
        self.trouble.pop((row, block, attempt), None)
        if not line["counts"]:
            self.redone_s += rest_s(line) + sum(run["took_s"] for run in runs)
            return
        for run in runs:
            if run["reason"] is not None:
                self.give_up(self.cell_of(run))
        self.blocks[row] = block + 1
        score = self.rows[row].score
        self.noise_of[row].add(block, [
            (run["arm"], run["build"], run["metric"][score]) for run in runs
            if (row, self.arm_of[run["arm"]]) not in self.given_up])

    def note_row_plan(self, line: dict[str, Any]) -> None:
        self.planned[self.row_of[line["workload"]]] = line["blocks"]

    def note_resume(self, _: dict[str, Any]) -> None:
        self.closed.clear()  # it may have been given more time, or less

    def note_row_end(self, line: dict[str, Any]) -> None:
        self.closed.add(self.row_of[line["workload"]])

    def note_mem(self, line: dict[str, Any]) -> None:
        self.measured.add(self.cell_of(line))

    def note_kernel(self, line: dict[str, Any]) -> None:
        self.traced.add(self.cell_of(line))

    # ---- one run ----

    def shot(self, row: Row, arm: Arm, place: Any, preloads: tuple[str, ...] = (),
             env: dict[str, str] | None = None) -> Shot:
        """Everything about a run that is not the program; `place` decides the padding."""
        pad = random.Random(f"{self.seed} {row.name} {arm.name} {place}").randrange(MAX_PAD)
        cpu = one_cpu() if row.threads == 1 else None
        return Shot(self.launcher, (*preloads, arm.path), cpu, pad, arm.env | (env or {}))

    def compare(self, row: Row, outcome: Outcome) -> None:
        """The oracle: what the first arm (the baseline) computed, every arm must compute."""
        if outcome.failure is None and outcome.checksum is not None:
            if outcome.checksum != self.checksums.get(row.name, outcome.checksum):
                outcome.failure = "wrong data"

    def prove(self, cell: tuple[int, int], build: int) -> None:
        row, arm = self.rows[cell[0]], self.arms[cell[1]].laid_out(build)
        place = f"proof {build}" if build else "proof"
        probe_out = Path(self.launcher.scratch) / "probe.jsonl"
        began = time.monotonic()
        for _ in range(ATTEMPTS):
            probe_out.unlink(missing_ok=True)
            meter = noise.Meter()
            outcome = row.measure(self.shot(row, arm, place, (self.tools["probe"],),
                                            {"HAK_PROBE_OUT": str(probe_out)}))
            if not is_timeout(outcome.failure) or noise.invalid(meter.read()) is None:
                break
            time.sleep(REST_AFTER_NOISE_S)
        took_s = time.monotonic() - began
        self.compare(row, outcome)
        processes = proof.read_probe(probe_out)
        objection = proof.objection(arm, processes) if outcome.failure is None else outcome.detail
        reason = outcome.failure or ("not served" if objection else None)
        self.write({
            "rec": "proof", "workload": row.name, "arm": arm.name, "build": build,
            "served": reason is None,
            "reason": reason, "detail": objection, "exit": outcome.exit, "took_s": took_s,
            "checksum": outcome.checksum, "processes": proof.record(processes)})

    def layout(self, cell: tuple[int, int], block: int) -> int:
        """The number of the layout that an arm has in a block; a copy of the base has the base's:
        what differs between the two is to be noise alone."""
        row, arm = cell[0], self.arms[cell[1]]
        if not arm.layouts:
            return 0
        base, other = self.schedule.layouts(row, block, len(arm.layouts))
        return base if cell[1] == 0 or arm.kind == "null" else other

    def run(self, cell: tuple[int, int], block: int, attempt: int, slot: int) -> None:
        row, arm = self.rows[cell[0]], self.arms[cell[1]]
        build = self.layout(cell, block)
        shot = self.shot(row, arm.laid_out(build), (block, attempt, slot))
        meter, began = noise.Meter(), time.monotonic()
        outcome = row.measure(shot)
        heard = meter.read()
        took_s = time.monotonic() - began
        heard["noisy"] = heard["noisy"] or self.is_busy
        self.compare(row, outcome)
        where: dict[str, Any] = {"workload": row.name, "arm": arm.name, "block": block,
                                 "attempt": attempt}
        hists = [{"rec": "hist", **where, "op": op, **hist} for op, hist in outcome.hists.items()]
        self.write(*hists, {
            "rec": "run", **where, "build": build, "slot": slot, "cpu": shot.cpu,
            "env_pad": shot.env_pad, "metric": outcome.metric, "segments": outcome.segments,
            "took_s": round(took_s, 4), "checksum": outcome.checksum, "noise": heard,
            "valid": outcome.failure is None, "reason": outcome.failure,
            "detail": outcome.detail, "exit": outcome.exit})

    # ---- blocks ----

    def block_s(self, row: int) -> float:
        cells = [(row, arm) for arm in range(len(self.arms))]
        once = sum(self.duration_s.get(c, 0) for c in cells if c not in self.given_up)
        return once * (2 if self.plan.palindromes else 1)

    def run_block(self, row: int, block: int) -> None:
        """All attempts at one block of a row.

        A killed session goes on within the attempt it was in, though its halves are then far apart
        in time: to begin the block again would take finished runs out of the count, and a kill is
        to lose no more than the run in flight. One block of a row bears it: the estimate is a
        median of pair means, and `resume` in the journal stands between the halves.
        """
        while True:
            attempt = self.attempt.get((row, block), 0)
            for slot, arm in enumerate(self.schedule.arms(row, block)):
                if self.may_redo(row, block, attempt):
                    break  # whatever else it held would not count
                if self.is_wanted((row, arm), block, attempt, slot):
                    self.run((row, arm), block, attempt, slot)
            end = self.end_block(row, block, attempt)
            if end["counts"]:
                return
            time.sleep(rest_s(end))

    def is_wanted(self, cell: tuple[int, int], block: int, attempt: int, slot: int) -> bool:
        """Not where it has failed: of a palindrome, a second timeout would say no more."""
        done = self.made.get((cell[0], block, attempt), {})
        failed = {self.cell_of(run) for run in done.values() if run["reason"] is not None}
        return slot not in done and cell not in self.given_up | failed

    def may_redo(self, row: int, block: int, attempt: int) -> bool:
        """It is disturbed, and there is another attempt."""
        place = row, block, attempt
        if place not in self.trouble or attempt + 1 >= ATTEMPTS:
            return False
        # A timeout would cost the cell all it has.
        is_late = any(is_timeout(run["reason"]) for run in self.made[place].values())
        return is_late or self.redone_s <= REDO_SHARE * self.spent_s

    def end_block(self, row: int, block: int, attempt: int) -> dict[str, Any]:
        end = {"rec": "block_end", "workload": self.rows[row].name, "block": block,
               "attempt": attempt, "counts": not self.may_redo(row, block, attempt),
               "reason": self.trouble.get((row, block, attempt))}
        self.write(end)
        return end

    def plan_row(self, row: int) -> None:
        """After the pilot, once: how many blocks it will take, by its noise alone. Asked before a
        block, not after the pilot's last: between the two the session may have been killed."""
        if self.blocks[row] == self.plan.pilot and row not in self.planned:
            self.write({"rec": "row_plan", "workload": self.rows[row].name,
                        "blocks": self.noise_of[row].needed(self.plan)})

    def reason_to_stop(self, row: int) -> str | None:
        """Why the row gets no further block; None when it does."""
        n, plan = self.blocks[row], self.plan
        least = self.planned.get(row, plan.least)
        open_arms = [a for a in range(len(self.arms)) if (row, a) not in self.given_up]
        if not open_arms or (open_arms == [0] and n >= plan.least):
            return "given up"
        if n >= plan.most:
            return "most blocks"
        if n >= least and self.noise_of[row].widest() < plan.precision:
            return "precise"
        if n and plan.budget_s is not None and self.spent_s + self.block_s(row) > plan.budget_s:
            return "time"
        return None

    def is_open(self, row: int) -> bool:
        if row in self.closed:
            return False
        self.plan_row(row)
        reason = self.reason_to_stop(row)
        if reason is not None:
            width = self.noise_of[row].widest()  # infinite where nothing is left to compare
            self.write({"rec": "row_end", "workload": self.rows[row].name, "reason": reason,
                        "blocks": self.blocks[row],
                        "half_width": round(width, 5) if width < 1e9 else None})
        return reason is None

    def left_s(self) -> float:
        """By the noise so far, and no more than the budget has left."""
        least = self.plan.least
        wanted = sum(self.block_s(row) * max(0, self.planned.get(row, least) - n)
                     for row, n in self.blocks.items() if row not in self.closed)
        budget = self.plan.budget_s
        return wanted if budget is None else min(wanted, max(0.0, budget - self.spent_s))

    # ---- the phases ----

    def prove_all(self) -> None:
        wanted = [(cell, build) for cell in self.cells()
                  for build in range(len(self.arms[cell[1]].layouts) or 1)]
        for done, (cell, build) in enumerate(wanted):
            if (cell, build) not in self.proved and cell not in self.given_up:
                self.show("proof", done, len(wanted), cell)
                self.prove(cell, build)

    def measure_all(self) -> None:
        """Round after round: in each, one block of every row that is still open."""
        number = 0
        while len(self.closed) < len(self.rows):
            order = self.schedule.rows(range(len(self.rows)), number)
            for done, row in enumerate(order):
                if self.blocks[row] <= number and self.is_open(row):
                    self.show(f"round {number + 1}", done, len(order), (row, None), self.left_s())
                    self.run_block(row, number)
            number += 1

    def run_once(self, phase: str, finished: set[tuple[int, int]],
                 make: Callable[..., dict[str, Any]]) -> None:
        """One untimed run of each cell that has memory to follow; `make(row, arm, shot)`."""
        cells = [(r, a) for r, a in self.cells() if self.arms[a].kind != "null"
                 and self.rows[r].memory == "ratio"]
        for done, cell in enumerate(cells):
            if cell in finished | self.given_up:
                continue
            self.show(phase, done, len(cells), cell)
            row, arm = self.rows[cell[0]], self.arms[cell[1]]
            self.write(make(row, arm, self.shot(row, arm, phase)))

    def follow_memory(self) -> None:
        """A memory timeline of each cell that runs."""
        self.run_once("memory", self.measured, lambda row, arm, shot: {
            "rec": "mem",
            **memory.measure(row, arm, shot, self.tools["ledger"], self.compare)})

    def count_calls(self) -> None:
        """What each cell that runs asks of the kernel, where a tracer works."""
        program, why = kernel.found()
        if why is not None:
            self.progress.say(f"calls of the kernel: skipped, {why}")
            self.write({"rec": "left_out", "what": "calls of the kernel", "reason": why})
            return
        self.run_once("kernel", self.traced, lambda row, arm, shot: {
            "rec": "kernel", **kernel.measure(row, arm, shot, str(program), self.compare)})

    def show(self, phase: str, done: int, total: int, cell: tuple[int, int | None],
             left_s: float | None = None) -> None:
        left = "" if left_s is None else f"  {int(left_s) // 60}:{int(left_s) % 60:02d} left"
        arm = "" if cell[1] is None else f" · {self.arms[cell[1]].name}"
        name = self.rows[cell[0]].name + arm
        self.progress.step(f"{phase}  {done + 1}/{total}{left}  {name}", done + 1 == total)
