# SPDX-License-Identifier: MIT
"""render.py: everything a reader gets of a result folder, made from its runs.jsonl.

Called by session.py, by merging.py and by the sub-command report. A folder that is rendered again
comes out byte for byte the same: summary.md, summary.csv, tables.tex, report.html, plots/*.svg.
"""

from pathlib import Path
from typing import Any

from ..analyse.summary import Summary
from ..records import runfile
from . import charts, kept, latex, page, peak_report, tables
from .canvas import Plot


def load(folder: str | Path) -> Any:
    """What the folder's runs say: a Summary, or Peaks where servers were followed."""
    lines = runfile.read(runfile.runs_of(folder))
    is_curves = lines[0]["plan"].get("mode") == "curves"
    return peak_report.Peaks(lines) if is_curves else Summary(lines)


def write_plots(folder: Path, plots: list[Plot]) -> None:
    """Writes the charts; what an earlier rendering drew and this one does not is removed."""
    (folder / "plots").mkdir(exist_ok=True)
    drawn = {folder / plot.file for plot in plots}
    for path in sorted((folder / "plots").glob("*.svg")):
        if path not in drawn:
            path.unlink()
    for plot in plots:
        (folder / plot.file).write_text(plot.svg, encoding="utf-8")


def write(folder: str | Path) -> Any:
    """Renders a result folder from its runs; returns the summary for the terminal."""
    folder = Path(folder)
    summary = load(folder)
    if isinstance(summary, peak_report.Peaks):
        write_plots(folder, peak_report.all_plots(summary))
        write_tables(folder, summary)
        return summary
    plots, absent = charts.all_plots(summary)
    write_plots(folder, plots)
    write_tables(folder, summary)
    for name, made in (
        ("tables.tex", latex.document(summary)),
        ("report.html", page.document(summary, plots, absent)),
    ):
        (folder / name).write_text(made, encoding="utf-8")
    return summary


def write_tables(folder: str | Path, summary: Any) -> None:
    """What a folder that is kept has of its runs."""
    made_by: Any = peak_report if isinstance(summary, peak_report.Peaks) else tables
    for name, made in (
        ("summary.md", made_by.markdown(summary)),
        ("summary.csv", made_by.comma_separated(summary)),
    ):
        (Path(folder) / name).write_text(made, encoding="utf-8")


def pack(folder: str | Path) -> None:
    """Leaves of a folder what is kept in the repository, and the page where it is the newest
    publication; the index beside it follows."""
    folder = Path(folder)
    if runfile.first(runfile.runs_of(folder))["plan"].get("mode") != "insn":
        write(folder)
    kept.pack(folder)
    kept.write_index(folder.resolve().parent)
