# SPDX-License-Identifier: MIT
"""arguments.py: the command line that all comparisons share, and what is built to be compared.

Called by the sub-commands run, ab and ablate, and by campaigns. More options may stand in
HAK_BENCH_ARGS, for `ninja bench-compare` and the like, which take none; the last one counts.
"""

import argparse
import dataclasses
import os
import re
import shlex
from pathlib import Path
from typing import Any

from ..measure.stopping import PLANS
from ..paths import PACKAGE


def exactly(names: Any) -> Any:
    """The expression for --only that matches these rows and no others."""
    return f"^({'|'.join(re.escape(name) for name in names)})$"


def expression(text: str) -> re.Pattern[str]:
    return re.compile(text)


def name_and_path(text: str) -> Any:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"{text!r} is not name=/path.so")
    return name, path


def add_tools(p: argparse.ArgumentParser) -> None:
    group = p.add_argument_group("what was built (the ninja targets say it)")
    group.add_argument("--lib", nargs=2, action="append", default=[], metavar=("NAME", "PATH"),
                       help="a hakmem library; may be repeated")
    group.add_argument("--bench", nargs="*", default=[], help="the workloads' executables")
    group.add_argument("--launch", required=True, help="the C launcher")
    group.add_argument("--probe", required=True, help="the library for the proof runs")
    group.add_argument("--ledger", help="the library for the memory runs")
    group.add_argument("--build", type=Path, help="the build folder, for its options")


def add_selection(p: argparse.ArgumentParser) -> None:
    p.add_argument("--peers", default=PACKAGE / "allocators.toml", help="who to compare with")
    p.add_argument("--peer", type=name_and_path, action="append", default=[],
                   metavar="NAME=PATH", help="another peer, or another file for a known one")
    p.add_argument("--only", type=expression, metavar="REGEX", help="rows whose name matches")
    p.add_argument("--arms", type=expression, metavar="REGEX",
                   help="arms whose name matches; the baseline always takes part")


def add_length(p: argparse.ArgumentParser) -> None:
    p.add_argument("--blocks", type=int, help="exactly so many blocks, whatever time and noise")
    p.add_argument("--min-blocks", type=int, metavar="N", help="of a row at least")
    p.add_argument("--max-blocks", type=int, metavar="N", help="of a row at most")
    p.add_argument("--precision", type=float, metavar="X",
                   help="a row stops when its intervals are narrower than +-X (0.01 is 1 %%)")
    p.add_argument("--time-budget", type=float, metavar="SECONDS", help="of all runs together")


def add_conduct(p: argparse.ArgumentParser) -> None:
    p.add_argument("--out", default="results", type=Path, help="where result folders go")
    p.add_argument("--seed", type=int, help="of order, padding and bootstrap (default: drawn)")
    p.add_argument("--force", action="store_true",
                   help="neither wait for quiet nor for another comparison to end")
    p.add_argument("--fresh", action="store_true",
                   help="begin a session even where one was interrupted and could go on")
    p.add_argument("--memory", action=argparse.BooleanOptionalAction, default=None,
                   help="a memory timeline of each row and arm, after the timed runs")


def parser(command: str, description: Any, modes: tuple[str, ...]) -> Any:
    p = argparse.ArgumentParser(prog=f"compare {command}", description=description)
    p.add_argument("--mode", choices=modes, default=modes[0], help="how thorough, and what for")
    for add in (add_tools, add_selection, add_length, add_conduct):
        add(p)
    return p


def parse(p: argparse.ArgumentParser, argv: list[str]) -> Any:
    args = p.parse_args(argv + shlex.split(os.environ.get("HAK_BENCH_ARGS", "")))
    for name in ("blocks", "min_blocks", "max_blocks"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            p.error(f"--{name.replace('_', '-')} must be at least 1")
    args.plan = plan_of(args)
    if args.plan.with_memory and not args.ledger:
        p.error("memory timelines need --ledger")
    return args


def plan_of(args: argparse.Namespace) -> Any:
    plan = PLANS[args.mode]
    changes: dict[str, Any] = {}
    if args.min_blocks is not None:
        changes |= {"least": args.min_blocks, "most": max(args.min_blocks, plan.most)}
    if args.max_blocks is not None:
        changes["most"] = args.max_blocks
        changes["least"] = min(changes.get("least", plan.least), args.max_blocks)
    if args.blocks is not None:
        changes = {"least": args.blocks, "most": args.blocks, "budget_s": None}
    if args.precision is not None:
        changes["precision"] = args.precision
    if args.time_budget is not None and args.blocks is None:
        changes["budget_s"] = args.time_budget
    if args.memory is not None:
        changes["with_memory"] = args.memory
    return dataclasses.replace(plan, **changes)
