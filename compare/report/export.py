# SPDX-License-Identifier: MIT
"""export.py: the runs of a session as JSON of Google Benchmark and of pyperf, for their tools.

Called by `report --export`. Field names after google/benchmark's docs/user_guide.md ("Output
Formats") and pyperf's documentation of its JSON (version 1.0). Rows whose score is no time are
named as left out.
"""

import json
from collections.abc import Iterator
from typing import Any

from ..analyse.summary import Summary

NS = {"ns/op": 1, "s": 1e9}  # what one unit of a score is in nanoseconds


def parts(summary: Summary) -> tuple[list[dict[str, Any]], list[str]]:
    """(rows whose score is a time, names of the others)."""
    times = [row for row in summary.rows if row["unit"] in NS]
    return times, [row["workload"] for row in summary.rows if row["unit"] not in NS]


def runs_by_cell(summary: Summary) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """(row, arm) -> its counted runs in order."""
    found: dict[Any, Any] = {}
    for run in summary.counted:
        found.setdefault((run["workload"], run["arm"]), []).append(run)
    return found


def google_lines(summary: Summary, row: dict[str, Any], arm: str,
                 runs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    name = f"{row['workload']}/{arm}"
    scale = 1 if row["unit"] == "ns/op" else 1e9
    for number, run in enumerate(runs):
        line = {"name": name, "run_name": name, "run_type": "iteration", "repetitions": len(runs),
                "repetition_index": number, "threads": row["threads"]}
        metric = run["metric"]
        if run["valid"]:
            ops = metric.get("ops", 1) if row["unit"] == "ns/op" else 1
            cpu_s = metric.get("user_s", 0) + metric.get("sys_s", 0)
            line |= {"iterations": int(ops), "real_time": metric[row["score"]] * scale,
                     "cpu_time": cpu_s * 1e9 / max(1, ops), "time_unit": "ns"}
            line |= {k: metric[k] for k in ("hwm_kib", "minflt", "majflt") if k in metric}
        else:
            line |= {"error_occurred": True, "error_message": run["reason"]}
        yield line


def google(summary: Summary) -> str:
    rows, left_out = parts(summary)
    env, runs = summary.session["env"], runs_by_cell(summary)
    context = {
        "date": summary.session["t"], "executable": "allocbench", "num_cpus": env["cores"],
        "library_build_type": "release", "revision": env["revision"], "cpu": env["cpu"],
        "cpu_time": "of the whole process", "left_out": left_out,
    }
    lines = [line for row in rows for arm in summary.arms
             for line in google_lines(summary, row, arm["arm"],
                                      runs.get((row["workload"], arm["arm"]), []))]
    return json.dumps({"context": context, "benchmarks": lines}, indent=1) + "\n"


def pyperf(summary: Summary) -> str:
    rows, left_out = parts(summary)
    env, runs = summary.session["env"], runs_by_cell(summary)
    benchmarks = []
    for row in rows:
        for arm in summary.arms:
            valid = [r for r in runs.get((row["workload"], arm["arm"]), []) if r["valid"]]
            if not valid:
                continue
            values = [r["metric"][row["score"]] * NS[row["unit"]] / 1e9 for r in valid]
            benchmarks.append({
                "metadata": {"name": f"{row['workload']}/{arm['arm']}", "unit": "second"},
                "runs": [{"metadata": {"mem_max_rss": int(1024 * r["metric"].get("hwm_kib", 0))},
                          "values": [value]} for r, value in zip(valid, values)],
            })
    metadata = {"cpu_model_name": env["cpu"], "cpu_count": env["cores"],
                "platform": env["kernel"], "left_out": ", ".join(left_out) or "nothing"}
    made = {"version": "1.0", "metadata": metadata, "benchmarks": benchmarks}
    return json.dumps(made, indent=1) + "\n"


FORMATS = {"google": google, "pyperf": pyperf}
