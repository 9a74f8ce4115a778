#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""faults.py FUZZ LIB: the fuzzer finds each fault that it can plant, and says what is broken.

FUZZ is run with LIB preloaded, as often as there are faults, with the number of operations that an
ordinary run has; it must end with 1 and the sentence, and without a fault with 0.
"""
import os
import re
import subprocess
import sys
import unittest

OPTIONS = ["--seed", "1"]
SENTENCES = {
    "overlap": r"overlaps a live block",
    "lost": r"byte \d+ of the block .* not as written, after it was resized",
    "dirty": r"calloc: byte \d+ of the block .* is 01, not zero",
    "slack": r"calloc: byte \d+ of the block .* is 01, not zero",
    "misaligned": r"memalign: the block .* is not aligned to \d+",
    "errno": r"free: errno was \d+ and is 11",
    "short": r"the usable size of .* was \d+ and is \d+|the usable size of .* bytes were asked for",
    "long": r"overlaps a live block|not as written|not zero|good_size\(\d+\) is \d+, but",
    "stray": r"not as written, while it lived",
    "child": r"fuzz: (grand)?child, .* not as written, while it lived",
    "leak": r"bytes are counted as live, but only \d+ are",
    "out": r"posix_memalign .* the pointer overwritten",
    "refusal": r"malloc of an impossible size: .* in place of a refusal with errno 12",
    "refused": r"realloc to an impossible size: byte 0 of the block .* not as written",
    # What two threads do with one block has many ends.
    "race": r"overlaps a live block|not as written|ended by signal|hakmem: ",
}


def run(*options):
    return subprocess.run([FUZZ, *OPTIONS, *options], env=os.environ | {"LD_PRELOAD": LIB},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


class Faults(unittest.TestCase):
    def test_a_run_without_a_fault_ends_well(self):
        done = run()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("operations", done.stdout)

    def test_each_fault_is_found_and_named(self):
        for fault, sentence in SENTENCES.items():
            with self.subTest(fault=fault):
                done = run("--fault", fault)
                self.assertNotEqual(done.returncode, 0)
                self.assertRegex(done.stderr, sentence)

    def test_the_sentence_is_followed_by_the_command_that_replays_it(self):
        done = run("--fault", "errno")
        line = re.search(r"^replay: (.*)$", done.stderr, re.M)[1].split()
        again = subprocess.run(line, env=os.environ | {"LD_PRELOAD": LIB}, capture_output=True,
                               text=True, check=False)
        self.assertEqual(again.returncode, 1)
        self.assertEqual(again.stderr, done.stderr)

    def test_what_is_left_out_is_not_found(self):
        done = run("--fault", "slack", "--without", "slack")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_there_is_no_other_fault(self):
        self.assertEqual(run("--fault", "none").returncode, 2)


if __name__ == "__main__":
    FUZZ, LIB = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
