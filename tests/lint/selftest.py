#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""selftest.py [TestCase]: each lint passes a clean tree and names the violation planted in it.

A lint that finds nothing proves nothing; here each rule first fails. Trees and libraries are built
in a temporary folder. CC names the compiler; a missing tool skips its case with status 77.
"""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

import common
import constants
import fastpath
import format as format_lint
import headers
import layers
import style
import symbols
import thread_safety

HERE = pathlib.Path(__file__).resolve().parent
HEAD = "/* SPDX-License-Identifier: MIT */\n/* Some file: what it is, and for whom. */\n"


def compile_c(*args, check=True):
    """Runs the compiler; returns whether it succeeded."""
    command = shlex.split(os.environ.get("CC", "cc")) + [str(a) for a in args]
    done = subprocess.run(command, capture_output=True, text=True)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)}\n{done.stderr}")
    return done.returncode == 0


class Tree(unittest.TestCase):
    """A temporary folder, and the two assertions that every lint owes."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def write(self, files):
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def passes(self, lint, files):
        self.write(files)
        self.assertEqual(lint(self.root), [])

    def names(self, lint, name, text, line, words):
        """Plants one file, expects exactly one finding at its line with the words, removes it."""
        self.write({name: text})
        findings = lint(self.root)
        (self.root / name).unlink()
        self.assertEqual(len(findings), 1, findings)
        self.assertTrue(findings[0].startswith(f"{name}:{line}: "), findings)
        self.assertIn(words, findings[0])


class Layers(Tree):
    """layers.py"""

    def setUp(self):
        super().setUp()
        self.passes(
            layers.check,
            {
                "src/meta/span.h": '#include "src/os/os.h"\n#include <stdint.h>\n',
                "src/front/tcache.h": '#include "bin.h"\n#include "src/contract/slots.h"\n',
                "src/abi/libc.c": '#include "hakmem.h"\n#include "src/front/tcache.h"\n',
                "src/bind.c": '#include "tiers/tiny_p0/p0.h"\n#include "bin.h"\n'
                '#include "hak_config.h"\n',
                "src/os/os.c": '// #include "src/front/x.h"\n/*\n#include "x.inc"\n*/\n',
                "tiers/tiny_p0/p0.c": '#include "tiers/tiny_p0/p0.h"\n#include "bin.h"\n',
                "tiers/tiny_p0/p0.h": '#include "src/meta/span.h"\n',
                "harness/bench.c": '#include "harness/bench.h"\n',
                "include/hakmem.h": "#include <stddef.h>\n",
                "tests/unit/span.c": '#include "anything.h"\n#include HEADER\n',
            },
        )

    def finds(self, name, include, words):
        self.names(layers.check, name, f"\n#include {include}\n", 2, words)

    def test_includes_go_down_only(self):
        self.finds("src/base/x.h", '"src/os/os.h"', "src/base may not include src/os")
        self.finds("src/os/x.c", '"src/meta/span.h"', "src/os may not include src/meta")
        self.finds("src/meta/x.h", '"src/contract/refill.h"', "may not include src/contract")
        self.finds("src/contract/x.h", '"src/supply/room.h"', "may not include src/supply")
        self.finds("src/supply/x.h", '"tiers/tiny_p0/p0.h"', "may not include tiers")
        self.finds("tiers/direct/x.c", '"src/front/tcache.h"', "tiers may not include src/front")
        self.finds("src/front/x.c", '"src/abi/libc.h"', "src/front may not include src/abi")

    def test_tiers_stand_apart(self):
        self.finds("tiers/direct/x.c", '"tiers/superslab/superslab.h"', "includes no other tier")
        self.finds("src/front/x.c", '"tiers/tiny_p0/p0.h"', "only src/bind.c names")
        self.finds("src/meta/x.h", '"bin.h"', "may not include bin.h")

    def test_harness_stands_alone(self):
        self.finds("harness/x.c", '"src/base/geometry.h"', "harness/ includes only harness/")
        self.finds("harness/x.c", '"hakmem.h"', "harness/ includes only harness/")

    def test_includes_are_paths_from_the_root(self):
        self.finds("src/meta/x.c", '"span.h"', "not a path from the root")
        self.finds("src/meta/x.c", '"../os/os.h"', "without '..'")
        self.finds("src/meta/x.c", "<src/os/os.h>", 'written with ""')
        self.finds("src/meta/x.c", "HEADER", "names its file")
        self.names(layers.check, "src/lost.c", "int x;\n", 1, "stands in no layer")

    def test_code_is_not_included(self):
        self.finds("tests/unit/x.c", '"src/meta/span.c"', "linked, not included")
        self.finds("tests/unit/x.c", '"fill.inc"', "linked, not included")
        self.names(layers.check, "src/meta/fill.inc", "", 1, ".inc files are refused")

    def test_eight_project_includes_at_most(self):
        lines = [f'#include "src/base/h{i}.h"\n' for i in range(9)]
        self.passes(layers.check, {"src/os/y.c": "".join(lines[:8]) + "#include <errno.h>\n"})
        self.names(layers.check, "src/os/x.c", "".join(lines), 9, "more than 8")


class Constants(Tree):
    """constants.py"""

    def setUp(self):
        super().setUp()
        self.passes(
            constants.check,
            {
                "src/base/geometry.h": "#define SLAB (1u << 16)\n#define PAGE 4096\n",
                "src/base/tunables.h": "int a = 64 * 1024;\n",
                "src/base/sizeclass.c": "int a = 1024;\n",
                "src/meta/ok.c": "/* 4096 */ // 65536\nchar *s = \"1024\"; int hak_1024; x >> 16;\n"
                "double d = 1024.5; int a = 0x1000f; int b = 3 * 5; int c = 1 << 3; '\\'';\n",
                "harness/ok.c": "int a = 4096;\n",
                "tests/ok.c": "int a = 65536;\n",
            },
        )

    def test_each_form_of_a_number_is_named(self):
        for form in (
            "4096", "65536", "1024u", "2048UL", "0x10000", "0X200000ull", "1 << 16", "1u << 21",
            "(size_t)1 << 12", "UINT64_C(1) << 16", "((size_t)1) << 11", "64 * 1024", "64 << 10",
            "(size_t)16 * (size_t)4096", "32 * 64", "010000", "64\n* 1024",
        ):  # fmt: skip
            with self.subTest(form):
                text = f"\nint a = {form};\n"
                self.names(constants.check, "src/meta/x.c", text, 2, "use its name")
                self.names(constants.check, "tiers/direct/x.h", text, 2, "use its name")


class Style(Tree):
    """style.py"""

    def setUp(self):
        super().setUp()
        self.passes(
            style.check,
            {
                "README.md": "x" * 200 + "\n",
                "run": "#!/bin/sh\n",
                "docs/design.md": "",
                "results/2026-xeon-v4/summary.md": "",
                "src/meta/span.h": HEAD + "#ifndef SPAN_H\n#define SPAN_H\n#ifdef __cplusplus\n"
                '#endif\n/* #if 0 */\nchar t[] = "XX" "XXXX"; int old_span, folder, threshold;\n'
                "#endif\n",
                "src/os/os.c": HEAD + "#if defined(X)\n#endif\n",
                "src/base/attrs.h": HEAD + "#if defined(X)\n#endif\n",
                "harness/bench.c": HEAD + "#ifdef X\n#endif\n",
            },
        )

    def finds(self, line, text, words, name="src/meta/x.c"):
        self.names(style.check, name, HEAD + text, line, words)

    def test_root_list_is_fixed(self):
        self.names(style.check, "REPORT.md", "", 1, "not on the root's list")
        self.names(style.check, "scratch/a.txt", "", 1, "not on the root's list")

    def test_results_are_packed_and_the_tree_is_light(self):
        for name in ("plots/x.svg", "tables.tex", "runs.jsonl"):
            self.names(style.check, "results/made-up/" + name, "", 1, "is made again")
        self.passes(style.check, {"results/2/report.html": ""})
        self.names(style.check, "results/1/report.html", "", 1, "only the newest")
        heavy = "x" * style.MAX_TREE_BYTES
        self.names(style.check, "results/2/runs.txt", heavy, 1, "the tree has")

    def test_licence_and_head(self):
        no_licence = "/* A file about spans of pages. */\n"
        self.names(style.check, "src/meta/x.c", no_licence, 1, "first line")
        first = HEAD.split("\n")[0] + "\n"
        self.names(style.check, "src/meta/x.c", first + "int x;\n", 2, "no head comment")
        self.names(style.check, "tests/x.c", first + "/* x */\n", 2, "no head comment")

    def test_no_conditions_in_logic(self):
        self.finds(3, "#if 0\n#endif\n", "no #if in logic")
        self.finds(3, "#ifdef X\n#endif\n", "no #if in logic")
        self.finds(3, "#ifdef X\n#endif\n", "no #if in logic", "tiers/direct/x.h")
        guard = "#ifndef X_H\n#define X_H\n"
        second = guard + "#ifndef X_MAX\n#define X_MAX 1\n#endif\n#endif\n"
        self.finds(5, second, "#ifndef X_MAX", "src/meta/x.h")

    def test_no_marks_of_unfinished_work(self):
        for mark in ("TO" + "DO", "FIX" + "ME", "X" + "XX"):
            self.finds(3, f"/* {mark}: later */\n", mark)
            self.names(style.check, "tests/x.py", f"# {mark}\n", 1, mark)

    def test_names_tell_no_history(self):
        for ending in ("old", "new2", "v2", "final"):
            self.finds(3, f"int span_{ending};\n", "tells a history")
            self.names(style.check, f"src/meta/span_{ending}.c", HEAD, 1, "the name tells")

    def test_lines_have_100_columns(self):
        self.passes(style.check, {"src/meta/y.c": HEAD + "/" * 100 + "\n"})
        self.finds(4, "\n" + "/" * 101 + "\n", "101 columns")

    def test_only_tracked_files_count(self):
        if not shutil.which("git"):
            self.skipTest("git is missing")
        subprocess.run(["git", "init", "-q", self.root], check=True)
        subprocess.run(["git", "-C", self.root, "add", "."], check=True)
        self.passes(style.check, {"scratch.txt": "", "src/meta/untracked.c": "int x;\n"})
        self.write({"src/meta/x.c": "int x;\n"})
        subprocess.run(["git", "-C", self.root, "add", "src/meta/x.c"], check=True)
        self.assertEqual(len(style.check(self.root)), 1)


class Format(Tree):
    """format.py"""

    def test_clang_format_decides(self):
        if not shutil.which("clang-format"):
            self.skipTest("clang-format is missing")
        self.passes(format_lint.check, {".clang-format": "BasedOnStyle: LLVM\n", "a.c": "int x;\n"})
        self.names(format_lint.check, "src/x.c", "\nint   x ;\n", 2, "clang-format")


class Headers(Tree):
    """headers.py and header_test.c"""

    def compiles(self, name, module="."):
        return compile_c(
            "-fsyntax-only", "-Wall", "-Werror", "-I", self.root, "-I", self.root / module,
            f'-DHEADER="{name}"', HERE / "header_test.c", check=False,
        )  # fmt: skip

    def test_each_header_is_listed_with_its_module(self):
        self.write(
            {
                "include/hakmem.h": "",
                "src/front/tcache.h": '#include "bin.h"\n',
                "src/front/heap.h": '#include "src/front/tcache.h"\n',
                "src/meta/span.h": '// #include "bin.h"\n',
                "tiers/tiny_p0/bin.h": "",
                "tiers/tiny_simple/bin.h": "",
                "tiers/direct/direct.h": "",
                "harness/bench.h": "",
                "tests/unit/unit.h": "",
                "src/meta/span.c": "",
            }
        )
        expected = [
            ("harness/bench.h", "."),
            ("include/hakmem.h", "."),
            ("src/front/heap.h", "tiers/tiny_p0"),
            ("src/front/heap.h", "tiers/tiny_simple"),
            ("src/front/tcache.h", "tiers/tiny_p0"),
            ("src/front/tcache.h", "tiers/tiny_simple"),
            ("src/meta/span.h", "."),
            ("tiers/direct/direct.h", "."),
            ("tiers/tiny_p0/bin.h", "tiers/tiny_p0"),
            ("tiers/tiny_simple/bin.h", "tiers/tiny_simple"),
        ]
        self.assertEqual(headers.headers(self.root), expected)

    def test_a_header_compiles_alone_and_twice(self):
        guard = "#ifndef X_H\n#define X_H\n#include <stddef.h>\nstruct x { size_t n; };\n#endif\n"
        self.write(
            {
                "src/clean.h": guard,
                "src/alone.h": guard.replace("#include <stddef.h>", ""),
                "src/twice.h": "struct x { int n; };\n",
                "src/bin_user.h": '#include "bin.h"\n',
                "tiers/tiny_p0/bin.h": guard,
            }
        )
        self.assertTrue(self.compiles("src/clean.h"))
        self.assertTrue(self.compiles("src/bin_user.h", "tiers/tiny_p0"))
        self.assertFalse(self.compiles("src/alone.h"))
        self.assertFalse(self.compiles("src/twice.h"))
        self.assertFalse(self.compiles("src/bin_user.h"))


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
