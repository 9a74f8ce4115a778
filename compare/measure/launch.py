# SPDX-License-Identifier: MIT
"""launch.py: one process, started through the C launcher of harness/.

Called by the rows (workload.py, programs.py). A process started from Python would inherit the
peak of Python's own memory; the launcher is small, sets affinity, padding and preloads, waits, and
prints one JSON line. The environment is a whitelist plus what the row asks for, and nothing of the
user's: MALLOC_*, GLIBC_TUNABLES, HAKMEM_* and the like never reach a measured process.
"""

import json
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GRACE_S = 15  # the launcher ends its child by itself; this is for a launcher that hangs


class CannotMeasure(RuntimeError):
    """The comparison cannot go on, and says why: not an allocator's failure, but ours."""


@dataclass(frozen=True)
class Sample:
    """That the launcher is to follow the program's memory; never in a timed run."""

    interval_ms: float
    out: str  # the file of samples
    rest_s: float = 0  # how long the program is to stay idle at its end, where it can
    with_ledger: bool = True  # that live bytes are counted as well


@dataclass(frozen=True)
class Shot:
    """How one run is to be made: everything but the program."""

    launcher: "Launcher"
    preloads: tuple[Any, ...] = ()
    cpu: int | None = None
    env_pad: int = 0
    env: dict[str, Any] = field(default_factory=dict)
    sample: Sample | None = None
    trace: Any = None  # a kernel.Trace: what runs the program instead; never timed


def failure_of(report: dict[str, Any]) -> str | None:
    """Why the run counts for nothing, in the words of the table; None when it ended well."""
    if report["timeout"]:
        return "timeout"
    if report["signal"]:
        return "crash " + signal.Signals(report["signal"]).name
    if report["exit"]:
        return f"exit {report['exit']}"
    return None


def is_timeout(failure: str | None) -> bool:
    """Late, or for ever? On a disturbed machine nobody knows. Also of the client of a server."""
    return failure in ("timeout", "client timeout")


class Launcher:
    def __init__(self, path: str, scratch: Path | str) -> None:
        self.path = path
        self.scratch = scratch
        self.env = {
            "PATH": "/usr/bin:/bin", "HOME": str(scratch), "TMPDIR": str(scratch),
            "LANG": "C.UTF-8", "TZ": "UTC",
        }

    def start(self, shot: Shot, argv: Any, timeout_s: float, stdout: Path, stderr: Path,
              env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        command = [self.path, "--timeout", f"{timeout_s:g}", "--env-pad", str(shot.env_pad)]
        if shot.cpu is not None:
            command += ["--cpu", str(shot.cpu)]
        preloads = shot.preloads
        if shot.trace is not None:
            preloads, argv = (), shot.trace.command(shot.preloads, argv)
        for library in preloads:
            command += ["--preload", library]
        if shot.sample is not None:
            command += ["--sample-ms", f"{shot.sample.interval_ms:g}", "--sample-out",
                        shot.sample.out]
            command += ["--ledger"] if shot.sample.with_ledger else []
        command += ["--stdout", str(stdout), "--stderr", str(stderr), "--", *argv]
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=self.scratch, env=self.env | (env or {}) | shot.env, text=True,
        )

    def finish(self, process: subprocess.Popen[str], timeout_s: float) -> Any:
        """The launcher's report, after its child has ended."""
        try:
            out, err = process.communicate(timeout=timeout_s + GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise CannotMeasure(f"the launcher did not end after {timeout_s:g} s") from None
        lines = out.splitlines()
        if not lines:
            raise CannotMeasure(f"the launcher said nothing: {err.strip()}")
        return json.loads(lines[-1])

    def run(self, shot: Shot, argv: Any, timeout_s: float, stdout: Path, stderr: Path,
            env: dict[str, str] | None = None) -> Any:
        process = self.start(shot, argv, timeout_s, stdout, stderr, env)
        return self.finish(process, timeout_s)
