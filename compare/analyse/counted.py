# SPDX-License-Identifier: MIT
"""counted.py: which runs of a session count.

Called by summary.py; a pure function of the records. A block is one row under all arms, each run
next to the others. It counts when it was ended as one that does; when others disturbed it, it was
ended as one that does not, and done again as the next attempt. Older records end all rows of a
block at once. Invariant: of each (machine, block, row) at most one attempt counts; a run that
failed is kept whatever became of its block, since its failure decides a cell. Only a timeout goes
with its block: where that was disturbed and done again, it may have been the machine's.
"""

from typing import Any

from ..measure.launch import is_timeout


def block_of(record: dict[str, Any]) -> tuple[str, int]:
    """What names a block: in merged sessions each machine has its own."""
    return record.get("machine") or "", record["block"]


class Counted:
    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.whole = set()  # blocks ended for all rows
        self.attempts = {}  # (block, row) -> the attempt that counts
        self.refused = []  # ends of attempts that do not count
        self.repeated = set()  # (block, row, attempt) of these
        self.disturbed = []  # ends of attempts that count because there was no better one
        for end in (r for r in records if r["rec"] == "block_end"):
            if not end.get("counts", True):
                self.refused.append(end)
                self.repeated.add((block_of(end), end.get("workload"), end.get("attempt", 0)))
                continue
            if end.get("reason"):
                self.disturbed.append(end)
            if "workload" in end:
                self.attempts[block_of(end), end["workload"]] = end.get("attempt", 0)
            else:
                self.whole.add(block_of(end))

    def attempt(self, block: tuple[str, int], row: str) -> int | None:
        if block in self.whole:
            return 0
        return self.attempts.get((block, row))

    def counts(self, record: dict[str, Any]) -> bool:
        """Does the block that a run or a histogram is of count?"""
        block, row = block_of(record), record["workload"]
        attempts = {self.attempt(block, row), self.attempt(("", block[1]), row)}
        return record.get("attempt", 0) in attempts

    def runs(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [r for r in records if r["rec"] == "run" and (
            self.counts(r) or not (r["valid"] or self.was_late(r)))]

    def was_late(self, run: dict[str, Any]) -> bool:
        """It timed out in a block that was done again."""
        place = block_of(run), run["workload"], run.get("attempt", 0)
        return is_timeout(run["reason"]) and place in self.repeated
