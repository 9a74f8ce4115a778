# SPDX-License-Identifier: MIT
"""extras.py: what a session holds beside its runs: memory over time, latencies, instructions.

Called by report.py; a pure function of the records. Histograms of all counted blocks of a cell are
added up. Buckets are log-linear, as HdrHistogram's are (G. Tene): see `lower_bound`.
"""

from collections import Counter, defaultdict

NULL_OP = "null"


def lower_bound(index, sub_bits):
    """The least value of a bucket: exact below 2^sub_bits, then 2^(sub_bits-1) steps an octave."""
    half = 1 << (sub_bits - 1)
    if index < 2 * half:
        return index
    e = index // half - 1
    return (index - e * half) << e


class Histogram:
    def __init__(self, sub_bits):
        self.sub_bits = sub_bits
        self.counts = Counter()

    def add(self, counts):
        for index, n in counts.items():
            self.counts[int(index)] += n

    def middle(self, index):
        """The middle of a bucket: what a value in it is taken for."""
        low, high = (lower_bound(i, self.sub_bits) for i in (index, index + 1))
        return (low + high - 1) / 2

    def count(self):
        return sum(self.counts.values())

    def percentile(self, share):
        """The smallest value that at least `share` of all values do not exceed."""
        wanted, seen = share * self.count(), 0
        for index in sorted(self.counts):
            seen += self.counts[index]
            if seen >= wanted * (1 - 1e-12):
                return self.middle(index)
        return 0.0

    def largest(self):
        return self.middle(max(self.counts)) if self.counts else 0.0

    def above(self, limit):
        return sum(n for index, n in self.counts.items() if self.middle(index) > limit)


class Extras:
    PERCENTILES = (0.5, 0.9, 0.99, 0.999, 0.9999)
    LONG = (("10 \u00b5s", 1e4), ("100 \u00b5s", 1e5), ("1 ms", 1e6))

    def __init__(self, records):
        self.mem = by_cell(records, "mem")
        self.insn = by_cell(records, "insn")
        self.hists = {}
        counted = ended_blocks(records)
        for record in records:
            if record["rec"] == "hist" and counted(record):
                key = record["workload"], record["arm"], record["op"]
                hist = self.hists.setdefault(key, Histogram(record["sub_bits"]))
                hist.add(record["counts"])

    def operations(self, row):
        """The operations of a row in the order they came, the null operation last."""
        ops = dict.fromkeys(op for name, _, op in self.hists if name == row)
        return sorted(ops, key=lambda op: op == NULL_OP)


def by_cell(records, rec):
    """(row, arm) -> its last record of that kind."""
    return {(r["workload"], r["arm"]): r for r in records if r["rec"] == rec}


def ended_blocks(records):
    """A test: does the block that a record is of count?"""
    said = defaultdict(bool)
    for r in records:
        if r["rec"] == "block_end":
            said[r["block"], r.get("workload"), r.get("attempt", 0)] = r.get("counts", True)

    def counts(record):
        attempt = record.get("attempt", 0)
        return (said[record["block"], record["workload"], attempt]
                or said[record["block"], None, 0])

    return counts
