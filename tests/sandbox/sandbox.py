#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sandbox.py service LIB WORKLOAD CONFINE LIST | calls LIB WORKLOAD PAGE

service: WORKLOAD is served under systemd's filter for services (LIST), which ends a process at any
other system call; a misuse ends there as it does elsewhere.
calls: strace's stacks say which system calls of WORKLOAD come from LIB: those that the page's table
names, all of them but what is marked rare, and no others. Only a call with a result counts, see
calls_of. Exit status 77 where strace is missing.
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
HANG_S = 700  # WORKLOAD gives up earlier
ATTEMPTS = 10  # strace itself failed in 1 of 45 runs
ARGS = []


def environment(switches):
    return {k: v for k, v in os.environ.items() if not k.startswith("HAKMEM_")} | switches


class Service(unittest.TestCase):
    def confined(self, last, switches):
        lib, workload, confine, listed = ARGS
        return subprocess.run([confine, listed, lib, workload, last], env=environment(switches),
                              capture_output=True, text=True, timeout=HANG_S, check=False)

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


def documented(page):
    """The calls of the page's table, and those of them in rows that begin with `rare`."""
    calls, rare = set(), set()
    for line in Path(page).read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or len(cells) != 2:
            continue
        names = set(re.findall(r"`(\w+)`", cells[1]))
        calls |= names
        if cells[0].startswith("rare"):
            rare |= names
    return calls, rare


def calls_of(log, library):
    """The system calls in a thread's log that have a result and a frame of `library` below them.

    A thread that another one's exit_group ends has its registers read too late: strace then prints
    the last call of the other thread, `exit_group(0`, with the stack of this one and no result. It
    is not a call of either. One that does not return has a result as well: `exit_group(0) = ?`.
    """
    calls, call = set(), None
    for line in log.splitlines():
        if not line.startswith(" > "):
            start = re.match(r"(\w+)\(.*\) += ", line)
            call = start.group(1) if start else None
        elif call is not None and library in line:
            calls.add(call)
    return calls


def traced(lib, workload, last, switches):
    """The system calls whose stack has a frame of the library."""
    ended = -signal.SIGABRT if last == "misuse" else 0
    for _ in range(ATTEMPTS):
        with tempfile.TemporaryDirectory() as folder:
            command = ["strace", "-ff", "-k", "-qq", "-e", "signal=none", "-o", f"{folder}/of",
                       "-E", f"LD_PRELOAD={lib}", workload, last]
            done = subprocess.run(command, env=environment(switches), capture_output=True,
                                  text=True, timeout=HANG_S, check=False)
            if done.returncode == 1 and "strace: " in done.stderr:
                continue  # it ends where a thread ends whose stack it reads
            if (done.returncode, done.stdout) != (ended, "served\n"):
                break
            logs = [log.read_text(encoding="utf-8") for log in Path(folder).iterdir()]
            return set().union(*(calls_of(log, os.path.basename(lib)) for log in logs))
    raise AssertionError(f"not served under strace: {done}")


class Calls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        lib, workload, page = ARGS
        cls.listed, cls.rare = documented(page)
        cls.seen = {name: traced(lib, workload, "", switches)
                    for name, switches in ENVIRONMENTS.items()}
        cls.seen["with_misuse"] = traced(lib, workload, "misuse", {})

    def test_a_call_without_a_result_is_not_counted(self):
        stack = " > /lib/libc.so.6(x+0x65) [0x1]\n > /b/lib.so(run+0x7e) [0x2]\n"
        log = (f"madvise(0x1, 4096, MADV_FREE) = 0\n{stack}exit_group(0{stack}"
               f"futex(0x1,  <unfinished ...>) = ?\n???() = ?\n{stack}exit(0)        = ?\n{stack}")
        self.assertEqual(calls_of(log, "lib.so"), {"madvise", "exit"})

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
