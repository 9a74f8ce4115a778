# SPDX-License-Identifier: MIT
"""instructions.py: how many instructions an operation takes, counted by callgrind and not timed.

Called by the sub-command insn. One run of a one-thread row of harness/ under each arm, with less
work than the timed run has; only what lies between bench_start and bench_stop is counted. per_op
holds all of it, the loop of the workload too; allocator_per_op what was executed inside the
allocator's own file, and so neither the kernel nor libc's memset; for glibc that file is all of
libc. Counts repeat exactly for allocators that do the same each time. Those that look at addresses
or random numbers from the kernel differ by less than TOLERANCE. The coarse clock stands still
(harness/still_clock.c): what an allocator does by it is not counted.
"""

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..arms.allocators import Arm
from ..workloads.workload import Row
from .launch import Shot, failure_of

SHORTER = 20  # the default: so many times less than the timed run
LEAST = 1000  # but no fewer than this, where the row has as many
TIMEOUT_S = 60
TOLERANCE = 0.002
VALGRIND = "/usr/bin/valgrind"

# Lazy binding would count the loader's search for each function at its first call.
ENV = {"LD_BIND_NOW": "1"}
COST = re.compile(r"(?:[+-]?\d+|\*|0x[0-9a-f]+) (\d+)$")
OBJECT = re.compile(r"(c?)ob=\((\d+)\)(?: (.*))?$")


NO_WORK = "next to nothing was counted"
LEFT_OUT = ("more than one thread", "its work is a time",
            "the amount of its work is not its first argument", NO_WORK)


class NotCounted(ValueError):
    """Why a row has no counts: one of LEFT_OUT."""


def is_left_out(reason: str) -> bool:
    """It lies in the row, and not in the allocator, that there is no count."""
    return reason in LEFT_OUT


def shorter(args: tuple[str, ...]) -> tuple[str, ...]:
    """The arguments with the first number, which is the amount of work, divided."""
    if not args or not args[0].isdigit():
        raise NotCounted(LEFT_OUT[2])
    count = int(args[0])
    return (str(max(count // SHORTER, min(count, LEAST))), *args[1:])


def args_of(row: Row) -> tuple[str, ...]:
    """What the program of this row is given here; NotCounted when it is none for counting."""
    if row.threads != 1:
        raise NotCounted(LEFT_OUT[0])
    insn_args = getattr(row, "insn_args", None)
    if insn_args is not None:
        return (*insn_args, "--json")
    if "--seconds" in row.argv:
        raise NotCounted(LEFT_OUT[1])
    return shorter(row.argv[1:])


def costs_by_object(path: Path) -> dict[str | None, int]:
    """Object file -> instructions executed in it, of callgrind's output.

    A line of a function is a place and a cost; the line after `calls=` is the cost of what was
    called, which has its own lines elsewhere. Names are written once and then only numbered.
    """
    names: dict[str, str] = {}
    costs: dict[str | None, int] = {}
    current, is_call = None, False
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("calls="):
                is_call = True
                continue
            found = OBJECT.match(line)
            if found:
                name = names.setdefault(found[2], found[3])
                if not found[1]:  # else the object of a function that is called
                    current = name
            elif found := COST.match(line):
                if not is_call:
                    costs[current] = costs.get(current, 0) + int(found[1])
                is_call = False
            elif line.startswith("totals:") and int(line.split()[1]) != sum(costs.values()):
                raise ValueError("the lines do not add up to the total")
    return costs


def is_same_file(a: str | None, b: str | None) -> bool:
    return a is not None and b is not None and os.path.realpath(a) == os.path.realpath(b)


def command(row: Row, out: Path) -> tuple[str, ...]:
    return (VALGRIND, "-q", "--tool=callgrind", "--instr-atstart=no", "--dump-line=no",
            f"--callgrind-out-file={out}", row.argv[0], *args_of(row))


def read(arm: Arm, stdout: Path, out: Path) -> tuple[int, int, int]:
    """(operations, all instructions, those inside the allocator)."""
    said = json.loads(stdout.read_text().splitlines()[-1])
    costs = costs_by_object(out)
    inside = sum(cost for name, cost in costs.items() if is_same_file(name, arm.path))
    return int(said["ops"]), sum(costs.values()), inside


def measure(row: Row, arm: Arm, shot: Shot) -> dict[str, Any]:
    """Fields of the `insn` record of this row and arm; `reason` says why there are no numbers."""
    scratch = Path(shot.launcher.scratch)
    stdout, stderr, out = scratch / "insn.out", scratch / "insn.err", scratch / "callgrind.out"
    record = {"workload": row.name, "arm": arm.name, "ops": None, "instructions": None,
              "per_op": None, "allocator_per_op": None, "reason": None}
    try:
        argv = command(row, out)
    except NotCounted as why:
        return record | {"reason": str(why)}
    out.unlink(missing_ok=True)
    clock = str(Path(shot.launcher.path).with_name("libstill_clock.so"))
    shot = replace(shot, preloads=(clock, *shot.preloads))
    report = shot.launcher.run(shot, argv, TIMEOUT_S, stdout, stderr, ENV)
    failure = failure_of(report)
    if failure is not None:
        return record | {"reason": failure}
    try:
        ops, total, inside = read(arm, stdout, out)
    except (OSError, ValueError, KeyError, IndexError):
        return record | {"reason": "no result"}
    if total < ops:  # its work is not between bench_start and bench_stop
        return record | {"reason": NO_WORK}
    return record | {"ops": ops, "instructions": total, "per_op": round(total / ops, 4),
                     "allocator_per_op": round(inside / ops, 4)}


def cell(record: dict[str, Any] | None) -> str:
    if record is None:
        return ""
    if record["reason"] is not None:
        return str(record["reason"])
    return f"{record['allocator_per_op']:.1f} / {record['per_op']:.1f}"


def insn_table(records: list[dict[str, Any]]) -> str:
    """The records as a table of Markdown, without those rows that no arm has counts for."""
    counted = [r for r in records if r["rec"] == "insn"]
    by_place = {(r["workload"], r["arm"]): r for r in counted}
    arms = list(dict.fromkeys(r["arm"] for r in counted))
    rows = list(dict.fromkeys(r["workload"] for r in counted if r["reason"] is None))
    if not rows:
        return ""
    lines = ["| instructions per op, in the allocator / in all | " + " | ".join(arms) + " |",
             "|---|" + "---:|" * len(arms)]
    lines += [f"| {row} | " + " | ".join(cell(by_place.get((row, arm))) for arm in arms) + " |"
              for row in rows]
    return "\n".join(lines) + "\n"
