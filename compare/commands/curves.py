# SPDX-License-Identifier: MIT
"""curves.py: the memory of servers over time, from the command line.

Called by main.py for `curves` and so by `ninja memory-curves`: redis, node and python3 servers go
through a peak and then idle, under each allocator. Leaves a folder under --out, which the
sub-command report renders again and packs; `--docs FOLDER` writes the tables and charts of
docs/memory-over-time.md instead. The same command goes on in a folder whose session was killed.
Status 0: all curves are there; 1: a hakmem arm failed somewhere; 2: the command line is wrong; 75:
another comparison is running; 130: interrupted.
"""

import argparse
import contextlib
import os
import re
import secrets
import shlex
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from ..arms import allocators
from ..measure import environment, noise, peaks, session
from ..measure.launch import CannotMeasure, Launcher, Shot
from ..measure.progress import Progress
from ..measure.schedule import Schedule
from ..paths import SOURCE
from ..records import runfile
from ..report import canvas, peak_report, render
from ..workloads import servers
from . import arguments
from .run import everybody

PATIENCE_S = 120  # for quiet; a busy machine changes when memory comes back, not how much
DESIGN = "runs in turns, Williams squares, {idle:g} s idle"
DOCS = SOURCE / "docs"
PAGE = "memory-over-time.md"
BEGIN, END = "<!-- tables: results/{folder} -->", "<!-- end of the tables -->"
MARKED = re.compile(r"<!-- tables: results/(?P<folder>\S*) -->\n.*?<!-- end of the tables -->",
                    re.S)
ON_ANY_PAGE = "#6e7781"  # read on white and on black


def parse(argv: list[str]) -> argparse.Namespace:
    p = argparse.ArgumentParser(
        prog="compare curves", description="Follows the memory of servers through a peak.")
    arguments.add_tools(p)
    arguments.add_selection(p)
    p.add_argument("--runs", type=int, default=3, help="of each server under each allocator")
    p.add_argument("--idle", type=float, default=11.0, metavar="SECONDS",
                   help="how long a server is left alone after its peak")
    p.add_argument("--out", default="results", type=Path, help="where result folders go")
    p.add_argument("--seed", type=int, help="of the order (default: drawn)")
    p.add_argument("--force", action="store_true", help="do not wait for quiet or for the lock")
    p.add_argument("--fresh", action="store_true", help="do not go on with a killed session")
    return p.parse_args(argv + shlex.split(os.environ.get("HAK_BENCH_ARGS", "")))


def session_line(args: argparse.Namespace, listed: list[allocators.Arm], here: list[servers.Server],
                 absent: list[tuple[str, str]], busy: list[str]) -> dict[str, Any]:
    env = environment.capture(args.build)
    seed = args.seed if args.seed is not None else secrets.randbelow(1 << 31)
    return {
        "rec": "session", "t": session.now(), "env": env,
        "machine": environment.machine_slug(env), "arms": [arm.record() for arm in listed],
        "workloads": [server.record() for server in here],
        "absent": [{"workload": name, "reason": why} for name, why in absent],
        "tools": {Path(path).name: allocators.sha256_of(path)[:16]
                  for path in (args.launch, args.probe)},
        "plan": {"mode": "curves", "seed": seed, "input_seed": servers.SEED, "blocks": args.runs,
                 "quiet": not busy, "findings": busy, "time_budget_s": None,
                 "base": listed[0].name, "null_of": None, "design": DESIGN.format(idle=args.idle),
                 "idle_s": args.idle, "interval_ms": peaks.INTERVAL_MS},
    }


def open_journal(args: argparse.Namespace, line: dict[str, Any],
                 say: Any) -> tuple[Path, runfile.Journal]:
    folder = None if args.fresh else session.unfinished(args.out, line, args.seed)
    if folder is None:
        folder = session.result_folder(args.out, line["env"])
        journal = runfile.Journal(folder / runfile.RUNS)
        journal.write({**line, "id": folder.name})
        return folder, journal
    try:
        journal = runfile.Journal(folder / runfile.RUNS)
    except BlockingIOError:
        raise session.Busy(f"{folder.name} is being written by the same command; --fresh begins "
                           "another") from None
    journal.write({"rec": "resume", "t": session.now(), "quiet": line["plan"]["quiet"]})
    say(f"going on with {folder.name}; --fresh begins another")
    return folder, journal


def follow(args: argparse.Namespace, scratch: str, here: list[servers.Server],
           listed: list[allocators.Arm], journal: runfile.Journal, progress: Progress) -> None:
    """All runs that the journal does not have yet."""
    done = {(line["workload"], line["arm"], line["run"])
            for line in journal.lines if line["rec"] == "curve"}
    present = [arm for arm in listed if arm.path]
    schedule = Schedule(len(present), journal.lines[0]["plan"]["seed"])
    launcher = Launcher(os.path.abspath(args.launch), scratch)
    for number in range(args.runs):
        for row in schedule.rows(range(len(here)), number):
            for place in schedule.arms(row, number):
                server, arm = here[row], present[place]
                if (server.name, arm.name, number) in done:
                    continue
                progress.step(f"run {number + 1}/{args.runs}  {server.name} · {arm.name}")
                journal.write({"rec": "curve", "run": number, **peaks.measure(
                    server, arm, Shot(launcher), os.path.abspath(args.probe), args.idle)})


def measure(args: argparse.Namespace, scratch: str, progress: Progress) -> Path:
    listed = [allocators.settled(arm, scratch) for arm in everybody(args, progress.say)]
    here, absent = servers.found()
    if args.only:
        here = [server for server in here if args.only.search(server.name)]
        absent = [gone for gone in absent if args.only.search(gone[0])]
    if not here:
        raise CannotMeasure("no server is left to run")
    for name, why in [*absent, *((arm.name, arm.missing) for arm in listed if arm.missing)]:
        progress.say(f"{name}: skipped, {why}")
    busy = noise.preflight() if args.force else noise.settle(PATIENCE_S, progress.say)
    line = session_line(args, listed, here, absent, busy)
    folder, journal = open_journal(args, line, progress.say)
    try:
        follow(args, scratch, here, listed, journal, progress)
        spent_s = sum(run["took_s"] for run in journal.lines if run["rec"] == "curve")
        journal.write({"rec": "session_end", "t": session.now(), "spent_s": round(spent_s, 1)})
    finally:
        journal.close()
    return folder


# ---- docs ----


def tables(found: peak_report.Peaks, folder: str) -> str:
    """What stands between the marks of the page."""
    lines = [BEGIN.format(folder=folder), "", *found.session["env"]["cpu"].splitlines()[:1]]
    lines[-1] += (f", {found.session['env']['cores']} processors, {found.session['t'][:10]}, "
                  f"[every run](../results/{folder}/summary.md).")
    for row in found.rows:
        lines += ["", f"## {row['workload']}", "", row["peak"] + ".", "",
                  f"![{row['workload']}](figures/{peak_report.slug(row['workload'])}.svg)", "",
                  *peak_report.table(found, row)]
    lines += ["", "## Where another allocator holds less", ""]
    lines += [f"* {loss}" for loss in peak_report.losses(found)] or ["Nowhere."]
    return "\n".join([*lines, "", END])


def write_docs(folder: Path, docs: Path) -> None:
    found = peak_report.Peaks(runfile.read(runfile.runs_of(folder)))
    page = docs / PAGE
    text = page.read_text(encoding="utf-8")
    made = tables(found, folder.resolve().name)
    page.write_text(MARKED.sub(lambda _: made, text), encoding="utf-8")
    (docs / "figures").mkdir(exist_ok=True)
    for plot in peak_report.all_plots(found):
        svg = plot.svg.replace(canvas.INK, ON_ANY_PAGE)
        (docs / "figures" / Path(plot.file).name).write_text(svg, encoding="utf-8")


def run(args: argparse.Namespace) -> int:
    progress = Progress()
    signal.signal(signal.SIGTERM, session.interrupt)
    with contextlib.ExitStack() as stack:
        try:
            lock = session.wait_for_lock(args.force, progress.say)
            if lock is not None:
                stack.callback(os.close, lock)
            scratch = stack.enter_context(
                tempfile.TemporaryDirectory(prefix=f"{session.SCRATCH}{os.getpid()}-"))
            folder = measure(args, scratch, progress)
        except CannotMeasure as error:
            progress.say(str(error))
            return 2
        except session.Busy as error:
            progress.say(str(error))
            return int(session.BUSY)
        except KeyboardInterrupt:
            progress.say("interrupted: the same command goes on")
            return 130
    found = render.write(folder)
    sys.stdout.write(peak_report.markdown(found))
    print(f"\nwritten to {args.out.name}/{folder.name}")
    failed = [arm for row in found.rows for arm in peak_report.own(found)
              if found.words(row["workload"], arm) is not None]
    return 1 if failed else 0


def main(argv: list[str]) -> int:
    if argv[:1] == ["--docs"] and len(argv) == 2:
        write_docs(Path(argv[1]), DOCS)
        return 0
    return run(parse(argv))
