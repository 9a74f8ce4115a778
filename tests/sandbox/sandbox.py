#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sandbox.py service LIB WORKLOAD CONFINE LIST | calls LIB WORKLOAD README

service: WORKLOAD is served under systemd's filter for services (LIST), which ends a process at any
other system call; a misuse ends there as it does elsewhere.
calls: strace's stacks say which system calls of WORKLOAD come from LIB: those that README's table
names, all of them but what is marked rare, and no others. Exit status 77 where strace is missing.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SWITCHES = {"HAKMEM_VERBOSE": "1", "HAKMEM_STATS": "1", "HAKMEM_PURGE_THREAD": "1",
            "HAKMEM_PURGE_MS": "20", "HAKMEM_PURGE_KEEP_BYTES": "0", "HAKMEM_BIGCACHE_AGE_MS": "20"}
ENVIRONMENTS = {"as_it_is": {}, "with_switches": SWITCHES,
                "with_lazy_purge": SWITCHES | {"HAKMEM_PURGE": "free", "HAKMEM_THP": "madvise"}}
NOT_ATTRIBUTED = {"clone3"}  # its stack ends in libc
ARGS = []


def environment(switches):
    return {k: v for k, v in os.environ.items() if not k.startswith("HAKMEM_")} | switches


class Service(unittest.TestCase):
    def confined(self, last, switches):
        lib, workload, confine, listed = ARGS
        return subprocess.run([confine, listed, lib, workload, last], env=environment(switches),
                              capture_output=True, text=True, timeout=120, check=False)

    def test_the_workload_is_served(self):
        for name, switches in ENVIRONMENTS.items():
            with self.subTest(name):
                done = self.confined("", switches)
                self.assertEqual((done.returncode, done.stdout), (0, "served\n"), done.stderr)

    def test_a_misuse_is_named_and_aborts(self):
        done = self.confined("misuse", {})
        self.assertEqual((done.returncode, done.stdout), (-signal.SIGABRT, "served\n"))
        self.assertRegex(done.stderr, r"hakmem: free\(0x[0-9a-f]+\): not a block")

    def test_another_call_is_fatal(self):
        done = self.confined("mincore", {})
        self.assertEqual((done.returncode, done.stdout), (-signal.SIGSYS, "served\n"))


def documented(readme):
    """The calls of README's table, and those of them in rows that begin with `rare`."""
    text = Path(readme).read_text(encoding="utf-8").split("\n## Sandboxes\n")[1].split("\n## ")[0]
    calls, rare = set(), set()
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or len(cells) != 2:
            continue
        names = set(re.findall(r"`(\w+)`", cells[1]))
        calls |= names
        if cells[0].startswith("rare"):
            rare |= names
    return calls, rare


def traced(lib, workload, last, switches):
    """The system calls whose stack has a frame of the library."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["strace", "-ff", "-k", "-qq", "-e", "signal=none", "-o", f"{folder}/of",
                   "-E", f"LD_PRELOAD={lib}", workload, last]
        done = subprocess.run(command, env=environment(switches), capture_output=True, text=True,
                              timeout=240, check=False)
        if done.stdout != "served\n":
            raise AssertionError(f"not served under strace: {done}")
        calls, call = set(), None
        for log in Path(folder).iterdir():  # one a thread
            for line in log.read_text(encoding="utf-8").splitlines():
                start = re.match(r"(\w+)\(", line)
                if start:
                    call = start.group(1)
                elif line.startswith(" > ") and os.path.basename(lib) in line:
                    calls.add(call)
    return calls


class Calls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        lib, workload, readme = ARGS
        cls.listed, cls.rare = documented(readme)
        cls.seen = {name: traced(lib, workload, "", switches)
                    for name, switches in ENVIRONMENTS.items()}
        cls.seen["with_misuse"] = traced(lib, workload, "misuse", {})

    def test_no_other_calls_are_made(self):
        for name, seen in self.seen.items():
            with self.subTest(name):
                self.assertLessEqual(seen, self.listed)

    def test_what_is_listed_is_used(self):
        expected = self.listed - self.rare - NOT_ATTRIBUTED
        self.assertEqual(expected - set().union(*self.seen.values()), set())


def main():
    global ARGS
    mode, ARGS = sys.argv[1], [os.path.abspath(path) for path in sys.argv[2:]]
    if mode == "calls" and shutil.which("strace") is None:
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], mode.capitalize()])


if __name__ == "__main__":
    main()
