# SPDX-License-Identifier: MIT
"""runfile.py: runs.jsonl: one JSON object per line, written as it happens, read by the report.

The first line is the session (plan, arms, rows, environment), then come proofs, runs with the ends
of their blocks, and at the end how it ended. Lines that belong together are written in one piece,
the one that counts last; so a file whose writer was killed is a valid shorter one once its last,
torn piece is cut off, and the session can go on. schema.json says what a line is. A folder that is
kept holds the same lines as runs.jsonl.xz; `runs_of` finds either, and either is read alike.
"""

import fcntl
import json
import lzma
import os
from pathlib import Path
from typing import Any

SCHEMA = {"schema": "allocbench", "v": 1}
RUNS, PACKED = "runs.jsonl", "runs.jsonl.xz"
ACCOMPANYING = ("hist",)  # lines that count only with the line after them


class Journal:
    """runs.jsonl of a session. `lines`: what it holds; `write` appends.

    BlockingIOError: another process is writing it. Damaged: it is left as it is.
    """

    def __init__(self, path: Path) -> None:
        path = Path(path)
        self.file = open(path, "a", encoding="utf-8")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.file.close()
            raise
        kept, self.lines = whole(path.read_bytes())
        self.file.truncate(kept)

    def write(self, *records: Any) -> None:
        lines = [SCHEMA | record for record in records]
        self.lines += lines
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        self.file.write(text)
        self.file.flush()

    def close(self) -> None:
        self.file.close()


class Damaged(ValueError):
    """A line that is not JSON, though it has its end: no kill leaves that behind."""


def whole(data: bytes) -> tuple[int, list[dict[str, Any]] | list[dict[str, Any]]]:
    """(bytes that are whole pieces, their lines) of a file that may be torn at its end."""
    kept, place, lines, pending = 0, 0, [], []
    while (end := data.find(b"\n", place)) >= 0:
        try:
            line = json.loads(data[place:end])
        except ValueError as error:
            number = data.count(b"\n", 0, end) + 1
            raise Damaged(f"line {number} of runs.jsonl is damaged: {error}") from None
        place = end + 1
        pending.append(line)
        if line["rec"] not in ACCOMPANYING:
            kept = place
            lines += pending
            pending = []
    return kept, lines


def first(path: Path) -> Any:
    """The session line, without a look at the rest; None in a file that was cut off in it."""
    with opened(path) as f:
        lines = whole(f.readline())[1]
    return lines[0] if lines else None


def without_paths(text: str) -> str:
    """A text for the record: of a path of this machine only its last part."""
    return " ".join(w if "/" not in w else Path(w).name for w in text.split())


def runs_of(folder: str | Path) -> Path:
    """The file with the runs of a folder: runs.jsonl, or the packed one. It need not be there."""
    plain, packed = Path(folder) / RUNS, Path(folder) / PACKED
    return packed if packed.exists() and not plain.exists() else plain


def opened(path: Path) -> Any:
    return lzma.open(path) if Path(path).suffix == ".xz" else open(path, "rb")


def read(path: Path) -> list[Any]:
    with opened(path) as f:
        try:
            data = f.read()
        except (EOFError, lzma.LZMAError) as error:
            raise Damaged(f"{Path(path).name} is damaged: {error}") from None
    return whole(data)[1]


def pack(folder: Path) -> None:
    """runs.jsonl becomes runs.jsonl.xz, and goes once that was read back and is the same.

    BlockingIOError: it is still being written.
    """
    plain, packed = Path(folder) / RUNS, Path(folder) / PACKED
    if not plain.exists() and packed.exists():
        return
    part = Path(folder) / (PACKED + ".part")
    with open(plain, "rb") as f:
        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        data = f.read()
        part.write_bytes(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
        if lzma.decompress(part.read_bytes()) != data:
            raise Damaged(f"{part.name} does not hold what {plain.name} does")
        os.replace(part, packed)
        plain.unlink()
