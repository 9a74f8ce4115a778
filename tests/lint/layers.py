#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""layers.py ROOT: includes go down the layers only, by path from the root, and few a file.

Order, left may not include right:
src/base < src/os < src/meta < src/contract < src/supply < tiers/* < src/front < src/abi
< src/bind.c.
Only src/bind.c names a concrete module: a tier is included by its own folder and by bind.c. The
one exception is "bin.h", which the include path of the build chooses. harness/ stands alone.
"""
import re

import common

LAYERS = ["include", "src/base", "src/os", "src/meta", "src/contract", "src/supply",
          "tiers", "src/front", "src/abi", "src/bind.c"]  # fmt: skip
ANYWHERE = {"hakmem.h", "hak_config.h", "hak_rev.h"}  # public or generated: no folder of their own
BIN_USERS = ("src/contract", "src/supply", "tiers", "src/front", "src/bind.c")
MAX_PROJECT_INCLUDES = 8

INCLUDE = re.compile(r"^[ \t]*#[ \t]*include\b[ \t]*(.*?)[ \t]*$", re.M)


def layer_of(path):
    """The layer's name, or None for a file that belongs to none."""
    for layer in LAYERS:
        if path == layer or path.startswith(layer + "/"):
            return layer
    return None


def check_project_include(user, target):
    """What is wrong with `user` including "target", or None."""
    if target.startswith("/") or ".." in target.split("/"):
        return "includes are paths from the root, without '..'"
    if user.startswith("harness/"):
        return None if target.startswith("harness/") else "harness/ includes only harness/"
    user_layer = layer_of(user)
    if target in ANYWHERE:
        return None
    if target == "bin.h":
        return None if user_layer in BIN_USERS else f"{user_layer} may not include bin.h"
    layer = layer_of(target)
    if layer is None:
        return "not a path from the root into a layer"
    if LAYERS.index(layer) > LAYERS.index(user_layer):
        return f"{user_layer} may not include {layer}"
    if layer == "tiers" and user != "src/bind.c":
        folder = "/".join(target.split("/")[:2])
        if user_layer != "tiers":
            return "only src/bind.c names a concrete module"
        if not user.startswith(folder + "/"):
            return f"a tier includes no other tier ({folder}); reach it by src/contract/slots.h"
    return None


def check_file(user, text):
    """The findings of one file of src/, tiers/, harness/ or include/."""
    findings = []
    if layer_of(user) is None and not user.startswith("harness/"):
        findings.append(f"{user}:1: stands in no layer")
        return findings
    project_count = 0
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        what = match.group(1)
        target = what[1:-1]
        if what.startswith("<"):
            if target.split("/")[0] in ("src", "tiers", "harness", "include"):
                findings.append(f'{user}:{line}: {what}: project includes are written with ""')
        elif what.startswith('"'):
            project_count += 1
            wrong = check_project_include(user, target)
            if wrong:
                findings.append(f"{user}:{line}: {what}: {wrong}")
            if project_count == MAX_PROJECT_INCLUDES + 1:
                findings.append(
                    f"{user}:{line}: more than {MAX_PROJECT_INCLUDES} project includes: "
                    "the file does two things"
                )
        else:
            findings.append(f"{user}:{line}: {what}: an include names its file")
    return findings


def check(root):
    """All findings of the tree; code is never included as text, in any folder."""
    findings = []
    for name in common.tracked(root):
        if name.endswith(".inc"):
            findings.append(f"{name}:1: .inc files are refused: write a header or a .c file")
        if not name.endswith((".c", ".h")):
            continue
        text = common.strip_c(common.read(root, name), strings=False)
        for match in INCLUDE.finditer(text):
            if re.search(r'\.(c|inc)[">]', match.group(1)):
                line = text.count("\n", 0, match.start()) + 1
                findings.append(f"{name}:{line}: {match.group(1)}: code is linked, not included")
        if name.split("/")[0] in ("src", "tiers", "harness", "include"):
            findings += check_file(name, text)
    return findings


if __name__ == "__main__":
    common.run_lint(check)
