# SPDX-License-Identifier: MIT
"""ablate.py: what each tier, build option and switch is worth: each taken out or varied.

Called by `ninja bench-ablate`. The base is the build as configured. Arms are: every build option
that is a choice or a boolean with each of its other values, pairs of the main options, and run-time
switches (ablation.toml). A new option takes part by itself; a value that the build refuses stays
in the list as missing, with what meson says. With --write-docs the tables of a folder go
between the markers of docs/ablation.md, and nothing is measured.
"""

import argparse
import itertools
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..analyse.summary import Summary
from ..arms import allocators, builds
from ..measure import session
from ..measure.launch import CannotMeasure
from ..paths import PACKAGE
from ..records import runfile
from ..report import tables, worth
from . import arguments

BEGIN, END = "<!-- ablation: begin -->", "<!-- ablation: end -->"


def choices(build: str | Path) -> Iterator[tuple[str, bool | str]]:
    """(option, value) of every single change of the build, without the values it has."""
    for option in builds.introspect(build):
        if not builds.is_ours(option):
            continue
        if option["type"] == "combo":
            values = option["choices"]
        elif option["type"] == "boolean":
            values = [True, False]
        else:
            continue  # a number has no other value that suggests itself
        yield from ((option["name"], v) for v in values if v != option["value"])


def variants(build: str | Path, main: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The sets of changes that get an arm: singles, then pairs of what the main options name."""
    singles = list(choices(build))
    for single in singles:
        yield dict([single])
    for pair in itertools.combinations([s for s in main.items() if s in singles], 2):
        yield dict(pair)


def built(build: str | Path, changes: dict[str, Any], say: Callable[[str], None]) -> allocators.Arm:
    """The arm, or one that is missing, where the build does not take these changes."""
    name = builds.told(changes)
    try:
        return builds.with_options(build, changes, say, name)
    except CannotMeasure as refusal:
        return allocators.Arm(name, "hakmem", missing=str(refusal))


def everybody(args: argparse.Namespace, settings: dict[str, Any], scratch: str,
              say: Callable[[str], None]) -> session.Field:
    base = builds.with_options(args.build, {}, say, "base")
    listed = [base] + [built(args.build, changes, say)
                       for changes in variants(args.build, settings["pairs"])]
    listed += [replace(base, name=name, env=env) for name, env in settings["switches"].items()]
    if args.arms:
        listed = [base] + [a for a in listed[1:] if args.arms.search(a.name)]
    null = allocators.twin(base, "null", "null", scratch)
    return session.Field([*listed, null], base.name)


def write_docs(folder: Path, page: Path) -> None:
    """The generated part of docs/ablation.md, from a folder of results."""
    summary = Summary(runfile.read(runfile.runs_of(folder)))
    changed = worth.changes(summary)
    parts = [f"From [results/{folder.name}](../results/{folder.name}/summary.md), "
             f"{summary.blocks} blocks a row."]
    for grid in (worth.singles_grid(summary, changed), worth.pairs_grid(summary, changed)):
        parts += [f"### {grid.title}", grid.note, tables.piped(grid)]
    made = "\n\n".join(parts)
    said = page.read_text(encoding="utf-8")
    if BEGIN not in said or END not in said:
        sys.exit(f"{page.name} has no marks {BEGIN} and {END}")
    pattern = re.compile(f"{BEGIN}.*{END}", re.DOTALL)
    page.write_text(pattern.sub(lambda _: f"{BEGIN}\n\n{made}\n\n{END}", said), encoding="utf-8")


def main(argv: list[str]) -> int:
    if argv[:1] == ["--write-docs"]:
        p = argparse.ArgumentParser(prog="compare ablate")
        p.add_argument("--write-docs", nargs=2, type=Path, metavar=("FOLDER", "PAGE"))
        write_docs(*p.parse_args(argv).write_docs)
        return 0
    p = arguments.parser("ablate", "Measures what each part is worth.", ("ablate",))
    args = arguments.parse(p, argv)
    if args.build is None:
        p.error("--build is needed to build the arms")
    settings = tomllib.loads((PACKAGE / "ablation.toml").read_text(encoding="utf-8"))
    if args.only is None:
        args.only = re.compile(arguments.exactly(settings["rows"]["names"]))
    return session.run(args, lambda scratch, say: everybody(args, settings, scratch, say))
