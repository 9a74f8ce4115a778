# SPDX-License-Identifier: MIT
"""kernel.py: what a (row, arm) asks of the kernel: how often memory is mapped and given back.

Called by the runner: `measure` makes one untimed run under strace and gives the fields of a
`kernel` record. Counted are mmap, munmap, brk, mremap and madvise of the program and of all its
children. Left out is what maps a file, and stacks of threads: neither is asked for by an
allocator. What the loader and a workload take for themselves stays in: it is there under each arm
alike. Bytes are of address space, touched or not, and those of a call that failed are none.
"""

import bisect
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from ..arms.allocators import Arm
from ..workloads.workload import Row, Workload
from .launch import Shot

PROGRAM = "strace"
SLOWER = 4  # how many times as long a run may take here
BIRTHS = ("clone", "clone3", "fork", "vfork")
MEMORY = ("mmap", "munmap", "madvise", "brk", "mremap")
TRACED = ",".join((*MEMORY, *BIRTHS, "execve"))
PURGES = ("MADV_DONTNEED", "MADV_FREE", "MADV_DONTNEED_LOCKED", "MADV_REMOVE")
METRICS = ("calls", "failed_calls", "map_calls", "map_b", "unmap_calls", "unmap_b", "purge_calls",
           "purge_b", "remap_calls", "advice_calls")

# With -f a call that another thread's interrupts comes in two parts.
BEGUN = re.compile(r"(\d+) +(\w+)\((.*?),? *<unfinished \.\.\.>$")
ENDED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>,? ?(.*)\) += (.*)$")
WHOLE = re.compile(r"(\d+) +(\w+)\((.*)\) += (.*)$")


@dataclass(frozen=True)
class Trace:
    """That the program is to run under strace; never in a timed run."""

    program: str
    out: str

    def command(self, preloads: tuple[str], argv: tuple[Any, ...]) -> tuple[str, ...]:
        """The preloads are the program's, and not strace's."""
        env = ("-E", "LD_PRELOAD=" + ":".join(preloads)) if preloads else ()
        return (self.program, "-f", "--seccomp-bpf", "-qq", "-e", "signal=none", "-e",
                f"trace={TRACED}", *env, "-o", self.out, "--", *argv)


def found() -> tuple[str | None, str | None]:
    """(path of strace, None), or (None, why it is no use here)."""
    path = shutil.which(PROGRAM, path="/usr/bin:/bin")
    if path is None:
        return None, f"needs {PROGRAM}"
    try:
        done = subprocess.run([path, "-f", "--seccomp-bpf", "-o", "/dev/null", "/bin/true"],
                              capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None, f"{PROGRAM} does not work here"
    return (path, None) if done.returncode == 0 else (None, f"{PROGRAM} may not trace here")


def calls(lines: TextIO | tuple[Any, ...]) -> Iterator[tuple[str, str, str, str]]:
    """(thread, name, arguments, result) of each call, in the order in which they ended."""
    begun = {}
    for line in lines:
        line = line.rstrip("\n")
        if found := BEGUN.match(line):
            begun[found[1]] = found[2], found[3]
        elif found := ENDED.match(line):
            name, first = begun.pop(found[1], (None, ""))
            if name == found[2]:
                yield found[1], name, ", ".join(filter(None, (first, found[3]))), found[4]
        elif found := WHOLE.match(line):
            yield found[1], found[2], found[3], found[4]


def number(text: str) -> int | None:
    """The first word of a result or argument as a number; None for `?`, NULL and flags."""
    try:
        return int(text.split()[0], 0)
    except (ValueError, IndexError):
        return None


class Space:
    """An address space: its break, and the mappings that are no allocator's."""

    def __init__(self, top: int | None = None,
                 places: list[tuple[int, int]] | tuple[Any, ...] = ()) -> None:
        self.top = top
        self.places = list(places)  # sorted pairs (begin, end)

    def copy(self) -> "Space":
        return Space(self.top, self.places)

    def place_of(self, address: int) -> int | None:
        """The index of the foreign mapping with this address in it; None without one."""
        place = bisect.bisect_right(self.places, (address, float("inf"))) - 1
        return place if place >= 0 and address < self.places[place][1] else None

    def add(self, begin: int, end: int) -> None:
        self.forget(begin, end)
        bisect.insort(self.places, (begin, end))

    def forget(self, begin: int, end: int) -> None:
        """Something else is there now, or nothing."""
        first = bisect.bisect_left(self.places, (begin, 0))
        last = bisect.bisect_left(self.places, (end, 0))
        del self.places[first:last]


class Counting:
    """Adds up the calls; processes share or copy an address space as they were made."""

    def __init__(self, made: Iterator[Any]) -> None:
        self.made = list(made)
        self.metric = Counter(dict.fromkeys(METRICS, 0))
        self.spaces: dict[str, Space] = {}
        self.parents: dict[str, tuple[str, bool]] = {}
        # A child's first call may stand in front of the end of the call that made it.
        for thread, name, args, result in self.made:
            if name in BIRTHS and (number(result) or 0) > 0:
                is_shared = name == "vfork" or "CLONE_VM" in args
                self.parents[result.split()[0]] = thread, is_shared

    def space_of(self, thread: str) -> Space:
        if thread not in self.spaces:
            parent, is_shared = self.parents.get(thread, (None, False))
            above = self.space_of(parent) if parent is not None else Space()
            self.spaces[thread] = above if is_shared else above.copy()
        return self.spaces[thread]

    def total(self) -> dict[str, int]:
        for thread, name, args, result in self.made:
            value = number(result)
            if name == "execve":
                if value == 0:
                    self.spaces[thread] = Space()
            elif name in BIRTHS:
                if value is not None and value > 0:
                    self.space_of(result.split()[0])
            elif value is not None:
                self.count(name, args.split(", "), value, self.space_of(thread))
        return dict(self.metric)

    def add(self, kind: str, size: int) -> None:
        self.metric["calls"] += 1
        self.metric[f"{kind}_calls"] += 1
        if f"{kind}_b" in self.metric:
            self.metric[f"{kind}_b"] += size

    def count(self, name: str, args: list[str], value: int, space: Space) -> None:
        """One call that ended with this value; -1: it failed."""
        if value < 0:
            self.metric["calls"] += 1
            self.metric["failed_calls"] += 1
        elif name == "brk":
            self.count_brk(value, space)
        elif name == "mmap":
            self.count_mmap(number(args[1]) or 0, args[3].split("|"), value, space)
        elif name == "mremap":
            self.add("remap", 0)
        else:
            begin, size = number(args[0]) or 0, number(args[1]) or 0
            is_foreign = space.place_of(begin) is not None
            if name == "munmap":
                space.forget(begin, begin + size)
                kind = "unmap"
            else:
                kind = "purge" if args[2] in PURGES else "advice"
            if not is_foreign:
                self.add(kind, size)

    def count_mmap(self, size: int, flags: list[str], begin: int, space: Space) -> None:
        if "MAP_ANONYMOUS" in flags and "MAP_STACK" not in flags:
            space.forget(begin, begin + size)
            self.add("map", size)
        else:
            space.add(begin, begin + size)

    def count_brk(self, top: int, space: Space) -> None:
        """The first call of a program asks where the break is, as does one without effect."""
        grown = 0 if space.top is None else top - space.top
        space.top = top
        if grown:
            self.add("map" if grown > 0 else "unmap", abs(grown))


def measure(row: Row | Workload, arm: Arm, shot: Shot, program: str,
            check: Callable[..., Any] = lambda row, outcome: None) -> dict[str, Any]:
    """Fields of the `kernel` record of this row and arm; `reason`: why there are no numbers."""
    out = Path(shot.launcher.scratch) / "strace.out"
    out.unlink(missing_ok=True)
    slow = replace(row, timeout_s=SLOWER * row.timeout_s)
    outcome = slow.measure(replace(shot, trace=Trace(program, str(out))))
    check(row, outcome)
    record: dict[str, Any] = {"workload": row.name, "arm": arm.name,
                              "reason": outcome.failure, "metric": {}}
    if outcome.failure is not None:
        return record
    if not out.exists():
        return record | {"reason": "no trace"}
    with open(out, encoding="utf-8", errors="replace") as lines:
        record["metric"] = Counting(calls(lines)).total()
    out.unlink()
    return record
