# SPDX-License-Identifier: MIT
"""session.py: one comparison from the lock to the written folder.

Called by the sub-commands run, ab and ablate, which say who is compared; here is how.
A session that was killed left a folder whose journal has no end: the same command finds it and goes
on in it, with the runs that are there. Nothing but the run in flight is lost.
"""

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..analyse.summary import Summary
from ..arms import allocators, linking
from ..arms.allocators import Arm
from ..records import runfile
from ..report import render
from ..report.tables import terminal
from ..workloads import programs, suite, workload
from ..workloads.workload import Row
from . import environment, noise
from .launch import CannotMeasure, Launcher
from .progress import Progress
from .runner import Runner

PATIENCE_S = {"compare": 20}  # for quiet; the others have more
LOCK_WAIT_S = 60
BUSY = 75
SCRATCH = "allocator-comparison-"
SAME = ("cpu", "cores", "kernel", "libc", "thp_enabled", "revision", "uncommitted_sha256",
        "harness")
GOES_ON_WITHIN_S = 24 * 3600
DESIGNS = {False: "randomised complete blocks, Williams squares",
           True: "randomised complete blocks, palindromes (ABBA)"}


class Busy(Exception):
    """A sentence for the user; nothing was measured."""


@dataclass
class Field:
    """Who is compared."""

    arms: list[Any]  # all, also those that are missing; the baseline first
    original: str | None  # what the arm `null` is a copy of
    facts: dict[str, Any] = field(default_factory=dict)  # more of the session record
    layouts: int = 1  # how many times each build is linked: linking.py


def chosen_rows(args: argparse.Namespace, scratch: str) -> Any:
    executables = {Path(path).name: os.path.abspath(path) for path in args.bench}
    rows, absent = workload.declared(suite.DECLARED, executables)
    more, gone = programs.real_programs(scratch)
    rows, absent = rows + more, absent + gone
    if args.only:
        rows = [row for row in rows if args.only.search(row.name)]
        absent = [(name, why) for name, why in absent if args.only.search(name)]
    return rows, absent


def wait_for_lock(force: bool, say: Callable[[str], None]) -> Any:
    """The machine-wide lock; None when it stays taken and `force` goes on without it."""
    end = time.monotonic() + (0 if force else LOCK_WAIT_S)
    while True:
        lock = noise.take_lock()
        if lock is not None or force:
            return lock
        if time.monotonic() > end:
            raise Busy("another comparison is running on this machine; --force runs beside it")
        say("another comparison is running on this machine; waiting")
        time.sleep(10)


def look_for_quiet(args: argparse.Namespace, say: Callable[[str], None]) -> Any:
    """What disturbs. Modes whose numbers are to be published are refused on a busy machine."""
    if args.force:
        busy = noise.preflight()
    else:
        busy = noise.settle(PATIENCE_S.get(args.mode, 180), say)
    if busy and args.plan.needs_quiet and not args.force:
        raise Busy("\n".join(["the machine is busy; --force measures all the same:", *busy]))
    for finding in busy:
        say(f"{finding}: every run will be stamped noisy")
    return busy


def remove_left_scratch() -> None:
    """Of sessions that were killed: their process is gone."""
    for path in Path(tempfile.gettempdir()).glob(SCRATCH + "*"):
        pid = path.name[len(SCRATCH):].split("-")[0]
        if path.is_dir() and pid.isdigit() and not Path("/proc", pid).exists():
            shutil.rmtree(path, ignore_errors=True)


def identity(line: dict[str, Any]) -> Any:
    """What must agree for a session to go on: who is compared, where, and how; not how long.

    The layouts of an arm follow from its objects and the seed, which is not known yet."""
    plan = {k: line["plan"].get(k) for k in
            ("mode", "base", "null_of", "design", "input_seed", "layouts")}
    env = {k: line["env"].get(k) for k in SAME}
    files = [{k: v for k, v in arm.items() if k != "layouts"} for arm in line["arms"]]
    return [plan, env, files, line["workloads"], line["absent"], line.get("tools")]


def unfinished(out: Path, session: dict[str, Any], seed: int | None) -> Any:
    """The folder of the latest session that is this one, was begun today, and has no end.

    Packed ones are at their end.
    """
    wanted = json.loads(json.dumps(identity(session)))
    for path in sorted(out.glob("*/runs.jsonl"), reverse=True):
        if time.time() - path.stat().st_mtime > GOES_ON_WITHIN_S:
            continue
        try:
            first = runfile.first(path)
            if first is None or identity(first) != wanted:
                continue
            lines = runfile.read(path)
        except runfile.Damaged:
            continue
        if lines[-1]["rec"] == "session_end" and (path.parent / "summary.md").exists():
            continue
        if seed is None or first["plan"]["seed"] == seed:
            return path.parent
    return None


def result_folder(out: Path, env: dict[str, Any], suffix: str = "") -> Any:
    """A new folder of results, with the environment in it."""
    stamp = time.strftime("%Y-%m-%d-%H%M%S", time.gmtime())
    folder = out / f"{stamp}-{environment.machine_slug(env)}-{env['revision']}{suffix}"
    folder.mkdir(parents=True)
    text = json.dumps(env, indent=2) + "\n"
    (folder / "env.json").write_text(text, encoding="utf-8")
    return folder


def now() -> Any:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def session_record(args: argparse.Namespace, who: Field, rows: list[Row],
                   absent: list[tuple[str, str]], env: dict[str, Any], busy: list[str]) -> Any:
    seed = args.seed if args.seed is not None else secrets.randbelow(1 << 31)
    return {
        "rec": "session", "t": now(), "env": env, "machine": environment.machine_slug(env),
        "arms": [a.record() for a in who.arms], "workloads": [r.record() for r in rows],
        "absent": [{"workload": n, "reason": why} for n, why in absent],
        "tools": {Path(path).name: allocators.sha256_of(path)[:16] for path in
                  [*args.bench, args.launch, args.probe, *filter(None, [args.ledger])]},
        "plan": args.plan.record() | {
            "seed": seed, "input_seed": programs.SEED, "blocks": args.blocks, "quiet": not busy,
            "findings": busy, "base": who.arms[0].name, "null_of": who.original,
            "layouts": who.layouts,
            "design": DESIGNS[args.plan.palindromes]},
    } | who.facts


def lay_out(who: Field, session: dict[str, Any], folder: Path | None, scratch: str,
            say: Callable[[str], None]) -> None:
    """Links the layouts, by the seed of the session, or of the one in `folder` that goes on."""
    first = runfile.first(folder / "runs.jsonl") if folder else session
    who.arms = linking.with_layouts(
        who.arms, who.original, who.layouts, first["plan"]["seed"], scratch, say)
    session["arms"] = [a.record() for a in who.arms]
    if folder and session["arms"] != first["arms"]:
        raise CannotMeasure(f"{folder.name} cannot go on: its layouts come out as other files, as "
                            "with another linker; --fresh begins another")


def open_journal(args: argparse.Namespace, session: dict[str, Any], folder: Path | None,
                 progress: Progress) -> Any:
    """(folder, journal): a new one, or that of the session that was interrupted."""
    if folder is not None:
        try:
            journal = runfile.Journal(folder / "runs.jsonl")
        except BlockingIOError:
            raise Busy(f"{folder.name} is being written by the same comparison; --fresh begins "
                       "another") from None
        journal.write({"rec": "resume", "t": now(), "quiet": session["plan"]["quiet"],
                       "plan": args.plan.record()})
        progress.say(f"going on with {folder.name}; --fresh begins another")
        return folder, journal
    folder = result_folder(args.out, session["env"])
    journal = runfile.Journal(folder / "runs.jsonl")
    journal.write({"rec": "session", "id": folder.name} | session)
    return folder, journal


def refuse_unclear_names(listed: list[Arm]) -> None:
    names = [arm.name for arm in listed]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CannotMeasure(f"two arms are called {' and '.join(twice)}")
    if any(arm.name == "null" and arm.kind != "null" for arm in listed):
        raise CannotMeasure("the name null is that of the null arm")


def measure(args: argparse.Namespace, who: Field, scratch: str, progress: Progress) -> Any:
    """Makes the folder and its runs.jsonl: (the folder, was it interrupted)."""
    rows, absent = chosen_rows(args, scratch)
    base = who.arms[0]
    if not rows:
        raise CannotMeasure("no row is left to run")
    if not base.path:
        raise CannotMeasure(f"the baseline {base.name} is missing: {base.missing}")
    for name, why in [*absent, *((a.name, a.missing) for a in who.arms if a.missing)]:
        progress.say(f"{name}: skipped, {why}")
    who.arms = [allocators.settled(arm, scratch) for arm in who.arms]
    refuse_unclear_names(who.arms)
    busy = look_for_quiet(args, progress.say)
    env = environment.capture(args.build)
    session = session_record(args, who, rows, absent, env, busy)
    folder = None if args.fresh else unfinished(args.out, session, args.seed)
    lay_out(who, session, folder, scratch, progress.say)
    folder, journal = open_journal(args, session, folder, progress)
    seed = journal.lines[0]["plan"]["seed"]
    present = [a for a in who.arms if a.path]
    tools = {name: os.path.abspath(path) for name, path in
             (("probe", args.probe), ("ledger", args.ledger)) if path}
    runner = Runner(Launcher(os.path.abspath(args.launch), scratch), tools, rows, present, journal,
                    args.plan, seed, progress, bool(busy))
    progress.say(f"{len(rows)} rows, {len(present)} allocators, seed {seed}")
    try:
        runner.prove_all()
        runner.measure_all()
        if args.plan.with_memory:
            runner.follow_memory()
            runner.count_calls()
        if journal.lines[-1]["rec"] != "session_end":
            runner.write({"rec": "session_end", "t": now(),
                          "spent_s": round(runner.spent_s, 1)})
    except KeyboardInterrupt:
        progress.say("interrupted: the table shows what was complete")
        return folder, True
    finally:
        journal.close()
    return folder, False


def failures(summary: Summary) -> Any:
    """Cells of our own arms, and of copies of them, that hold words, or failed when sampled."""
    own = {a["arm"] for a in summary.arms if a["kind"] in ("hakmem", "null")}
    if summary.mode == "ablate":  # what the build refuses is no failure of it
        own -= {a["arm"] for a in summary.arms if a["missing"]}
    sampled = [place for place, record in summary.mem.items() if record.get("reason")]
    return [place for place in [*summary.words, *sampled] if place[1] in own]


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def run(args: argparse.Namespace, choose: Callable[[str, Callable[[str], None]], Field]) -> int:
    """A whole comparison; `choose(scratch, say)` gives the Field. Returns the exit status."""
    progress = Progress()
    signal.signal(signal.SIGTERM, interrupt)
    with contextlib.ExitStack() as stack:
        try:
            lock = wait_for_lock(args.force, progress.say)
            if lock is not None:
                stack.callback(os.close, lock)
                remove_left_scratch()
            scratch = stack.enter_context(
                tempfile.TemporaryDirectory(prefix=f"{SCRATCH}{os.getpid()}-"))
            folder, interrupted = measure(args, choose(scratch, progress.say), scratch, progress)
        except CannotMeasure as error:
            progress.say(str(error))
            return 2
        except Busy as error:
            progress.say(str(error))
            return BUSY
    summary = render.write(folder)
    progress.say("")
    sys.stdout.write(terminal(summary, shutil.get_terminal_size((160, 24)).columns))
    print(f"\nwritten to {args.out.name}/{folder.name}")
    if interrupted:
        return 130
    return 1 if failures(summary) else 0
