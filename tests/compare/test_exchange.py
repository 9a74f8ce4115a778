# SPDX-License-Identifier: MIT
"""What goes out to other tools, and what comes in from mimalloc-bench."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

import jsonschema
import support

from compare.analyse.summary import Summary
from compare.commands import report
from compare.records import mimalloc_bench, runfile
from compare.report import export, render, tables

BENCHRES = """# a comment
# test alloc time rss user sys page-faults page-reclaims
one sys 02.00 4000 2.99 0.00 0 744
one fast 01.00 8000 2.99 0.00 0 744
two sys 0:04.00 4096 2.99 0.00 1 744
two fast 0:02.00 2048 2.99 0.00 1 744
two hurt 0:02.00
three fast 1:00:00.5 100 1 0 0 1
"""


class Imported(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.file = self.folder / "benchres.csv"
        body = BENCHRES.splitlines(keepends=True)
        self.file.write_text("".join(body[:2]) + "".join(body[2:]) * 7)

    def test_times_of_gnu_time(self):
        for said, value in (("02.99", 2.99), ("0:01.23", 1.23), ("1:02:03.5", 3723.5),
                            ("fail", None), ("0", None), ("nan", None), ("", None)):
            self.assertEqual(mimalloc_bench.seconds(said), value)

    def test_repetitions_become_blocks_and_tables(self):
        mimalloc_bench.convert(self.file, self.folder / "out")
        lines = runfile.read(self.folder / "out" / "runs.jsonl")
        validator = jsonschema.Draft202012Validator(support.schema())
        for line in lines:
            validator.validate(line)
        summary = render.write(self.folder / "out")
        self.assertEqual((summary.base, summary.blocks), ("sys", 7))
        self.assertAlmostEqual(summary.time.cells["one", "fast"].estimate.ratio, 0.5)
        self.assertAlmostEqual(summary.memory.cells["one", "fast"].estimate.ratio, 2)
        self.assertAlmostEqual(summary.memory.cells["two", "fast"].estimate.ratio, 0.5)
        self.assertEqual(summary.time.cells["two", "hurt"].words, "no result")
        self.assertEqual(summary.time.cells["three", "sys"].words, "not run")

    def test_the_caption_claims_nothing_that_the_file_does_not_say(self):
        mimalloc_bench.convert(self.file, self.folder / "out", "fast")
        lines = runfile.read(self.folder / "out" / "runs.jsonl")
        made = tables.markdown(Summary(lines))
        self.assertIn("imported from mimalloc-bench", made)
        self.assertIn("There was no null arm", made)
        for claim in ("fresh process", "pinned", "VmHWM", "were noisy"):
            self.assertNotIn(claim, made)
        self.assertEqual(Summary(lines).base, "fast")

    def test_the_command_line_does_it_in_one(self):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            report.main(["--import-mimalloc-bench", str(self.file), "--out",
                         str(self.folder / "out")])
        self.assertIn("geometric mean", out.getvalue())
        self.assertTrue((self.folder / "out" / "report.html").exists())

    def test_refuses_an_unknown_base_and_a_file_of_something_else(self):
        with self.assertRaisesRegex(SystemExit, "it has sys, fast"):
            mimalloc_bench.convert(self.file, self.folder / "out", "none")
        self.file.write_text("# nothing\n")
        with self.assertRaisesRegex(SystemExit, "holds no line"):
            mimalloc_bench.convert(self.file, self.folder / "out")


class Exported(unittest.TestCase):
    def setUp(self):
        failed = support.run_line(2, 99, "real", "same", {}, reason="timeout")
        made = support.made_up_session() + [failed]
        made[0]["workloads"][1]["unit"] = "cycles/op"
        self.summary = Summary(made)

    def test_google_benchmark_has_each_repetition_and_each_failure(self):
        made = json.loads(export.google(self.summary))
        self.assertEqual(made["context"]["left_out"], ["tiny"])
        lines = [b for b in made["benchmarks"] if b["name"] == "short/fast"]
        self.assertEqual([b["repetition_index"] for b in lines], list(range(9)))
        self.assertTrue(all(b["time_unit"] == "ns" and b["real_time"] > 0 for b in lines))
        failed = [b for b in made["benchmarks"] if b.get("error_occurred")]
        self.assertEqual([b["error_message"] for b in failed], ["timeout"])

    def test_pyperf_has_seconds(self):
        made = json.loads(export.pyperf(self.summary))
        names = {b["metadata"]["name"]: b for b in made["benchmarks"]}
        self.assertNotIn("tiny/fast", names)
        values = [run["values"][0] for run in names["short/fast"]["runs"]]
        self.assertEqual(len(values), 9)
        self.assertTrue(all(1e-10 < v < 1e-6 for v in values))


if __name__ == "__main__":
    unittest.main()
