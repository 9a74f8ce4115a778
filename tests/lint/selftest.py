#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""selftest.py [TestCase]: each lint passes a clean tree and names the violation planted in it.

A lint that finds nothing proves nothing; here each rule first fails. Trees are built in a temporary
folder. CC names the compiler; a missing tool skips its case with status 77.
"""
import shutil
import subprocess
import sys
import unittest

import common
import constants
import format as format_lint
import headers
import layers
import style
from selftest_tree import HEAD, HERE, Tree, compile_c


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

    def test_a_source_file_has_400_lines_at_most(self):
        lines = 400 - HEAD.count("\n")
        self.passes(style.check, {"src/meta/x.c": HEAD + "\n" * lines})
        self.finds(401, "\n" * (lines + 1), "401 lines, the limit is 400")
        self.names(style.check, "compare/x.py", "\n" * 401, 401, "the limit is 400")
        self.passes(style.check, {"docs/x.md": "\n" * 401})

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


if __name__ == "__main__":
    program = unittest.main(verbosity=1, exit=False)
    result = program.result
    if result.wasSuccessful() and result.skipped and len(result.skipped) == result.testsRun:
        sys.exit(common.SKIP)
    sys.exit(0 if result.wasSuccessful() else 1)
