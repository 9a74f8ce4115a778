# SPDX-License-Identifier: MIT
"""Servers through a peak: each is followed and proved, and the tables are what the runs say."""

import contextlib
import io
import json
import os
import re
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

import jsonschema
import support

from compare.arms import allocators
from compare.commands import curves
from compare.measure import peaks
from compare.measure.launch import Launcher, Shot
from compare.records import runfile
from compare.report import kept, peak_report, render
from compare.workloads import programs, servers

HAKMEM = os.environ.get("HAK_BENCH_LIB")
RESULTS = support.COMPARE.parent / "results"
SMALL = 1 << 20


found = servers.found


def small_servers():
    here, absent = found()
    return [replace(server, size=SMALL) for server in here], absent


class Followed(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.shot = Shot(Launcher(support.LAUNCH, folder.name))
        self.libc = allocators.Arm("glibc", "system", allocators.loader_cache()["libc.so.6"])
        self.hakmem = allocators.Arm("hakmem", "hakmem", HAKMEM)
        self.validator = jsonschema.Draft202012Validator(support.schema())

    def measure(self, server, arm, idle_s=0.2):
        record = peaks.measure(server, arm, self.shot, support.PROBE, idle_s)
        self.validator.validate(support.head(rec="curve", run=0, **record))
        return record

    def test_every_server_is_served_by_the_allocator_through_its_peak(self):
        here, absent = small_servers()
        self.assertEqual(len(here) + len(absent), 4)
        for server in here:
            for arm in (self.libc, self.hakmem):
                with self.subTest(server=server.name, arm=arm.name):
                    record = self.measure(server, arm)
                    self.assertIsNone(record["reason"], record["detail"])
                    file = Path(arm.path).name
                    said = {Path(p["malloc_object"]).name for p in record["processes"]}
                    self.assertEqual(len(said), 1)
                    self.assertIn(said.pop(), (file, Path(os.path.realpath(arm.path)).name))
                    marks = list(record["marks_ms"].values())
                    self.assertEqual(marks, sorted(marks))
                    self.assertGreaterEqual(record["metric"]["peak_rss_kib"], 1024)

    def test_one_that_another_malloc_serves_is_said_to_be_so(self):
        server = small_servers()[0][0]
        other = self.folder / "libother.so"
        other.write_bytes(Path(HAKMEM).read_bytes())
        real = peaks.replace
        with mock.patch.object(peaks, "replace", lambda shot, **fields: real(
                shot, **fields | {"preloads": (support.PROBE, self.hakmem.path)})):
            record = self.measure(server, allocators.Arm("other", "hakmem", str(other)))
        self.assertEqual(record["reason"], "not served")
        self.assertIn("malloc is", record["detail"])
        self.assertEqual(record["t_ms"], [])

    def test_one_that_ends_at_once_has_words_instead_of_numbers(self):
        server = replace(small_servers()[0][0], program="/bin/false")
        record = self.measure(server, self.libc)
        self.assertEqual((record["reason"], record["metric"]), ("no answer", {}))

    def test_the_sparse_redis_keeps_one_key_of_twenty(self):
        server = next((s for s in small_servers()[0] if s.name == "redis sparse"), None)
        if server is None:
            self.skipTest("needs redis-server")
        sizes = []

        class Counting(servers.RedisClient):
            def stop(self):
                self.connection.send(b"DBSIZE")
                sizes.append(int(self.connection.line()[1:]))
                super().stop()

        with mock.patch.object(servers, "RedisClient", Counting):
            self.assertIsNone(self.measure(server, self.libc)["reason"])
        keys = sum(count for _, count in servers.redis_commands(server.size))
        self.assertEqual(sizes, [-(-keys // servers.KEPT_OF)])

    def test_objects_of_the_python_server_come_from_malloc(self):
        server = next((s for s in servers.declared() if s[1].name == "python3"))[1]
        options = server.options[:-1]  # the last is the script
        self.assertFalse(support.has_python_arenas(self.shot, (
            programs.which("python3"), *options), server.env, self.folder))


class Requests(unittest.TestCase):
    def test_are_the_same_each_time(self):
        self.assertEqual(list(servers.documents(SMALL, 9000)), list(servers.documents(SMALL, 9000)))
        first = servers.redis_commands(SMALL)
        servers.redis_commands.cache_clear()
        self.assertEqual(first, servers.redis_commands(SMALL))


def made_up(runs=3):
    """A folder's records: `fast` holds a tenth of what glibc does after the drop."""
    listed = [support.arm_line("glibc", "system"), support.arm_line("other", "peer"),
              support.arm_line("gone", "peer", "not installed"),
              support.arm_line("fast", "hakmem")]
    rows = [server.record() for _, server in servers.declared()[:2]]
    plan = {"mode": "curves", "seed": 1, "input_seed": 1, "blocks": runs, "quiet": True,
            "findings": [], "time_budget_s": None, "base": "glibc", "null_of": None,
            "design": "made up", "idle_s": 11, "interval_ms": 50}
    lines = [support.head(rec="session", id="made-up", t="2026-01-01T00:00:00Z", env=support.ENV,
                          arms=listed, workloads=rows, absent=[], plan=plan)]
    times = [50.0 * i for i in range(280)]
    marks = {"fill": 500.0, "filled": 2000.0, "dropped": 2500.0, "end": 13600.0}
    for run in range(runs):
        for row in rows:
            for arm, low in (("glibc", 100), ("other", 8), ("fast", 10 + 4 * run)):
                rss = [1024 * (10 if t <= 500 else 200 if t <= 2500 else 90 if t < 3600 else low)
                       for t in times]
                series = {"rss_kib": rss, "pss_kib": rss}
                lines.append(support.head(
                    rec="curve", run=run, workload=row["workload"], arm=arm, took_s=14.0,
                    reason=None, detail=None, noise=support.QUIET, processes=[], marks_ms=marks,
                    t_ms=times, lazyfree_kib=rss, anon_huge_kib=rss, **series,
                    metric=peaks.metric_of(times, series, marks)))
    return lines


class Numbers(unittest.TestCase):
    def test_are_those_of_the_samples_at_their_moments(self):
        times = [0.0, 10.0, 20.0, 30.0, 1020.0, 1030.0, 1100.0]
        rss = [1, 2, 9, 5, 4, 3, 77]
        marks = {"fill": 10.0, "filled": 20.0, "dropped": 25.0, "end": 1050.0}
        metric = peaks.metric_of(times, {"rss_kib": rss, "pss_kib": rss}, marks)
        self.assertEqual({k: v for k, v in metric.items() if "rss" in k}, {
            "start_rss_kib": 2, "peak_rss_kib": 9, "after_1s_rss_kib": 3,
            "after_10s_rss_kib": None, "end_rss_kib": 3})

    def test_tables_have_the_median_of_the_runs_and_words_for_who_has_none(self):
        made = peak_report.Peaks(made_up())
        name = made.rows[0]["workload"]
        text = peak_report.markdown(made)
        self.assertIn("| glibc | 10 | 200 | 90 | 100 | 100 |", text)
        self.assertIn("| fast | 10 | 200 | 90 | 14 [10,18] | 14 [10,18] |", text)
        self.assertIn("| gone | not installed |", text)
        self.assertIn(f"* {name}, after 10 s: fast 14 MiB, other 8.00 MiB", text)
        self.assertNotIn("after 1 s: fast", text)

    def test_one_run_that_failed_decides_the_line(self):
        lines = made_up()
        lines[-1] |= {"reason": "no answer", "metric": {}}
        made = peak_report.Peaks(lines)
        self.assertEqual(made.words(made.rows[1]["workload"], "fast"), "no answer")
        self.assertIn("| fast | no answer |", peak_report.markdown(made))
        self.assertIn("fast,,KiB,0,,,,no answer", peak_report.comma_separated(made))
        self.assertEqual(len(peak_report.all_plots(made)), 2)

    def test_records_are_of_the_schema(self):
        validator = jsonschema.Draft202012Validator(support.schema())
        for line in made_up(1):
            validator.validate(line)


class Folders(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)

    def written(self, name="one"):
        folder = self.scratch / name
        folder.mkdir()
        text = "".join(json.dumps(line) + "\n" for line in made_up())
        (folder / runfile.RUNS).write_text(text, encoding="utf-8")
        return folder

    def test_report_renders_a_folder_again_byte_for_byte(self):
        folder = self.written()
        render.write(folder)
        files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        self.assertEqual(sum(path.suffix == ".svg" for path in files), 2)
        render.pack(folder)
        render.write(folder)
        for path, data in files.items():
            if path.name != runfile.RUNS:
                self.assertEqual(path.read_bytes(), data, path.name)
        self.assertIn("| memory over time, 2 servers | fast: ",
                      (self.scratch / kept.INDEX).read_text(encoding="utf-8"))

    def test_docs_get_the_tables_and_the_charts(self):
        page = self.scratch / curves.PAGE
        marks = "<!-- tables: results/none -->\n<!-- end of the tables -->\n"
        page.write_text(f"before\n{marks}after\n", encoding="utf-8")
        curves.write_docs(self.written(), self.scratch)
        text = page.read_text(encoding="utf-8")
        self.assertTrue(text.startswith("before\n<!-- tables: results/one -->"))
        self.assertTrue(text.endswith("<!-- end of the tables -->\nafter\n"))
        for link in re.findall(r"\((figures/[^)]*)\)", text):
            self.assertTrue((self.scratch / link).exists(), link)

    def test_the_page_says_what_its_folder_says(self):
        page = support.COMPARE.parent / "docs" / curves.PAGE
        have = curves.MARKED.search(page.read_text(encoding="utf-8"))
        folder = have["folder"]
        found = render.load(RESULTS / folder)
        self.assertEqual(have[0], curves.tables(found, folder),
                         "compare curves --docs FOLDER writes it")
        for row in found.rows:
            figure = page.parent / "figures" / f"{peak_report.slug(row['workload'])}.svg"
            self.assertTrue(figure.exists(), figure.name)

    def session(self, *more):
        argv = ["--launch", support.LAUNCH, "--probe", support.PROBE, "--lib",
                "hakmem", HAKMEM, "--arms", "hakmem", "--idle", "0.1", "--runs", "1", "--seed",
                "5", "--force", "--only", "python3", "--out", str(self.scratch / "results"), *more]
        with mock.patch.object(servers, "found", small_servers), \
                contextlib.redirect_stdout(io.StringIO()):
            return curves.main(argv)

    def test_a_session_that_was_killed_goes_on_with_the_runs_it_lacks(self):
        self.assertEqual(self.session(), 0)
        folder = next((self.scratch / "results").iterdir())
        path = folder / runfile.RUNS
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        self.assertEqual([json.loads(line)["rec"] for line in lines],
                         ["session", "curve", "curve", "session_end"])
        path.write_text("".join(lines[:2]), encoding="utf-8")
        (folder / "summary.md").unlink()
        self.assertEqual(self.session(), 0)
        self.assertEqual([p.name for p in (self.scratch / "results").iterdir()], [folder.name])
        again = path.read_text(encoding="utf-8").splitlines(keepends=True)
        self.assertEqual(again[:2], lines[:2])
        self.assertEqual([json.loads(line)["rec"] for line in again[2:]],
                         ["resume", "curve", "session_end"])


if __name__ == "__main__":
    unittest.main()
