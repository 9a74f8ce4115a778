# SPDX-License-Identifier: MIT
"""What the numbers came from: complete, and nothing of it names a machine or a user."""

import json
import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import jsonschema
import support

from compare.measure import environment

COMMAND_LINE = ("BOOT_IMAGE=/boot/vmlinuz root=UUID=1234-abcd ip=10.0.0.7::host9 quiet nosmt "
                "mitigations=off isolcpus=1-3 transparent_hugepage=never hugepages=64 "
                "memory_hotplug=x mem=/etc/secret init=/sbin/secret console=ttyS0\n")


class Capture(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def at_root(self):
        return mock.patch.object(environment, "ROOT", self.root)

    def test_of_this_machine_is_what_the_schema_asks_for(self):
        env = json.loads(json.dumps(environment.capture()))
        session = support.made_up_session(blocks=0)[0] | {"env": env}
        jsonschema.Draft202012Validator(support.schema()).validate(session)
        self.assertRegex(environment.machine_slug(env), r"^[a-z0-9-]+c-[0-9a-f]{6}$")

    def test_holds_no_host_name_and_no_folder(self):
        text = json.dumps(environment.capture())
        for secret in (os.getcwd(), str(support.COMPARE), str(Path.home())):
            if len(secret) > 1:
                self.assertNotIn(secret, text)
        for place in ("/home/", "/root", "/tmp/", "/usr/", "/lib", "BOOT_IMAGE", "UUID"):
            self.assertNotIn(place, text)

    def test_keeps_of_the_command_line_what_moves_a_benchmark(self):
        self.write("proc/cmdline", COMMAND_LINE)
        with self.at_root():
            self.assertEqual(environment.boot_words(), [
                "nosmt", "mitigations=off", "isolcpus=1-3", "transparent_hugepage=never",
                "hugepages=64"])

    def test_says_unknown_where_the_machine_says_nothing(self):
        with self.at_root():
            processor, kernel = environment.processor(), environment.kernel()
        self.assertEqual(processor["cpu"], "unknown")
        self.assertEqual(processor["caches"], {})
        self.assertEqual(processor["mitigations"], {})
        self.assertIsNone(kernel["memory_kib"])
        self.assertEqual(kernel["group_limits"], {})

    def test_reads_processor_caches_and_mitigations(self):
        cpu = "sys/devices/system/cpu"
        self.write("proc/cpuinfo", "model name\t: Odd\nmicrocode\t: 0x7\nflags\t\t: fpu sse\n")
        for index, kind, size in ((0, "Data", "32K"), (1, "Instruction", "64K"),
                                  (2, "Unified", "1M")):
            folder = f"{cpu}/cpu0/cache/index{index}"
            for name, text in (("level", str(1 + index // 2)), ("type", kind), ("size", size),
                               ("coherency_line_size", "64")):
                self.write(f"{folder}/{name}", text + "\n")
        self.write(f"{cpu}/vulnerabilities/meltdown", "Mitigation: PTI\n")
        with self.at_root():
            facts = environment.processor()
        self.assertEqual((facts["cpu"], facts["microcode"], facts["hypervisor"]),
                         ("Odd", "0x7", False))
        self.assertEqual(facts["caches"], {
            "L1d": "32K, lines of 64 B", "L1i": "64K, lines of 64 B", "L2": "1M, lines of 64 B"})
        self.assertEqual(facts["mitigations"], {"meltdown": "Mitigation: PTI"})

    def test_finds_the_limits_of_all_groups_above_and_not_their_names(self):
        self.write("proc/self/cgroup", "0::/secret/job\n")
        self.write("sys/fs/cgroup/secret/job/cpu.max", "max 100000\n")
        self.write("sys/fs/cgroup/secret/cpu.max", "50000 100000\n")
        self.write("sys/fs/cgroup/secret/job/memory.max", "1073741824\n")
        with self.at_root():
            limits = environment.group_limits()
        self.assertEqual(limits, {"cpu.max": ["50000 100000"], "memory.max": ["1073741824"]})

    def test_finds_the_limits_of_the_first_kind_of_groups(self):
        self.write("proc/self/cgroup", "4:memory:/secret\n1:cpu,cpuacct:/\n0::/\n")
        self.write("sys/fs/cgroup/memory/secret/memory.limit_in_bytes", "4096000\n")
        self.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
        with self.at_root():
            self.assertEqual(environment.group_limits(), {"memory.limit_in_bytes": ["4096000"]})

    def test_names_variables_that_tune_an_allocator_but_not_their_values(self):
        tuned = {"MALLOC_CONF": "secret:1", "GLIBC_TUNABLES": "secret", "MIMALLOC_VERBOSE": "1",
                 "MALLOCATE": "1", "HOME": "/home/secret"}
        with mock.patch.dict(os.environ, tuned):
            env = environment.capture()
        for name in ("GLIBC_TUNABLES", "MALLOC_CONF", "MIMALLOC_VERBOSE"):
            self.assertIn(name, env["allocator_variables"])
        self.assertNotIn("MALLOCATE", env["allocator_variables"])
        self.assertNotIn("secret", json.dumps(env))

    def test_keeps_options_and_flags_of_a_build_without_its_paths(self):
        self.write("b/meson-info/intro-buildoptions.json", json.dumps([
            {"name": "refill", "section": "user", "value": "p0"},
            {"name": "b_lto", "section": "base", "value": True},
            {"name": "c_args", "section": "compiler", "value": ["-I/home/secret"]},
            {"name": "prefix", "section": "directory", "value": "/usr/local"}]))
        self.write("b/compile_commands.json", json.dumps([
            {"file": "../tests/x.c", "command": "cc -O0 x.c"},
            {"file": "../src/a.c",
             "command": "cc -I.. -Wall -O3 -flto -DHAK_GUARDS=0 -fprofile-use=/home/secret -MD"}]))
        self.assertEqual(environment.build_facts(self.root / "b"), {
            "options": {"refill": "p0", "b_lto": True},
            "flags": ["-O3", "-flto", "-DHAK_GUARDS=0"]})
        self.assertEqual(environment.build_facts(self.root / "none"), {})


if __name__ == "__main__":
    unittest.main()
