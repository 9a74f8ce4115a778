# SPDX-License-Identifier: MIT
"""listing.py: the rows and allocators that a comparison on this machine can have.

Called by main.py for `list`. Builds nothing and runs no workload; the names are those that --only
and --arms are matched against.
"""

import argparse
from typing import Any

from ..arms import allocators
from ..paths import PACKAGE
from ..workloads import programs, suite


def rows() -> Any:
    """(name, group, why it is absent or None) of each row."""
    found = [(entry["name"], entry["group"], None) for entry in suite.read().rows]
    present, absent = programs.declared(programs.found_tools())
    found += [(row.name, suite.PROGRAMS, None) for row in present]
    return found + [(name, suite.PROGRAMS, why) for name, why in absent]


def main(argv: list[str]) -> Any:
    p = argparse.ArgumentParser(prog="compare list", description="Lists rows and allocators.")
    p.add_argument("--peers", default=PACKAGE / "allocators.toml", help="who to compare with")
    args = p.parse_args(argv)
    print("rows")
    for name, group, missing in rows():
        print(f"  {name:<32}{group}" + (f", {missing}" if missing else ""))
    print("allocators, beside the builds of hakmem")
    for arm in allocators.peers(args.peers, {}):
        print(f"  {arm.name:<32}{arm.missing or arm.version}")
    return 0
