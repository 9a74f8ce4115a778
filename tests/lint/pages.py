#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""pages.py ROOT: what a page names is there.

In the Markdown pages that people write: a link leads to a file of the tree; a path in backticks is
one; of `function` (`file`), the file defines the function; and docs/README.md links every page of
docs/.
"""
import pathlib
import posixpath
import re

import common

FOLDERS = ("src", "tiers", "include", "harness", "compare", "tests", "docs")
EXAMPLES = ("tiers/tiny_mine/",)  # what a guide lets its reader make
INDEX = "docs/README.md"

_LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")
_PATH = re.compile(r"`((?:%s)/[\w./-]+)`" % "|".join(FOLDERS))
_DEFINED = re.compile(r"`(\w+)`\s+\(`([\w./-]+)`\)")


def line_of(text, match):
    return text.count("\n", 0, match.start()) + 1


def is_defined(root, file, function):
    """Whether a C file has the function's body."""
    code = common.strip_c(common.read(root, file))
    return re.search(rf"\b{function}\s*\([^;{{}}]*\)\s*\{{", code) is not None


def check_page(root, name, text, files, folders):
    """The findings of one page."""
    findings = []
    for match in _LINK.finditer(text):
        target = match.group(1)
        if re.match(r"\w+:", target):
            continue
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        if path not in files and path not in folders:
            findings.append(f"{name}:{line_of(text, match)}: {target}: the link leads nowhere")
    for match in _PATH.finditer(text):
        path = match.group(1).rstrip("/")
        if path not in files and path not in folders and not match.group(1).startswith(EXAMPLES):
            findings.append(f"{name}:{line_of(text, match)}: {path}: no such file")
    for match in _DEFINED.finditer(text):
        function, file = match.groups()
        if file in files and not is_defined(root, file, function):
            findings.append(f"{name}:{line_of(text, match)}: {file} does not define {function}")
    return findings


def check_index(root, pages):
    """Pages of docs/ that the index does not link."""
    if INDEX not in pages:
        return []
    linked = {posixpath.join("docs", target) for target in _LINK.findall(common.read(root, INDEX))}
    return [
        f"{name}:1: {INDEX} does not link it"
        for name in pages
        if re.match(r"docs/[^/]+\.md$", name) and name not in linked | {INDEX}
    ]


def check(root):
    """All findings of the pages that people write."""
    files = set(common.tracked(root))
    folders = {str(parent) for name in files for parent in pathlib.PurePosixPath(name).parents}
    pages = sorted(f for f in files if f.endswith(".md") and not re.match(r"results/[^/]+/", f))
    findings = check_index(root, pages)
    for name in pages:
        findings += check_page(root, name, common.read(root, name), files, folders)
    return findings


if __name__ == "__main__":
    common.run_lint(check)
