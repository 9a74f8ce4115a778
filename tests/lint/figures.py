#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""figures.py ROOT: a figure in a page that names its constant is the constant's value.

In a Markdown page a constant of src/base/geometry.h or tunables.h stands in brackets behind its
value: "at most 1 MiB (`HAK_L25_KEEP_BYTES`)"; up to WORDS_MAX words may stand between them. Any
other name of the code in backticks must be one that the code has. The table of switches lists
each switch that the code reads, with the default that the code has for it.
"""
import ast
import operator
import pathlib
import re

import common

HOMES = ("src/base/geometry.h", "src/base/tunables.h")
CODE = ("src", "tiers", "include", "harness", "compare", "tests")
SWITCHES = "docs/switches.md"
WORDS_MAX = 4
UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "s": 1000}
WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
         "nine": 9, "ten": 10, "eleven": 11, "twelve": 12}  # fmt: skip
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
             ast.Div: operator.floordiv, ast.LShift: operator.lshift,
             ast.RShift: operator.rshift}  # fmt: skip

_DEFINE = re.compile(r"^#define[ \t]+(HAK_\w+)[ \t]+(.+?)[ \t]*$", re.M)
_CAST = re.compile(r"\((?:size_t|u?int\d+_t|uintptr_t)\)")
_SUFFIX = re.compile(r"\b(0[xX][0-9a-fA-F]+|\d+)[uUlL]+\b")
_NAME = re.compile(r"`(HAK_[A-Z0-9_]+)`")
_IN_BRACKETS = re.compile(r"\(`(HAK_[A-Z0-9_]+)`\)")
# A number (its groups of digits apart, or in words), perhaps a unit, and a few words.
_FIGURE = re.compile(
    r"(?<![\w.,])(?:(?P<part>1/\d+)|(?P<number>\d+(?: \d{3})*(?:\.\d+)?)|(?P<word>%s))"
    r"(?: +(?P<unit>KiB|MiB|GiB|s)\b)?(?: +[^\s\d().;:]+){0,%d} *$"
    % ("|".join(WORDS), WORDS_MAX),
    re.I,
)


_SWITCH = re.compile(r'"(HAKMEM_[A-Z0-9_]+)"')
_DEFAULT = re.compile(r'\b\w+\(\s*"(HAKMEM_[A-Z0-9_]+)",\s*(HAK_[A-Z0-9_]+)\b')
_SWITCH_ROW = re.compile(r"^\| `(HAKMEM_[A-Z0-9_]+)(?:<\w+>)?` \| ([^|]*?) *\|", re.M)


def value_of(node, known):
    """The value of an expression of integers and known names; KeyError for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name):
        return known[node.id]
    if isinstance(node, ast.BinOp):
        left, right = value_of(node.left, known), value_of(node.right, known)
        return OPERATORS[type(node.op)](left, right)
    raise KeyError(node)


def constants(root):
    """Name -> value of what the two headers define as an integer."""
    known = {"UINT32_MAX": (1 << 32) - 1}
    for home in HOMES:
        if not (pathlib.Path(root) / home).is_file():
            continue
        code = common.strip_c(common.read(root, home)).replace("\\\n", "  ")
        for name, text in _DEFINE.findall(code):
            text = _SUFFIX.sub(r"\1", _CAST.sub("", text)).strip()
            try:
                known[name] = value_of(ast.parse(text, mode="eval").body, known)
            except (KeyError, SyntaxError):
                continue  # not a plain integer: no page may give its value
    return known


def figure_before(text):
    """The value that the text ends with; None without one."""
    match = _FIGURE.search(text)
    if not match:
        return None
    if match["part"]:
        return int(match["part"][2:])  # 1/64: the constant is the divisor
    word, digits = match["word"], match["number"]
    number = float(digits.replace(" ", "")) if digits else WORDS[word.lower()]
    return number * UNITS.get(match["unit"], 1)


def check_page(name, text, known, names):
    """The findings of one page."""
    findings = []
    flat = re.sub(r"\s", " ", text)

    def say(match, words):
        findings.append(f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {words}")

    for match in _NAME.finditer(text):
        if match.group(1) not in names:
            say(match, f"{match.group(1)}: no such name in the code")
    for match in _IN_BRACKETS.finditer(text):
        constant = match.group(1)
        if constant not in names:
            continue
        said = figure_before(flat[: match.start()])
        if constant not in known:
            say(match, f"{constant}: has no value that can be compared; name it without brackets")
        elif said is None:
            say(match, f"{constant}: no figure before it; it is {known[constant]}")
        elif said != known[constant]:
            say(match, f"{constant}: the page says {said:g}, it is {known[constant]}")
    return findings


def number_of(cell):
    """The value of a default as a switch is written, 4m; None for words."""
    match = re.fullmatch(r"(\d+)([kmg]?)", cell)
    return int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30}[match[2]] if match else None


def check_switches(root, tracked, known):
    """The table of switches against those that src/ and tiers/ read."""
    if SWITCHES not in tracked:
        return []
    read, defaults = set(), {}
    for name in tracked:
        if name.startswith(("src/", "tiers/")) and name.endswith((".c", ".h")):
            code = common.strip_c(common.read(root, name), strings=False)
            read |= set(_SWITCH.findall(code))
            defaults |= dict(_DEFAULT.findall(code))
    text = common.read(root, SWITCHES)
    rows = dict(_SWITCH_ROW.findall(text))
    at = {name: text.count("\n", 0, text.index(f"`{name}")) + 1 for name in rows}
    findings = [f"{SWITCHES}:1: {name}: the code reads it" for name in sorted(read - set(rows))]
    for name, cell in rows.items():
        if name not in read:
            findings.append(f"{SWITCHES}:{at[name]}: {name}: the code does not read it")
        value = known.get(defaults.get(name))
        if value is not None and number_of(cell) != value:
            findings.append(f"{SWITCHES}:{at[name]}: {name}: the default is {value}, not {cell}")
    return findings


def check(root):
    """All findings of the pages that people write."""
    tracked = common.tracked(root)
    known, names = constants(root), set()
    for name in tracked:
        if name.split("/")[0] in CODE and not name.endswith(".md"):
            names |= set(re.findall(r"\bHAK_[A-Z0-9_]+", common.read(root, name)))
    findings = []
    for name in tracked:
        if name.endswith(".md") and not name.startswith("results/"):
            findings += check_page(name, common.read(root, name), known, names)
    return findings + check_switches(root, tracked, known)


if __name__ == "__main__":
    common.run_lint(check)
