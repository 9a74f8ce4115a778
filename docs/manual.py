#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""manual.py VERSION PAGE...: prints the manual page hakmem(7), made of the pages for users.

Called by the build. The pages are Markdown of few forms: headings of two levels, paragraphs,
lists, indented code, tables; in a line code, bold, italics and links, whose text is kept.
Invariant: each word of the pages is in the manual, but for names of constants, the targets of
links, and the heads of those tables that become lists.
"""

import os
import re
import sys
import textwrap
import time
from pathlib import Path

NAME = "hakmem \\- a malloc for Linux"
SYNOPSIS = ["LD_PRELOAD=/path/to/libhakmem.so program", "cc program.c -lhakmem"]
COLUMNS = 78
CONSTANT = re.compile(r"\s+\(`HAK_\w+`\)")  # of the code; the value before it is what users need
SEE_ALSO = ["malloc (3)", "malloc_trim (3)", "malloc_info (3)", "malloc_stats (3)", "mallinfo (3)",
            "ld.so (8)"]  # fmt: skip


def escaped(text, is_code=False):
    """Text without a meaning of its own for roff."""
    text = text.replace("\\", "\\e")
    if is_code:
        text = text.replace("-", "\\-")
    text = re.sub(r"[^\x00-\x7f]", lambda m: f"\\[u{ord(m.group(0)):04X}]", text)
    return text


def styled(text):
    """One paragraph's Markdown as roff: code and bold are bold, emphasis is italic."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
    parts = []
    for number, part in enumerate(text.split("`")):
        if number % 2:
            parts.append(f"\\%\\fB{escaped(part, is_code=True)}\\fR")
            continue
        part = escaped(part)
        part = re.sub(r"\*\*([^*]+)\*\*", r"\\fB\1\\fR", part)
        parts.append(re.sub(r"(?<![\w*])\*([^*\s][^*]*)\*", r"\\fI\1\\fR", part))
    return "".join(parts)


def no_request(text):
    """A line of output that roff does not take for a request."""
    return "\\&" + text if text.startswith((".", "'")) else text


def line(text):
    """A paragraph as one line."""
    return no_request(styled(" ".join(text.split())))


def lines_of(text):
    """A paragraph as lines that fit a screen."""
    return [no_request(part) for part in
            textwrap.wrap(styled(" ".join(text.split())), COLUMNS, break_long_words=False,
                          break_on_hyphens=False)]


def cells(row):
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def table(rows):
    """Two columns, or three with a default, are a list of terms; more are a table."""
    head, body = cells(rows[0]), [cells(row) for row in rows[2:]]
    if len(head) == 2:
        return [out for name, text in body for out in (".TP", line(name), *lines_of(text))]
    if head[1] == "default":
        return [out for name, value, text in body for out in
                (".TP", line(f"{name} (default: {value})" if value else name), *lines_of(text))]
    made = [".ad l", ".TS", "tab(@);"]
    made += [" ".join(["lb"] * len(head)), " ".join(["lx"] * len(head)) + "."]
    for row in [head, *body]:
        texts = [line(cell).replace("\\%", "") for cell in row]  # the columns are narrow
        made += ["@".join(f"T{{\n{text}\nT}}" for text in texts), "_"]
    return [*made[:-1], ".TE", ".ad b"]


def listed(block):
    """A bullet list; lines that are indented go on with their item."""
    made = []
    for text in re.split(r"\n?^\* ", "\n".join(block), flags=re.M)[1:]:
        made += [".IP \\(bu 3", *lines_of(text)]
    return made


def converted(block):
    """The roff lines of one block of Markdown lines."""
    first = block[0]
    if first.startswith("#"):
        level, title = first.split(" ", 1)
        return [f".SH {styled(title.upper())}" if level == "#" else f".SS {styled(title)}"]
    if first.startswith("    "):
        code = [escaped(text[4:], is_code=True) for text in block]
        return [".PP", ".RS 4", ".nf", *map(no_request, code), ".fi", ".RE"]
    if first.startswith("|"):
        return table(block)
    if first.startswith("* "):
        return listed(block)
    return [".PP", *lines_of(" ".join(block))]


def blocks(text):
    """Runs of lines that are not empty; a heading is one of its own."""
    return [part.split("\n") for part in re.split(r"\n\s*\n", text.strip("\n"))]


def manual(version, pages, date):
    """The whole manual page."""
    lines = ["'\\\" t", f'.TH HAKMEM 7 {date} "hakmem {version}"', ".SH NAME", NAME,
             ".SH SYNOPSIS", ".nf", *(escaped(text, is_code=True) for text in SYNOPSIS), ".fi"]
    for text in pages:
        for block in blocks(CONSTANT.sub("", text)):
            made = converted(block)
            if made[0] == ".PP" and lines[-1].startswith((".SH", ".SS")):
                made = made[1:]  # a heading begins a paragraph
            lines += made
    others = [f".BR {name}" + ("," if name != SEE_ALSO[-1] else "") for name in SEE_ALSO]
    return "\n".join([*lines, ".SH SEE ALSO", *others]) + "\n"


def main(version, names):
    changed = max(Path(name).stat().st_mtime for name in names)
    day = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", changed)))
    pages = [Path(name).read_text(encoding="utf-8") for name in names]
    sys.stdout.write(manual(version, pages, time.strftime("%Y-%m-%d", day)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
