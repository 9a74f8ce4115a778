# SPDX-License-Identifier: MIT
"""records.py: runs.jsonl: one JSON object per line, written as it happens, read by the report.

The first line is the session (plan, arms, rows, environment), then proofs, then runs, and at the
end how it ended. A file that was cut off is a valid shorter file. schema.json says what a line is.
"""

import json
from pathlib import Path

SCHEMA = {"schema": "allocbench", "v": 1}


class Writer:
    def __init__(self, path):
        self.file = open(path, "x", encoding="utf-8")
        self.lines = []

    def write(self, **fields):
        line = SCHEMA | fields
        self.lines.append(line)
        self.file.write(json.dumps(line, separators=(",", ":")) + "\n")
        self.file.flush()

    def close(self):
        self.file.close()


def read(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
