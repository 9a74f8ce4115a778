# SPDX-License-Identifier: MIT
"""What is built to be compared: every option alone, refused values in words, A and B as said."""

import unittest
from unittest import mock

import support  # noqa: F401 (import path)

from compare.arms import allocators, builds
from compare.commands import ab, ablate
from compare.measure.launch import CannotMeasure


def option(name, kind, value, section="user", **more):
    return {"name": name, "type": kind, "value": value, "section": section} | more


OPTIONS = [
    option("refill", "combo", "p0", choices=["p0", "simple"]),
    option("mid", "combo", "mf2", choices=["mf2", "none"]),
    option("hardened", "boolean", False),  # a new one: nobody told the ablation of it
    option("refill_delay", "integer", 0),
    option("tests", "boolean", True),
    option("variants", "array", ["p0"], choices=["p0"]),
    option("b_lto", "boolean", True, section="base"),
    option("warning_level", "combo", "3", section="core", choices=["0", "3"]),
]


class Ablation(unittest.TestCase):
    def setUp(self):
        patch = mock.patch.object(builds, "introspect", lambda _: OPTIONS)
        patch.start()
        self.addCleanup(patch.stop)

    def test_each_choice_and_each_boolean_of_ours_is_varied(self):
        self.assertEqual(list(ablate.choices("build")), [
            ("refill", "simple"), ("mid", "none"), ("hardened", True)])

    def test_pairs_are_of_main_options_that_there_are(self):
        main = {"refill": "simple", "mid": "none", "gone": "x"}
        pairs = [v for v in ablate.variants("build", main) if len(v) == 2]
        self.assertEqual(pairs, [{"refill": "simple", "mid": "none"}])

    def test_a_value_that_the_build_refuses_is_missing_in_its_words(self):
        with mock.patch.object(builds, "with_options", side_effect=CannotMeasure("meson: not yet")):
            arm = ablate.built("build", {"hardened": True}, print)
        self.assertEqual((arm.name, arm.missing), ("hardened=true", "meson: not yet"))

    def test_an_option_that_is_not_there_is_refused(self):
        with self.assertRaisesRegex(CannotMeasure, "no build option nonsense"):
            builds.with_options("build", {"nonsense": "1"}, print)

    def test_options_of_meson_that_change_code_are_carried_over(self):
        found = builds.options_of("build")
        self.assertEqual(found["b_lto"], "true")
        self.assertNotIn("warning_level", found)
        self.assertNotIn("tests", found)


class Sides(unittest.TestCase):
    def test_settings(self):
        self.assertEqual(ab.settings("a=1,b=x"), {"a": "1", "b": "x"})
        self.assertEqual(ab.settings(""), {})
        with self.assertRaises(CannotMeasure):
            ab.settings("a")

    def test_the_difference_names_what_only_one_side_has(self):
        one = allocators.Arm("a", "hakmem", options={"refill": "p0", "mid": "mf2"})
        other = allocators.Arm("b", "hakmem", options={"refill": "p0", "l25": "none"})
        self.assertEqual(ab.difference(one, other),
                         {"mid": ["mf2", None], "l25": [None, "none"]})

    def test_revision_and_options_are_told_apart(self):
        said = []
        with mock.patch.object(builds, "of_revision", lambda *a: said.append(a) or "arm"):
            args = mock.Mock(build="build")
            self.assertEqual(ab.arm_of("HEAD~3+mid=none", "a", args, print), "arm")
        self.assertEqual(said[0][1:3], ("HEAD~3", {"mid": "none"}))


if __name__ == "__main__":
    unittest.main()
