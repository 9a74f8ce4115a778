# SPDX-License-Identifier: MIT
"""merging.py: the records of several sessions as those of one.

Called by jobs.py. The sessions must have compared the same files in the same way, else the
merge is refused. Invariant: within a row no two blocks have the same number, and the runs of a
block are those that one machine made next to each other; every line says which machine.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..measure import environment
from ..records import runfile
from ..report import render

# A session must agree in these with the first one.
PLAN_FIELDS = ("base", "null_of", "input_seed", "design", "mode")


class Different(Exception):
    """The sessions did not compare the same things; the sentence says which."""


@dataclass
class Part:
    lines: list[Any]  # the records of one session
    mark: str  # equal for sessions of one machine, and nothing else about it

    @property
    def session(self) -> Any:
        return next(line for line in self.lines if line["rec"] == "session")


def machine_names(parts: Any) -> Any:
    """The machine of each part: its slug, numbered where several machines have the same one."""
    known, names = [], []
    for part in parts:
        session = part.session
        slug = session.get("machine") or environment.machine_slug(session["env"])
        if (slug, part.mark) not in known:
            known.append((slug, part.mark))
        names.append((slug, part.mark))
    count = Counter(slug for slug, _ in known)
    numbers = {name: 1 + [k for k in known if k[0] == name[0]].index(name) for name in known}
    return [name[0] if count[name[0]] == 1 else f"{name[0]}-{numbers[name]}" for name in names]


def check_arms(first: dict[str, Any], other: dict[str, Any], machine: str) -> None:
    ours = {a["arm"]: a["sha256"] for a in first["arms"]}
    theirs = {a["arm"]: a["sha256"] for a in other["arms"]}
    if ours.keys() != theirs.keys():
        names = ", ".join(sorted(ours.keys() ^ theirs.keys()))
        raise Different(f"not every job has the arms {names}")
    for arm, digest in ours.items():
        if theirs[arm] != digest:
            raise Different(f"the arm {arm} is another file on {machine}: its sha256 differs. "
                            "Machines of one campaign need the same libraries")


def check(sessions: list[dict[str, Any]], machines: list[str]) -> None:
    rows: dict[str, Any] = {}
    for session, machine in zip(sessions, machines):
        check_arms(sessions[0], session, machine)
        for name in PLAN_FIELDS:
            if session["plan"].get(name) != sessions[0]["plan"].get(name):
                raise Different(f"the jobs differ in their plan: {name}")
        for row in session["workloads"]:
            if rows.setdefault(row["workload"], row) != row:
                raise Different(f"the row {row['workload']} is another one on {machine}")


def one_session(sessions: list[dict[str, Any]], machines: list[str], name: str,
                plan: dict[str, Any]) -> Any:
    rows = {row["workload"]: row for s in sessions for row in s["workloads"]}
    absent = {a["workload"]: a for s in sessions for a in s["absent"]}
    envs: dict[str, Any] = {}
    for session, machine in zip(sessions, machines):
        envs.setdefault(machine, session["env"])
    first, blocks = sessions[0], [s["plan"]["blocks"] for s in sessions]
    if plan["split"] == "blocks" and None not in blocks:
        blocks = [sum(blocks)]
    return first | {
        "id": name,
        "t": min(s["t"] for s in sessions),
        "machine": machines[0],
        "machines": envs,
        "workloads": list(rows.values()),
        "absent": [a for row, a in absent.items() if row not in rows],
        "jobs": [{"id": s["id"], "t": s["t"], "machine": machine, "seed": s["plan"]["seed"]}
                 for s, machine in zip(sessions, machines)],
        "plan": first["plan"] | {
            "seed": plan["seed"], "split": plan["split"], "blocks": blocks[0],
            "quiet": all(s["plan"]["quiet"] for s in sessions)},
    }


def ends_by_row(part: Any) -> Iterator[Any]:
    """The lines of a part, where the end of a block stands for one row of this part only."""
    rows = [row["workload"] for row in part.session["workloads"]]
    for line in part.lines:
        if line["rec"] == "block_end" and "workload" not in line:
            for row in rows:
                yield line | {"workload": row, "attempt": 0, "counts": True, "reason": None}
        elif line["rec"] != "session":
            yield line


def renumbered(parts: Any, machines: list[str]) -> Iterator[Any]:
    """All lines but the sessions. The blocks of a part keep their distances, so that what the
    rows of one block share stays together; they begin behind all blocks its rows have."""
    behind: Counter[str] = Counter()  # row name -> the first block number that is free
    for part, machine in zip(parts, machines):
        lines = list(ends_by_row(part))
        rows = {row["workload"] for row in part.session["workloads"]}
        offset = max(behind[row] for row in rows)
        for line in lines:
            if "block" in line:
                line = line | {"block": line["block"] + offset}
                behind[line["workload"]] = max(behind[line["workload"]], line["block"] + 1)
            yield line | {"machine": machine}


def merged(parts: Any, name: str, plan: dict[str, Any]) -> Any:
    """The lines of the campaign; `plan` is its plan.json."""
    if not parts:
        raise Different("no job is finished")
    sessions, machines = [part.session for part in parts], machine_names(parts)
    check(sessions, machines)
    return [one_session(sessions, machines, name, plan), *renumbered(parts, machines)]


def write(lines: list[dict[str, Any]], folder: str | Path) -> Any:
    """The result folder of the campaign, rendered."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    session = lines[0]
    machines = session["machines"] if len(session["machines"]) > 1 else {}
    env = session["env"] | ({"machines": machines} if machines else {})
    (folder / "env.json").write_text(json.dumps(env, indent=2) + "\n", encoding="utf-8")
    writer = runfile.Journal(folder / "runs.jsonl")
    writer.write(*lines)
    writer.close()
    return render.write(folder)
