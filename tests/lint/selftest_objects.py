#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""selftest_objects.py [TestCase]: each lint of compiled code passes a clean object and names a
planted violation.

Libraries are built in a temporary folder. CC names the compiler; a missing tool skips its case with
status 77.
"""
import re
import shutil
import subprocess
import sys
import unittest

import common
import fastpath
import symbols
import thread_safety
from selftest_tree import HERE, Tree, compile_c


class Symbols(Tree):
    """symbols.py, on a library made of the list's own names"""

    def library(self, more="", without=(), flags=()):
        names = sorted(symbols.allowed() - set(without))
        shown = '__attribute__((visibility("default")))'
        text = "".join(f"{shown} void {n}(void);\n{shown} void {n}(void) {{ }}\n" for n in names)
        text += "int getpid(void); int pid(void) { return getpid(); }\n"
        self.write({"lib.c": text + more})
        out = self.root / "libfake.so"
        compile_c(
            "-shared", "-fPIC", "-O1", "-fno-builtin", "-w", "-fvisibility=hidden", "-nostartfiles",
            "-ftls-model=initial-exec", *flags, "-o", out, self.root / "lib.c",
        )  # fmt: skip
        return str(out)

    def finds(self, words, **how):
        findings = symbols.check(self.library(**how))
        self.assertTrue(findings, "no finding")
        for finding in findings:
            self.assertRegex(finding, words)

    def test_clean_library_passes(self):
        tls = "static __thread char heap[64]; void *get(void) { return heap; }\n"
        self.assertEqual(symbols.check(self.library(more=tls)), [])

    def test_exports_are_the_list(self):
        more = '__attribute__((visibility("default"))) int helper;\n'
        self.finds("exports helper", more=more)
        self.finds("does not export pvalloc", without=["pvalloc"])

    def test_the_list_is_the_header(self):
        text = "HAK_API void *hak_malloc(size_t n);\nHAK_API bool hak_new(void);\n"
        self.write({"hakmem.h": text})
        self.assertEqual(symbols.header_names(self.root / "hakmem.h"), {"hak_malloc", "hak_new"})
        if symbols.HEADER.exists():
            ours = {n for n in symbols.allowed() if n.startswith("hak_")}
            self.assertEqual(symbols.header_names(), ours)

    def test_nothing_that_allocates_is_wanted(self):
        for name in ("__vfprintf_chk", "snprintf", "fopen", "fwrite", "dlmopen", "dlvsym"):
            more = f"int {name}(void); int want(void) {{ return {name}(); }}\n"
            self.finds(f"refers to {name}", more=more)
        more = "extern int stderr; int *want(void) { return &stderr; }\n"
        self.finds("refers to stderr", more=more)
        # libc's allocator can only be wanted where the name is not ours.
        for name in ("calloc", "__libc_malloc", "dlopen"):
            more = f"int {name}(void); int want(void) {{ return {name}(); }}\n"
            self.finds(name, more=more, without=[name])
        for name in ("pthread_setspecific", "dlsym"):
            more = f"int {name}(void); int want(void) {{ return {name}(); }}\n"
            self.assertEqual(symbols.check(self.library(more=more)), [])

    def test_libc_alone_is_needed(self):
        more = "double cos(double); double want(double x) { return cos(x); }\n"
        self.finds("needs libm", more=more, flags=["-Wl,--no-as-needed", "-lm"])

    def test_no_text_relocations(self):
        more = '__asm__(".text\\n.quad hak_free\\n");\n'
        self.finds("text relocations", more=more, flags=["-Wl,-z,notext"])

    def test_tls_is_small_and_initial_exec(self):
        tls = "static __thread char heap[{}]; void *get(void) {{ return heap; }}\n"
        self.finds("128 bytes of TLS", more=tls.format(128))
        dynamic = ["-ftls-model=global-dynamic"]
        self.finds("tls_get_addr|DTPMOD|needs ld-linux", more=tls.format(8), flags=dynamic)
        dynamic += ["-mtls-dialect=gnu2"]
        if compile_c(*dynamic, "-fsyntax-only", self.root / "lib.c", "-w", check=False):
            self.finds("TLSDESC", more=tls.format(8), flags=dynamic)


FAKE_MALLOC = """
#include <stddef.h>
static char arena[1 << 22];
static size_t used;
static void *list;
static volatile int work;
__attribute__((noinline)) static void *carve(size_t n) {
  used += (n + 31) & ~(size_t)15;
  return used > sizeof(arena) ? 0 : arena + used - ((n + 15) & ~(size_t)15);
}
__attribute__((noinline)) static void *slow(size_t n) { return carve(n < 64 ? 64 : n); }
void *malloc(size_t n) {
  void *p = list;
  MALLOC_WORK;
  if (__builtin_expect(!p || n > 64, 0)) return slow(n);
  list = *(void **)p;
  return p;
}
void free(void *p) {
  FREE_WORK;
  if (p) { *(void **)p = list; list = p; }
}
void *_Znwm(size_t n) {
  void *p = list;
  if (__builtin_expect(!p || n > 64, 0)) return slow(n);
  list = *(void **)p;
  return p;
}
void *_Znam(size_t n) __attribute__((alias("_Znwm")));
void *_ZnwmRKSt9nothrow_t(size_t n, const void *tag) {
  void *p = list;
  (void)tag;
  if (__builtin_expect(!p || n > 64, 0)) return slow(n);
  list = *(void **)p;
  return p;
}
void _ZdlPv(void *p) { if (p) { *(void **)p = list; list = p; } }
void _ZdaPv(void *p) __attribute__((alias("_ZdlPv")));
void _ZdlPvRKSt9nothrow_t(void *p, const void *tag) {
  (void)tag;
  if (p) { *(void **)p = list; list = p; }
}
void _ZdlPvm(void *p, size_t n) {
  (void)n;
  SIZED_WORK;
  if (p) { *(void **)p = list; list = p; }
}
void *calloc(size_t a, size_t b) { return slow(a * b); }
void *realloc(void *p, size_t n) {
  char *q = slow(n);
  for (size_t i = 0; p && i < n; i++) q[i] = ((char *)p)[i];
  return q;
}
"""


class Fastpath(Tree):
    """fastpath.py, on a malloc of one list"""

    def setUp(self):
        super().setUp()
        self.program = self.root / "pairs_insn"
        compile_c(
            "-O2", "-fno-plt", "-fno-builtin-malloc", "-fno-builtin-free", "-o", self.program,
            HERE / "pairs_insn.c",
        )  # fmt: skip
        self.write({"golden": "# a comment\nultra malloc 7.00\n"})

    def library(self, name="libfake.so", **work):
        """A library; malloc, free, sized: what that function does besides."""
        self.write({"fake.c": FAKE_MALLOC})
        defines = [
            f"-D{function.upper()}_WORK={work.get(function, '')}"
            for function in ("malloc", "free", "sized")
        ]
        compile_c(
            "-shared", "-fPIC", "-O2", "-fno-builtin", *defines, "-o", self.root / name,
            self.root / "fake.c",
        )  # fmt: skip
        return str(self.root / name)

    def run_tool(self, lib, variant, *more):
        command = [sys.executable, HERE / "fastpath.py", lib, self.program, self.root / "golden"]
        done = subprocess.run([*command, variant, *more], capture_output=True, text=True)
        if done.returncode == common.SKIP:
            self.skipTest("valgrind is missing")
        return done.returncode, done.stdout + done.stderr

    def test_the_count_is_held_against_the_golden(self):
        lib, pairs = self.library(), ["--pairs", "malloc", "sized"]
        status, text = self.run_tool(lib, "simple", *pairs)
        self.assertEqual(status, 1, text)
        self.assertIn("no line for simple malloc", text)
        self.assertIn("no line for simple sized", text)
        status, text = self.run_tool(lib, "simple", *pairs, "--update")
        self.assertEqual(status, 0, text)
        status, text = self.run_tool(lib, "simple", *pairs)
        self.assertEqual(status, 0, text)
        count = float(re.search(r"simple malloc: ([\d.]+) instructions a pair", text).group(1))
        self.assertGreater(count, 8)
        self.assertLess(count, 40)
        golden = (self.root / "golden").read_text()
        self.assertIn(f"simple malloc {count:.2f}\n", golden)
        self.assertIn("# a comment\nultra malloc 7.00\n", golden)
        # One instruction and more in the library is one and more in the count.
        status, text = self.run_tool(
            self.library(malloc="work = 1"), "simple", "--pairs", "malloc"
        )
        self.assertEqual(status, 1, text)
        self.assertRegex(text, rf"simple malloc: {count + 1:.2f} a pair, golden {count:.2f}")
        # Each pair is held against its own line.
        status, text = self.run_tool(self.library(sized="work = 1"), "simple", *pairs)
        self.assertEqual(status, 1, text)
        self.assertRegex(text, r"simple sized: [\d.]+ a pair, golden")
        self.assertNotRegex(text, r"simple malloc: [\d.]+ a pair, golden")

    def test_p0_has_a_limit_whatever_the_golden(self):
        lib = self.library(free=";".join(["work = 1"] * 40))
        status, text = self.run_tool(lib, "p0", "--update", "--pairs", "malloc")
        self.assertEqual(status, 1, text)
        self.assertIn("the limit is 34.00", text)
        self.assertNotRegex(text, r"p0 \w+: [\d.]+ a pair, golden")

    def test_a_library_that_does_not_serve_is_named(self):
        self.write({"none.c": "int nothing;\n"})
        none = self.root / "libnone.so"
        compile_c("-shared", "-fPIC", "-o", none, self.root / "none.c")
        status, text = self.run_tool(none, "simple", "--update", "--pairs", "malloc")
        self.assertEqual(status, 1, text)
        self.assertIn("did not serve", text)
        self.assertIn("does not define malloc", text)

    def test_the_straight_path_has_no_call_and_no_lock(self):
        clean = self.library()
        for name in ("malloc", "free", "_Znwm", "_ZdlPvm"):
            count, findings = fastpath.straight_path(clean, name)
            self.assertEqual(findings, [])
            self.assertGreater(count, 2)
        called = self.library(malloc="carve(1)", name="libcall.so")
        self.assertIn("a call on the fast path", str(fastpath.straight_path(called, "malloc")))
        self.assertEqual(fastpath.straight_path(called, "free")[1], [])
        sized = self.library(sized="carve(1)", name="libsized.so")
        self.assertIn("a call on the fast path", str(fastpath.check_straight(sized, "p0")))
        locked = self.library(free="__sync_fetch_and_add(&work,1)", name="liblock.so")
        self.assertIn("locked on the fast path", str(fastpath.straight_path(locked, "free")))
        swapped = self.library(free="__atomic_exchange_n(&work,1,5)", name="libswap.so")
        self.assertIn("locked on the fast path", str(fastpath.straight_path(swapped, "free")))
        tail = self.library(malloc="return carve(n)", name="libtail.so")
        self.assertIn("before its ret", str(fastpath.straight_path(tail, "malloc")))


class ThreadSafety(Tree):
    """A miniature of the library's locks, with the real attributes."""

    def setUp(self):
        super().setUp()
        if not shutil.which("clang"):
            self.skipTest("clang is missing")
        attributes = (HERE.parents[1] / "src/base/attrs.h").read_text()
        lock = (
            '#include "src/base/attrs.h"\n'
            'struct HAK_CAPABILITY("lock") hak_lock { int state; };\n'
            "void take(struct hak_lock *lock) HAK_ACQUIRES(*lock);\n"
            "void give(struct hak_lock *lock) HAK_RELEASES(*lock);\n"
            "struct pool { struct hak_lock lock; int free; };\n"
            "HAK_GUARDED_STATIC(struct pool, pool);\n"
            "static void use(void) HAK_REQUIRES(pool.lock) { pool.free--; }\n"
        )
        self.passes(thread_safety.check, {"src/base/attrs.h": attributes, "src/lock.h": lock})

    def plant(self, body, line, words):
        text = '#include "src/lock.h"\n' + body + "\n"
        self.names(thread_safety.check, "src/pool.c", text, line, words)

    def test_a_lock_that_is_held_passes(self):
        body = "void f(void) { take(&pool.lock); use(); pool.free = 1; give(&pool.lock); }\n"
        self.passes(thread_safety.check, {"src/pool.c": '#include "src/lock.h"\n' + body})

    def test_a_read_without_the_lock_is_named(self):
        body = "void f(void) {\n    take(&pool.lock);\n    use();\n    give(&pool.lock);\n}\n"
        self.plant(body + "int g(void) {\n    return pool.free;\n}", 8, "reading variable 'pool'")

    def test_a_call_without_the_lock_is_named(self):
        body = "void f(void) {\n    use();\n    take(&pool.lock);\n    give(&pool.lock);\n}"
        self.plant(body, 3, "calling function 'use' requires holding")

    def test_a_lock_that_is_not_released_is_named(self):
        body = "void f(void) {\n    take(&pool.lock);\n    use();\n}"
        self.plant(body, 5, "still held")

    def test_a_lock_released_twice_is_named(self):
        body = "void f(void) {\n    take(&pool.lock);\n    use();\n    give(&pool.lock);\n"
        self.plant(body + "    give(&pool.lock);\n}", 6, "was not held")


if __name__ == "__main__":
    program = unittest.main(verbosity=1, exit=False)
    result = program.result
    if result.wasSuccessful() and result.skipped and len(result.skipped) == result.testsRun:
        sys.exit(common.SKIP)
    sys.exit(0 if result.wasSuccessful() else 1)
