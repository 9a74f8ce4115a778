# SPDX-License-Identifier: MIT
"""caption.py: what stands around the tables in words: the answer, the method, what went wrong.

Called by every format. Everything is said of the records alone: what they do not hold, as for an
import, is not claimed.
"""

from typing import Any

from ..analyse import estimates
from ..analyse.summary import Summary, TIME, Table
from . import cells, worth

IMPORTED = "imported"  # a key of the plan: the format that the numbers came from


def deltas(table: Table) -> str:
    values = sorted(table.delta.values())
    if not values:
        return "-"
    return f"{values[0]:.1%} to {values[-1]:.1%}, median {values[len(values) // 2]:.1%}"


def blocks_text(summary: Summary) -> str:
    counts = {cells.blocks_of(summary, row) for row in summary.rows} or {0}
    low, high = min(counts), max(counts)
    return f"{high}" if low == high else f"{low} to {high}"


def machine(summary: Summary) -> list[str]:
    env, plan = summary.session["env"], summary.session["plan"]
    lines = [
        f"Machine: {env['cpu']}, {env['cores']} processors, kernel {env['kernel']}, "
        f"THP {env['thp_enabled']}, libc {env['libc']}; {summary.session['t']}; "
        f"revision {env['revision']}.",
    ]
    if summary.session.get("machines"):
        names = ", ".join(sorted(summary.session["machines"]))
        lines.append(f"Runs of several machines, compared within each: {names}.")
    if plan.get(IMPORTED):
        lines.append(f"{blocks_text(summary)} repetitions in the order of the file, imported from "
                     f"{plan[IMPORTED]}; how they were run is not known.")
    else:
        lines.append(f"{blocks_text(summary)} randomised complete blocks a row, seed "
                     f"{summary.seed}; a fresh process for each run; one-thread rows pinned to one "
                     "processor; T above the processors is oversubscription.")
    return lines


def measures(summary: Summary) -> list[str]:
    if summary.session["plan"].get(IMPORTED):
        return ["Time is the elapsed time of the file, memory its resident size."]
    others = "".join(f"; {row['workload']}: {row['memory_field']}" for row in summary.rows
                     if row.get("memory_field", "hwm_kib") != "hwm_kib")
    return ["Time is the workload's own ns/op, or the program's wall time (redis: the client's). "
            f"Memory is VmHWM of the child (redis: of the server{others}). Rows whose live memory "
            "is under a MiB, or whose work depends on speed, show memory in MiB, not as a ratio."]


SMALL = 0.03  # a difference that the order of objects in a library alone may make


def small_claims(summary: Summary) -> list[tuple[str, str]]:
    """Cells of our own builds that say less than SMALL: a difference, or that there is none."""
    own = {a["arm"] for a in summary.arms if a["kind"] == "hakmem"}
    found = []
    for table in (summary.time, summary.memory):
        for (row, arm), cell in table.cells.items():
            if arm in own and cell.verdict not in (None, estimates.INCONCLUSIVE):
                found += [(row, arm)] * (abs(cell.estimate.ratio - 1) < SMALL)
    return found


def layouts(summary: Summary) -> list[str]:
    """What the numbers owe to the order of the objects; nothing where it was not recorded."""
    count = summary.session["plan"].get("layouts")
    if count and count > 1:
        return [f"Each build was linked {count} times, its objects in {count} orders. A block "
                "takes one layout of either side, all pairs in turn; a ratio is the mean over "
                "layouts, and its interval no narrower than a t-interval over them. The null arm "
                "has the layout of its original in each block."]
    small = small_claims(summary) if count == 1 else []
    if small:
        return [f"{len(small)} cells claim a difference, or equality, within {SMALL:.0%} of one "
                "layout of a build: the order of its objects alone may move as much (bench-ab "
                "takes several)."]
    return []


def method(summary: Summary) -> list[str]:
    lines = [
        f"A cell is {estimates.METHOD_WORDS.format(base=summary.base)}; lower is better. "
        "Marked (bold) cells lie outside 1 \u00b1 delta with their whole interval; delta is 1 %, "
        "or what the null arm shows where that is more "
        f"(time: {deltas(summary.time)}; memory: {deltas(summary.memory)}).",
    ]
    if summary.original:
        lines.append(f"The null arm is the same file as {summary.original} under a second name: "
                     "its ratio to it is noise, and nothing smaller is a difference.")
    else:
        lines.append("There was no null arm: noise beyond 1 % would pass for a difference.")
    lines += layouts(summary)
    if not summary.session["plan"].get(IMPORTED):
        noisy = f"{summary.noisy} of {len(summary.counted)} runs were noisy (others used the "
        quiet = summary.session["plan"]["quiet"]
        lines.append(noisy + "machine)" + ("" if quiet else "; the machine was busy at the start")
                     + ".")
    if summary.refused or summary.disturbed:
        lines.append(f"{len(summary.refused)} blocks were disturbed and run again; "
                     f"{len(summary.disturbed)} count although they were disturbed.")
    fewest = min((cells.blocks_of(summary, row) for row in summary.rows), default=0)
    if fewest < estimates.LEAST_BLOCKS:
        lines.append(f"Fewer than {estimates.LEAST_BLOCKS} blocks carry no 95 % interval: there "
                     "nothing is marked, and no difference is shown.")
    return lines


def caption(summary: Summary) -> list[str]:
    return machine(summary) + measures(summary) + method(summary)


def short(summary: Summary) -> str:
    """One line for under a table that travels alone."""
    env = summary.session["env"]
    hashes = "; ".join(f"{a['arm']} {a['sha256'][:12]}" for a in summary.arms
                       if a.get("sha256") and a["kind"] != "null")
    return (f"{env['cpu']}, {env['cores']} processors, kernel {env['kernel']}; "
            f"{blocks_text(summary)} blocks; {summary.session['t'][:10]}; revision "
            f"{env['revision']}; 95 % bootstrap intervals over blocks; delta for time "
            f"{deltas(summary.time)}, for memory {deltas(summary.memory)}."
            + (f" SHA-256: {hashes}." if hashes else ""))


def version(arm: dict[str, Any]) -> str:
    if arm["missing"]:
        return f"missing, {arm['missing']}"
    return f"{arm['file'] or 'no file known'} {(arm['sha256'] or '')[:12]}, {arm['version']}"


def versions(summary: Summary) -> list[str]:
    return [f"{arm['arm']}: {version(arm)}" for arm in summary.arms]


def footnotes(summary: Summary) -> list[str]:
    """What was skipped, and the story behind each cell that holds words."""
    lines = [f"{a['workload']}: skipped, {a['reason']}" for a in summary.session["absent"]]
    lines += [f"{what}: skipped, {why}" for what, why in summary.left_out.items()]
    told = set()
    for record in [*summary.proofs, *summary.counted]:
        place = record["workload"], record["arm"]
        if record["reason"] and place not in told:
            told.add(place)
            is_proof = record["rec"] == "proof"
            when = "the proof run" if is_proof else f"block {record['block'] + 1}"
            when += f" of layout {record['build']}" if record.get("build") else ""
            detail = f": {record['detail']}" if record["detail"] else ""
            lines.append(f"{place[0]}, {place[1]}: {record['reason']} in {when}{detail}")
    return lines


def programs(summary: Summary) -> str:
    said = summary.session["env"]["programs"]
    return "; ".join(f"{name} {version}" for name, version in said.items())


# ---- the answer: what a reader wants to know first ----


def gist(summary: Summary, arm: str) -> str | None:
    """One sentence on an arm over the declared suite, or None."""
    label = next(iter(summary.time.most), None)
    time, memory = (table.means.get((label, arm)) for table in (summary.time, summary.memory))
    if time is None and memory is None:
        return None
    said = []
    if time:
        said.append(f"{cells.interval(time[0])} of {summary.base}'s time ({time[1]} rows)")
    if memory:
        said.append(f"{cells.interval(memory[0])} of its peak memory ({memory[1]} rows)")
    return f"{arm}: " + " and ".join(said) + "."


def losses(summary: Summary, table: Table, arm: str | None) -> list[tuple[float, dict[str, Any]]]:
    """Rows where the arm is decidedly worse than the baseline: (ratio, row), worst first."""
    found = []
    for row in summary.rows:
        cell = table.cells[row["workload"], arm]
        if cell.verdict in cells.WORSE:
            found.append((cell.estimate.ratio, row))
    return sorted(found, key=lambda item: -item[0])


def behind(summary: Summary, table: Table, arm: str,
           others: list[str]) -> list[tuple[float, dict[str, Any], str]]:
    """Rows where some other arm's whole interval is below this one's, by more than delta."""
    found = []
    for row in summary.rows:
        name = row["workload"]
        own = table.cells[name, arm].estimate
        if own is None or not cells.has_interval(own):
            continue
        rivals = [(e.ratio, o) for o in others if (e := table.cells[name, o].estimate)
                  and e.high * (1 + table.delta[name]) < own.low]
        if rivals:
            ratio, rival = min(rivals)
            found.append((own.ratio / ratio, row, rival))
    return sorted(found, key=lambda item: -item[0])


WORST = 5


def subject(summary: Summary) -> str | None:
    """The arm that the words are about: our first, else the first that is not the base."""
    ours = [a["arm"] for a in summary.arms if a["kind"] == "hakmem" and a["arm"] in summary.columns]
    return next(iter(ours or summary.columns), None)


def losing(summary: Summary, arm: str) -> list[str]:
    """The sentences on where an arm loses, to the baseline and to the others."""
    lines = []
    kinds = {a["arm"]: a["kind"] for a in summary.arms}
    others = [a for a in summary.columns if kinds[a] != kinds[arm]]
    for table in (summary.time, summary.memory):
        word = "slower than" if table.metric == TIME else "larger than"
        lost = losses(summary, table, arm)
        listed = "; ".join(f"{cells.row_label(row)} {cells.ratio_text(r)}"
                           for r, row in lost[:WORST])
        rows = len(table.delta)
        lines.append(f"{arm} is {word} {summary.base} in {len(lost)} of {rows} rows"
                     + (f": {listed}" if lost else "")
                     + ("; \u2026" if len(lost) > WORST else "."))
        trailing = behind(summary, table, arm, others)
        if trailing:
            listed = "; ".join(f"{cells.row_label(row)} {cells.ratio_text(r)} times {rival}"
                               for r, row, rival in trailing[:WORST])
            lines.append(f"In {table.metric} it is behind the best of the others in "
                         f"{len(trailing)} rows: {listed}"
                         + ("; \u2026" if len(trailing) > WORST else "."))
    return lines


def answer(summary: Summary) -> tuple[list[str], list[str]]:
    """(sentences on each arm's means, sentences on where the subject loses)."""
    means = [line for arm in summary.columns if (line := gist(summary, arm))]
    if worth.false_differences(summary):
        means.insert(0, worth.false_differences(summary))
    arm = subject(summary)
    return means, losing(summary, arm) if arm and summary.time.delta else []


def failures(summary: Summary) -> str:
    """How many cells hold words, in words."""
    words: dict[str, list[Any]] = {}
    for place, cell in summary.time.cells.items():
        if cell.words:
            words.setdefault(cell.words, []).append(place)
    for place, record in summary.mem.items():
        if record.get("reason"):
            words.setdefault(record["reason"] + " when sampled", []).append(place)
    if not words:
        return "Every cell has its number: nothing failed."
    return "Cells without a number: " + ", ".join(
        f"{len(places)} {word}" for word, places in sorted(words.items())) + "."
