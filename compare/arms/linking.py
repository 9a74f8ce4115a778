# SPDX-License-Identifier: MIT
"""linking.py: layouts of a build: the same objects, linked in other orders.

Called by session.py for bench-ab. Where the functions of a library come to lie moves its times by
percents, and nobody chose it: Mytkowicz et al. (ASPLOS'09) shuffle the objects of the link command,
and so do we. Layout 0 is the build's own order, in which no one put them for speed: it is that of
the lists in src/meson.build. The library does not depend on it: it has one constructor and one
destructor, no sections of its own and no symbol that two objects define; and each layout is proved
to serve before it is timed. With -flto the order decides functions' places too, and now and then
what is inlined where: an accident of the build like the other. Functions are not shuffled one by
one: that needs -ffunction-sections, and then no layout would be the library that is shipped.
Invariant: the seed, the arm's name and the number of a layout decide its bytes.
"""

import random
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ..measure.launch import CannotMeasure
from . import allocators, builds
from .allocators import Arm

DRAWS = 20  # of an order that gives other bytes than those before it
WHOLE, NOT_WHOLE = "-Wl,--whole-archive", "-Wl,--no-whole-archive"


def members(commands: list[str]) -> dict[str, list[str]]:
    """archive -> its objects, from the commands that make archives."""
    found = {}
    for words in map(shlex.split, commands):
        ends = [place for place, word in enumerate(words) if word.endswith(".a")]
        listed = words[ends[-1] + 1:] if ends else []
        if listed and all(word.endswith(".o") for word in listed):
            found[words[ends[-1]]] = listed
    return found


def parts(commands: list[str]) -> tuple[list[str], list[str], list[str]]:
    """(words before the objects, the objects, words after) of the link, which comes last.

    Only archives that are linked whole are taken apart: of another, the linker picks objects."""
    archives, whole = members(commands[:-1]), False
    words, objects, place = [], [], None
    for word in shlex.split(commands[-1]):
        whole = word == WHOLE or (whole and word != NOT_WHOLE)
        inside = archives.get(word) if whole else [word] if word.endswith(".o") else None
        if inside is None:
            words.append(word)
            continue
        place = len(words) if place is None else place
        objects += inside
    if len(objects) < 2:
        raise CannotMeasure("the link command names no objects to shuffle")
    return words[:place], objects, words[place:]


def link(arm: Arm, order: Callable[[list[str]], list[str]], path: Path) -> None:
    """Links the arm's objects in that order; `order` gives the objects, shuffled."""
    folder, target = cast(tuple[Path, str], arm.built)
    commands = builds.tell(["ninja", "-t", "commands", target], cwd=folder)
    before, objects, after = parts(commands.splitlines())
    words = [*before, *order(objects), *after]
    words[words.index("-o") + 1] = str(path)
    builds.tell(words, cwd=folder)


def shuffled(draw: random.Random) -> Callable[[list[str]], list[str]]:
    return lambda objects: draw.sample(objects, len(objects))


def layouts(arm: Arm, count: int, seed: Any, scratch: str | Path) -> list[Arm]:
    """`count` arms that differ in their layout; the first is the arm itself."""
    found = [arm]
    for number in range(1, count):
        path = Path(scratch) / "layouts" / arm.name / str(number) / Path(str(arm.path)).name
        path.parent.mkdir(parents=True)
        draw = random.Random(f"{seed} layout {arm.name} {number}")
        for _ in range(DRAWS):
            link(arm, shuffled(draw), path)
            digest = allocators.sha256_of(path)
            if digest not in [one.sha256 for one in found]:
                break
        else:
            raise CannotMeasure(f"{arm.name}: every order of its objects gives the same file")
        found.append(replace(arm, path=str(path), sha256=digest))
    return found


def copies(original: Arm, null: Arm, scratch: str | Path) -> list[Arm]:
    """The null arm's layouts: those of the arm that it is a copy of."""
    twins = [allocators.twin(one, f"{null.name}-{number}", "null", scratch)
             for number, one in enumerate(original.layouts[1:], 1)]
    return [null, *(replace(twin, name=null.name) for twin in twins)]


def with_layouts(listed: list[Arm], original: str | None, count: int, seed: Any,
                 scratch: str | Path, say: Callable[[str], None]) -> list[Arm]:
    """The arms with their layouts; those that are not built here have the one file."""
    if count == 1:
        return listed
    say(f"linking {count} layouts of each build")
    made = {arm.name: replace(arm, layouts=tuple(layouts(arm, count, seed, scratch)))
            for arm in listed if arm.built}
    return [replace(arm, layouts=tuple(copies(made[str(original)], arm, scratch)))
            if arm.kind == "null" else made.get(arm.name, arm) for arm in listed]
