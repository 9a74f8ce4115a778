#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""headers.py ROOT: the headers that must compile alone, one line each: "HEADER FOLDER".

Meson runs it at configure time and builds header_test.c once a line. FOLDER is the refill module
(tiers/tiny_*) that answers for "bin.h", or "." for a header that does not ask for it: a header
that reaches "bin.h", itself or by what it includes, has one line for each module.
"""
import pathlib
import re
import sys

import common

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)


def reaches_bin(root, name, seen):
    """Whether the header, or one that it includes, includes "bin.h"."""
    if name in seen or not (pathlib.Path(root) / name).is_file():
        return False
    seen.add(name)
    targets = INCLUDE.findall(common.strip_c(common.read(root, name), strings=False))
    return "bin.h" in targets or any(reaches_bin(root, t, seen) for t in targets)


def headers(root):
    """Sorted pairs (header, folder of its refill module or ".")."""
    names = [
        n for n in common.walked(root) if re.match(r"(include|src|harness|tiers/[^/]+)/.*\.h$", n)
    ]
    modules = [n.rsplit("/", 1)[0] for n in names if re.fullmatch(r"tiers/tiny_\w+/bin\.h", n)]
    pairs = []
    for name in names:
        own = [m for m in modules if name.startswith(m + "/")]
        needs = reaches_bin(root, name, set())
        pairs += [(name, m) for m in own or (modules if needs and modules else ["."])]
    return pairs


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: headers.py ROOT")
    for pair in headers(sys.argv[1]):
        print(*pair)
