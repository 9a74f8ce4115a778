# SPDX-License-Identifier: MIT
"""latex.py: the tables of a session for a paper: booktabs, longtable, no other macros.

Called by render.py. tables.tex compiles alone, and can be \\input into a document that loads
booktabs, longtable and xcolor: it begins a document only where none has begun.
"""

from ..analyse.summary import Summary
from . import caption
from .cells import Entry, Grid
from .grids import all_grids

ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''",
    "\u00b1": r"$\pm$", "\u00b5": r"$\mu$", "\u00d7": r"$\times$", "\u2026": r"\ldots{}",
    "\u202f": r"\,", "\u00a0": "~",
}
# \begin{document} makes @nodocument \relax: so this finds out whether a document has begun.
OPEN = r"""\expandafter\ifx\csname @nodocument\endcsname\relax
  \def\allocbenchclose{}
\else
  \documentclass[10pt]{article}
  \usepackage[T1]{fontenc}
  \usepackage[a4paper,landscape,margin=12mm]{geometry}
  \usepackage{booktabs,longtable,xcolor}
  \begin{document}
  \def\allocbenchclose{\end{document}}
\fi"""


def escaped(text: str) -> str:
    """Text that means itself; characters that the fonts have not got are named by their number."""
    return "".join(ESCAPES.get(c) or (c if ord(c) < 128 else f"U+{ord(c):04X}") for c in text)


def entry_text(entry: Entry) -> str:
    text = escaped(entry.text)
    if entry.is_strong:
        return rf"\textbf{{{text}}}"
    return rf"\textcolor{{gray}}{{{text}}}" if entry.kind == "open" else text


def table(grid: Grid, note: str) -> str:
    columns = "l" + "r" * (len(grid.head) - 1)
    head = " & ".join(rf"\textbf{{{escaped(h)}}}" for h in grid.head) + r" \\"
    lines = [
        rf"\begin{{longtable}}{{@{{}}{columns}@{{}}}}",
        rf"\caption{{{escaped(grid.title)}. {escaped(grid.note)} {escaped(note)}}}"
        rf"\label{{tab:{grid.key}}}\\",
        r"\toprule", head, r"\midrule", r"\endfirsthead",
        r"\toprule", head, r"\midrule", r"\endhead",
        r"\bottomrule", r"\endlastfoot",
    ]
    last = len(grid.lines) - grid.tail
    for place, line in enumerate(grid.lines):
        if grid.tail and place == last:
            lines.append(r"\midrule")
        lines.append(" & ".join(entry_text(e) for e in line) + r" \\")
    return "\n".join([*lines, r"\end{longtable}", ""])


def document(summary: Summary) -> str:
    parts = ["% Made by compare report from runs.jsonl: edit nothing here.", OPEN,
             r"{\tiny\setlength{\tabcolsep}{2pt}\setlength{\LTcapwidth}{\linewidth}", ""]
    note = caption.short(summary)
    parts += [table(grid, note) for grid in all_grids(summary)]
    notes = [*caption.versions(summary), *caption.footnotes(summary)]
    parts += [r"\begin{itemize}", *[rf"\item {escaped(line)}" for line in notes],
              r"\end{itemize}", "}", r"\allocbenchclose", ""]
    return "\n".join(parts)
