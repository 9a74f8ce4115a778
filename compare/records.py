# SPDX-License-Identifier: MIT
"""records.py: runs.jsonl: one JSON object per line, written as it happens, read by the report.

The first line is the session (plan, arms, rows, environment), then come proofs, runs with the ends
of their blocks, and at the end how it ended. Lines that belong together are written in one piece,
the one that counts last; so a file whose writer was killed is a valid shorter one once its last,
torn piece is cut off, and the session can go on. schema.json says what a line is.
"""

import fcntl
import json
from pathlib import Path

SCHEMA = {"schema": "allocbench", "v": 1}
ACCOMPANYING = ("hist",)  # lines that count only with the line after them


class Journal:
    """runs.jsonl of a session. `lines`: what it holds; `write` appends.

    BlockingIOError: another process is writing it. Damaged: it is left as it is.
    """

    def __init__(self, path):
        path = Path(path)
        self.file = open(path, "a", encoding="utf-8")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.file.close()
            raise
        kept, self.lines = whole(path.read_bytes())
        self.file.truncate(kept)

    def write(self, *records):
        lines = [SCHEMA | record for record in records]
        self.lines += lines
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        self.file.write(text)
        self.file.flush()

    def close(self):
        self.file.close()


class Damaged(ValueError):
    """A line that is not JSON, though it has its end: no kill leaves that behind."""


def whole(data):
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


def first(path):
    """The session line, without a look at the rest; None in a file that was cut off in it."""
    with open(path, "rb") as f:
        lines = whole(f.readline())[1]
    return lines[0] if lines else None


def without_paths(text):
    """A text for the record: of a path of this machine only its last part."""
    return " ".join(w if "/" not in w else Path(w).name for w in text.split())


def read(path):
    return whole(Path(path).read_bytes())[1]
