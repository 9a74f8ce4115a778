# SPDX-License-Identifier: MIT
"""builds.py: libraries of hakmem built to be compared: another revision, other options.

Called by the sub-commands ab and ablate, and for the `options` entries of allocators.toml. A build
has a folder of its own inside the build folder that the target runs in, and is brought up to date
by meson and ninja each time. What is not said about it is as in that build folder, so that an arm
differs from the base in what its name says, and in nothing else.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..measure.launch import CannotMeasure
from ..paths import SOURCE
from . import allocators

# Not of the library: what is built beside it, and where the build itself stands.
BESIDE = {"tests", "variants"}
# meson's own options that change the code.
CARRIED = {"buildtype", "optimization", "debug", "b_lto", "b_ndebug", "b_pgo", "c_args",
           "c_link_args"}


def tell(command: list[str], env: dict[str, str] | None = None,
         cwd: str | Path | None = None) -> str:
    """Runs it; its output is shown only when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, cwd=cwd)
    if done.returncode:
        words = (done.stdout + done.stderr).strip().splitlines()
        reason = next((w for w in words if "ERROR" in w), words[-1] if words else "no word")
        raise CannotMeasure(f"{Path(command[0]).name}: {reason.split('ERROR: ')[-1]}")
    return done.stdout


def introspect(place: str | Path) -> Any:
    """The options of a build folder, or of a source tree's meson.build."""
    return json.loads(tell(["meson", "introspect", "--buildoptions", str(place)]))


def is_ours(option: dict[str, Any]) -> bool:
    return option["section"] == "user" and option["name"] not in BESIDE


def spelled(value: int | str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)  # of a list too: meson reads it as Python writes it


def told(changes: dict[str, Any]) -> str:
    """What a build changes, in words; it names the arm."""
    return " + ".join(f"{key}={spelled(value)}" for key, value in changes.items())


def options_of(build: str | Path) -> dict[str, str]:
    """name -> value of everything in the build folder that changes the library."""
    return {o["name"]: spelled(o["value"]) for o in introspect(build)
            if is_ours(o) or o["name"] in CARRIED}


def slug(text: str) -> Any:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-") or "as-is"


def library(build: str | Path, source: Path, options: dict[str, str], name: str) -> Any:
    """(build folder, target) of that source with those options, under the name of its refill."""
    folder = Path(build) / "arms" / slug(name)
    wanted = options | {"tests": "false", "variants": options["refill"]}
    words = [f"-D{key}={value}" for key, value in wanted.items()]
    again = ["--reconfigure"] if (folder / "build.ninja").exists() else []
    tell(["meson", "setup", *again, str(folder), str(source), *words])
    target = f"src/libhakmem-{options['refill']}.so"
    tell(["ninja", "-C", str(folder), target])
    return folder, target


def arm(built: tuple[Path, str], name: str, options: dict[str, str]) -> allocators.Arm:
    """Its options are those that it was built with, also such as it does not tell itself."""
    made = allocators.arm_of_file(name, "hakmem", str(Path(*built)), allocators.build_info)
    said = {key: value for key, value in options.items() if "/" not in value}
    return replace(made, options=said | made.options, built=built)


def with_options(build: str | Path, changes: dict[str, Any], say: Callable[[str], None],
                 name: str | None = None) -> allocators.Arm:
    """The arm of this source tree built as in `build` but for `changes`."""
    options = options_of(build)
    unknown = changes.keys() - options.keys()
    if unknown:
        raise CannotMeasure(f"there is no build option {', '.join(sorted(unknown))}")
    options |= {key: spelled(value) for key, value in changes.items()}
    say(f"building {told(changes) or 'hakmem'}")
    name = name or told(changes) or "hakmem"
    return arm(library(build, SOURCE, options, name), name, options)


def of_revision(build: str | Path, revision: str, changes: dict[str, Any],
                say: Callable[[str], None], name: str) -> allocators.Arm:
    """The arm of a git revision; options that it does not know yet are left out."""
    commit = tell(["git", "-C", str(SOURCE), "rev-parse", "--verify", revision + "^{commit}"])
    commit = commit.strip()[:12]
    source = Path(build) / "arms" / f"source-{commit}"
    if not source.exists():
        draft = source.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        tell(["git", "clone", "-q", "--shared", "--no-checkout", str(SOURCE), str(draft)])
        tell(["git", "-C", str(draft), "checkout", "-q", commit])
        draft.rename(source)
    known = {o["name"] for o in introspect(source / "meson.build")} | CARRIED
    options = {k: v for k, v in options_of(build).items() if k in known} | changes
    unknown = sorted(changes.keys() - known)
    if unknown:
        raise CannotMeasure(f"{revision} has no build option {', '.join(unknown)}")
    say(f"building {revision} {told(changes)}".rstrip())
    place = f"{commit} {told(changes)}"
    return arm(library(build, source, options, place), name, options)
