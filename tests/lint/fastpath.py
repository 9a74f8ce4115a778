#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fastpath.py LIB PROGRAM GOLDEN VARIANT [--update]: the fast path grows by decision only.

Counts the instructions of a malloc(64)/free pair: callgrind runs PROGRAM (pairs_insn.c) on LIB with
N and 2N rounds, and the difference is the steady state. Compares with VARIANT's line in GOLDEN, and
p0 with its limit. Reads the straight path of malloc and free: no lock, no call before their ret.
Exit status 77 where valgrind is missing.
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
LIMITS = {"p0": 34.0}  # whatever the golden says
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


def profile_run(lib, program, rounds, folder):
    """One run under callgrind: the whole cost, and the shares of LIB and of PROGRAM.

    The dynamic linker is the client and preloads LIB, so LIB never serves valgrind's launcher.
    """
    out = pathlib.Path(folder) / f"callgrind.{rounds}"
    command = [
        "valgrind", "--tool=callgrind", "--trace-children=no", "--quiet",
        "--soname-synonyms=somalloc=nouserintercept", "--compress-strings=no", "--compress-pos=no",
        f"--callgrind-out-file={out}", interpreter(program), "--preload", lib, program, str(rounds),
    ]  # fmt: skip
    env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD" and k[:6] != "HAKMEM"}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{lib}: callgrind run failed ({done.returncode}): {done.stderr.strip()}")
    total, costs = costs_by_object(out.read_text(errors="replace"))
    return total, costs.get(lib, 0), costs.get(program, 0)


def count_pair(lib, program):
    """Instructions a pair: whole process, inside LIB, in the caller."""
    with tempfile.TemporaryDirectory() as folder:
        once = profile_run(lib, program, ROUNDS, folder)
        twice = profile_run(lib, program, 2 * ROUNDS, folder)
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
    """variant: count."""
    lines = (line.split("#")[0].split() for line in pathlib.Path(path).read_text().splitlines())
    return {fields[0]: float(fields[1]) for fields in lines if fields}


def write_golden(path, variant, count):
    """Replaces the variant's line, or adds it."""
    path = pathlib.Path(path)
    kept = [n for n in path.read_text().splitlines() if n.split()[:1] != [variant]]
    path.write_text("\n".join([*kept, f"{variant} {count:.2f}"]) + "\n")


def check_count(count, golden, variant):
    """Findings of the count against the golden and the limit; `golden` is None without a line."""
    findings = []
    if golden is None:
        findings.append(f"fastpath.golden: no line for {variant}; --update writes it")
    elif count > golden + TOLERANCE:
        findings.append(f"fastpath.golden: {variant}: {count:.2f} a pair, golden {golden:.2f}")
    if count > LIMITS.get(variant, count) + TOLERANCE:
        findings.append(f"{variant}: {count:.2f} a pair, the limit is {LIMITS[variant]:.2f}")
    return findings


def check(lib, program, golden_path, variant, update=False):
    """Prints the counts; returns the findings, None where valgrind is missing."""
    lib, program = os.path.realpath(lib), os.path.realpath(program)
    findings = []
    for name in ("malloc", "free"):
        count, wrong = straight_path(lib, name)
        print(f"{variant}: {name}: {count} instructions to the first ret")
        findings += wrong
    if not shutil.which("valgrind"):
        print("valgrind is missing: the pair is not counted")
        return findings or None
    total, inside, caller = count_pair(lib, program)
    print(
        f"{variant}: {total:.2f} instructions a pair: {inside:.2f} in the library, "
        f"{caller:.2f} in the caller, {total - inside - caller:.2f} elsewhere"
    )
    if inside < 2:
        findings.append(f"{lib}: did not serve the program: the count is another allocator's")
        return findings
    if update:
        write_golden(golden_path, variant, total)
    golden = read_golden(golden_path).get(variant)
    print(f"{variant}: golden " + ("missing" if golden is None else f"{golden:.2f}"))
    return findings + check_count(total, golden, variant)


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("lib", "program", "golden", "variant"):
        parser.add_argument(name)
    parser.add_argument("--update", action="store_true", help="write the variant's golden line")
    given = parser.parse_args()
    findings = check(given.lib, given.program, given.golden, given.variant, given.update)
    if findings is None:
        sys.exit(common.SKIP)
    for finding in findings:
        print(finding)
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
