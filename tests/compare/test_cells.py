# SPDX-License-Identifier: MIT
"""A run that fails is a cell of the table: tiny programs that crash, hang, err and lie."""

import io
import os
import shutil
import tempfile
import unittest
from pathlib import Path

import jsonschema
import support

from compare.analyse.summary import Summary
from compare.arms import allocators
from compare.measure import proof
from compare.measure.launch import Launcher
from compare.measure.progress import Progress
from compare.measure.runner import Runner
from compare.records import runfile
from compare.report import caption, render, tables
from compare.workloads.workload import Row, Workload

# Under the arm `odd` (a second name of libc) a program may misbehave: at once, or only when it is
# not being proved.
ODD = "case $LD_PRELOAD in *libodd*) {};; esac; echo same"
LATER = ODD.format('[ "$HAK_PROBE_OUT" ] || {}')
REPORT = '{"ns_per_op":12.5,"hwm_kib":900,"checksum":"%s","errors":%s}'


def script(name, text, timeout_s=300, kind=Row, **fields):
    return kind(name, ("/bin/sh", "-c", text), timeout_s, **fields)


class Cells(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.scratch = Path(folder.name)
        self.libc = allocators.loader_cache()["libc.so.6"]
        os.symlink(self.libc, self.scratch / "libodd.so")
        shutil.copy(support.PROBE, self.scratch / "libidle.so")

    def arm(self, name, kind, file):
        return allocators.arm_of_file(name, kind, str(file), lambda _: "1")

    def compare(self, rows, blocks=2):
        """The summary of a session of these rows under glibc, `odd` and `idle`."""
        present = [
            self.arm("glibc", "system", self.libc),
            self.arm("odd", "system", self.scratch / "libodd.so"),
            self.arm("idle", "peer", self.scratch / "libidle.so"),
        ]
        journal = runfile.Journal(self.scratch / "runs.jsonl")
        session = support.made_up_session(blocks=0)[0]
        session["plan"]["null_of"] = None
        session |= {"arms": [a.record() for a in present] + [support.arm_line("x", "peer", "no")],
                    "workloads": [row.record() for row in rows]}
        journal.write(session)
        runner = Runner(Launcher(support.LAUNCH, self.scratch), {"probe": support.PROBE}, rows,
                        present, journal, support.exactly(blocks), 1, Progress(io.StringIO()))
        runner.prove_all()
        runner.measure_all()
        journal.close()
        lines = runfile.read(self.scratch / "runs.jsonl")
        validator = jsonschema.Draft202012Validator(support.schema())
        for line in lines:
            validator.validate(line)
        self.assertNotIn(str(self.scratch), (self.scratch / "runs.jsonl").read_text())
        return Summary(lines)

    def rows_that_fail(self, patience_s):
        return [
            script("well", "echo same"),
            script("crash", ODD.format("kill -SEGV $$")),
            script("crash later", LATER.format("kill -ABRT $$")),
            script("hang", LATER.format("sleep 600"), timeout_s=patience_s),
            script("status", ODD.format("exit 3")),
            script("lie", LATER.format("echo other")),
        ]

    def test_every_way_to_fail_has_its_words(self):
        for patience_s in (0.5, 8, 128):  # in which glibc's own run ends
            rows = self.rows_that_fail(patience_s)
            (self.scratch / "runs.jsonl").unlink(missing_ok=True)
            summary = self.compare(rows)
            if len(summary.time.cells["hang", "glibc"].values) == 2:
                break
        words = {row.name: summary.time.cells[row.name, "odd"].words for row in rows}
        self.assertEqual(words, {
            "well": None, "crash": "crash SIGSEGV", "crash later": "crash SIGABRT",
            "hang": "timeout", "status": "exit 3", "lie": "wrong data"})
        for row in rows:
            self.assertEqual(len(summary.time.cells[row.name, "glibc"].values), 2)
            self.assertEqual(summary.time.cells[row.name, "idle"].words, "not served")
            self.assertEqual(summary.time.cells[row.name, "x"].words, "missing")
        self.assertEqual(summary.time.cells["well", "odd"].estimate.n, 2)
        text = tables.terminal(summary, 200)
        render.write(self.scratch)
        texts = [text] + [(self.scratch / name).read_text() for name in (
            "summary.md", "summary.csv", "tables.tex", "report.html")]
        for word in [*filter(None, words.values()), "not served", "missing"]:
            for text_ in texts:
                self.assertIn(word, text_)
        self.assertIn("crash later, odd: crash SIGABRT in block 1", text)

    def test_a_workload_that_found_damage_says_wrong_data(self):
        sound, errs = REPORT % ("7", 0), REPORT % ("7", 2)
        rows = [
            script("sound", f"echo '{sound}'", kind=Workload, score="ns_per_op"),
            script("damaged", f"echo '{errs}'", kind=Workload, score="ns_per_op"),
            script("gave up", "echo damaged >&2; exit 1", kind=Workload, score="ns_per_op"),
            script("mute", "true", kind=Workload, score="ns_per_op"),
        ]
        summary = self.compare(rows)
        words = [summary.time.cells[row.name, "glibc"].words for row in rows]
        self.assertEqual(words, [None, "wrong data", "wrong data", "no result"])
        self.assertEqual(summary.time.cells["sound", "glibc"].spread.median, 12.5)

    def test_a_row_may_name_its_memory_field(self):
        said = '{"ns_per_op":12.5,"rss_9ms_kib":77,"checksum":"7","errors":0}'
        row = script("rest", f"echo '{said}'", kind=Workload, score="ns_per_op",
                     memory_field="rss_9ms_kib")
        silent = script("silent", f"echo '{REPORT % ('7', 0)}'", kind=Workload, score="ns_per_op",
                        memory_field="rss_9ms_kib")
        summary = self.compare([row, silent])
        self.assertEqual(summary.memory.cells["rest", "glibc"].spread.median, 77)
        self.assertEqual(summary.memory.cells["silent", "glibc"].words, "no result")
        self.assertIn("; rest: rss_9ms_kib", " ".join(caption.caption(summary)))


class Proof(unittest.TestCase):
    def setUp(self):
        self.arm = allocators.Arm("mine", "hakmem", "/lib/libmine.so")
        self.process = dict.fromkeys(proof.CALLS, "libmine.so")
        self.process |= dict.fromkeys(proof.HOLDINGS, 0) | {"exe": "/bin/true"}

    def test_served_everything(self):
        self.assertIsNone(proof.objection(self.arm, [self.process]))

    def test_each_call_counts(self):
        for call in proof.CALLS:
            said = proof.objection(self.arm, [self.process, self.process | {call: "libc.so.6"}])
            self.assertEqual(said, f"true: {call[:-7]} is libc.so.6")

    def test_libc_must_hold_nothing(self):
        said = proof.objection(self.arm, [self.process | {"libc_mmap_bytes": 4096}])
        self.assertEqual(said, "true: libc's own malloc holds 4096 bytes")

    def test_silence_is_no_proof(self):
        self.assertIn("no process reported", proof.objection(self.arm, []))


if __name__ == "__main__":
    unittest.main()
