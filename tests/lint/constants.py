#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""constants.py ROOT: numbers of the geometry stand only in src/base/geometry.h and its neighbours.

Finds, in src/ and tiers/, every literal and every product or shift of literals whose value is one
of NUMBERS, in whatever base and with whatever suffix: 65536, 0x10000, 1u << 16, 64 * 1024.
"""
import re

import common

NUMBERS = {1024, 2048, 4096, 64 * 1024, 2 * 1024 * 1024}
HOME = re.compile(r"src/base/(geometry\.h|tunables\.h|sizeclass\.[ch])$")

# A preprocessing number, so that digits inside names and floats are not taken for integers.
_NUMBER = re.compile(r"(?<![\w.])(?:\.?\d(?:[eEpP][+-]|'(?=\w)|[\w.])*)")
_INTEGER = re.compile(r"(0[xX][0-9a-fA-F]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*)[uUlLzZ]*$")
# What may stand between two literals of one constant expression: an operator, parentheses, casts.
_OPERATOR = re.compile(r"[\s)]*(<<|\*)\s*(?:\(\s*(?:[A-Za-z_]\w*\s*)+\)\s*)?(?:\w+\()?[\s(]*$")


def value_of(literal):
    """The value of a C integer literal; None for floats and whatever else is no integer."""
    match = _INTEGER.match(literal.replace("'", ""))
    if not match:
        return None
    digits = match.group(1).lower()
    if digits.startswith(("0x", "0b")):
        return int(digits, 0)
    return int(digits, 8) if digits.startswith("0") else int(digits)


def check_text(name, text):
    """The findings of one file, at most one a constant expression."""
    findings = []
    code = common.strip_c(text)
    value, start, end, known = None, 0, 0, False
    for match in _NUMBER.finditer(code):
        literal = value_of(match.group(0))
        link = _OPERATOR.match(code[end : match.start()]) if value is not None else None
        if literal is None:
            value = None
            continue
        if link and link.group(1) == "<<" and literal < 64:
            value <<= literal
        elif link and link.group(1) == "*":
            value *= literal
        else:
            value, start, known = literal, match.start(), False
        end = match.end()
        if not known and (value in NUMBERS or literal in NUMBERS):
            known = True
            line = code.count("\n", 0, start) + 1
            shown = " ".join(code[start:end].split())
            findings.append(f"{name}:{line}: {shown}: a number of geometry.h; use its name")
    return findings


def check(root):
    """All findings of src/ and tiers/."""
    findings = []
    for name in common.c_files(root, "src", "tiers"):
        if not HOME.match(name):
            findings += check_text(name, common.read(root, name))
    return findings


if __name__ == "__main__":
    common.run_lint(check)
