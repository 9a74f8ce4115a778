# SPDX-License-Identifier: MIT
"""suite.py: workloads.toml as it is declared: its rows, their groups, what their memory is.

Called by workload.py, which makes rows of it, and by readme_table.py, which takes means by group.
Invariant: each row has a name of its own and one declared group, each memory field its words;
anything else ends the program with a sentence. Records hold no groups: a row of a folder, however
old, is found here by its name, so README's table changes when a row changes its group.
"""

import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..paths import PACKAGE

DECLARED = PACKAGE / "workloads.toml"
PEAK = "hwm_kib"  # the memory field of a row that names none
PROGRAM = "program"  # what a real program's record has where others have a program of harness/
PROGRAMS = "programs"  # the group of the real programs


@dataclass(frozen=True)
class Suite:
    rows: list[Any]  # of workloads.toml, in its order
    groups: dict[str, Any]  # group -> what a table calls it
    measures: dict[str, Any]  # memory field -> what it says

    def entry(self, name: str) -> Any:
        return next((row for row in self.rows if row["name"] == name), None)

    def group(self, row: dict[str, Any]) -> Any:
        """The group of a row of a session."""
        if row["group"] == PROGRAM:
            return PROGRAMS
        entry = self.entry(row["workload"])
        if entry is None:
            sys.exit(f"{row['workload']} is in no group: {DECLARED.name} has no such row")
        return entry["group"]

    def cliff(self, row: dict[str, Any]) -> Any:
        """Why a row of a session is in no mean, or None."""
        entry = None if row["group"] == PROGRAM else self.entry(row["workload"])
        return entry.get("cliff") if entry else None

    def measure(self, row: dict[str, Any]) -> Any:
        """What the memory of a row of a session is, in words."""
        field = row.get("memory_field", PEAK)
        if field not in self.measures:
            sys.exit(f"{row['workload']}: {DECLARED.name} has no words for {field}")
        return self.measures[field]


def faults(suite: Any) -> Iterator[Any]:
    """A sentence for each thing that the declarations lack."""
    if PROGRAMS not in suite.groups or PEAK not in suite.measures:
        yield f"the group {PROGRAMS} and the measure {PEAK} are not declared"
    names = [row["name"] for row in suite.rows]
    for row in suite.rows:
        if row.get("group") not in suite.groups.keys() - {PROGRAMS}:
            yield (f"{row['name']}: its group is {row.get('group') or 'missing'}; there are "
                   + ", ".join(g for g in suite.groups if g != PROGRAMS))
        if (field := row.get("memory_field", PEAK)) not in suite.measures:
            yield f"{row['name']}: no measure is called {field}"
        if names.count(row["name"]) > 1:
            yield f"{row['name']}: the name is there twice"


def read(path: str | Path = DECLARED) -> Suite:
    with open(path, "rb") as f:
        said = tomllib.load(f)
    suite = Suite(said["row"], said.get("groups", {}), said.get("measures", {}))
    found = list(faults(suite))
    if found:
        sys.exit("\n".join(f"{Path(path).name}: {fault}" for fault in found))
    return suite
