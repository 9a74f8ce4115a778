#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""symbols.py LIB: what the library shows to, and wants from, the dynamic linker.

It exports symbols.txt and nothing else; it needs libc alone, and of libc nothing that allocates
(stdio, dlopen) or that would be the other allocator; no text relocation; TLS small and
initial-exec. pthread_setspecific and dlsym are allowed: they are called with the thread cache
installed.
"""
import pathlib
import re
import subprocess

import common

HERE = pathlib.Path(__file__).resolve().parent
ALLOWED = HERE / "symbols.txt"
HEADER = HERE.parent.parent / "include" / "hakmem.h"
NEEDED = {"libc.so.6"}
MAX_TLS_BYTES = 64

FORBIDDEN = [
    (
        r"(__libc_)?(malloc|calloc|realloc|free|cfree|memalign|valloc|pvalloc)|aligned_alloc|"
        r"(__)?posix_memalign|reallocarray|(__)?strn?dup",
        "libc's allocator",
    ),
    (
        r"(__)?(v?(f|s|sn|d|as|w|fw|sw|obstack_)?printf)(_chk)?|(__isoc\d+_)?v?[fs]?w?scanf",
        "stdio",
    ),
    (
        r"puts|f?putc(_unlocked)?|putchar(_unlocked)?|_IO_\w+|fwrite(_unlocked)?|"
        r"fread(_unlocked)?|fgets(_unlocked)?|f?getc(_unlocked)?|getchar|getline|getdelim|perror|"
        r"fopen(64)?|fdopen|freopen(64)?|fclose|setv?buf|setlinebuf|popen|fmemopen|open_memstream|"
        r"stdin|stdout|stderr|psignal|v?syslog|v?warnx?|v?errx?",
        "stdio",
    ),
    (r"dlopen|dlmopen|dlvsym|dladdr1?", "the dynamic linker allocates"),
    (r"__tls_get_addr", "dynamic TLS allocates; TLS is initial-exec"),
]


def tool(*command):
    """The output of a binutils command."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def allowed(path=ALLOWED):
    """The names of the list."""
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return {line for line in lines if line}


def header_names(path=HEADER):
    """The functions that hakmem.h declares."""
    text = common.strip_c(path.read_text())
    return set(re.findall(r"\bHAK_API\b[^;{}#]*?\b(hak_\w+)\s*\(", text))


def dynamic_names(lib, which):
    """Names in the dynamic symbol table, versions cut off; version nodes (type A) left out."""
    names = set()
    for line in tool("nm", "-D", which, lib).splitlines():
        fields = line.split()
        if len(fields) >= 2 and fields[-2] != "A":
            names.add(fields[-1].split("@")[0])
    return names


def check_names(lib):
    """Exported names against the list, the list against the header."""
    exported, listed = dynamic_names(lib, "--defined-only"), allowed()
    findings = [f"{lib}: exports {n}, which symbols.txt does not list" for n in exported - listed]
    findings += [f"{lib}: does not export {n}" for n in listed - exported]
    if HEADER.exists():
        ours = {n for n in listed if n.startswith("hak_")}
        findings += [f"symbols.txt: {n} differs from hakmem.h" for n in ours ^ header_names()]
    return sorted(findings)


def check_wants(lib):
    """Undefined symbols and needed libraries."""
    findings = []
    for name in sorted(dynamic_names(lib, "--undefined-only")):
        for pattern, why in FORBIDDEN:
            if re.fullmatch(pattern, name):
                findings.append(f"{lib}: refers to {name}: {why}")
                break
    dynamic = tool("readelf", "-dW", lib)
    needed = set(re.findall(r"\(NEEDED\).*\[(.*?)\]", dynamic))
    findings += [f"{lib}: needs {n}; only libc is allowed" for n in sorted(needed - NEEDED)]
    findings += [f"{lib}: does not name {n} as needed" for n in sorted(NEEDED - needed)]
    if re.search(r"\(TEXTREL\)|\bTEXTREL\b", dynamic):
        findings.append(f"{lib}: has text relocations")
    return findings


def check_tls(lib):
    """The TLS segment's size and model."""
    findings = []
    for line in tool("readelf", "-lW", lib).splitlines():
        fields = line.split()
        if fields[:1] == ["TLS"] and int(fields[5], 16) > MAX_TLS_BYTES:
            size = int(fields[5], 16)
            findings.append(f"{lib}: {size} bytes of TLS, the limit is {MAX_TLS_BYTES}")
    relocations = tool("readelf", "-rW", lib)
    for name in sorted(set(re.findall(r"\bR_\w*(?:DTPMOD|DTPOFF|DTPREL|TLSDESC)\w*", relocations))):
        findings.append(f"{lib}: relocation {name}: TLS is not initial-exec")
    return findings


def check(lib):
    """All findings of one library."""
    return check_names(lib) + check_wants(lib) + check_tls(lib)


if __name__ == "__main__":
    common.run_lint(check, "LIB")
