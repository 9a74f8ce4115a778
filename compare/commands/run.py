# SPDX-License-Identifier: MIT
"""run.py: hakmem and its peers over all rows, from the command line.

Called by the ninja targets bench-compare (minutes), bench-publish (in full) and bench-calibrate
(copies of one library against each other: how often does the harness call them different, and how
small a difference would it have found?), by `./run bench`, and by the jobs of a campaign. Leaves a
folder under --out: runs.jsonl (every run), env.json, and the report. Status 0: the table is
complete; 1: a hakmem arm failed somewhere; 2: the command line or the harness is wrong; 75: the
machine is busy; 130: interrupted: the table shows the blocks that were complete, and the same
command goes on.
"""

import argparse
from collections.abc import Callable
from typing import Any

from ..arms import allocators, builds
from ..measure import session
from ..measure.launch import CannotMeasure
from . import arguments

MODES = ("compare", "publish", "calibrate")
TWINS = 2


def parse(argv: list[str]) -> Any:
    p = arguments.parser("run", "Compares allocators in time and memory.", MODES)
    p.add_argument("--of", metavar="NAME", help="calibrate: the arm that is copied")
    return arguments.parse(p, argv)


def everybody(args: argparse.Namespace, say: Callable[[str], None]) -> Any:
    def build(options: dict[str, Any]) -> Any:
        return builds.with_options(args.build, options, say)

    listed = allocators.peers(args.peers, dict(args.peer), build if args.build else None)
    listed += allocators.hakmem_arms(args.lib)
    if args.arms:
        listed = [listed[0]] + [a for a in listed[1:] if args.arms.search(a.name)]
    return listed


def competitors(args: argparse.Namespace, scratch: str,
                say: Callable[[str], None]) -> session.Field:
    listed = everybody(args, say)
    null, original = allocators.null_arm(listed, scratch)
    return session.Field(listed + ([null] if null else []), original.name if original else None)


def twins(args: argparse.Namespace, scratch: str, say: Callable[[str], None]) -> session.Field:
    """One library under several names: what differs between them is the harness's error."""
    listed = everybody(args, say)
    wanted = [a for a in listed if a.path and a.name == args.of] if args.of else None
    original = (wanted or [a for a in listed if a.kind == "hakmem" and a.path] or listed)[0]
    if args.of and not wanted:
        raise CannotMeasure(f"--of {args.of}: there is no such arm")
    if not original.path:
        raise CannotMeasure(f"{original.name} is missing: {original.missing}")
    if original.kind == "system":
        raise CannotMeasure("a copy of libc beside libc cannot be proved to serve")
    names = [f"twin-{k + 1}" for k in range(TWINS)]
    copies = [allocators.twin(original, name, "null", scratch) for name in ["null", *names]]
    return session.Field([original, *copies[1:], copies[0]], original.name)


def main(argv: list[str]) -> int:
    args = parse(argv)
    choose = twins if args.mode == "calibrate" else competitors
    return session.run(args, lambda scratch, say: choose(args, scratch, say))


def calibrate(argv: list[str]) -> Any:
    return main(["--mode", "calibrate", *argv])
