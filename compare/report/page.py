# SPDX-License-Identifier: MIT
"""page.py: a session as one HTML file: for a phone, a desk, paper, and a screen reader.

Called by render.py. Invariant: nothing is loaded from elsewhere and nothing runs: one file, with
the style (assets/page.css) and the charts inside. The answer comes first, the method last.
"""

import re
from html import escape
from pathlib import Path

from ..analyse.summary import Summary
from . import caption, cells
from .canvas import INK, Plot
from .cells import Entry, Grid
from .grids import all_grids

STYLE = Path(__file__).resolve().parent / "assets" / "page.css"
LARGER = 1.5  # how much a chart may grow beyond its own size
FORMS = {"better": "decided, better", "worse": "decided, worse", "open": "inconclusive"}


def entry_cell(entry: Entry, is_head: bool) -> str:
    text = escape(entry.text)
    if is_head:
        return f'<th scope="row">{text}</th>'
    if entry.is_strong:
        text = f"<strong>{text}</strong>"
    if entry.kind in FORMS:
        return f'<td class="{entry.kind}" title="{FORMS[entry.kind]}">{text}</td>'
    return f'<td class="{entry.kind}">{text}</td>' if entry.kind != "plain" else f"<td>{text}</td>"


def line_row(line: list[Entry]) -> str:
    made = "".join(entry_cell(e, place == 0) for place, e in enumerate(line))
    return f"<tr>{made}</tr>"


def table(grid: Grid) -> str:
    """The table in a box of its own that scrolls, with the first column standing."""
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in grid.head)
    last = len(grid.lines) - grid.tail
    body = "\n".join(line_row(line) for line in grid.lines[:last])
    tail = "\n".join(line_row(line) for line in grid.lines[last:])
    means = f'<tbody class="means">\n{tail}\n</tbody>\n' if tail else ""
    return (f'<section id="{grid.key}">\n<h2>{escape(grid.title)}</h2>\n'
            f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{grid.key}-caption">'
            f'\n<table class="c{min(len(grid.head), 20)}">\n'
            f'<caption id="{grid.key}-caption">{escape(grid.note)}</caption>\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n{means}</table>\n"
            "</div>\n</section>\n")


def inlined(plot: Plot, key: str) -> str:
    """A chart for the inside of the page: its own names, the page's ink, the width of its place."""
    svg = plot.svg[plot.svg.index("<svg"):]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'\bid="', f'id="{key}-', svg)
    svg = re.sub(r'href="#', f'href="#{key}-', svg).replace("url(#", f"url(#{key}-")
    svg = svg.replace(INK, "currentColor")
    head, rest = svg.split(">", 1)
    width = re.findall(r' width="([\d.]+)pt"', head)[0]
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    head += f' role="img" aria-labelledby="{key}-title"'
    head += f' style="max-width:{LARGER * float(width):.0f}pt"'
    rest = re.sub(r"<title>", f'<title id="{key}-title">', rest, count=1)
    return f"{head}>{rest}".strip()


def figure(plot: Plot) -> str:
    key = re.sub(r"\W", "-", Path(plot.file).stem)
    return (f'<figure id="plot-{key}">\n<figcaption><h3>{escape(plot.title)}</h3>'
            f"<p>{escape(plot.note)}</p></figcaption>\n{inlined(plot, key)}\n</figure>\n")


def items(lines: list[str]) -> str:
    return "<ul>\n" + "".join(f"<li>{escape(line)}</li>\n" for line in lines) + "</ul>\n"


def paragraphs(lines: list[str]) -> str:
    return "".join(f"<p>{escape(line)}</p>\n" for line in lines)


def answer(summary: Summary) -> str:
    means, losing = caption.answer(summary)
    rows, arms = len(summary.rows), len(summary.columns)
    made = (f"<p>{rows} workloads, {arms} allocators beside {escape(summary.base)}. Ratios are to "
            f"{escape(summary.base)}, with 95&nbsp;% intervals; lower is better.</p>\n")
    if means:
        made += "<h3>Over all rows, geometric means</h3>\n" + items(means)
    if losing:
        arm = escape(str(caption.subject(summary)))
        made += f"<h3>Where {arm} loses</h3>\n" + items(losing)
    return made + f"<p>{escape(caption.failures(summary))}</p>\n"


def allocators(summary: Summary) -> str:
    lines = []
    for arm in summary.arms:
        values = (arm["missing"] and f"missing: {arm['missing']}") or arm["version"]
        lines.append(f'<tr><th scope="row">{escape(arm["arm"])}</th><td>{escape(values)}</td>'
                     f"<td><code>{escape((arm['sha256'] or 'unknown')[:16])}</code></td></tr>")
    return ('<div class="scroll" role="region" tabindex="0" aria-labelledby="arms-caption">\n'
            '<table class="prose"><caption id="arms-caption">The files that were measured, with '
            "the start of their SHA-256.</caption>\n<thead><tr><th scope=\"col\">allocator</th>"
            '<th scope="col">version</th><th scope="col">file</th></tr></thead>\n<tbody>\n'
            + "\n".join(lines) + "\n</tbody></table></div>\n")


def environment(summary: Summary) -> str:
    env = summary.session["env"]
    said = []
    for key, value in env.items():
        if isinstance(value, dict):
            value = "; ".join(f"{k} {v}" for k, v in value.items())
        elif isinstance(value, list):
            value = ", ".join(map(str, value))
        said.append(f"<dt>{escape(key)}</dt><dd>{escape(str(value))}</dd>")
    return "<dl>\n" + "\n".join(said) + "\n</dl>\n"


def contents(grids: list[Grid], plots: list[Plot], notes: list[str]) -> str:
    links = [("answer", "The answer"), *((grid.key, grid.title) for grid in grids
                                         if not grid.key.startswith("latency-"))]
    if plots:
        links.insert(2, ("charts", "Charts"))
    links += [("method", "Method")] + [("notes", "What failed")] * bool(notes)
    links += [("files", "Files measured"), ("environment", "Environment")]
    made = "".join(f'<li><a href="#{key}">{escape(title)}</a></li>' for key, title in links)
    return f'<nav aria-label="Contents"><ul>{made}</ul></nav>\n'


def charts_section(plots: list[Plot], absent: list[str]) -> str:
    made = "".join(figure(plot) for plot in plots)
    words = f"<p>Without data, and so not drawn: {escape(', '.join(absent))}.</p>\n"
    return (f'<section id="charts">\n<h2>Charts</h2>\n<div class="figures">\n{made}</div>\n'
            + (words if absent else "") + "</section>\n")


def document(summary: Summary, plots: list[Plot], absent: list[str]) -> str:
    grids, notes = all_grids(summary), caption.footnotes(summary)
    title = f"Comparison of allocators, {summary.session['t'][:10]}"
    env = summary.session["env"]
    where = f"{env['cpu']}, {env['cores']} processors, revision {env['revision']}"
    middle = [table(grid) for grid in grids]
    middle.insert(1, charts_section(plots, absent))
    counts = {cells.blocks_of(summary, row) for row in summary.rows}
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE.read_text(encoding='utf-8')}</style>\n"
        "</head>\n<body>\n"
        f"<header>\n<h1>{escape(title)}</h1>\n<p>{escape(where)}; {max(counts, default=0)} "
        "blocks</p>\n</header>\n",
        contents(grids, plots, notes), "<main>\n",
        f'<section id="answer">\n<h2>The answer</h2>\n{answer(summary)}</section>\n', *middle,
        f'<section id="method">\n<h2>Method</h2>\n{paragraphs(caption.caption(summary))}'
        "</section>\n",
        f'<section id="notes">\n<h2>Skipped, failed, refused</h2>\n{items(notes)}</section>\n'
        if notes else "",
        f'<section id="files">\n<h2>Files measured</h2>\n{allocators(summary)}</section>\n',
        f'<section id="environment">\n<h2>Environment</h2>\n{environment(summary)}</section>\n',
        "</main>\n<footer>\n<p>Made from runs.jsonl by compare report; the same file gives "
        "the same page.</p>\n</footer>\n</body>\n</html>\n",
    ]
    return "".join(parts)
