# SPDX-License-Identifier: MIT
"""allocators.py: an arm is one allocator in the comparison: a name, a file, what the file is.

Called by those who choose the arms. Invariant: every allocator that was asked for is in the list;
one whose file is not there stays in it with `missing` set, for the tables. The baseline is an
arm like the others: glibc is preloaded too, because a program such as redis may be linked with
another malloc, and then only a preloaded libc.so.6 puts glibc in front.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from ..records import runfile

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
    options: dict[str, Any] = field(default_factory=dict)  # of the build
    env: dict[str, Any] = field(default_factory=dict)  # run-time switches
    built: tuple[Any, ...] | None = None  # (build folder, target) of one that was made here
    layouts: tuple[Any, ...] = ()  # the arm linked in other orders, itself the first: linking.py

    def laid_out(self, build: int) -> "Arm":
        """The arm with the file of one of its layouts."""
        return cast(Arm, self.layouts[build]) if self.layouts else self

    def record(self) -> dict[str, Any]:
        """The arm as it stands in runs.jsonl: names and hashes, no paths of this machine."""
        layouts = {"layouts": [one.sha256 for one in self.layouts]} if self.layouts else {}
        return {
            "arm": self.name,
            "kind": self.kind,
            "file": Path(self.path).name if self.path else None,
            "sha256": self.sha256,
            "version": self.version,
            "missing": self.missing and runfile.without_paths(self.missing),
            "options": self.options,
            "env": {name: runfile.without_paths(value) for name, value in self.env.items()},
        } | layouts


Builder = Callable[[dict[str, Any]], Arm]  # of the options of a build


def elf_kind(path: str) -> tuple[bytes, bytes]:
    """Class and machine of an ELF file: libraries of other architectures are not ours to load."""
    with open(path, "rb") as f:
        head = f.read(20)
    return head[4:5], head[18:20]


def loader_cache() -> dict[str, str]:
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


def sha256_of(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def package_version(path: str) -> str:
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


def build_info(path: str) -> str:
    """What a hakmem library says of itself; asked in another process, which may die of it."""
    try:
        asked = subprocess.run(
            ["/usr/bin/python3", "-c", BUILD_INFO, path],
            capture_output=True, text=True, timeout=10, check=False,
        )
    except subprocess.TimeoutExpired:
        return "unknown"
    return " ".join(asked.stdout.split()) or "unknown"


def build_line_options(version: str) -> dict[str, str]:
    """The `name=value` words of a build line."""
    return dict(word.split("=", 1) for word in version.split() if "=" in word)


def arm_of_file(name: str, kind: str, path: str, version_of: Callable[[str], str]) -> Arm:
    if not os.path.exists(path):
        return Arm(name, kind, missing=f"no file {Path(path).name}")
    path = os.path.abspath(path)
    version = version_of(path)
    options = build_line_options(version) if version_of is build_info else {}
    return Arm(name, kind, path, sha256_of(path), version, options=options)


def declared(entry: dict[str, Any], kind: str, path: str | None, cache: dict[str, str],
             build: Builder | None) -> Arm:
    """The arm of one entry of allocators.toml; `path`: the file to take instead of its own."""
    name = entry["name"]
    if path is None and "options" in entry:
        if build is None:
            return Arm(name, "hakmem", missing="nothing builds it here")
        return replace(build(entry["options"]), name=name, env=entry.get("env", {}))
    path = path or entry.get("library")
    path = path or next((cache[s] for s in entry.get("sonames", []) if s in cache), None)
    if path is None:
        package = entry.get("package", "of its own")
        return Arm(name, kind, missing=f"not installed (package {package})")
    return replace(arm_of_file(name, kind, path, package_version), env=entry.get("env", {}))


def peers(toml_path: Path, overrides: dict[str, str], build: Builder | None = None) -> list[Arm]:
    """The arms of allocators.toml; `overrides` (name -> path) replaces files and adds arms.

    `build` (options -> Arm) makes those that are builds of hakmem.
    """
    with open(toml_path, "rb") as f:
        entries = tomllib.load(f)["allocator"]
    cache = loader_cache()
    arms = [declared(entry, "peer" if place else "system", overrides.pop(entry["name"], None),
                     cache, build)
            for place, entry in enumerate(entries)]
    arms += [arm_of_file(name, "peer", path, package_version) for name, path in overrides.items()]
    return arms


def hakmem_arms(libraries: list[tuple[str, str]]) -> list[Arm]:
    return [arm_of_file(name, "hakmem", path, build_info) for name, path in libraries]


def twin(original: Arm, name: str, kind: str, scratch: str | Path) -> Arm:
    """The same library under another name: what differs between it and the first is noise."""
    path = Path(scratch) / f"lib{name}-arm.so"
    shutil.copyfile(str(original.path), path)
    return replace(original, name=name, kind=kind, path=str(path),
                   version=f"a copy of {original.name}")


def settled(arm: Arm, scratch: str | Path) -> Any:
    """The arm from a copy of its file, which a build that goes on cannot change meanwhile."""
    if arm.path is None or arm.kind in ("system", "null"):
        return arm
    folder = Path(scratch) / "arms" / re.sub(r"[^A-Za-z0-9.]+", "-", arm.name)
    folder.mkdir(parents=True)
    path = shutil.copyfile(arm.path, folder / Path(arm.path).name)
    return replace(arm, path=str(path), sha256=sha256_of(path))


def null_arm(arms: list[Arm], scratch: str | Path) -> tuple[Arm | None, Arm | None]:
    """(the null arm, what it is a copy of): of our own library where there is one."""
    present = [a for a in arms if a.path and a.kind != "system"] or [a for a in arms if a.path]
    original = next((a for a in present if a.kind == "hakmem"), present[0] if present else None)
    if original is None:
        return None, None
    return twin(original, "null", "null", scratch), original
