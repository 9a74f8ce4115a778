# SPDX-License-Identifier: MIT
"""report.py: everything a reader gets of a result folder, made from its runs.jsonl.

Called by bench_compare.py, and by hand: `report.py results/<folder>` renders the folder again,
byte for byte the same: summary.md, summary.csv, tables.tex, report.html, plots/*.svg. The same
command packs a folder that is to be kept and lists those that are, imports and exports other tools'
formats, and writes README's table; see --help.
"""

import argparse
import sys
from pathlib import Path

import charts
import export
import kept
import latex
import mimalloc_bench
import page
import readme_table
import records
import text
from caption import caption  # noqa: F401 (part of what this module offers)
from summary import Summary
from text import terminal


def load(folder):
    return Summary(records.read(records.runs_of(folder)))


def write_plots(folder, plots):
    """Writes the charts; what an earlier rendering drew and this one does not is removed."""
    (folder / "plots").mkdir(exist_ok=True)
    drawn = {folder / plot.file for plot in plots}
    for path in sorted((folder / "plots").glob("*.svg")):
        if path not in drawn:
            path.unlink()
    for plot in plots:
        (folder / plot.file).write_text(plot.svg, encoding="utf-8")


def write(folder):
    """Renders a result folder from its runs; returns the summary for the terminal."""
    folder = Path(folder)
    summary = load(folder)
    plots, absent = charts.all_plots(summary)
    write_plots(folder, plots)
    write_tables(folder, summary)
    for name, made in (
        ("tables.tex", latex.document(summary)),
        ("report.html", page.document(summary, plots, absent)),
    ):
        (folder / name).write_text(made, encoding="utf-8")
    return summary


def write_tables(folder, summary):
    """What a folder that is kept has of its runs."""
    for name, made in (
        ("summary.md", text.markdown(summary)),
        ("summary.csv", text.comma_separated(summary)),
    ):
        (Path(folder) / name).write_text(made, encoding="utf-8")


def pack(folder):
    """Leaves of a folder what is kept in the repository, and the page where it is the newest
    publication; the index beside it follows."""
    folder = Path(folder)
    if records.first(records.runs_of(folder))["plan"].get("mode") != "insn":
        write(folder)
    kept.pack(folder)
    kept.write_index(folder.resolve().parent)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", help="a folder of results/")
    parser.add_argument("readme", nargs="?", help="with --readme: the file to write tables to")
    parser.add_argument("--readme", dest="to_readme", action="store_true",
                        help="write the folder's tables between the marks of a page")
    parser.add_argument("--check", action="store_true",
                        help="with --readme: write nothing; exit 1 when the table differs")
    parser.add_argument("--pack", action="store_true",
                        help="compress the runs, remove what can be rendered again, and list the "
                        "folder in the README.md beside it")
    parser.add_argument("--export", choices=sorted(export.FORMATS),
                        help="print the runs in another tool's format")
    parser.add_argument("--import-mimalloc-bench", metavar="FILE",
                        help="make a result folder of a benchres.csv")
    parser.add_argument("--out", metavar="FOLDER", help="where an import goes")
    parser.add_argument("--base", help="of an import: the allocator that is 1; default: the first")
    return parser


def main(argv):
    parser = arguments()
    given = parser.parse_args(argv)
    if given.import_mimalloc_bench:
        if not given.out:
            parser.error("--import-mimalloc-bench needs --out FOLDER")
        mimalloc_bench.convert(given.import_mimalloc_bench, given.out, given.base)
        given.folder = given.out
    if not given.folder:
        parser.error("which folder?")
    if given.to_readme:
        if not given.readme:
            parser.error("--readme needs FOLDER and the file to write to")
        return readme_table.update(given.folder, given.readme, load(given.folder), given.check)
    if given.pack:
        pack(given.folder)
        return 0
    if given.export:
        sys.stdout.write(export.FORMATS[given.export](load(given.folder)))
        return 0
    sys.stdout.write(terminal(write(given.folder), 160))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
