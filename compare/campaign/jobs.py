# SPDX-License-Identifier: MIT
"""jobs.py: a comparison larger than one machine: planned here, run by Slurm or GNU parallel.

Called by `ninja bench-campaign` (plan) and by hand; docs/campaigns.md shows how. The folder of a
campaign, which all machines see, holds plan.json, and job-K/ with the result folder of each job.
Invariant: a job is an ordinary call of `run` and compares all arms of its rows itself,
so that no ratio is ever taken across two machines. There is no scheduler here.
"""

import argparse
import hashlib
import json
import os
import re
import secrets
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ..commands.arguments import exactly
from ..commands.run import parse as parse_run
from ..measure import session
from ..paths import PACKAGE
from ..records import runfile
from . import merging

FINISHED = (0, 1)  # 1: an arm failed in some row, which is a result


class Refused(Exception):
    """A sentence for the user."""


def write_json(path: Path, value: Any) -> None:
    """All of the file or nothing: another machine may read it at any moment."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    os.replace(draft, path)


def read_plan(folder: Path) -> Any:
    try:
        return json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    except OSError:
        raise Refused(f"there is no plan in {folder}: begin with `campaign plan`") from None


def job_folder(folder: Path, number: int) -> Any:
    return folder / f"job-{number}"


def outcome_of(folder: Path, number: int) -> Any:
    """What a finished job left, or None."""
    try:
        return json.loads((job_folder(folder, number) / "done.json").read_text(encoding="utf-8"))
    except OSError:
        return None


def open_jobs(folder: Path, plan: dict[str, Any]) -> Any:
    return [k for k in range(len(plan["jobs"])) if outcome_of(folder, k) is None]


# Planning.


def durations(result: str | Path) -> Any:
    """row name -> seconds of one run, from an earlier result folder."""
    seconds: dict[str, list[float]] = {}
    path = runfile.runs_of(result)
    if not path.exists():
        raise Refused(f"--durations: there is no {path}")
    for line in runfile.read(path):
        if line["rec"] == "run" and line["valid"] and "wall_s" in line["metric"]:
            seconds.setdefault(line["workload"], []).append(line["metric"]["wall_s"])
    return {name: statistics.fmean(values) for name, values in seconds.items()}


def balanced(names: list[str], seconds: dict[str, float], count: int) -> Any:
    """`count` lists of names of about equal time: the longest first, each to the emptiest list.

    At most 4/3 of the best split (Graham 1969). A row nobody has timed counts as a typical one.
    """
    typical = statistics.median(seconds.values()) if seconds else 1.0
    lists: list[list[str]] = [[] for _ in range(count)]
    totals = [0.0] * count
    for name in sorted(names, key=lambda n: (-seconds.get(n, typical), names.index(n))):
        least = min(range(count), key=totals.__getitem__)
        lists[least].append(name)
        totals[least] += seconds.get(name, typical)
    return [sorted(part, key=names.index) for part in lists]


def seed_of(seed: Any, number: int) -> Any:
    """Each job draws its own order: a function of the campaign's seed and the job's number."""
    return int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:4]) >> 1


def make_jobs(args: argparse.Namespace, bench: argparse.Namespace, rows: list[str],
              absent: list[str]) -> Any:
    if args.split == "blocks":
        if bench.blocks is not None and bench.blocks < args.jobs:
            raise Refused(f"{bench.blocks} blocks are too few for {args.jobs} jobs")
        shares = [bench.blocks and bench.blocks // args.jobs + (k < bench.blocks % args.jobs)
                  for k in range(args.jobs)]
        return [{"options": ["--blocks", str(n)] if n else []} for n in shares]
    if args.jobs > len(rows):
        raise Refused(f"{args.jobs} jobs are too many for {len(rows)} rows; --split blocks has "
                      "all rows in every job")
    seconds = durations(args.durations) if args.durations else {}
    parts = balanced(rows, {n: s for n, s in seconds.items() if n in rows}, args.jobs)
    parts[0] = parts[0] + absent  # so that one job says why they are absent
    return [{"options": ["--only", exactly(part)], "rows": part} for part in parts]


def absolute(words: list[str]) -> Any:
    """Paths of the command line, also those after a name=, for jobs that run elsewhere."""
    cut = [w.rpartition("=") for w in words]
    return [f"{name}{equals}{os.path.abspath(path)}" if "/" in path and os.path.exists(path)
            else f"{name}{equals}{path}" for name, equals, path in cut]


def plan(args: argparse.Namespace, options: list[str]) -> int:
    options = absolute(options)
    os.environ.pop("HAK_BENCH_ARGS", None)  # no job would see it
    with tempfile.TemporaryDirectory() as scratch:
        bench = parse_run(options)
        rows, absent = session.chosen_rows(bench, scratch)
    seed = bench.seed if bench.seed is not None else secrets.randbelow(1 << 31)
    jobs = make_jobs(args, bench, [row.name for row in rows], [name for name, _ in absent])
    for number, job in enumerate(jobs):
        job["options"] += ["--seed", str(seed_of(seed, number))]
    args.out.mkdir(parents=True, exist_ok=True)
    if (args.out / "plan.json").exists():
        raise Refused(f"{args.out} has a plan already; a campaign has its own folder")
    command = [sys.executable, str(PACKAGE), "run", *options]
    # The secret keeps machines apart in the records without telling their names.
    write_json(args.out / "plan.json", {
        "split": args.split, "seed": seed, "command": command, "jobs": jobs,
        "secret": secrets.token_hex(16)})
    print(f"{len(jobs)} jobs in {args.out}, seed {seed}")
    return 0


# Running.


def machine_mark(plan_: dict[str, Any]) -> Any:
    return hashlib.sha256(f"{plan_['secret']} {os.uname().nodename}".encode()).hexdigest()[:16]


def tables(place: Path) -> Any:
    """(result folder, time of writing) of each table: the last thing that a session writes."""
    return {(p.parent.name, p.stat().st_mtime_ns) for p in place.glob("*/summary.md")}


def run(args: argparse.Namespace) -> int:
    plan_ = read_plan(args.folder)
    if not 0 <= args.job < len(plan_["jobs"]):
        raise Refused(f"there is no job {args.job}: the last one is {len(plan_['jobs']) - 1}")
    if outcome_of(args.folder, args.job) is not None:
        print(f"job {args.job} is finished")
        return 0
    place = job_folder(args.folder, args.job).resolve()
    place.mkdir(exist_ok=True)
    before = tables(place)
    command = [*plan_["command"], *plan_["jobs"][args.job]["options"], "--out", str(place)]
    environment = {k: v for k, v in os.environ.items() if k != "HAK_BENCH_ARGS"}
    status = subprocess.run(command, env=environment, check=False,
                            stdin=subprocess.DEVNULL).returncode
    if status not in FINISHED:
        print(f"job {args.job} is not finished: status {status}"
              + (", the machine is taken" if status == session.BUSY else ""), file=sys.stderr)
        return status if status > 0 else 128 - status
    made = list(tables(place) - before)
    if len(made) != 1:  # Python, too, ends with 1 when the harness is broken
        raise Refused(f"job {args.job} is not finished: it left no table")
    write_json(place / "done.json", {"status": status, "result": made[0][0],
                                     "machine_mark": machine_mark(plan_)})
    return 0


def this_command(*words: Any) -> Any:
    return [sys.executable, str(PACKAGE), "campaign", *words]


ARRAY = """#!/bin/sh
#SBATCH --job-name=allocator-campaign
#SBATCH --array={jobs}
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --exclusive
#SBATCH --output={output}
exec {command} "$SLURM_ARRAY_TASK_ID"
"""


def slurm(args: argparse.Namespace, options: list[str]) -> int:
    """The job array of all jobs that are open; `options` are sbatch's."""
    place, plan_ = args.folder.resolve(), read_plan(args.folder)
    jobs = open_jobs(place, plan_)
    if not jobs:
        print("all jobs are finished")
        return 0
    if re.search(r"\s", str(place)):
        raise Refused("Slurm takes no output file with a space in its path: move the campaign")
    script = place / "array.sh"
    script.write_text(ARRAY.format(
        jobs=",".join(map(str, jobs)), output=place / "slurm-%a.out",
        command=shlex.join(this_command("run", str(place)))), encoding="utf-8")
    command = ["sbatch", *(["--wait"] if args.wait else []), *options, str(script)]
    if not args.submit:
        print(shlex.join(command))
        return 0
    return subprocess.run(command, check=False).returncode


def parallel(args: argparse.Namespace, options: list[str]) -> int:
    """GNU parallel over all jobs that are open; `options` are its own (Tange 2018)."""
    place, plan_ = args.folder.resolve(), read_plan(args.folder)
    version = shutil.which("parallel") and subprocess.run(
        ["parallel", "--version"], capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL).stdout
    if not (version or "").startswith("GNU parallel"):
        raise Refused("GNU parallel is not installed (package parallel)")
    hosts = ["--sshloginfile", str(args.sshloginfile)] if args.sshloginfile else []
    command = ["parallel", "-j1", "--line-buffer", "--joblog", str(place / "joblog"),
               "--resume-failed", *hosts, *options,
               f"{shlex.join(this_command('run', str(place)))} {{}}", ":::"]
    every = [str(k) for k in range(len(plan_["jobs"]))]  # the log counts on the same list
    return subprocess.run(command + every, check=False, stdin=subprocess.DEVNULL).returncode


def merge(args: argparse.Namespace) -> int:
    plan_ = read_plan(args.folder)
    left = open_jobs(args.folder, plan_)
    if left and not args.partial:
        raise Refused(f"not finished: job {', '.join(map(str, left))}; "
                      "--partial takes what there is")
    parts = []
    for number in range(len(plan_["jobs"])):
        outcome = outcome_of(args.folder, number)
        if outcome is not None:
            result = job_folder(args.folder, number) / outcome["result"]
            parts.append(merging.Part(runfile.read(runfile.runs_of(result)),
                                      outcome["machine_mark"]))
    try:
        lines = merging.merged(parts, args.out.name, plan_)
    except merging.Different as difference:
        raise Refused(str(difference)) from None
    merging.write(lines, args.out)
    print(f"{len(parts)} jobs in {args.out}")
    return 0
