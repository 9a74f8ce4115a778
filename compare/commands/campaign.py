# SPDX-License-Identifier: MIT
"""campaign.py: the command line of campaigns; what each action does is in jobs.py.

Called by main.py for `campaign`. Status as of the action; 2: it is refused, in words.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..campaign import jobs


def parse(argv: list[str]) -> Any:
    """(our options, those for somebody else). A plan's come also from the environment: ninja
    passes none on."""
    if argv[:1] == ["plan"]:
        argv = argv + shlex.split(os.environ.get("HAK_CAMPAIGN_ARGS", ""))
    p = argparse.ArgumentParser(prog="compare campaign",
                                description="Splits a comparison over machines.")
    actions = p.add_subparsers(dest="action", required=True)
    one = actions.add_parser("plan", allow_abbrev=False,
                             help="split; other options are those of `run`")
    one.add_argument("--jobs", type=int, required=True)
    one.add_argument("--out", type=Path, required=True, help="the campaign's folder")
    one.add_argument("--split", choices=["rows", "blocks"], default="rows",
                     help="what each job has a part of (default %(default)s)")
    one.add_argument("--durations", metavar="RESULT", help="a result folder that tells how long "
                     "a row takes, to balance the jobs")
    for name, text in (("run", "run one job here"), ("slurm", "a job array; others are sbatch's"),
                       ("parallel", "by GNU parallel; other options are its own"),
                       ("merge", "one result folder from all jobs")):
        one = actions.add_parser(name, help=text, allow_abbrev=False)
        one.add_argument("folder", type=Path, help="the campaign's folder")
        if name == "run":
            one.add_argument("job", type=int)
        elif name == "slurm":
            one.add_argument("--submit", action="store_true", help="not only print the command")
            one.add_argument("--wait", action="store_true", help="until all jobs have ended")
        elif name == "parallel":
            one.add_argument("--sshloginfile", type=Path, help="the hosts; default: this one")
        else:
            one.add_argument("--out", type=Path, required=True, help="the result folder")
            one.add_argument("--partial", action="store_true", help="although jobs are open")
    args, options = p.parse_known_args(argv)
    if options and args.action in ("run", "merge"):
        p.error(f"unknown: {shlex.join(options)}")
    if args.action == "plan" and args.jobs < 1:
        p.error("--jobs must be at least 1")
    return args, options


def main(argv: list[str]) -> int:
    args, options = parse(argv)
    actions: dict[str, Callable[[], int]] = {
        "run": lambda: jobs.run(args), "merge": lambda: jobs.merge(args)}
    more: dict[str, Callable[..., int]] = {
        "plan": jobs.plan, "slurm": jobs.slurm, "parallel": jobs.parallel}
    try:
        if args.action in more:
            return more[args.action](args, options)
        return actions[args.action]()
    except jobs.Refused as refusal:
        print(refusal, file=sys.stderr)
        return 2
