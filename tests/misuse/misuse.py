#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""misuse.py LIB VICTIM [--guards G] [--big B] [--refill R]: the sentence a mistake must die with.

Runs the victim once a case, with LIB preloaded, and compares stderr (exactly one line), the signal,
and, with HAKMEM_MISUSE=ignore, what the ignored call gave back. Cases of a thread that frees its
own small blocks wrongly are only judged where the build sees them at once (guards=debug).
"""
import argparse
import os
import signal
import subprocess
import sys
import unittest

ARGS = None

FOREIGN = "not a block of this allocator"
DEEPBIND = "not a block of this allocator; a library was opened with RTLD_DEEPBIND"
INSIDE = "points inside a block"
DOUBLE = "double free"
AFTER = "used after free"
FUNCTION = {"free": "free", "realloc": "realloc", "usable": "malloc_usable_size"}

# Case: what the sentence ends with. Seen at once by every build.
ALWAYS = {
    "foreign_stack": FOREIGN,
    "foreign_stack_misaligned": FOREIGN,
    "foreign_static": FOREIGN,
    "foreign_code": FOREIGN,
    "foreign_mmap": FOREIGN,
    "foreign_mmap_middle": FOREIGN,
    "foreign_unmapped": FOREIGN,
    "foreign_noncanonical": FOREIGN,
    "foreign_kernel": FOREIGN,
    "foreign_last": FOREIGN,
    "foreign_tiny": FOREIGN,
    "foreign_top": FOREIGN,
    "foreign_page_below_small": FOREIGN,
    "foreign_page_above_small": FOREIGN,
    "foreign_page_below_large": FOREIGN,
    "foreign_page_above_large": FOREIGN,
    "foreign_inside_libcs": FOREIGN,
    "foreign_inside_libcs_misaligned": FOREIGN,
    "foreign_inside_libcs_mapping": FOREIGN,
    "foreign_inside_libcs_of_a_thread": FOREIGN,
    "foreign_above_libcs": FOREIGN,
    "foreign_like_libcs_small": FOREIGN,
    "foreign_like_libcs_small_of_a_thread": FOREIGN,
    "foreign_like_libcs_mapping": FOREIGN,
    "foreign_like_libcs_mapping_with_lead": FOREIGN,
    "foreign_like_libcs_arena": FOREIGN,
    "foreign_before_unreadable": FOREIGN,
    "foreign_static_after_deepbind": FOREIGN,
    "large_inside_like_libcs": INSIDE,
    "large_inside": INSIDE,
    "large_inside_page": INSIDE,
    "large_inside_misaligned": INSIDE,
    "large_inside_far": INSIDE,
    "whole_inside_far": INSIDE,
    "remote_whole_twice": {"free": DOUBLE, "realloc": AFTER, "usable": AFTER},
    "large_after_realloc": FOREIGN,
}
# What the same mistakes end with where freed mappings are kept, and where they are unmapped.
KEPT = {
    "large_twice": {"free": DOUBLE, "realloc": AFTER, "usable": AFTER},
    "large_twice_remote": {"free": DOUBLE, "realloc": AFTER, "usable": AFTER},
}
UNMAPPED = {case: FOREIGN for case in KEPT}
# Seen by every build, if not at once then when the slab meets the block; free only.
AT_THE_SLAB = {
    "remote_small_twice": DOUBLE,
    "remote_mid_twice": DOUBLE,
    "remote_small_inside": INSIDE,
    "remote_small_misaligned": INSIDE,
    "remote_mid_inside": INSIDE,
    "owner_small_twice_then_ends": DOUBLE,
}
# Seen at once by builds that check each free.
GUARDED = {
    "small_inside": INSIDE,
    "small_misaligned": INSIDE,
    "small_twice": DOUBLE,
    "small_twice_with_others_between": DOUBLE,
    "mid_inside": INSIDE,
    "mid_misaligned": INSIDE,
    "mid_twice": DOUBLE,
    "whole_inside": INSIDE,
    "whole_twice": DOUBLE,
}
# Writes to free memory, the size of its blocks, and whether the sentence names the one that was
# written to, in a release build and in one that checks each call (None: it names some block). Found
# where a bin's links pass through its blocks.
OVERWRITTEN = {
    "overwritten_small_then_trim": (96, True, True),
    "overwritten_mid_then_trim": (20480, True, True),
    "overwritten_whole_then_trim": (262144, True, True),
    "overwritten_small_then_ends": (96, True, True),
    "overwritten_small_then_frees": (96, None, None),
    "overwritten_small_by_zeros": (96, False, True),
    "overwritten_mid_by_zeros": (20480, False, True),
    "overwritten_whole_by_zeros": (262144, False, True),
    "overwritten_small_by_a_live_pointer": (96, False, None),
}
# The same, found at once by builds that check each call.
OVERWRITTEN_GUARDED = {
    "overwritten_small_past_the_end": 96,
    "overwritten_small_then_free": 96,
    "overwritten_mid_then_malloc": 20480,
    "overwritten_whole_then_free": 262144,
}
RETURNED = {"free": "errno kept", "realloc": "null EINVAL", "usable": "zero"}


def run(verb, case, **environment):
    env = {k: v for k, v in os.environ.items() if not k.startswith("HAKMEM_")}
    env.update(environment, LD_PRELOAD=ARGS.lib)
    return subprocess.run([ARGS.victim, verb, case], env=env, capture_output=True, text=True,
                          timeout=900, check=False)


class Misuse(unittest.TestCase):
    maxDiff = None

    def dies_with(self, verb, case, sentence, is_at_once=True, **environment):
        done = run(verb, case, **environment)
        lines = done.stdout.splitlines()
        self.assertTrue(lines, f"the victim announced nothing: {done}")
        expected = f"hakmem: {FUNCTION[verb]}({lines[0]}): {sentence}\n"
        self.assertEqual((done.stderr, done.returncode), (expected, -signal.SIGABRT))
        if is_at_once:
            self.assertEqual(len(lines), 1, "the victim went on after its mistake")

    def is_ignored(self, verb, case):
        done = run(verb, case, HAKMEM_MISUSE="ignore")
        self.assertEqual((done.stderr, done.returncode), ("", 0))
        self.assertEqual(done.stdout.splitlines()[1:], [RETURNED[verb], "survived"])

    def names_what_was_overwritten(self, case, size, is_named):
        done = run("free", case)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 1, f"the victim did not go as far, or too far: {done}")
        place = {None: ": 0x[0-9a-f]+", True: f": {lines[0]}", False: ""}[is_named]
        self.assertRegex(done.stderr, "^hakmem: a block of "
                         f"{size} bytes was overwritten while it was free{place}\n$")
        self.assertEqual(done.returncode, -signal.SIGABRT)

    def survives_what_it_overwrote(self, case, policy):
        done = run("free", case, HAKMEM_MISUSE=policy)
        self.assertEqual((done.stderr, done.returncode), ("", 0))
        self.assertEqual(done.stdout.splitlines()[1:], ["survived"])

    def test_a_policy_that_is_not_ignore_still_dies(self):
        for policy in ("", "abort"):
            self.dies_with("free", "foreign_stack", FOREIGN, HAKMEM_MISUSE=policy)

    def test_a_library_whose_malloc_is_libcs_is_named(self):
        for verb in FUNCTION:
            self.dies_with(verb, "foreign_static_after_deepbind", DEEPBIND, HAKMEM_DEEPBIND="1")


def add_test(name, body):
    body.__name__ = "test_" + name
    setattr(Misuse, body.__name__, body)


def add_overwritten_tests(is_guarded, has_links):
    cases = {case: (size, in_guarded if is_guarded else in_release)
             for case, (size, in_release, in_guarded) in OVERWRITTEN.items()}
    if is_guarded:
        cases |= {case: (size, True) for case, size in OVERWRITTEN_GUARDED.items()}
    for case, (size, is_named) in cases.items():
        if not has_links:
            add_test(f"{case}_does_no_harm",
                     lambda self, c=case: self.survives_what_it_overwrote(c, "abort"))
            continue
        add_test(f"{case}_dies",
                 lambda self, c=case, s=size, n=is_named: self.names_what_was_overwritten(c, s, n))
        add_test(f"{case}_is_ignored_when_asked",
                 lambda self, c=case: self.survives_what_it_overwrote(c, "ignore"))


def add_tests(guards, big):
    always = ALWAYS | (KEPT if big == "bigcache" else UNMAPPED)
    for case, by_verb in always.items():
        for verb in FUNCTION:
            sentence = by_verb[verb] if isinstance(by_verb, dict) else by_verb
            add_test(f"{verb}_of_{case}_dies",
                     lambda self, v=verb, c=case, s=sentence: self.dies_with(v, c, s))
            add_test(f"{verb}_of_{case}_is_ignored_when_asked",
                     lambda self, v=verb, c=case: self.is_ignored(v, c))
    for case, sentence in AT_THE_SLAB.items():
        add_test(f"free_of_{case}_dies",
                 lambda self, c=case, s=sentence: self.dies_with("free", c, s, is_at_once=False))
        add_test(f"free_of_{case}_is_ignored_when_asked",
                 lambda self, c=case: self.is_ignored("free", c))
    if guards == "release":
        return
    for case, sentence in GUARDED.items():
        add_test(f"free_of_{case}_dies",
                 lambda self, c=case, s=sentence: self.dies_with("free", c, s))
        add_test(f"free_of_{case}_is_ignored_when_asked",
                 lambda self, c=case: self.is_ignored("free", c))
    for case in ("small_inside", "small_misaligned", "mid_inside", "mid_misaligned"):
        for verb in ("realloc", "usable"):
            add_test(f"{verb}_of_{case}_dies",
                     lambda self, v=verb, c=case: self.dies_with(v, c, INSIDE))
            add_test(f"{verb}_of_{case}_is_ignored_when_asked",
                     lambda self, v=verb, c=case: self.is_ignored(v, c))


def main():
    global ARGS
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lib")
    parser.add_argument("victim")
    parser.add_argument("--guards", default="release")
    parser.add_argument("--big", default="bigcache")
    parser.add_argument("--refill", default="p0")
    ARGS, rest = parser.parse_known_args()
    ARGS.lib = os.path.abspath(ARGS.lib)
    add_tests(ARGS.guards, ARGS.big)
    add_overwritten_tests(ARGS.guards != "release", has_links=ARGS.refill != "ultra")
    unittest.main(argv=sys.argv[:1] + rest)


if __name__ == "__main__":
    main()
