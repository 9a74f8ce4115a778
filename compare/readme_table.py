# SPDX-License-Identifier: MIT
"""readme_table.py: the short table of a result folder that stands in README.md.

Called by report.py --readme. Invariant: what stands between the marks is a function of the folder;
--check finds any other text there.
"""

import re
import sys
from pathlib import Path

import caption
import cells
from cells import Entry, Grid
from text import piped

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
WORST, NAMED = 3, 6


def mean_lines(summary):
    for table, word in ((summary.time, "time"), (summary.memory, "peak memory")):
        for label, most in table.most.items():
            if most:
                line = [Entry(f"{word}, {label} ({most} rows)", "label")]
                yield line + [cells.mean_entry(table, label, arm) for arm in summary.columns]


def named_rows(summary):
    """(table, row): our worst rows in time and in memory, then the first real programs."""
    arm = caption.subject(summary)
    chosen = {}
    for table in (summary.time, summary.memory):
        found = caption.losses(summary, table, arm)[:WORST] if arm else []
        chosen |= {(table.metric, row["workload"]): (table, row) for _, row in found}
    for row in summary.rows:
        if row["group"] == "program" and len(chosen) < 2 * WORST + NAMED:
            chosen.setdefault((summary.time.metric, row["workload"]), (summary.time, row))
    return list(chosen.values())


def grid_of(summary):
    grid = Grid("readme", "", "", ["ratio to " + summary.base, *summary.columns])
    grid.lines += mean_lines(summary)
    for table, row in named_rows(summary):
        word = "time" if table is summary.time else "peak memory"
        line = [Entry(f"{word}, {cells.row_label(row)}", "label")]
        grid.lines.append(line + [cells.cell_entry(table, row, a) for a in summary.columns])
    return grid


def block(folder, summary):
    """The text between the marks."""
    name = Path(folder).resolve().name
    env = summary.session["env"]
    words = (f"{env['cpu']}, {env['cores']} processors, {summary.session['t'][:10]}, revision "
             f"{env['revision']}, {caption.blocks_text(summary)} blocks a row; 95 % intervals; "
             "lower is better; bold: decided. The rows below the means are the worst of "
             f"{caption.subject(summary)} against {summary.base}, then real programs.")
    return "\n".join([BEGIN, "", piped(grid_of(summary)), "", words,
                      f"All rows: [results/{name}](results/{name}/summary.md).", "", END])


def update(folder, readme, summary, check):
    """Writes the block into README, or compares; the exit status."""
    path = Path(readme)
    have = path.read_text(encoding="utf-8")
    if BEGIN not in have or END not in have:
        sys.exit(f"{path.name}: no marks {BEGIN} and {END}")
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.S)
    wanted = pattern.sub(lambda _: block(folder, summary), have, count=1)
    if check:
        if wanted != have:
            print(f"{path.name}: the table is not that of {Path(folder).name}: "
                  "report.py --readme FOLDER README.md writes it")
        return int(wanted != have)
    path.write_text(wanted, encoding="utf-8")
    return 0


def folder_named(readme):
    """The result folder that README's table says it is of; None without one."""
    have = Path(readme).read_text(encoding="utf-8")
    inside = re.search(re.escape(BEGIN) + "(.*?)" + re.escape(END), have, re.S)
    named = inside and re.search(r"\]\(results/([^/)]+)/", inside.group(1))
    return Path(readme).resolve().parent / "results" / named.group(1) if named else None
