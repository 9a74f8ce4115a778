#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_model.py [-v] [CASE..]: searches every state of the models, and proves that they bite.

remote.pml is the protocol of remote frees and owners, claim.pml the claim of a heap whose thread is
away. Each case is one size of a model and must have no error; each planted fault (FAULT_* there)
must have one, found by an assertion. Builds in a temporary folder with spin
and a C compiler, one case after another on one core, and prints a line a case. Exits 77 (skipped)
without spin.
"""
import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

FOLDER = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77
MEGABYTES_MAX = 1900
SECONDS_MAX = 1200
DEPTH_MAX = 20000

REMOTE = ("remote.pml", "SLABS", "HEAPS", "HAND10", "HAND20", "HAND11", "HAND21", "EXITS", "BINDS",
          "GIVES")  # fmt: skip
CLAIM = ("claim.pml", "CLAIMERS", "TRIES", "STEPS")

# Name: the sizes of its model, in their order. HANDps are sets of blocks; 1 and 2 are in word 0, 4
# and 8 in word 1.
CASES = {
    "one word": (1, 1, 1, 2, 0, 0, 0, 0, 2),
    "two words": (1, 1, 5, 2, 0, 0, 0, 0, 2),
    "two slabs": (2, 1, 1, 2, 1, 2, 0, 0, 0),
    "orphan": (1, 2, 1, 2, 0, 0, 1, 0, 0),
    "orphan twice": (1, 1, 1, 2, 0, 0, 2, 0, 0),
    "orphans, two slabs": (2, 1, 1, 0, 0, 1, 1, 0, 0),
    "reuse": (1, 2, 4, 8, 0, 0, 0, 1, 1),
    "reuse and orphan": (1, 1, 4, 8, 0, 0, 1, 1, 1),
    "one claimer": (1, 2, 3),
    "two claimers": (2, 2, 2),
}

# Fault: the case that shows it.
FAULTS = {
    "CLEAR_AFTER_SUMMARY": "one word",
    "SUMMARY_FIRST": "one word",
    "FLAG_BEFORE_SUMMARY": "one word",
    "FLAG_NOT_ATOMIC": "one word",
    "LINK_AFTER_CLEAR": "two slabs",
    "NO_RECHECK": "orphan",
    "NO_LOOK_AFTER_LOCK": "orphan",
    "ORPHANS_WITHOUT_LOCK": "orphan",
    "INBOX_BEFORE_ORPHANS": "orphan",
    "DRAIN_FOREIGN": "orphan",
    "RELEASE_NOT_FREE": "reuse",
    "RELEASE_UNHELD": "reuse",
    "LOOK_FIRST": "one claimer",
    "NO_BARRIER": "one claimer",
    "NO_LOOK": "one claimer",
    "MARK_OVERTAKES_DATA": "one claimer",
    "WAIT_UNMARKED": "one claimer",
}


def run(command, folder):
    """The output of a command that must not fail."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False,
                          timeout=SECONDS_MAX)  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def search(sizes, fault):
    """Builds and runs one model; its output."""
    model, *names = REMOTE if len(sizes) == len(REMOTE) - 1 else CLAIM
    defines = [f"-D{name}={value}" for name, value in zip(names, sizes)]
    if fault:
        defines.append("-DFAULT_" + fault)
    compiler = shlex.split(os.environ.get("CC", "cc"))
    options = ["-O0" if fault else "-O2", "-w", "-DSAFETY", "-DCOLLAPSE"]
    with tempfile.TemporaryDirectory(prefix="hakmem-model-") as folder:
        run(["spin", "-a", *defines, os.path.join(FOLDER, model)], folder)
        run([*compiler, *options, f"-DMEMLIM={MEGABYTES_MAX}", "-o", "pan", "pan.c"], folder)
        return run(["./pan", f"-m{DEPTH_MAX}"], folder)


def number(pattern, output):
    """The number that a pattern finds; -1 when it is not there."""
    found = re.search(pattern, output)
    return float(found.group(1)) if found else -1.0


def judge(output, fault):
    """What is wrong with a search; empty when it ended as it must."""
    errors = number(r"errors: (\d+)", output)
    violated = re.search(r"pan:\d+: (.*?) \(at depth", output)
    if errors < 0:
        return "the search did not end"
    if fault:
        if errors == 0:
            return "the planted fault was not found"
        if not violated or not violated.group(1).startswith("assertion violated"):
            return "found, but not by an assertion"
        return ""
    if errors > 0:
        return violated.group(1) if violated else "an error"
    if re.search(r"max search depth too small|out of memory|Search not completed", output):
        return "the search was not exhaustive"
    unreached = re.search(r"unreached in init\n((?:\t.*\n)*)", output)
    if unreached and "-end-" in unreached.group(1):
        return "the end was never checked"
    return ""


def check(name, sizes, fault, verbose):
    """Runs one case and prints its line; true when it ended as it must."""
    start = time.monotonic()
    try:
        output = search(sizes, fault)
        wrong = judge(output, fault)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        output, wrong = str(error), "could not be run"
    states = number(r"(\S+) states, stored", output)
    megabytes = number(r"(\S+)\s+total actual memory usage", output)
    what = f"{name} + FAULT_{fault}" if fault else name
    result = "FAIL: " + wrong if wrong else "ok, error found" if fault else "ok"
    print(f"{what:45} {states:10.0f} states {megabytes:5.0f} MB "
          f"{time.monotonic() - start:5.1f} s  {result}", flush=True)  # fmt: skip
    if verbose or wrong:
        print(output)
    return not wrong


def main():
    """All cases, or those named."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("-v", action="store_true", help="print what spin's searches print")
    parser.add_argument("names", nargs="*", metavar="CASE", help="a case or a fault; all if none")
    args = parser.parse_args()
    unknown = set(args.names) - set(CASES) - set(FAULTS)
    if unknown:
        parser.error("no such case or fault: " + ", ".join(sorted(unknown)))
    if shutil.which("spin") is None:
        print("spin is not here: skipped")
        return SKIPPED
    runs = [(name, "") for name in CASES] + [(case, fault) for fault, case in FAULTS.items()]
    passed = True
    for name, fault in runs:
        if not args.names or (fault or name) in args.names:
            passed = check(name, CASES[name], fault, args.v) and passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
