# SPDX-License-Identifier: MIT
"""workload.py: a row of the table: a command, its limits, and how a run of it is read.

Called by the runner. `Row.measure` makes one run and returns an Outcome: numbers, a checksum, or
the reason why there are none. A row never looks at the allocator: the shot carries the preloads.
The declared suite is workloads.toml, read by suite.py; the real programs are in programs.py and
share Row.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..measure.launch import Shot, failure_of
from ..records import runfile
from . import suite

TIMEOUT_S = 20
REST_S = 1.1  # a little more than the second after which memory is looked at
LAUNCH_METRICS = ("wall_s", "user_s", "sys_s", "maxrss_kib", "hwm_kib", "minflt", "majflt",
                  "nvcsw", "nivcsw")


@dataclass
class Outcome:
    metric: dict[str, Any] = field(default_factory=dict)
    checksum: str | None = None
    segments: list[Any] | None = None  # ns per op of each part of the timed region
    hists: dict[str, Any] = field(default_factory=dict)  # operation -> histogram of latencies
    failure: str | None = None
    detail: str | None = None  # the last words on stderr of a run that failed
    exit: int | None = None


def last_words(path: Path) -> str | None:
    """The end of what a failed program said, for the record; its paths would be this machine's."""
    text = Path(path).read_text(errors="replace").strip() if Path(path).exists() else ""
    words = text.splitlines()[-1] if text else ""
    return runfile.without_paths(words)[:200] or None


def numbers(said: dict[str, Any]) -> dict[str, float]:
    """The fields of a report that are one number."""
    return {name: value for name, value in said.items()
            if isinstance(value, (int, float)) and not isinstance(value, bool)}


def significant(x: float, digits: int = 5) -> float:
    return float(f"{x:.{digits}g}")


@dataclass(frozen=True)
class Row:
    """A command that ends by itself; score: wall time, checksum: everything it printed."""

    name: str
    argv: tuple[Any, ...]
    timeout_s: float
    threads: int = 1
    memory: str = "ratio"  # or "absolute": too little alive, or work that depends on speed
    memory_field: str = suite.PEAK
    env: dict[str, Any] = field(default_factory=dict, hash=False)
    score: str = "wall_s"
    unit: str = "s"
    program: str = suite.PROGRAM  # of harness/
    rest_s: float = REST_S  # of a memory run, idle after everything was freed

    def record(self) -> dict[str, Any]:
        """The row as it stands in runs.jsonl; "group" is the program there, not that of a mean."""
        return {
            "workload": self.name, "group": self.program, "threads": self.threads,
            "args": " ".join(Path(a).name for a in self.argv), "score": self.score,
            "unit": self.unit, "direction": "lower is better", "memory": self.memory,
            "memory_field": self.memory_field, "timeout_s": self.timeout_s,
        }

    def command(self, shot: Shot) -> tuple[Any, ...]:
        return self.argv

    def measure(self, shot: Shot) -> Outcome:
        stdout = Path(shot.launcher.scratch) / "stdout"
        stderr = Path(shot.launcher.scratch) / "stderr"
        report = shot.launcher.run(shot, self.command(shot), self.timeout_s, stdout, stderr,
                                   self.env)
        outcome = Outcome(failure=failure_of(report), exit=report["exit"])
        outcome.metric = {k: report[k] for k in LAUNCH_METRICS if report.get(k) is not None}
        if outcome.failure is None:
            self.read(stdout, outcome)
        if outcome.failure is not None:
            outcome.detail = last_words(stderr)
        return outcome

    def read(self, stdout: Path, outcome: Outcome) -> None:
        outcome.checksum = hashlib.sha256(stdout.read_bytes()).hexdigest()[:16]


@dataclass(frozen=True)
class Workload(Row):
    """A program of harness/: it prints its own numbers, and checks what it wrote.

    It ends with status 1 when the allocator handed out wrong memory, and says in `fixed_work`
    whether its checksum is the same for every allocator.
    """

    insn_args: tuple[Any, ...] | None = None  # where counting instructions needs other arguments

    def command(self, shot: Shot) -> tuple[Any, ...]:
        rest_s = shot.sample.rest_s if shot.sample else 0
        return (*self.argv, "--rest", f"{rest_s:g}") if rest_s else self.argv

    def measure(self, shot: Shot) -> Outcome:
        outcome = super().measure(shot)
        if outcome.failure == "exit 1":
            outcome.failure = "wrong data"
        return outcome

    def read(self, stdout: Path, outcome: Outcome) -> None:
        try:
            said = json.loads(stdout.read_text().splitlines()[-1])
            outcome.metric = numbers(said) | outcome.metric  # of both, what the launcher saw
            outcome.metric[self.score] = float(said[self.score])
            outcome.metric[self.memory_field] = float(outcome.metric[self.memory_field])
            outcome.segments = [significant(x) for x in said.get("segments_ns_per_op", [])] or None
            outcome.hists = said.get("hists", {})
            errors = said["errors"]
        except (ValueError, KeyError, IndexError, TypeError):
            outcome.failure = "no result"
            return
        if errors:
            outcome.failure = "wrong data"
        if said.get("fixed_work", True):
            outcome.checksum = str(said.get("checksum"))


def declared(toml_path: Path, executables: Any) -> Any:
    """The rows of workloads.toml, and the names of those whose program was not built."""
    rows, absent = [], []
    for entry in suite.read(toml_path).rows:
        program = entry["program"]
        if program not in executables:
            absent.append((entry["name"], f"needs {program}"))
            continue
        rows.append(Workload(
            name=entry["name"],
            argv=(executables[program], *entry["args"].split(), "--json"),
            timeout_s=TIMEOUT_S,
            threads=entry["threads"],
            memory=entry.get("memory", "ratio"),
            memory_field=entry.get("memory_field", suite.PEAK),
            score=entry.get("score", "ns_per_op"),
            unit=entry.get("unit", "ns/op"),
            rest_s=entry.get("rest_s", REST_S),
            program=program,
            insn_args=tuple(entry["insn_args"].split()) if "insn_args" in entry else None,
        ))
    return rows, absent
