# SPDX-License-Identifier: MIT
"""stores.py: the rows that change something on disk: git's repack, and rocksdb's db_bench.

Called by programs.py. Before each run, untimed, the store is put back to what it was; after it,
also untimed and without the allocator under test, the checksum is taken of what the store holds
or what the program found in it, since what these programs print contains times.
"""

import hashlib
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..measure.launch import Shot
from .workload import Outcome, Row

GIT_ENV = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}


def plain_env(home: Any) -> Any:
    """Nothing of the user's: a GIT_DIR of a hook that started us would be taken for ours."""
    return {"PATH": "/usr/bin:/bin", "HOME": str(home)} | GIT_ENV


def make_repository(git: Any, folder: Path, stream: Any) -> None:
    """A bare repository from a fast-import stream."""
    subprocess.run([git, "init", "-q", "--bare", str(folder)], env=plain_env(folder), check=True)
    subprocess.run([git, "-C", str(folder), "fast-import", "--quiet", "--done"],
                   env=plain_env(folder), input=stream.encode(), check=True)


@dataclass(frozen=True)
class GitRow(Row):
    """Everything packed again, all deltas sought anew. The memory is the largest process's."""

    def measure(self, shot: Shot) -> Any:
        scratch = Path(shot.launcher.scratch)
        shutil.rmtree(scratch / "packed.git", ignore_errors=True)
        shutil.copytree(scratch / "origin.git", scratch / "packed.git")
        return super().measure(shot)

    def read(self, stdout: Path, outcome: Outcome) -> None:
        """Every object is there and hashes to its name; and they are those that were there."""
        folder = stdout.parent / "packed.git"

        def git(*words: Any) -> Any:
            return subprocess.run([self.argv[0], "-C", str(folder), *words], capture_output=True,
                                  env=plain_env(folder), check=False)

        listing = git("rev-list", "--all", "--objects")
        if git("fsck", "--full", "--strict").returncode or listing.returncode:
            outcome.failure = "wrong data"
        outcome.checksum = hashlib.sha256(listing.stdout).hexdigest()[:16]


@dataclass(frozen=True)
class DbBenchRow(Row):
    """db_bench prints a line a benchmark: its name and what it found count, its times do not."""

    def measure(self, shot: Shot) -> Any:
        shutil.rmtree(Path(shot.launcher.scratch) / "rocksdb", ignore_errors=True)
        return super().measure(shot)

    def read(self, stdout: Path, outcome: Outcome) -> None:
        said = re.findall(r"^(\w+) +: .*? (\d+) operations;.*?(\([^()]*found[^()]*\))?$",
                          stdout.read_text(errors="replace"), re.MULTILINE)
        if len(said) != self.benchmarks():
            outcome.failure = "no result"
        outcome.checksum = hashlib.sha256(repr(said).encode()).hexdigest()[:16]

    def benchmarks(self) -> Any:
        listed = next(a for a in self.argv if a.startswith("--benchmarks="))
        return listed.count(",") + 1
