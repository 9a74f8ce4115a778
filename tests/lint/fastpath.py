#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fastpath.py LIB PROGRAM GOLDEN VARIANT [--update] [--pairs PAIR...]: growth is a decision.

Counts the instructions of pairs of an allocating call (64 bytes) and a freeing one, malloc's and
the C++ operators': callgrind runs PROGRAM (pairs_insn.c) on LIB with N and 2N rounds, and the
difference is the steady state. Compares with VARIANT's lines in GOLDEN, and p0 with its limits.
Reads the straight path of each call: no lock, no call before its ret. Exit status 77 where valgrind
is missing.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import common

ROUNDS = 100
PAIRS_A_ROUND = 1000
# Pair of pairs_insn.c: its two functions.
PAIRS = {
    "malloc": ("malloc", "free"),
    "new": ("_Znwm", "_ZdlPv"),
    "array": ("_Znam", "_ZdaPv"),
    "nothrow": ("_ZnwmRKSt9nothrow_t", "_ZdlPvRKSt9nothrow_t"),
    "sized": ("_Znwm", "_ZdlPvm"),
}
LIMITS = {"p0 malloc": 34.0, "p0 new": 34.0}  # whatever the golden says
TOLERANCE = 0.005  # the golden has two decimals

_COST = re.compile(r"^(?:0x[0-9a-f]+|[+*-]?\d*)\s+(\d+)$")
_INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(.*?)\s*(?:#.*)?$")
_LOCKED = re.compile(r"(?:bnd |notrack |data16 |cs )*(lock\b|xchg\w*\s.*\(|mfence)")


def costs_by_object(profile):
    """Total self cost and the self cost of each object, of an uncompressed callgrind file."""
    costs, current, inclusive = {}, None, False
    for line in profile.splitlines():
        if line.startswith("ob="):
            current = line[3:]
        elif line.startswith("calls="):
            inclusive = True  # the next line is the cost of the callee: counted over there
        else:
            match = _COST.match(line)
            if match and not inclusive:
                costs[current] = costs.get(current, 0) + int(match.group(1))
            inclusive = inclusive and not match
    totals = re.search(r"^(?:totals|summary): (\d+)", profile, re.M)
    return int(totals.group(1)), costs


def interpreter(program):
    """The dynamic linker that the program asks for."""
    text = subprocess.run(["readelf", "-lW", program], capture_output=True, text=True, check=True)
    return re.search(r"program interpreter: (.*?)\]", text.stdout).group(1)


def profile_run(lib, program, pair, rounds, folder):
    """One run under callgrind: the whole cost, and the shares of LIB and of PROGRAM.

    The dynamic linker is the client and preloads LIB, so LIB never serves valgrind's launcher.
    """
    out = pathlib.Path(folder) / f"callgrind.{rounds}"
    command = [
        "valgrind", "--tool=callgrind", "--trace-children=no", "--quiet",
        "--soname-synonyms=somalloc=nouserintercept", "--compress-strings=no", "--compress-pos=no",
        f"--callgrind-out-file={out}", interpreter(program), "--preload", lib, program, pair,
        str(rounds),
    ]  # fmt: skip
    env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD" and k[:6] != "HAKMEM"}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{lib}: callgrind run failed ({done.returncode}): {done.stderr.strip()}")
    total, costs = costs_by_object(out.read_text(errors="replace"))
    return total, costs.get(lib, 0), costs.get(program, 0)


def count_pair(lib, program, pair):
    """Instructions a pair: whole process, inside LIB, in the caller."""
    with tempfile.TemporaryDirectory() as folder:
        once = profile_run(lib, program, pair, ROUNDS, folder)
        twice = profile_run(lib, program, pair, 2 * ROUNDS, folder)
    return [(b - a) / (ROUNDS * PAIRS_A_ROUND) for a, b in zip(once, twice)]


def dynamic_functions(lib):
    """name: (address, size, type) of the dynamic symbols."""
    found = {}
    command = ["readelf", "--dyn-syms", "-W", lib]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[3] in ("FUNC", "IFUNC") and fields[6] != "UND":
            found[fields[7].split("@")[0]] = (int(fields[1], 16), int(fields[2], 0), fields[3])
    return found


def instructions_of(lib, address, size):
    """address: text of each instruction in the range, and the order of the addresses."""
    command = ["objdump", "-d", "--no-show-raw-insn", "-w", f"--start-address={address:#x}",
               f"--stop-address={address + size:#x}", lib]  # fmt: skip
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {}
    for line in text.splitlines():
        match = _INSTRUCTION.match(line)
        if match:
            found[int(match.group(1), 16)] = match.group(2)
    return found


def straight_path(lib, name):
    """Count of the instructions of `name` to its first ret, no branch taken, and findings."""
    where = dynamic_functions(lib).get(name)
    if where is None:
        return 0, [f"{lib}: does not define {name}"]
    address, size, kind = where
    if kind == "IFUNC":
        return 0, [f"{lib}: {name} is an ifunc: its straight path can't be read"]
    code = instructions_of(lib, address, size)
    order = sorted(code)
    count, findings, at, seen = 0, [], address, set()
    while at in code and at not in seen:
        seen.add(at)
        text = re.sub(r"^(bnd|notrack|rep|repz) ", "", code[at])
        count += 1
        if re.match(r"ret", text):
            return count, findings
        if _LOCKED.match(text):
            findings.append(f"{lib}: {name}+{at - address:#x}: {text}: locked on the fast path")
        if re.match(r"call", text):
            findings.append(f"{lib}: {name}+{at - address:#x}: {text}: a call on the fast path")
        jump = re.match(r"jmp\w*\s+(?:0x)?([0-9a-f]+)\b", text)
        if re.match(r"jmp", text):
            if not jump or int(jump.group(1), 16) not in code:
                findings.append(f"{lib}: {name}+{at - address:#x}: {text}: leaves before its ret")
                return count, findings
            at = int(jump.group(1), 16)
        else:
            later = [a for a in order if a > at]
            at = later[0] if later else -1
    return count, findings + [f"{lib}: {name}: no ret on the straight path"]


def read_golden(path):
    """'VARIANT PAIR': count."""
    lines = (line.split("#")[0].split() for line in pathlib.Path(path).read_text().splitlines())
    return {" ".join(fields[:2]): float(fields[2]) for fields in lines if fields}


def write_golden(path, key, count):
    """Replaces the line of 'VARIANT PAIR', or adds it."""
    path = pathlib.Path(path)
    kept = [n for n in path.read_text().splitlines() if n.split()[:2] != key.split()]
    path.write_text("\n".join([*kept, f"{key} {count:.2f}"]) + "\n")


def check_count(count, golden, key):
    """Findings of the count against the golden and the limit; `golden` is None without a line."""
    findings = []
    if golden is None:
        findings.append(f"fastpath.golden: no line for {key}; --update writes it")
    elif count > golden + TOLERANCE:
        findings.append(f"fastpath.golden: {key}: {count:.2f} a pair, golden {golden:.2f}")
    if count > LIMITS.get(key, count) + TOLERANCE:
        findings.append(f"{key}: {count:.2f} a pair, the limit is {LIMITS[key]:.2f}")
    return findings


def check_straight(lib, variant):
    """Findings of every function's straight path, whose length is printed."""
    findings = []
    for name in dict.fromkeys(name for pair in PAIRS.values() for name in pair):
        count, wrong = straight_path(lib, name)
        print(f"{variant}: {name}: {count} instructions to the first ret")
        findings += wrong
    return findings


def check(lib, program, golden_path, variant, update=False, pairs=tuple(PAIRS)):
    """Prints the counts; returns the findings, None where valgrind is missing."""
    lib, program = os.path.realpath(lib), os.path.realpath(program)
    findings = check_straight(lib, variant)
    if not shutil.which("valgrind"):
        print("valgrind is missing: the pairs are not counted")
        return findings or None
    for pair in pairs:
        key = f"{variant} {pair}"
        total, inside, caller = count_pair(lib, program, pair)
        print(
            f"{key}: {total:.2f} instructions a pair: {inside:.2f} in the library, "
            f"{caller:.2f} in the caller, {total - inside - caller:.2f} elsewhere"
        )
        if inside < 2:
            findings.append(f"{lib}: did not serve the program: the count is another allocator's")
            return findings
        if update:
            write_golden(golden_path, key, total)
        golden = read_golden(golden_path).get(key)
        print(f"{key}: golden " + ("missing" if golden is None else f"{golden:.2f}"))
        findings += check_count(total, golden, key)
    return findings


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("lib", "program", "golden", "variant"):
        parser.add_argument(name)
    parser.add_argument("--update", action="store_true", help="write the variant's golden lines")
    parser.add_argument("--pairs", nargs="+", default=list(PAIRS), help="count these only")
    given = parser.parse_args()
    findings = check(
        given.lib, given.program, given.golden, given.variant, given.update, given.pairs
    )
    if findings is None:
        sys.exit(common.SKIP)
    for finding in findings:
        print(finding)
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
