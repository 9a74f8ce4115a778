# SPDX-License-Identifier: MIT
"""Layouts of a build: other bytes of the same objects, that serve, and that the seed decides."""

import io
import os
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

import support

from compare.arms import allocators, linking
from compare.commands import ab
from compare.measure import session
from compare.measure.launch import CannotMeasure, Launcher
from compare.measure.progress import Progress
from compare.measure.runner import Runner
from compare.records import runfile
from compare.workloads.workload import Row

COMMANDS = [
    "cc -c -o a.o a.c", "rm -f one.a && ar csrDT one.a a.o b.o",
    "rm -f two.a && ar csrDT two.a c.o",
    "cc -o lib.so -Wl,--whole-archive one.a -Wl,--no-whole-archive two.a d.o -lm",
]


class Commands(unittest.TestCase):
    def test_archives_that_are_linked_whole_are_taken_apart_and_no_others(self):
        before, objects, after = linking.parts(COMMANDS)
        self.assertEqual(before, ["cc", "-o", "lib.so", "-Wl,--whole-archive"])
        self.assertEqual(objects, ["a.o", "b.o", "d.o"])
        self.assertEqual(after, ["-Wl,--no-whole-archive", "two.a", "-lm"])

    def test_a_link_of_one_object_has_no_orders(self):
        with self.assertRaisesRegex(CannotMeasure, "no objects to shuffle"):
            linking.parts(["cc -o lib.so a.o"])

    def test_orders_that_change_nothing_are_not_passed_for_layouts(self):
        def copied(arm, _, path):
            path.write_bytes(Path(arm.path).read_bytes())

        with tempfile.TemporaryDirectory() as scratch, \
                mock.patch.object(linking, "link", copied):
            lib = Path(scratch, "lib.so")
            lib.write_bytes(b"same")
            arm = allocators.Arm("a", "hakmem", str(lib), allocators.sha256_of(lib),
                                 built=("b", "t"))
            with self.assertRaisesRegex(CannotMeasure, "every order"):
                linking.layouts(arm, 2, 1, scratch)


class Built(unittest.TestCase):
    """The library of this build folder. A link takes seconds, and minutes on a busy machine: what
    several tests look at is linked once."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.lib = Path(os.environ["HAK_BENCH_LIB"])
        build = cls.lib.parents[1]
        made = allocators.arm_of_file("a", "hakmem", str(cls.lib), allocators.build_info)
        cls.arm = replace(made, built=(build, str(cls.lib.relative_to(build))))
        cls.listed = cls.with_layouts(5, "scratch")

    @classmethod
    def with_layouts(cls, seed, name):
        scratch = cls.folder / name
        scratch.mkdir()
        listed = [cls.arm, allocators.twin(cls.arm, "null", "null", scratch)]
        return linking.with_layouts(listed, "a", 2, seed, scratch, lambda _: None)

    def test_in_its_own_order_it_comes_out_as_it_is(self):
        linking.link(self.arm, list, self.folder / "again.so")
        self.assertEqual((self.folder / "again.so").read_bytes(), self.lib.read_bytes())

    def test_layouts_differ_in_bytes_and_follow_from_the_seed(self):
        one, null = self.listed
        digests = [layout.sha256 for layout in one.layouts]
        self.assertEqual(len(set(digests)), 2)
        self.assertEqual(digests[0], self.arm.sha256)
        self.assertEqual([allocators.sha256_of(layout.path) for layout in null.layouts], digests)
        self.assertEqual(one.record()["layouts"], digests)
        again, _ = self.with_layouts(5, "again")
        self.assertEqual(again.record(), one.record())

    def test_every_layout_is_proved_to_serve_and_timed(self):
        journal = runfile.Journal(self.folder / "runs.jsonl")
        self.addCleanup(journal.close)
        row = Row("one", ("/bin/sh", "-c", "echo same"), 300)
        scratch = self.folder / "scratch"
        runner = Runner(Launcher(support.LAUNCH, scratch), {"probe": support.PROBE}, [row],
                        self.listed, journal, support.exactly(2), 7, Progress(io.StringIO()))
        runner.prove_all()
        with mock.patch("compare.measure.runner.REST_AFTER_NOISE_S", 0):
            runner.measure_all()
        proofs = [r for r in journal.lines if r["rec"] == "proof"]
        self.assertEqual([(r["arm"], r["build"], r["served"], r["detail"]) for r in proofs],
                         [(arm, build, True, None) for arm in ("a", "null") for build in (0, 1)])
        runs = [r for r in journal.lines if r["rec"] == "run"]
        for name in ("a", "null"):  # a disturbed block is run again, with the layout it had
            self.assertEqual({(r["block"], r["build"]) for r in runs if r["arm"] == name},
                             {(b, runner.schedule.layouts(0, b, 2)[0]) for b in (0, 1)})


class Sessions(unittest.TestCase):
    def lay_out(self, seed, folder, digest="f" * 64):
        """The seed that layouts are linked by, as a session finds it."""
        asked = []

        def with_layouts(listed, _, count, by, *__):
            asked.append(by)
            layout = allocators.Arm("a", "hakmem", "a.so", digest)
            return [replace(arm, layouts=(arm, layout)) for arm in listed]

        who = session.Field([allocators.Arm("a", "hakmem", "a.so", "0" * 64)], "a", layouts=2)
        line = {"rec": "session", "arms": [], "plan": {"seed": seed}}
        with mock.patch.object(linking, "with_layouts", with_layouts):
            session.lay_out(who, line, folder, "scratch", lambda _: None)
        return asked[0], line

    def test_one_that_goes_on_links_by_the_seed_it_began_with(self):
        with tempfile.TemporaryDirectory() as folder:
            by, line = self.lay_out(5, None)
            self.assertEqual(by, 5)
            journal = runfile.Journal(Path(folder, "runs.jsonl"))
            journal.write(line)
            journal.close()
            self.assertEqual(self.lay_out(9, Path(folder))[0], 5)
            with self.assertRaisesRegex(CannotMeasure, "--fresh"):
                self.lay_out(9, Path(folder), "e" * 64)

    def test_layouts_are_asked_for_where_both_sides_are_built_here(self):
        asked = mock.Mock(layouts=None)
        self.assertEqual([ab.layouts_of(asked, built) for built in (True, False)], [3, 1])
        self.assertEqual(ab.layouts_of(mock.Mock(layouts=1), True), 1)
        self.assertEqual(ab.layouts_of(mock.Mock(layouts=5), True), 5)
        with self.assertRaisesRegex(CannotMeasure, "cannot be linked again"):
            ab.layouts_of(mock.Mock(layouts=2), False)


if __name__ == "__main__":
    unittest.main()
