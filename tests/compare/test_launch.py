# SPDX-License-Identifier: MIT
"""The launcher ends with nothing of its program left, and its own death leaves nothing running."""

import json
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import support

# A grandchild that says who it is, and has so much memory that it takes time to die.
HEAVY = """
import os, sys, time
leave = sys.argv[2] == "leave"
if os.fork() == 0:
    if leave:
        os.setsid()
    held = bytearray(200 << 20)
    held[::4096] = b"x" * len(held[::4096])
    with open(sys.argv[1] + ".part", "w") as f:
        f.write(str(os.getpid()))
    os.rename(sys.argv[1] + ".part", sys.argv[1])
    time.sleep(60)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.001)
sys.exit(0) if sys.argv[3] == "end" else time.sleep(60)
"""


def is_there(pid):
    """Running, or still dying; whoever has become the parent may be slow to notice its end."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


class Left(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.said = Path(folder.name) / "pid"

    def start(self, *words, timeout_s=900):
        command = [support.LAUNCH, "--timeout", str(timeout_s), "--stdout", "/dev/null", "--stderr",
                   "/dev/null", "--", "/usr/bin/python3", "-c", HEAVY, str(self.said), *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def grandchild(self):
        return int(self.said.read_text())

    def ended(self, *words, **options):
        """The launcher's report; right after it, nobody may be there, not even unburied."""
        process = self.start(*words, **options)
        said = json.loads(process.communicate()[0])
        self.assertFalse(Path(f"/proc/{self.grandchild()}").exists(), "it outlived the launcher")
        return said

    def test_a_grandchild_is_gone_when_its_program_has_ended(self):
        self.assertEqual(self.ended("stay", "end")["exit"], 0)

    def test_a_grandchild_is_gone_after_a_timeout(self):
        for timeout_s in (3, 12, 48, 192):
            process = self.start("stay", "hang", timeout_s=timeout_s)
            said = json.loads(process.communicate()[0])
            if self.said.exists():  # it was there in time
                break
        self.assertTrue(said["timeout"])
        self.assertFalse(Path(f"/proc/{self.grandchild()}").exists(), "it outlived the launcher")

    def test_a_grandchild_that_left_the_group_is_gone_too(self):
        self.assertEqual(self.ended("leave", "end")["exit"], 0)

    def test_its_memory_is_not_counted_as_the_programs(self):
        self.assertLess(self.ended("stay", "end")["maxrss_kib"], 100 << 10)

    def test_a_launcher_that_is_killed_leaves_nothing_running(self):
        for how in (signal.SIGTERM, signal.SIGKILL):
            self.said.unlink(missing_ok=True)
            process = self.start("stay", "hang")
            while not self.said.exists():
                time.sleep(0.01)
            process.send_signal(how)
            process.wait()
            process.stdout.close()
            patience = time.monotonic() + 300
            while is_there(self.grandchild()) and time.monotonic() < patience:
                time.sleep(0.01)
            self.assertFalse(is_there(self.grandchild()), how)


if __name__ == "__main__":
    unittest.main()
