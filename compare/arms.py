# SPDX-License-Identifier: MIT
"""arms.py: an arm is one allocator in the comparison: a name, a file, what the file is.

Called by bench_compare.py. Invariant: every allocator that was asked for is in the list; one whose
file is not there stays in it with `missing` set, so that the tables can say so. The baseline is an
arm like the others: glibc is preloaded too, because a program such as redis may be linked with
another malloc, and then only a preloaded libc.so.6 puts glibc in front.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

BUILD_INFO = (
    "import ctypes, sys; info = ctypes.CDLL(sys.argv[1]).hak_build_info; "
    "info.restype = ctypes.c_char_p; print(info().decode())"
)


@dataclass(frozen=True)
class Arm:
    name: str
    kind: str  # system, peer, hakmem, null
    path: str | None = None
    sha256: str | None = None
    version: str = "unknown"
    missing: str | None = None  # why there is no file

    def record(self):
        """The arm as it stands in runs.jsonl: names and hashes, no paths of this machine."""
        return {
            "arm": self.name,
            "kind": self.kind,
            "file": Path(self.path).name if self.path else None,
            "sha256": self.sha256,
            "version": self.version,
            "missing": self.missing,
        }


def elf_kind(path):
    """Class and machine of an ELF file: libraries of other architectures are not ours to load."""
    with open(path, "rb") as f:
        head = f.read(20)
    return head[4:5], head[18:20]


def loader_cache():
    """soname -> path, of every library of this architecture that the loader would find."""
    own = elf_kind(os.path.realpath(sys.executable))
    listing = subprocess.run(
        ["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=False
    ).stdout
    found = {}
    for line in listing.splitlines():
        soname, arrow, path = line.strip().partition(" => ")
        if not arrow or not os.path.exists(path):
            continue
        soname = soname.split(" ", 1)[0]
        if soname not in found and elf_kind(path) == own:
            found[soname] = path
    return found


def sha256_of(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def package_version(path):
    """`package version` of the Debian package that owns the file."""
    real = os.path.realpath(path)
    owners = subprocess.run(
        ["dpkg-query", "-S", "*/" + Path(real).name], capture_output=True, text=True, check=False
    ).stdout
    for line in owners.splitlines():
        package, _, owned = line.partition(": ")
        if os.path.realpath(owned) != real:
            continue
        return subprocess.run(
            ["dpkg-query", "-W", "-f=${Package} ${Version}", package.split(",")[0]],
            capture_output=True, text=True, check=False,
        ).stdout.strip()
    return "unknown"


def build_info(path):
    """What a hakmem library says of itself; asked in another process, which may die of it."""
    try:
        asked = subprocess.run(
            ["/usr/bin/python3", "-c", BUILD_INFO, path],
            capture_output=True, text=True, timeout=10, check=False,
        )
    except subprocess.TimeoutExpired:
        return "unknown"
    return " ".join(asked.stdout.split()) or "unknown"


def arm_of_file(name, kind, path, version_of):
    if not os.path.exists(path):
        return Arm(name, kind, missing=f"no file {Path(path).name}")
    path = os.path.abspath(path)
    return Arm(name, kind, path, sha256_of(path), version_of(path))


def peers(toml_path, overrides):
    """The arms of allocators.toml; `overrides` (name -> path) replaces files and adds arms."""
    with open(toml_path, "rb") as f:
        entries = tomllib.load(f)["allocator"]
    cache = loader_cache()
    arms = []
    for place, entry in enumerate(entries):
        name, kind = entry["name"], "peer" if place else "system"
        path = overrides.pop(name, None)
        path = path or next((cache[s] for s in entry["sonames"] if s in cache), None)
        if path is None:
            arms.append(Arm(name, kind, missing=f"not installed (package {entry['package']})"))
        else:
            arms.append(arm_of_file(name, kind, path, package_version))
    arms += [arm_of_file(name, "peer", path, package_version) for name, path in overrides.items()]
    return arms


def hakmem_arms(libraries):
    return [arm_of_file(name, "hakmem", path, build_info) for name, path in libraries]


def null_arm(arms, scratch):
    """The same library under a second name: what differs between it and the first is noise."""
    present = [a for a in arms if a.path and a.kind != "system"]
    original = next((a for a in present if a.kind == "hakmem"), present[0] if present else None)
    if original is None:
        return None, None
    copy = Path(scratch) / "libnull-arm.so"
    shutil.copyfile(original.path, copy)
    twin = Arm("null", "null", str(copy), original.sha256, f"a copy of {original.name}")
    return twin, original
