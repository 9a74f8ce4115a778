# SPDX-License-Identifier: MIT
"""kept.py: the result folders that are kept in the repository, and the index that lists them.

Called by `report --pack`. A kept folder has env.json, summary.md, summary.csv and its runs
compressed; the rest is rendered again when somebody wants it. The newest publication also has its
report.html, which is what most readers look for. Invariant: the index is a function of the folders;
folders that are not packed are still somebody's own, and not in it.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..records import runfile

RENDERED = ("tables.tex", "plots")  # never kept
PAGE = "report.html"  # kept of the newest publication
INDEX = "README.md"
MEAN = re.compile(r"^\* (?P<arm>.+): (?P<ratio>[\d.]+) \[[^]]*\] of (?P<base>.+)'s time \(", re.M)
HEAD = """# Results

Written by `python3 compare report --pack results/<folder>`: edit nothing here. Each folder has
the tables (`summary.md`, `summary.csv`), the machine (`env.json`) and every single run
(`runs.jsonl.xz`). `python3 compare report results/<folder>` renders all of it again, with the
charts, as one page (`report.html`) and for LaTeX; `xzcat` shows the runs. A ratio below 1 is less
time, or less memory.

| date | machine | revision | question | answer |
|---|---|---|---|---|
"""


def packed(results: str | Path) -> Iterator[Any]:
    """The kept folders with their session lines, the latest first."""
    for path in sorted(Path(results).glob(f"*/{runfile.PACKED}"), reverse=True):
        yield path.parent, runfile.first(path)


def newest_publication(results: str | Path) -> Any:
    """The folder whose page is kept, or None."""
    for folder, session in packed(results):
        if session["plan"].get("mode") == "publish":
            return folder
    return None


def pack(folder: Path) -> None:
    """Compresses the runs and removes what is not kept, here and, of pages, beside it."""
    runfile.pack(folder)
    for name in RENDERED:
        path = Path(folder) / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    results = Path(folder).resolve().parent
    newest = newest_publication(results)
    for other, _ in packed(results):
        if other != newest:
            (other / PAGE).unlink(missing_ok=True)


def difference(session: dict[str, Any]) -> Any:
    """What two builds differ in: options, or else revisions."""
    if session.get("difference"):
        return ", ".join(f"{k}={x} or {y}" for k, (x, y) in session["difference"].items())
    builds = [re.search(r"\((\w+)\)", arm["version"] or "") for arm in session["arms"][:2]]
    return " or ".join(found[1] if found else "a file" for found in builds)


def question(session: dict[str, Any]) -> Any:
    plan, count = session["plan"], len(session["workloads"])
    rows = f"{count} row" if count == 1 else f"{count} rows"
    mode = plan.get("mode", "compare")
    if mode == "curves":
        return f"memory over time, {count} servers"
    if plan.get("imported"):
        return f"imported from {plan['imported']}, {rows}"
    if mode == "ab":
        layouts = f", {plan['layouts']} layouts" if plan.get("layouts", 1) > 1 else ""
        return f"two builds, {difference(session)}{layouts}, {rows}"
    return {
        "compare": "who is faster, who is smaller",
        "publish": "who is faster, who is smaller, in full",
        "calibrate": "what is found between copies of one library",
        "ablate": "what each option is worth",
        "insn": "how many instructions",
    }[mode] + f", {rows}"


def answer(folder: Path, session: dict[str, Any]) -> Any:
    """Of the lines at the head of summary.md the one on our library, or else the first."""
    summary = folder / "summary.md"
    said = summary.read_text(encoding="utf-8") if summary.exists() else ""
    lines = re.findall(r"^\* (.+)$", said.split("\nMachine:")[0], re.M)
    if session["plan"].get("mode") == "ablate" and (means := list(MEAN.finditer(said))):
        least, *_, most = sorted(means, key=lambda m: float(m["ratio"])) * 2
        return (f"from {least['ratio']} ({least['arm']}) to {most['ratio']} ({most['arm']}) of "
                f"{least['base']}'s time")
    own = [arm["arm"] for arm in session["arms"] if arm["kind"] == "hakmem"]
    ours = [line for line in lines if own and line.startswith(f"{own[0]}: ")]
    return ([*ours, *lines] or ["its tables"])[0]


def index(results: str | Path) -> Any:
    lines = []
    for folder, session in packed(results):
        date = f"[{session['t'][:16].replace('T', ' ')}]({folder.name}/summary.md)"
        env = session["env"]
        cells = [date, f"{env['cpu']}, {env['cores']} processors", env["revision"],
                 question(session), answer(folder, session)]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    return HEAD + "".join(lines)


def write_index(results: str | Path) -> None:
    (Path(results) / INDEX).write_text(index(results), encoding="utf-8")
