# SPDX-License-Identifier: MIT
"""programs.py: the real programs, as rows: what each is given to do, and how it is judged.

Called by session.py. Inputs are written into a scratch directory from a fixed seed, so every
session and every allocator gets the same; what a program prints, or leaves behind, must be the
same for all. A program that is not installed is returned as absent, with what it needs.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from .generated import c_source, fast_import, smt_problem
from .redis_server import RedisRow
from .stores import DbBenchRow, GIT_ENV, GitRow, make_repository
from .workload import Row

SEED = 12345
INPUTS = Path(__file__).parent / "inputs"
ON_PATH = ("db_bench", "git", "gs", "lua5.4", "perl", "redis-benchmark", "redis-server", "sqlite3",
           "z3")


def which(name: str) -> Any:
    return shutil.which(name, path="/usr/bin:/bin")


def compiler_proper() -> Any:
    """cc1, not the gcc driver: the driver only starts it, and its peak is not the compiler's."""
    if which("gcc") is None:
        return None
    said = subprocess.run(["gcc", "-print-prog-name=cc1"], capture_output=True, text=True,
                          check=False).stdout.strip()
    return said if Path(said).is_file() else None


def found_tools() -> Any:
    tools = {name: which(name) for name in ON_PATH}
    return tools | {"python3": "/usr/bin/python3" if which("python3") else None,
                    "gcc": compiler_proper()}


def write_inputs(scratch: Path, tools: dict[str, str]) -> None:
    texts = {
        "table.sql": (INPUTS / "table.sql").read_text().replace("@SEED@", str(SEED)),
        "source.c": c_source(SEED, 18),
        "problem.smt2": smt_problem(SEED),
    }
    for name, text in texts.items():
        (scratch / name).write_text(text)
    if tools["git"] and not (scratch / "origin.git").exists():
        make_repository(tools["git"], scratch / "origin.git", fast_import(SEED))


def real_programs(scratch: Path | str) -> Any:
    """(rows, absent): the programs that are here, with their inputs written; and the others."""
    tools = found_tools()
    write_inputs(Path(scratch), tools)
    return declared(tools)


def declared(tools: dict[str, str]) -> Any:
    """(rows, absent) with these tools; of a program that is absent, what it needs."""
    rows, absent, seed = [], [], str(SEED)

    def program(name: str, needs: Any, *args: Any, **fields: Any) -> None:
        gone = [n for n in needs if tools[n] is None]
        if gone:
            absent.append((name, "needs " + " and ".join(gone)))
            return
        kind = fields.pop("kind", Row)
        argv = (tools[needs[-1]], *map(str, args))
        rows.append(kind(name=name, argv=argv, timeout_s=30, **fields))

    # Without PYTHONMALLOC Python serves small objects from arenas of its own; -E would ignore it.
    program("python3 objects", ["python3"], "-S", "-P", INPUTS / "objects.py", seed, threads=2,
            env={"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"})
    program("sqlite3 table", ["sqlite3"], "-batch", ":memory:", ".read table.sql")
    program("redis", ["redis-server", "redis-benchmark"], "-q", "-c", "8", "-P", "16", "-r",
            "100000", "-n", "30000", "-d", "100", "-t", "set,get,lpush", kind=RedisRow,
            server=tools["redis-server"], rest_s=5.1)
    program("gcc -O2", ["gcc"], "-quiet", "-O2", "-o", "-", "source.c")
    program("lua tree", ["lua5.4"], INPUTS / "tree.lua", seed)
    program("perl words", ["perl"], INPUTS / "words.pl", seed, env={"PERL_HASH_SEED": "0"})
    program("ghostscript page", ["gs"], "-q", "-dSAFER", "-dBATCH", "-dNOPAUSE", "-r60",
            "-sDEVICE=ppmraw", "-sOutputFile=-", f"-dSEED={seed}", INPUTS / "page.ps")
    program("z3", ["z3"], "problem.smt2")
    # One thread: how several share the work, and so the pack, depends on who is faster.
    program("git repack", ["git"], "-C", "packed.git", "-c", "pack.threads=1", "repack", "-adfq",
            kind=GitRow, env=GIT_ENV)
    # Its flushes and compactions are done by threads of their own.
    program("rocksdb", ["db_bench"], "--benchmarks=fillrandom,overwrite,readrandom,readseq",
            "--num=30000", f"--seed={seed}", "--db=rocksdb", "--compression_type=none",
            "--disable_wal=1", "--write_buffer_size=1048576", kind=DbBenchRow, threads=2)
    return rows, absent
