# SPDX-License-Identifier: MIT
"""ab.py: two builds against each other, in palindromes (ABBA), with a copy of A beside them.

Called by `ninja bench-ab` with HAK_BENCH_ARGS. A and B are each given as

    [REVISION][+OPTION=VALUE[,OPTION=VALUE...]]   built here; without a revision, this source tree
    PATH.so                                       a library that is there

A is the configured build unless it is said. So `--b +refill=simple` is the question what another
refill does; `--a HEAD~3` what the last three commits did; `--b +refill_delay=180` whether a
planted slowdown is found. Where both are built here, both are linked in several orders (linking.py,
layouts.py): one order alone may be some percent slower. Status as of run.py; the verdict
is no status, since only a second, fresh run makes a difference one to act upon.
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..arms import allocators, builds
from ..arms.allocators import Arm
from ..measure import session
from ..measure.launch import CannotMeasure
from . import arguments


LAYOUTS = 3  # of each build, where a claim of less than 3 % may be made


def parse(argv: list[str]) -> Any:
    p = arguments.parser("ab", "Compares two builds.", ("ab",))
    p.add_argument("--a", default="", metavar="BUILD", help="the base (default: as configured)")
    p.add_argument("--b", default="", metavar="BUILD", help="what is compared with it")
    p.add_argument("--layouts", type=int, metavar="N",
                   help="link each build N times, its objects in N orders (default: 3, and 1 for "
                   "files)")
    args = arguments.parse(p, argv)
    if args.layouts is not None and args.layouts < 1:
        p.error("--layouts must be at least 1")
    if args.build is None:
        p.error("--build is needed to build A and B")
    return args


def settings(text: str) -> dict[str, str]:
    """`x=1,y=2` as a dict."""
    found = dict(word.partition("=")[::2] for word in text.split(",") if word)
    if not all(found.values()):
        raise CannotMeasure(f"{text!r} is not OPTION=VALUE[,OPTION=VALUE...]")
    return found


def arm_of(text: str, name: str, args: argparse.Namespace,
           say: Callable[[str], None]) -> allocators.Arm:
    if text.endswith(".so") and os.path.exists(text):
        return allocators.arm_of_file(name, "hakmem", text, allocators.build_info)
    revision, _, changes = text.partition("+")
    if revision:
        return builds.of_revision(args.build, revision, settings(changes), say, name)
    built = builds.with_options(args.build, settings(changes), say)
    return replace(built, name=name)


def difference(one: Arm, other: Arm) -> dict[str, list[str | None]]:
    """The options in which two arms differ."""
    keys = sorted(one.options.keys() | other.options.keys())
    pairs = {key: [one.options.get(key), other.options.get(key)] for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def layouts_of(args: argparse.Namespace, built: bool) -> int:
    """How many layouts each arm gets. `built`: are both made here?"""
    if not built and (args.layouts or 1) > 1:
        raise CannotMeasure("--layouts: a file that is there cannot be linked again")
    return args.layouts or (LAYOUTS if built else 1)


def pair(args: argparse.Namespace, scratch: str, say: Callable[[str], None]) -> session.Field:
    a, b = (arm_of(text, name, args, say) for text, name in ((args.a, "a"), (args.b, "b")))
    if a.sha256 == b.sha256:
        say("a and b are the same file: what is found is noise")
    null = allocators.twin(a, "null", "null", scratch)
    differ = difference(a, b)
    say("a and b differ in " + (", ".join(f"{k}: {x} -> {y}" for k, (x, y) in differ.items())
                                or "no option"))
    layouts = layouts_of(args, bool(a.built and b.built))
    return session.Field([a, b, null], "a", {"difference": differ}, layouts)


def main(argv: list[str]) -> int:
    args = parse(argv)
    return session.run(args, lambda scratch, say: pair(args, scratch, say))
