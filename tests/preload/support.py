#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""support.py: programs run twice, with libc's malloc and with the library preloaded, and compared.

Each run has a fresh folder and a fixed environment. What a program writes, its errors and its exit
status must be the same. Used by programs.py and long_programs.py.
"""
import hashlib
import os
import resource
import shutil
import subprocess
import tempfile
import types
import unittest

PYTHON = "/usr/bin/python3"
SEED = 20251

COMMIT_LIMIT = 256 << 20

# The library; the address space of each program in KiB (0: no limit); the library that limits what
# each may commit; seconds for a command that hangs: a busy machine is not as slow as that.
settings = types.SimpleNamespace(lib=None, ulimit_kib=0, commit_limit=None, timeout=900)


def environment(folder, lib):
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": folder,
           "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0", "PERL_HASH_SEED": "0",
           "PYTHONDONTWRITEBYTECODE": "1", "TERM": "dumb"}
    if lib:
        env["LD_PRELOAD"] = lib
    if lib and settings.commit_limit:
        env |= {"LD_PRELOAD": f"{settings.commit_limit}:{lib}",
                "HAK_COMMIT_LIMIT": str(COMMIT_LIMIT)}
    return env


def limit_address_space():
    if settings.ulimit_kib:
        limit = settings.ulimit_kib * 1024
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


class Runner:
    """Runs commands in one folder, under one allocator, and collects what they gave."""

    def __init__(self, folder, lib):
        self.folder, self.lib, self.results = folder, lib, []

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def start(self, command, **env):
        return subprocess.Popen(command, cwd=self.folder,
                                env=environment(self.folder, self.lib) | env,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, preexec_fn=limit_address_space)

    def run(self, *command, keep=lambda text: text, **env):
        child = self.start(command, **env)
        try:
            out, err = child.communicate(timeout=settings.timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            self.results.append((command, "timed out"))
            return ""
        out, err = (part.decode("utf-8", "replace") for part in (out, err))
        self.results.append((command, keep(out), keep(err), child.returncode))
        return out

    def digest(self, name):
        with open(self.path(name), "rb") as file:
            self.results.append((name, hashlib.sha256(file.read()).hexdigest()))


def needs(*programs):
    for program in programs:
        if shutil.which(program) is None:
            raise unittest.SkipTest(f"{program} is not installed")


class Compared(unittest.TestCase):
    """What the tests of programs stand on."""

    maxDiff = 4000

    def compare(self, scenario):
        results = []
        for lib in (None, settings.lib):
            with tempfile.TemporaryDirectory(prefix="hak-") as top:
                folder = os.path.join(top, "work")
                os.mkdir(folder)
                runner = Runner(folder, lib)
                scenario(runner)
                results.append([tuple(str(part).replace(top, "TOP") for part in result)
                                for result in runner.results])
        self.assertEqual(results[0], results[1])
        for result in results[0]:
            self.assertNotIn("timed out", result)
        return results[0]

    def succeeds(self, scenario):
        for result in self.compare(scenario):
            if len(result) == 4:
                self.assertEqual(result[3], "0", result)
