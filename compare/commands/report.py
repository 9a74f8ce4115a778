# SPDX-License-Identifier: MIT
"""report.py: renders a folder of results, or does what else is done with one that is there.

Called by main.py for `report`. `report results/<folder>` renders the folder again. It also packs a
folder that is to be kept and lists those that are, imports and exports other tools' formats, and
writes README's table; see --help.
"""

import argparse
import sys
from typing import Any

from ..records import mimalloc_bench
from ..report import export, peak_report, readme_table, render
from ..report.tables import terminal


def arguments() -> Any:
    parser = argparse.ArgumentParser(
        prog="compare report", description="Renders a folder of results again.")
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


def main(argv: list[str]) -> int:
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
        return readme_table.update(given.folder, given.readme, render.load(given.folder),
                                   given.check)
    if given.pack:
        render.pack(given.folder)
        return 0
    if given.export:
        sys.stdout.write(export.FORMATS[given.export](render.load(given.folder)))
        return 0
    summary = render.write(given.folder)
    sys.stdout.write(peak_report.markdown(summary) if isinstance(summary, peak_report.Peaks)
                     else terminal(summary, 160))
    return 0
