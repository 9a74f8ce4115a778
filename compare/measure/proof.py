# SPDX-License-Identifier: MIT
"""proof.py: was it the allocator named that served, and did it serve everything?

Called by the runner, after one untimed run of each (row, arm) with harness/'s probe preloaded in
front of the allocator (the probe defines no malloc). Every process of the run that could report did
so at its end: the object that malloc, free, calloc and realloc resolve into, and what libc's own
malloc holds. An arm is proved when each process names the arm's file four times, and libc's malloc
is empty (or is the arm).
"""

import json
import os
from pathlib import Path
from typing import Any

from ..arms.allocators import Arm

CALLS = ("malloc_object", "free_object", "calloc_object", "realloc_object")
HOLDINGS = ("libc_arena_bytes", "libc_mmap_bytes", "libc_live_bytes")


def read_probe(path: Path) -> list[dict[str, Any]]:
    path = Path(path)
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def is_same_file(said: str, path: str | None) -> bool:
    """`said` is what the loader calls the object: a path, or its last part."""
    if path is None:
        return False
    if "/" in said:
        return os.path.realpath(said) == os.path.realpath(path)
    return said in (Path(path).name, Path(os.path.realpath(path)).name)


def objection(arm: Arm, processes: list[dict[str, Any]]) -> str | None:
    """Why the arm is not proved to have served, in one sentence; None when it is."""
    if not processes:
        return "no process reported: the probe was not loaded"
    for process in processes:
        exe = Path(process["exe"]).name
        for call in CALLS:
            if not is_same_file(process[call] or "", arm.path):
                return f"{exe}: {call[:-7]} is {Path(process[call] or 'nowhere').name}"
        if arm.kind == "system":
            continue
        for holding in HOLDINGS:
            if process.get(holding):
                return f"{exe}: libc's own malloc holds {process[holding]} bytes"
    return None


def record(processes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The probe's lines without the paths of this machine; of equal ones, a row that starts
    a hundred processes has many, the first."""
    kept = []
    for process in processes:
        line = {"exe": Path(process["exe"]).name}
        line |= {call: Path(process[call] or "nowhere").name for call in CALLS}
        line |= {h: process[h] for h in HOLDINGS if h in process}
        if line not in kept:
            kept.append(line)
    return kept
