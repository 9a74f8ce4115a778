# SPDX-License-Identifier: MIT
"""Which allocators take part: nobody is dropped in silence."""

import hashlib
import tempfile
import unittest
from pathlib import Path

import support

from compare.arms import allocators

TOML = """
[[allocator]]
name = "glibc"
sonames = ["libc.so.6"]
package = "libc6"

[[allocator]]
name = "nowhere"
sonames = ["libnowhere.so.9"]
package = "libnowhere9"
"""


class Peers(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.toml = Path(self.folder.name) / "allocators.toml"
        self.toml.write_text(TOML)
        self.library = Path(self.folder.name) / "libmine.so"
        self.library.write_bytes(b"not really")

    def test_a_missing_one_stays_and_says_why(self):
        baseline, nowhere = allocators.peers(self.toml, {})
        self.assertIsNone(baseline.missing)
        self.assertEqual(nowhere.missing, "not installed (package libnowhere9)")

    def test_an_override_replaces_a_file_or_adds_an_arm(self):
        listed = allocators.peers(self.toml, {"nowhere": str(self.library), "extra": "/no/such.so"})
        self.assertEqual([a.name for a in listed], ["glibc", "nowhere", "extra"])
        self.assertEqual(listed[1].sha256, hashlib.sha256(b"not really").hexdigest())
        self.assertEqual(listed[2].missing, "no file such.so")

    def test_the_record_holds_no_path(self):
        for arm in allocators.peers(self.toml, {"nowhere": str(self.library)}):
            for value in arm.record().values():
                self.assertNotIn("/", value or "")

    def test_an_entry_may_be_a_file_or_a_build_and_carry_switches(self):
        self.library.write_bytes(Path(allocators.loader_cache()["libc.so.6"]).read_bytes())
        self.toml.write_text(TOML + f"""
[[allocator]]
name = "mine"
library = "{self.library}"
env = {{HAKMEM_DIET = "1"}}

[[allocator]]
name = "other build"
options = {{refill = "ultra"}}
""")
        made = []

        def build(options):
            made.append(options)
            return allocators.Arm("x", "hakmem", "/x.so")

        found = {a.name: a for a in allocators.peers(self.toml, {}, build)}
        self.assertEqual(found["mine"].env, {"HAKMEM_DIET": "1"})
        self.assertEqual(found["mine"].path, str(self.library))
        self.assertEqual(made, [{"refill": "ultra"}])
        self.assertEqual(found["other build"].kind, "hakmem")
        found = {a.name: a for a in allocators.peers(self.toml, {})}
        self.assertIn("nothing builds it", found["other build"].missing)

    def test_the_null_arm_is_a_copy_of_our_first_library(self):
        listed = allocators.peers(self.toml, {})
        listed += allocators.hakmem_arms([("mine", str(self.library))])
        null, original = allocators.null_arm(listed, self.folder.name)
        self.assertEqual(original.name, "mine")
        self.assertNotEqual(null.path, original.path)
        self.assertEqual(allocators.sha256_of(null.path), original.sha256)

    def test_the_declared_peers_can_be_read(self):
        names = [a.name for a in allocators.peers(support.COMPARE / "allocators.toml", {})]
        self.assertEqual(names, ["glibc", "jemalloc", "mimalloc", "tcmalloc"])


if __name__ == "__main__":
    unittest.main()
