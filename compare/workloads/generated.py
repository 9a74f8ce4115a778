# SPDX-License-Identifier: MIT
"""generated.py: what the real programs are given to work on, made from a seed.

Called by programs.py, which writes what is returned into the scratch directory. The same seed
gives the same bytes on every machine: Python promises that for random.Random's random(), and the
rest here is made of it. What needs no generator lies beside this, as the files of inputs/.
"""

import random
from typing import Any

def c_source(seed: int, functions: Any) -> Any:
    """A C file with many small functions over structs, tables, switches and loops."""
    rng = random.Random(seed)
    parts = ["struct node { struct node *next; long key; double weight; char name[16]; };",
             "extern long mix(long, long);"]
    for f in range(functions):
        a, b, c = (rng.randrange(3, 997) for _ in range(3))
        table = ", ".join(str(rng.randrange(1 << 16)) for _ in range(rng.randrange(4, 30)))
        cases = "\n".join(
            f"        case {k}: total += mix(total, {rng.randrange(999)}); break;"
            for k in range(rng.randrange(3, 9)))
        parts.append(f"""
static const long table_{f}[] = {{{table}}};
long walk_{f}(struct node *list, long limit)
{{
    long total = {a};
    for (struct node *n = list; n; n = n->next) {{
        for (long i = 0; i < limit % {b}; i++) {{
            total += n->key * table_{f}[(unsigned long)i % (sizeof table_{f} / sizeof(long))];
            n->name[i & 15] = (char)(total >> 3);
        }}
        switch (total % {c}) {{
{cases}
        default: n->weight *= {a}.{b}; break;
        }}
    }}
    return total;
}}""")
    return "\n".join(parts) + "\n"


def smt_problem(seed: int, variables: Any = 120) -> Any:
    """SMT-LIB: three theories, each pushed, asked and popped; the answers are known or unique.

    Bits: random clauses of three, few enough to be satisfiable. Numbers: jobs on one machine, in
    less time than they need. Words: a product of two bit vectors, to be taken apart again.
    """
    rng = random.Random(seed)
    lines = ["(push)"]
    lines += [f"(declare-const b{i} Bool)" for i in range(variables)]
    for _ in range(int(variables * 3.6)):
        three = " ".join(f"b{v}" if rng.random() < 0.5 else f"(not b{v})"
                         for v in rng.sample(range(variables), 3))
        lines.append(f"(assert (or {three}))")
    lines += ["(check-sat)", "(pop)", "(push)"]
    jobs = [rng.randrange(3, 20) for _ in range(7)]
    lines += [f"(declare-const s{i} Int)" for i in range(len(jobs))]
    for i, length in enumerate(jobs):
        lines.append(f"(assert (and (>= s{i} 0) (<= (+ s{i} {length}) {sum(jobs) - 1})))")
        lines += [f"(assert (or (<= (+ s{i} {length}) s{k}) (<= (+ s{k} {jobs[k]}) s{i})))"
                  for k in range(i)]
    lines += ["(check-sat)", "(pop)", "(push)"]
    product = (rng.randrange(1 << 12, 1 << 13) | 1) * (rng.randrange(1 << 12, 1 << 13) | 1)
    lines += ["(declare-const p (_ BitVec 30))", "(declare-const q (_ BitVec 30))",
              f"(assert (= (bvmul p q) (_ bv{product} 30)))",
              *(f"(assert (bvult {x} (_ bv16384 30)))" for x in "pq"),
              *(f"(assert (bvugt {x} (_ bv1 30)))" for x in "pq"), "(check-sat)", "(pop)"]
    return "\n".join(lines) + "\n"


def fast_import(seed: int, commits: Any = 80, files: Any = 30, lines: int = 200) -> Any:
    """A stream for `git fast-import`: text files of which each commit changes a few lines."""
    rng = random.Random(seed)
    words = ["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randrange(2, 11)))
             for _ in range(600)]

    def line() -> Any:
        return " ".join(rng.choice(words) for _ in range(rng.randrange(4, 14)))

    texts = [[line() for _ in range(lines)] for _ in range(files)]
    parts = []
    for commit in range(commits):
        changed = range(files) if commit == 0 else sorted(rng.sample(range(files), 6))
        message = line()
        parts.append(f"commit refs/heads/main\ncommitter A <a@example.org> {1_000_000_000 + commit}"
                     f" +0000\ndata {len(message)}\n{message}\n")
        for f in changed:
            for _ in range(8):
                texts[f][rng.randrange(len(texts[f]))] = line()
            texts[f].insert(rng.randrange(len(texts[f])), line())
            text = "\n".join(texts[f]) + "\n"
            parts.append(f"M 100644 inline part{f % 5}/file{f}.txt\ndata {len(text)}\n{text}\n")
    return "".join(parts) + "done\n"
