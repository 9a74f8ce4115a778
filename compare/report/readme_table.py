# SPDX-License-Identifier: MIT
"""readme_table.py: the tables of a result folder that stand in README.md and docs/measured.md.

Called by `report --readme`. Means are taken over one group of rows at a time, as workloads.toml
declares them, and over peaks alone where they are of memory; what is resident or copied at some
other moment is not a peak, and stands row by row. Invariant: what stands between the marks is a
function of the folder and of these declarations; --check finds any other text there.
"""

import dataclasses
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..analyse.summary import Summary, TIME, Table
from ..workloads import suite
from . import caption, cells
from .cells import Entry, Grid
from .tables import piped

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
SHORT_BEGIN, SHORT_END = "<!-- results in short: begin -->", "<!-- results in short: end -->"
FULL_PAGE = "docs/measured.md"
WORST = 3
COLUMNS = 100
AHEAD, LEVEL, BEHIND = "ahead", "undecided", "behind"


def counted(rows: list[dict[str, dict[int, float]]]) -> Any:
    return f"{len(rows)} row" + ("" if len(rows) == 1 else "s")


def with_ratio(summary: Summary, table: Table, is_peak: Any = True) -> Any:
    """The rows that have a ratio, in memory those whose memory is a peak, or those whose is not."""
    rows = [row for row in summary.rows if row["workload"] in table.delta]
    if table.metric == TIME:
        return rows
    return [row for row in rows if (row.get("memory_field", suite.PEAK) == suite.PEAK) == is_peak]


def groups(summary: Summary, declared: Any) -> Iterator[Any]:
    """(table, label, rows) of each group that has rows: first time, then peak memory."""
    for table, word in ((summary.time, "time"), (summary.memory, declared.measures[suite.PEAK])):
        rows = [row for row in with_ratio(summary, table) if not declared.cliff(row)]
        for group, title in declared.groups.items():
            held = [row for row in rows if declared.group(row) == group]
            if held:
                yield table, f"{word}, {title} ({counted(held)})", held


def mean_entry(summary: Summary, table: Table, rows: list[dict[str, dict[int, float]]],
               arm: str) -> Any:
    held = [cell for row in rows if (cell := table.cells[row["workload"], arm]).estimate]
    if not held:
        return Entry("-", "mean")
    seed = [summary.seed, len(summary.rows), summary.columns.index(arm)]
    return cells.mean_of(summary.mean(held, seed), len(held), len(rows))


def grid(summary: Summary, title: str, lines: list[list[Entry]]) -> Grid:
    return Grid("readme", title, "", ["ratio to " + summary.base, *summary.columns], lines)


def mean_grid(summary: Summary, declared: Any) -> Grid:
    lines = []
    for table, label, rows in groups(summary, declared):
        means = [mean_entry(summary, table, rows, arm) for arm in summary.columns]
        lines.append([Entry(label, "label"), *means])
    return grid(summary, "Geometric means, by group", lines)


def row_lines(summary: Summary, declared: Any, table: Table,
              rows: list[dict[str, dict[int, float]]]) -> Iterator[Any]:
    for row in rows:
        word = "time" if table is summary.time else declared.measure(row)
        line = [cells.cell_entry(table, row, arm) for arm in summary.columns]
        yield [Entry(f"{word}, {cells.row_label(row)}", "label"), *line]


def rest_grid(summary: Summary, declared: Any) -> Grid:
    table = summary.memory
    rows = with_ratio(summary, table, is_peak=False)
    return grid(summary, "Memory that is no peak",
                list(row_lines(summary, declared, table, rows)))


def worst_grid(summary: Summary, declared: Any) -> Grid:
    arm = caption.subject(summary)
    lines: list[list[Entry]] = []
    for table in (summary.time, summary.memory):
        peaks = with_ratio(summary, table)
        lost = [row for _, row in caption.losses(summary, table, arm) if row in peaks]
        lines += row_lines(summary, declared, table, lost[:WORST])
    return grid(summary, f"The worst rows of {arm} against {summary.base}", lines)


def program_grid(summary: Summary, declared: Any) -> Grid:
    rows = [row for row in summary.rows if declared.group(row) == suite.PROGRAMS]
    return grid(summary, declared.groups[suite.PROGRAMS].capitalize(),
                list(row_lines(summary, declared, summary.time, rows)))


# ---- wins, ties and losses ----


def interval_of(table: Table, name: str, arm: str | None) -> Any:
    estimate = table.cells[name, arm].estimate
    return estimate if estimate and cells.has_interval(estimate) else None


def standing(summary: Summary, table: Table, name: str, arm: str | None, rivals: Any) -> Any:
    """Where an arm stands in a row against the baseline and the rivals; None without an interval.

    Behind: some other's whole interval is below its own, by more than delta; ahead: its own is
    below those of all."""
    own, margin = interval_of(table, name, arm), 1 + table.delta[name]
    if own is None:
        return None
    others = [(e.low, e.high) for r in rivals if (e := interval_of(table, name, r))] + [(1, 1)]
    if any(high * margin < own.low for _, high in others):
        return BEHIND
    return AHEAD if all(own.high * margin < low for low, _ in others) else LEVEL


def standing_grid(summary: Summary, declared: Any) -> Grid:
    arm = caption.subject(summary)
    kinds = {a["arm"]: a["kind"] for a in summary.arms}
    rivals = [a for a in summary.columns if kinds[a] != kinds[arm]]
    made = Grid("standing", f"{arm} against the best other allocator of each row", "",
                ["rows", AHEAD, LEVEL, BEHIND])
    lines = list(groups(summary, declared))
    others = with_ratio(summary, summary.memory, is_peak=False)
    if others:
        lines.append((summary.memory, f"memory that is no peak ({counted(others)})", others))
    for table, label, rows in lines:
        found = [standing(summary, table, row["workload"], arm, rivals) for row in rows]
        counts = [Entry(str(found.count(word))) for word in (AHEAD, LEVEL, BEHIND)]
        made.lines.append([Entry(label, "label"), *counts])
    return made


# ---- the words below ----


def versions(summary: Summary) -> Any:
    return ", ".join(f"{arm['arm']} ({caption.version(arm) if arm['missing'] else arm['version']})"
                     for arm in summary.arms if arm["kind"] in ("system", "peer"))


def longest_s(summary: Summary) -> Any:
    return max((run["metric"].get("wall_s", 0) for run in summary.counted if run["valid"]),
               default=0)


def not_shown(summary: Summary) -> Any:
    """What the tables must not be taken for."""
    cores, rows = summary.session["env"]["cores"], summary.rows
    absolute = [row for row in rows if row["memory"] == "absolute"]
    lines = [f"another machine, or more than {cores} processors",
             "other versions of these allocators",
             "other programs (an interval is about these rows measured again)"]
    if longest_s(summary):
        lines.append(f"long runs (none took more than {longest_s(summary):.1f} s)")
    if absolute:
        lines.append(f"the memory of {len(absolute)} of the {len(rows)} rows, which has no ratio "
                     "(too little is alive, or it depends on speed or on chance)")
    if summary.layouts == 1:
        lines.append(f"differences below {100 * caption.SMALL:g} %, which the order of the objects "
                     "in a library alone may make")
    return "What the tables do not show: " + "; ".join(lines) + "."


def filled(texts: Any) -> Any:
    return [textwrap.fill(text, COLUMNS, break_long_words=False, break_on_hyphens=False)
            for text in texts]


def about(summary: Summary) -> Any:
    env = summary.session["env"]
    return (f"{env['cpu']}, {env['cores']} processors, {summary.session['t'][:10]}, revision "
            f"{env['revision']}, {caption.blocks_text(summary)} blocks a row; 95 % intervals; "
            f"lower is better; bold: decided. Compared: {versions(summary)}.")


def words(summary: Summary, declared: Any, root: Any) -> Any:
    file = f"compare/{suite.DECLARED.name}"
    cliffs = [f"{row['workload']} ({why})" for row in summary.rows if (why := declared.cliff(row))]
    means = (f"The groups are declared in [{file}]({root}{file}). In a mean each row of the group "
             "weighs the same; there is none over groups."
             + (f" In no mean, and in no count: {', '.join(cliffs)}." if cliffs else ""))
    return filled([about(summary), means, not_shown(summary)])


def block(folder: Path, summary: Summary, declared: Any, root: Any = "../") -> str:
    """All tables, for a page whose links to the repository's root begin with `root`."""
    name = Path(folder).resolve().name
    grids = [mean_grid(summary, declared), rest_grid(summary, declared)]
    if caption.subject(summary):
        grids += [worst_grid(summary, declared), standing_grid(summary, declared)]
    grids.append(program_grid(summary, declared))
    parts = [f"{made.title}:\n\n{piped(made)}" for made in grids if made.lines]
    return "\n\n".join([BEGIN, *parts, *words(summary, declared, root),
                        f"All rows: [results/{name}]({root}results/{name}/summary.md).", END])


def narrowed(summary: Summary, made: Grid, arm: str) -> Grid:
    """The grid without the other arms of the same kind as `arm`."""
    kinds = {a["arm"]: a["kind"] for a in summary.arms}
    kept = [0] + [place for place, column in enumerate(summary.columns, 1)
                  if column == arm or kinds[column] != kinds[arm]]
    lines = [[line[place] for place in kept] for line in made.lines]
    return dataclasses.replace(made, head=[made.head[place] for place in kept], lines=lines)


def short_block(folder: Path, summary: Summary, declared: Any) -> str:
    """What README shows: the means with the standing of one arm, and its worst rows."""
    name, arm = Path(folder).resolve().name, caption.subject(summary)
    means, parts = mean_grid(summary, declared), []
    if arm:
        means, standings = narrowed(summary, means, arm), standing_grid(summary, declared)
        means.head.append(f"{AHEAD} / {LEVEL} / {BEHIND}")
        for line, counts in zip(means.lines, standings.lines):
            line.append(Entry(" / ".join(entry.text for entry in counts[1:]), "mean"))
        worst = narrowed(summary, worst_grid(summary, declared), arm)
        parts = [f"{worst.title}:\n\n{piped(worst)}"] if worst.lines else []
    more = ("More tables, the means of the other variants, and what the tables do not show: "
            f"[{FULL_PAGE}]({FULL_PAGE}).")
    return "\n\n".join([SHORT_BEGIN, piped(means), *parts, *filled([about(summary), more]),
                        f"All rows: [results/{name}](results/{name}/summary.md).", SHORT_END])


def update(folder: str | Path, readme: Any, summary: Summary, check: bool,
           declared: Any = None) -> int:
    """Writes the block whose marks a page has, or compares; the exit status."""
    path = Path(readme)
    have = path.read_text(encoding="utf-8")
    makers: tuple[tuple[str, str, Callable[..., str]], ...] = (
        (BEGIN, END, block), (SHORT_BEGIN, SHORT_END, short_block))
    for begin, end, maker in makers:
        if begin in have and end in have:
            break
    else:
        sys.exit(f"{path.name}: no marks {BEGIN} and {END}")
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
    made = maker(folder, summary, declared or suite.read())
    wanted = pattern.sub(lambda _: made, have, count=1)
    if check:
        if wanted != have:
            print(f"{path.name}: the table is not that of {Path(folder).name}: "
                  f"compare report --readme FOLDER {path.name} writes it")
        return int(wanted != have)
    path.write_text(wanted, encoding="utf-8")
    return 0


def folder_named(readme: Any) -> Any:
    """The result folder that a page's tables say they are of; None without one."""
    have = Path(readme).read_text(encoding="utf-8")
    inside = re.search("<!-- results.*?: begin -->(.*?)<!-- results.*?: end -->", have, re.S)
    named = inside and re.search(r"\]\(((?:\.\./)?results/[^/)]+)/", inside.group(1))
    return (Path(readme).resolve().parent / named.group(1)).resolve() if named else None
