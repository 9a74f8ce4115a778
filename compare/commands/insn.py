# SPDX-License-Identifier: MIT
"""insn.py: counts instructions per operation, from the command line; see instructions.py.

Called by `ninja bench-insn`, which leaves runs.jsonl, env.json and summary.md in a folder under
--out, and by the test insn-gate: with --gate FILE the rows and arms of the file are counted and
compared with the counts in it. --write-gate FILE renews the counts of the rows that it names.
Status 0: counted, and no count of the gate is exceeded by more than GATE_SLACK; 1: one is, or
could not be made; 2: the command line is wrong; 77: nothing to count with, or the gate's counts
are of another compiler, so that they say nothing here.
"""

import argparse
import os
import re
import shlex
import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..arms import allocators
from ..arms.allocators import Arm
from ..measure import environment, instructions, session
from ..measure.launch import Launcher, Shot
from ..paths import PACKAGE
from ..records import runfile
from ..workloads import workload
from ..workloads.workload import Row
from .arguments import expression

GATE_SLACK = 0.005
SKIPPED = 77
GATE_HEAD = """# SPDX-License-Identifier: MIT
# Instructions per operation inside the library, that a change must not exceed by more than 0.5 %.
# Renewed by `compare insn --write-gate`, with the reason in the commit. `compiler` is what the
# library was built by: counts of another one are not compared.
"""


def parse(argv: list[str]) -> Any:
    p = argparse.ArgumentParser(prog="compare insn",
                                description="Counts instructions per operation.")
    p.add_argument("--lib", nargs=2, action="append", default=[], metavar=("NAME", "PATH"),
                   help="a hakmem library; may be repeated")
    p.add_argument("--bench", nargs="*", default=[], help="the workloads' executables")
    p.add_argument("--launch", required=True, help="the C launcher")
    p.add_argument("--peers", default=PACKAGE / "allocators.toml", help="who to compare with")
    p.add_argument("--out", default="results", type=Path, help="where result folders go")
    p.add_argument("--only", type=expression, metavar="REGEX", help="rows whose name matches")
    p.add_argument("--arms", type=expression, metavar="REGEX", help="arms whose name matches")
    gate = p.add_mutually_exclusive_group()
    gate.add_argument("--gate", type=Path, metavar="FILE", help="compare with these counts")
    gate.add_argument("--write-gate", type=Path, metavar="FILE", help="renew these counts")
    p.add_argument("--mode", choices=["insn"], default="insn", help=argparse.SUPPRESS)
    is_gate = any(a.startswith(("--gate", "--write-gate")) for a in argv)
    more = [] if is_gate else shlex.split(os.environ.get("HAK_BENCH_ARGS", ""))
    return p.parse_args(argv + more)


def chosen_rows(args: argparse.Namespace) -> Any:
    executables = {Path(path).name: os.path.abspath(path) for path in args.bench}
    rows, _ = workload.declared(PACKAGE / "workloads.toml", executables)
    return [row for row in rows if not args.only or args.only.search(row.name)]


def chosen_arms(args: argparse.Namespace) -> Any:
    listed = allocators.peers(args.peers, {}) + allocators.hakmem_arms(args.lib)
    return [a for a in listed if a.path and (not args.arms or args.arms.search(a.name))]


def count(launcher: Launcher, cells: list[tuple[Row, Arm]],
          write: Callable[[dict[str, Any]], None]) -> Any:
    """The records of these (row, arm); each is written as it is made."""
    made = []
    for row, arm in cells:
        made.append({"rec": "insn"} | instructions.measure(row, arm, Shot(launcher, (arm.path,))))
        write(made[-1])
    return made


# ---- the table ----

def compare(args: argparse.Namespace, launcher: Launcher) -> Any:
    rows, present = chosen_rows(args), chosen_arms(args)
    if not rows or not present:
        print("no row or no arm is left to count", file=sys.stderr)
        return 2
    env = environment.capture()
    folder = session.result_folder(args.out, env, "-insn")
    writer = runfile.Journal(folder / "runs.jsonl")
    writer.write({
        "rec": "session", "id": folder.name,
        "t": session.now(),
        "env": env, "arms": [a.record() for a in present],
        "workloads": [r.record() for r in rows], "absent": [],
        "plan": {"mode": "insn", "seed": 0, "input_seed": 0, "blocks": 1, "quiet": True,
                 "time_budget_s": None, "base": present[0].name, "null_of": None,
                 "design": "one run each"}})

    def write(record: dict[str, Any]) -> None:
        writer.write(record)
        print(f"{record['workload']} · {record['arm']}: {instructions.cell(record)}",
              file=sys.stderr)

    made = count(launcher, [(row, arm) for row in rows for arm in present], write)
    writer.close()
    table = instructions.insn_table(made)
    (folder / "summary.md").write_text("# Instructions per operation\n\n" + table,
                                       encoding="utf-8")
    print(table + f"\nwritten to {args.out.name}/{folder.name}")
    own = {arm.name for arm in present if arm.kind == "hakmem"}
    unexpected = [r for r in made if r["arm"] in own and r["reason"] is not None
                  and not instructions.is_left_out(r["reason"])]
    return 1 if unexpected else 0


# ---- the gate ----

def compiler_of(arm: Arm) -> Any:
    """By which compilers the file says it was built, in its section .comment."""
    said = re.findall(rb"(?:GCC: \([^)]*\)|clang version) [0-9.]+",
                      Path(str(arm.path)).read_bytes())
    return ", ".join(sorted({words.decode() for words in said})) or "unknown"


def gate_cells(args: argparse.Namespace, gate: dict[str, Any]) -> Any:
    rows = {row.name: row for row in chosen_rows(args)}
    by_name = {arm.name: arm for arm in allocators.hakmem_arms(args.lib)}
    arm = by_name.get(gate["arm"])
    missing = [r["name"] for r in gate["row"] if r["name"] not in rows]
    if arm is None or not arm.path or missing:
        print(f"the gate's arm or rows are not here: {gate['arm']} {missing}", file=sys.stderr)
        return None, []
    return arm, [(rows[r["name"]], arm) for r in gate["row"]]


def verdict(stored: dict[str, Any], record: dict[str, Any]) -> tuple[str, bool]:
    """(a line, is it within the gate)."""
    name, limit = stored["name"], stored["per_op"]
    if record["reason"] is not None:
        return f"{name}: not counted, {record['reason']}", False
    now = record["allocator_per_op"]
    change = (now / limit - 1) * 100
    return f"{name}: {now:.3f} per op, {limit:.3f} stored, {change:+.2f} %", \
        now <= limit * (1 + GATE_SLACK)


def check(args: argparse.Namespace, launcher: Launcher) -> Any:
    gate = tomllib.loads((args.gate or args.write_gate).read_text(encoding="utf-8"))
    arm, cells = gate_cells(args, gate)
    if arm is None:
        return 2
    if args.gate and gate["compiler"] != compiler_of(arm):
        print(f"counts of {gate['compiler']}, but this is {compiler_of(arm)}")
        return SKIPPED
    made = count(launcher, cells, lambda record: None)
    if args.write_gate:
        return write_gate(args.write_gate, arm, made)
    verdicts = [verdict(stored, record) for stored, record in zip(gate["row"], made)]
    print("\n".join(line + ("" if ok else "  EXCEEDED") for line, ok in verdicts))
    return 0 if all(ok for _, ok in verdicts) else 1


def write_gate(path: Path, arm: Arm, made: list[dict[str, Any]]) -> Any:
    failed = [r for r in made if r["reason"] is not None]
    for record in failed:
        print(f"{record['workload']}: {record['reason']}", file=sys.stderr)
    if failed:
        return 1
    text = GATE_HEAD + f'\narm = "{arm.name}"\ncompiler = "{compiler_of(arm)}"\n'
    for record in made:
        text += f'\n[[row]]\nname = "{record["workload"]}"\n'
        text += f'per_op = {record["allocator_per_op"]}\n'
    path.write_text(text, encoding="utf-8")
    return 0


def main(argv: list[str]) -> Any:
    args = parse(argv)
    if not Path(instructions.VALGRIND).exists():
        print("valgrind is not installed")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="instruction-counts-") as scratch:
        launcher = Launcher(os.path.abspath(args.launch), scratch)
        return (check if args.gate or args.write_gate else compare)(args, launcher)
