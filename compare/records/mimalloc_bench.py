# SPDX-License-Identifier: MIT
"""mimalloc_bench.py: a benchres.csv of mimalloc-bench becomes a result folder.

Called by `report --import-mimalloc-bench`. The file's lines are `test allocator elapsed rss user
sys page-faults page-reclaims`, separated by spaces, the resident size in KiB, comments with `#`;
times are GNU time's ([[hours:]minutes:]seconds). Several lines of a pair are its repetitions in
order: the n-th of every allocator is taken for a block, which holds where the file was written with
-r. Nothing is known of the machine, and there is no null arm: the caption says both.
"""

import math
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import runfile

FIELDS = ("elapsed", "rss", "user", "sys", "page-faults", "page-reclaims")
UNKNOWN = "unknown"
QUIET = {"foreign_ms": None, "steal_ms": None, "psi_some_us": None, "load1": None, "noisy": False}


def seconds(text: str) -> float | None:
    """`1.5`, `0:01.50` or `1:00:01.5` as seconds; None where it is no time."""
    try:
        total = 0.0
        for part in text.split(":"):
            total = total * 60 + float(part)
    except ValueError:
        return None
    return total if math.isfinite(total) and total > 0 else None


def count(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def metric_of(fields: list[str]) -> tuple[dict[str, float], str | None]:
    """(the numbers of a line, the words on why it has none)."""
    said = dict(zip(FIELDS, fields))
    elapsed, rss = seconds(said.get("elapsed", "")), count(said.get("rss", ""))
    if elapsed is None or not rss:
        return {}, "no result"
    metric = {"wall_s": elapsed, "hwm_kib": rss}
    for key, name in (("user", "user_s"), ("sys", "sys_s"), ("page-faults", "majflt"),
                      ("page-reclaims", "minflt")):
        value = count(said.get(key, ""))
        if value is not None:
            metric[name] = value
    return metric, None


def parsed(lines: list[str]) -> list[tuple[Any, ...]]:
    """[(test, allocator, repetition, metric, words)] of a file's lines."""
    runs: list[tuple[Any, ...]] = []
    seen: dict[tuple[str, ...], int] = {}
    for line in lines:
        fields = line.split()
        if len(fields) < 2 or fields[0].startswith("#") or fields[:2] == ["test", "alloc"]:
            continue
        pair = tuple(fields[:2])
        runs.append((*pair, seen.setdefault(pair, 0), *metric_of(fields[2:])))
        seen[pair] += 1
    return runs


def session(runs: list[tuple[Any, ...]], base: str | None, date: str) -> dict[str, Any] | None:
    arms: list[str] = list(dict.fromkeys(run[1] for run in runs))
    base = base or arms[0]
    if base not in arms:
        sys.exit(f"{base} is not in the file: it has {', '.join(arms)}")
    arms.sort(key=lambda name: int(name != base))
    env = dict.fromkeys(("cpu", "kernel", "thp_enabled", "libc", "revision"), UNKNOWN)
    return {
        "rec": "session", "id": "imported", "t": date,
        "env": env | {"cores": 0, "programs": {}},
        "plan": {"seed": 1, "input_seed": 0, "blocks": max(run[2] for run in runs) + 1,
                 "quiet": True, "time_budget_s": 0, "base": base, "null_of": None,
                 "design": "as in the file", "imported": "mimalloc-bench"},
        "arms": [{"arm": name, "kind": "system" if name == base else "peer", "file": None,
                  "sha256": None, "version": UNKNOWN, "missing": None} for name in arms],
        "workloads": [{"workload": test, "group": "mimalloc-bench", "threads": 1, "args": test,
                       "score": "wall_s", "unit": "s", "direction": "lower is better",
                       "memory": "ratio", "memory_field": "hwm_kib", "timeout_s": 0}
                      for test in dict.fromkeys(run[0] for run in runs)],
        "absent": [],
    }


def convert(path: Path | str, folder: Path | str, base: str | None = None) -> None:
    """Writes FOLDER/runs.jsonl. Dated by the file, so that the same file gives the same bytes."""
    path, folder = Path(path), Path(folder)
    runs = parsed(path.read_text(encoding="utf-8", errors="replace").splitlines())
    if not runs:
        sys.exit(f"{path.name} holds no line of mimalloc-bench")
    changed = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
    first = session(runs, base, changed.strftime("%Y-%m-%dT%H:%M:%SZ"))
    folder.mkdir(parents=True, exist_ok=True)
    for name in (runfile.RUNS, runfile.PACKED):
        (folder / name).unlink(missing_ok=True)
    writer = runfile.Journal(folder / "runs.jsonl")
    writer.write(first)
    for slot, (test, arm, block, metric, words) in enumerate(runs):
        writer.write({
            "rec": "run", "block": block, "slot": slot, "workload": test, "arm": arm, "cpu": None,
            "env_pad": 0, "metric": metric, "checksum": None, "noise": QUIET,
            "valid": words is None, "reason": words, "detail": None, "exit": None})
    for block in range(max(run[2] for run in runs) + 1):
        writer.write({"rec": "block_end", "block": block})
    writer.close()
