# SPDX-License-Identifier: MIT
"""bench_compare.py: the comparison of allocators, from the command line.

Called by `ninja bench-compare` (compare/meson.build) and `./run bench`. Puts together the arms, the
rows and the runner, and leaves a folder under --out: runs.jsonl (every run), env.json, summary.md,
summary.csv. Status 0: the table is complete; 1: a hakmem arm failed somewhere; 2: the command line
or the harness is wrong; 75: another comparison holds the machine; 130: interrupted, and the table
shows the blocks that were complete.
"""

import argparse
import json
import os
import re
import secrets
import shlex
import shutil
import sys
import tempfile
import time
from pathlib import Path

import arms
import environment
import noise
import programs
import records
import report
import workloads
from launch import CannotMeasure, Launcher
from progress import Progress
from runner import Runner

HERE = Path(__file__).parent
SETTLE_S = 20
LOCK_WAIT_S = 60


def name_and_path(text):
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"{text!r} is not name=/path.so")
    return name, path


def parse(argv):
    p = argparse.ArgumentParser(description="Compares allocators in time and memory.")
    p.add_argument("--lib", nargs=2, action="append", default=[], metavar=("NAME", "PATH"),
                   help="a hakmem library; may be repeated")
    p.add_argument("--bench", nargs="*", default=[], help="the workloads' executables")
    p.add_argument("--launch", required=True, help="the C launcher")
    p.add_argument("--probe", required=True, help="the library for the proof runs")
    p.add_argument("--peers", default=HERE / "allocators.toml", help="who to compare with")
    p.add_argument("--peer", type=name_and_path, action="append", default=[],
                   metavar="NAME=PATH", help="another peer, or another file for a known one")
    p.add_argument("--out", default="results", type=Path, help="where result folders go")
    p.add_argument("--blocks", type=int, help="number of blocks, whatever the time")
    p.add_argument("--time-budget", type=float, default=600, metavar="SECONDS",
                   help="as many blocks as fit (default %(default)g)")
    p.add_argument("--only", type=re.compile, metavar="REGEX", help="rows whose name matches")
    p.add_argument("--arms", type=re.compile, metavar="REGEX",
                   help="arms whose name matches; the baseline always takes part")
    p.add_argument("--seed", type=int, help="of order, padding and bootstrap (default: drawn)")
    p.add_argument("--force", action="store_true",
                   help="neither wait for quiet nor for another comparison to end")
    args = p.parse_args(argv + shlex.split(os.environ.get("HAK_BENCH_ARGS", "")))
    if args.blocks is not None and args.blocks < 1:
        p.error("--blocks must be at least 1")
    return args


def chosen_rows(args, scratch):
    executables = {Path(path).name: os.path.abspath(path) for path in args.bench}
    rows, absent = workloads.declared(HERE / "workloads.toml", executables)
    more, gone = programs.real_programs(scratch)
    rows, absent = rows + more, absent + gone
    if args.only:
        rows = [row for row in rows if args.only.search(row.name)]
        absent = [(name, why) for name, why in absent if args.only.search(name)]
    return rows, absent


def chosen_arms(args, scratch):
    """(all arms, those present, the baseline's name, what the null arm is a copy of)."""
    listed = arms.peers(args.peers, dict(args.peer)) + arms.hakmem_arms(args.lib)
    base = listed[0]
    if args.arms:
        listed = [base] + [a for a in listed[1:] if args.arms.search(a.name)]
    null, original = arms.null_arm(listed, scratch)
    if null is not None:
        listed.append(null)
    present = [a for a in listed if a.path]
    return listed, present, base.name, original.name if original else None


def wait_for_lock(force, say):
    """The machine-wide lock; None when it stays taken and `force` goes on without it."""
    end = time.monotonic() + (0 if force else LOCK_WAIT_S)
    while True:
        lock = noise.take_lock()
        if lock is not None or force:
            return lock
        if time.monotonic() > end:
            say("another comparison is running on this machine; --force runs beside it")
            sys.exit(75)
        say("another comparison is running on this machine; waiting")
        time.sleep(10)


def result_folder(out, env):
    stamp = time.strftime("%Y-%m-%d-%H%M%S", time.gmtime())
    folder = out / f"{stamp}-{environment.machine_slug(env)}-{env['revision']}"
    folder.mkdir(parents=True)
    return folder


def measure(args, scratch, env, progress):
    """Makes the folder and its runs.jsonl: (the folder, was it interrupted)."""
    rows, absent = chosen_rows(args, scratch)
    listed, present, base, original = chosen_arms(args, scratch)
    if not rows:
        raise CannotMeasure("no row is left to run")
    if not listed[0].path:
        raise CannotMeasure(f"the baseline {base} is missing: {listed[0].missing}")
    for name, why in [*absent, *((a.name, a.missing) for a in listed if a.missing)]:
        progress.say(f"{name}: skipped, {why}")
    busy = noise.preflight() if args.force else noise.settle(SETTLE_S, progress.say)
    for finding in busy:
        progress.say(f"{finding}: the numbers will be noisy, and say so")
    seed = args.seed if args.seed is not None else secrets.randbelow(1 << 31)
    folder = result_folder(args.out, env)
    (folder / "env.json").write_text(json.dumps(env, indent=2) + "\n", encoding="utf-8")
    writer = records.Writer(folder / "runs.jsonl")
    writer.write(
        rec="session", id=folder.name, t=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        env=env, arms=[a.record() for a in listed], workloads=[r.record() for r in rows],
        absent=[{"workload": n, "reason": why} for n, why in absent],
        plan={"seed": seed, "input_seed": programs.SEED, "blocks": args.blocks, "quiet": not busy,
              "time_budget_s": args.time_budget, "base": base, "null_of": original,
              "design": "randomised complete blocks, Williams squares"})
    launcher = Launcher(os.path.abspath(args.launch), scratch)
    runner = Runner(launcher, os.path.abspath(args.probe), rows, present, writer, seed, progress)
    deadline = time.monotonic() + args.time_budget
    progress.say(f"{len(rows)} rows, {len(present)} allocators, seed {seed}")
    try:
        runner.prove_all()
        runner.measure_all(deadline, args.blocks)
    except KeyboardInterrupt:
        progress.say("interrupted: the table shows what was complete")
        return folder, True
    finally:
        writer.close()
    return folder, False


def own_failures(summary):
    own = {a["arm"] for a in summary.arms if a["kind"] in ("hakmem", "null")}
    return [place for place in summary.words if place[1] in own]


def main():
    args = parse(sys.argv[1:])
    progress = Progress()
    lock = wait_for_lock(args.force, progress.say)
    env = environment.capture()
    with tempfile.TemporaryDirectory(prefix="allocator-comparison-") as scratch:
        try:
            folder, interrupted = measure(args, scratch, env, progress)
        except CannotMeasure as error:
            progress.say(str(error))
            return 2
    summary = report.write(folder)
    progress.say("")
    sys.stdout.write(report.terminal(summary, shutil.get_terminal_size((160, 24)).columns))
    print(f"\nwritten to {args.out.name}/{folder.name}")
    if lock is not None:
        os.close(lock)
    if interrupted:
        return 130
    return 1 if own_failures(summary) else 0


if __name__ == "__main__":
    sys.exit(main())
