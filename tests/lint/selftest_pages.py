#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""selftest_pages.py [TestCase]: each lint of pages passes a clean tree and names a planted one."""
import shutil
import sys
import unittest

import common
import figures
import manual
import pages
from selftest_tree import Tree

CONSTANTS = """
#define HAK_KEEP_BYTES ((size_t)1 << 20) /* kept */
#define HAK_AGE_MS     250u
#define HAK_LONG_MS    5000u
#define HAK_LONG \\
    (HAK_KEEP_BYTES / HAK_AGE_MS)
#define HAK_LIMIT      65530
#define HAK_SHARE      64u
#define HAK_MOVES(x)   ((x) << 3)
#define HAK_OTHER      (HAK_UNKNOWN ? 1 : 2)
"""


class Figures(Tree):
    """figures.py"""

    READS = 'a = number("HAKMEM_AGE", HAK_AGE_MS, 9);\nb = number("HAKMEM_KEEP",\n' \
        '  HAK_KEEP_BYTES); c = is_on("HAKMEM_TALK"); d = add("HAKMEM_COUNT_C"); // "HAKMEM_NO"\n'
    TABLE = "| variable | default |\n|---|---|\n| `HAKMEM_AGE` | 250 | ms |\n" \
        "| `HAKMEM_KEEP` | 1m | x |\n| `HAKMEM_TALK` | off |\n| `HAKMEM_COUNT_C<bytes>` | |\n"

    def setUp(self):
        super().setUp()
        self.passes(
            figures.check,
            {
                "src/base/geometry.h": CONSTANTS,
                "src/base/tunables.h": "#define HAK_FEW (HAK_SHARE >> 4)\n",
                "docs/ok.md": "At most 1 MiB (`HAK_KEEP_BYTES`), and in\nall 1024 KiB of them\n"
                "(`HAK_KEEP_BYTES`). After 250 ms (`HAK_AGE_MS`) or 5 s (`HAK_LONG_MS`), 1/64\n"
                "(`HAK_SHARE`), 65 530 mappings (`HAK_LIMIT`), four looks (`HAK_FEW`).\n"
                "4194 (`HAK_LONG`); `HAK_OTHER` and `HAK_MOVES` have no figure.\n",
                "results/x/summary.md": "3 (`HAK_AGE_MS`)\n",
                "src/os/env.c": self.READS,
                "docs/switches.md": self.TABLE,
            },
        )

    def finds(self, line, text, words):
        self.names(figures.check, "docs/x.md", text, line, words)

    def test_another_value_is_named(self):
        self.finds(2, "\nAt most 8 MiB (`HAK_KEEP_BYTES`).\n", "says 8.38861e+06, it is 1048576")
        self.finds(1, "After 250 s (`HAK_AGE_MS`).\n", "says 250000, it is 250")
        self.finds(1, "A part of 1/32 (`HAK_SHARE`).\n", "says 32, it is 64")
        self.finds(2, "Four looks (`HAK_FEW`), five looks\n(`HAK_FEW`).\n", "says 5, it is 4")
        self.finds(2, "Up to 1 MiB a thread\n(`HAK_AGE_MS`).\n", "it is 250")

    def test_a_constant_in_another_file_changes_the_value(self):
        (self.root / "src/base/geometry.h").write_text(CONSTANTS.replace("250u", "300u"))
        findings = figures.check(self.root)
        self.assertEqual(len(findings), 3, findings)
        self.assertIn("HAK_AGE_MS: the page says 250, it is 300", findings[0])
        self.assertIn("HAKMEM_AGE: the default is 300, not 250", findings[2])

    def test_a_name_in_brackets_has_a_figure_before_it(self):
        self.finds(1, "It is kept (`HAK_KEEP_BYTES`).\n", "no figure before it; it is 1048576")
        self.finds(1, "1 MiB. It is kept (`HAK_KEEP_BYTES`).\n", "no figure before it")
        self.finds(1, "Two (`HAK_OTHER`).\n", "no value that can be compared")

    def test_the_table_of_switches_is_what_the_code_reads(self):
        page = "docs/switches.md"
        for line, old, new, words in (
            (3, "| 250 |", "| 25 |", "HAKMEM_AGE: the default is 250, not 25"),
            (4, "| 1m |", "| 1k |", "HAKMEM_KEEP: the default is 1048576, not 1k"),
            (5, "TALK", "WALK", "HAKMEM_WALK: the code does not read it"),
        ):
            (self.root / page).write_text(self.TABLE.replace(old, new))
            self.assertIn(f"{page}:{line}: {words}", figures.check(self.root))
        self.assertIn(f"{page}:1: HAKMEM_TALK: the code reads it", figures.check(self.root))

    def test_a_name_that_the_code_has_not_is_named(self):
        self.finds(3, "\n\nAt most 1 MiB (`HAK_KEPT_BYTES`).\n", "no such name in the code")
        self.finds(1, "See `HAK_PURGE_NONE`.\n", "no such name in the code")


class Manual(Tree):
    """manual.py"""

    HEAD = '.TH X 7 2026-01-01 "x"\n.SH NAME\nx \\- a thing\n.SH MISUSE\n'
    PAGE = """# Misuse\n\nSee [a thing](elsewhere.md).\n
| name | of |\n|---|---|\n| `x` | thing |\n"""

    def checked(self, text, page=PAGE):
        if not shutil.which("groff"):
            self.skipTest("groff is missing")
        self.write({"x.7": self.HEAD + text, "x.md": page})
        return manual.check(self.root / "x.7", self.root / "x.md")

    def test_a_clean_one_passes(self):
        self.assertEqual(self.checked("See a thing.\n"), [])

    def test_a_warning_is_a_finding(self):
        self.assertIn("QQ", str(self.checked("See a thing.\n.QQ\n")))
        self.assertTrue(self.checked("See a thing.\n.TS\n"))

    def test_a_word_that_was_lost_is_named(self):
        findings = self.checked("See a thing.\n", self.PAGE + "\nNever more.\n")
        self.assertEqual(findings, ["x.md:9: Never: not in the manual",
                                    "x.md:9: more: not in the manual"])  # fmt: skip


class Pages(Tree):
    """pages.py"""

    def setUp(self):
        super().setUp()
        self.passes(
            pages.check,
            {
                "src/meta/slab.c": "/* put() */\nstatic int put(int a,\n               int b) {\n"
                "    return take(a);\n}\nint give(int a);\n",
                "docs/README.md": "[a](a.md), [up](../src/meta/slab.c), [out](https://x.org/y)\n",
                "docs/a.md": "`put` (`src/meta/slab.c`), `src/meta/`, [here](#a), `tests/*/x.c`\n"
                "`tiers/tiny_mine/refill.c`; `put`\n   (`src/meta/slab.c`)\n",
                "results/x/summary.md": "[gone](gone.md)\n",
            },
        )

    def finds(self, line, text, words, name="src/x.md"):
        self.names(pages.check, name, text, line, words)

    def test_a_link_leads_to_a_file(self):
        self.finds(2, "\n[gone](gone.md)\n", "gone.md: the link leads nowhere")
        self.finds(1, "[gone](../gone.md#part)\n", "../gone.md: the link leads nowhere")

    def test_a_path_is_one(self):
        self.finds(2, "\nin `src/meta/slob.c`\n", "src/meta/slob.c: no such file")

    def test_a_function_is_defined_where_the_page_says(self):
        self.finds(2, "\n1. `putt` (`src/meta/slab.c`)\n", "src/meta/slab.c does not define putt")
        for name in ("take", "give"):  # called, declared
            self.finds(1, f"`{name}`\n(`src/meta/slab.c`)\n", f"does not define {name}")

    def test_a_function_that_was_renamed_is_missed(self):
        path = self.root / "src/meta/slab.c"
        path.write_text(path.read_text().replace("put", "set"))
        findings = pages.check(self.root)
        self.assertEqual([f.split(": ")[0] for f in findings], ["docs/a.md:1", "docs/a.md:2"])

    def test_the_index_links_every_page(self):
        self.finds(1, "A page.\n", "docs/README.md does not link it", "docs/b.md")


if __name__ == "__main__":
    program = unittest.main(exit=False)
    if program.result.wasSuccessful() and len(program.result.skipped) == program.result.testsRun:
        sys.exit(common.SKIP)
    sys.exit(0 if program.result.wasSuccessful() else 1)
