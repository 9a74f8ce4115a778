# SPDX-License-Identifier: MIT
"""programs.py: the real programs, as rows: what each is given to do, and how it is judged.

Called by bench_compare.py. Inputs are written into a scratch directory from a fixed seed, so every
session and every allocator gets the same; what a program prints must be the same for all. A
program that is not installed is returned as absent, with what it needs.
"""

import hashlib
import random
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

from launch import failure_of
from workloads import LAUNCH_METRICS, Outcome, Row, last_words

SEED = 12345
INPUTS = Path(__file__).parent / "inputs"


def c_source(seed, functions):
    """A C file with many small functions over structs, tables, switches and loops."""
    rng = random.Random(seed)
    parts = ["struct node { struct node *next; long key; double weight; char name[16]; };",
             "extern long mix(long, long);"]
    for f in range(functions):
        a, b, c = (rng.randrange(3, 997) for _ in range(3))
        table = ", ".join(str(rng.randrange(1 << 16)) for _ in range(rng.randrange(4, 24)))
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


def which(name):
    return shutil.which(name, path="/usr/bin:/bin")


def compiler_proper():
    """cc1, not the gcc driver: the driver only starts it, and its peak is not the compiler's."""
    if which("gcc") is None:
        return None
    said = subprocess.run(["gcc", "-print-prog-name=cc1"], capture_output=True, text=True,
                          check=False).stdout.strip()
    return said if Path(said).is_file() else None


@dataclass(frozen=True)
class RedisRow(Row):
    """redis-server under the allocator, redis-benchmark under libc's against it.

    Time is the client's, from its start to its end; memory is the server's peak, read from /proc
    before it shuts down. The checksum covers the list the client pushed, read back.
    """

    server: str = ""
    requests: int = 30000

    def measure(self, shot):
        scratch = Path(shot.launcher.scratch)
        address = scratch / "redis.sock"
        address.unlink(missing_ok=True)
        server = shot.launcher.start(
            shot, self.server_argv(address), self.timeout_s, scratch / "server.out",
            scratch / "server.err", self.env)
        outcome = Outcome()
        try:
            with Connection(address, server, self.timeout_s) as redis:
                pid = redis.info("process_id")
                outcome = self.drive(shot, address)
                outcome.metric["hwm_kib"] = peak_kib(pid)
                outcome.checksum = redis.list_digest(b"mylist")
                if shot.sample:
                    outcome.metric["drained_ms"] = redis.drain()
                    time.sleep(shot.sample.rest_s)
                redis.send(b"SHUTDOWN", b"NOSAVE")
        except (OSError, EOFError) as error:
            outcome.detail = type(error).__name__
        except ValueError:  # an answer, but not one of redis's
            outcome.failure = "wrong data"
        report = shot.launcher.finish(server, self.timeout_s)
        if shot.sample:  # the faults of the server, not of the client
            outcome.metric |= {"minflt": report["minflt"], "majflt": report["majflt"]}
        self.judge(report, outcome)
        outcome.exit = report["exit"]
        if outcome.failure is not None:
            outcome.detail = last_words(scratch / "server.out") or outcome.detail
        return outcome

    def judge(self, report, outcome):
        """A crash of the server is the cause of whatever else went wrong."""
        ended = failure_of(report)
        if ended and (report["signal"] or outcome.failure is None):
            outcome.failure = ended
        elif outcome.failure is None and outcome.checksum is None:
            outcome.failure = "no answer"

    def server_argv(self, address):
        return (self.server, "--port", "0", "--unixsocket", str(address), "--save", "",
                "--appendonly", "no", "--dir", str(address.parent), "--daemonize", "no")

    def drive(self, shot, address):
        """One run of the client, on the other processor when there is one."""
        scratch = Path(shot.launcher.scratch)
        plain = replace(shot, preloads=(), env={}, sample=None, cpu=0 if shot.cpu else None)
        argv = (self.argv[0], "-s", str(address), *self.argv[1:])
        report = shot.launcher.run(plain, argv, self.timeout_s, scratch / "client.out",
                                   scratch / "client.err")
        outcome = Outcome(failure=failure_of(report))
        if outcome.failure is not None:
            outcome.failure = "client " + outcome.failure
        outcome.metric = {k: report[k] for k in LAUNCH_METRICS if k in report and "_s" in k}
        return outcome


def peak_kib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise EOFError("the server has gone")


class Connection:
    """Just enough of redis's protocol to wait for the server, question it, and end it."""

    def __init__(self, address, server, timeout_s):
        self.address, self.server, self.timeout_s = str(address), server, timeout_s

    def __enter__(self):
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(self.timeout_s)
            try:
                self.socket.connect(self.address)
                break
            except OSError:
                self.socket.close()
                if self.server.poll() is not None:  # ended, at the latest by its time-out
                    raise
            time.sleep(0.005)
        self.stream = self.socket.makefile("rb")
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def send(self, *words):
        parts = b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)
        self.socket.sendall(b"*%d\r\n%s" % (len(words), parts))

    def line(self):
        line = self.stream.readline()
        if not line:
            raise EOFError("the server closed the connection")
        return line.rstrip(b"\r\n")

    def bulk(self):
        length = int(self.line()[1:])
        return self.stream.read(length + 2)[:-2]

    def info(self, key):
        self.send(b"INFO", b"server")
        fields = dict(f.split(":", 1) for f in self.bulk().decode().splitlines() if ":" in f)
        return fields[key]

    def drain(self):
        """Empties the server: the moment, in ms of the monotonic clock."""
        self.send(b"FLUSHALL", b"SYNC")
        self.line()
        return time.monotonic() * 1e3

    def list_digest(self, name):
        self.send(b"LRANGE", name, b"0", b"-1")
        digest = hashlib.sha256()
        for _ in range(int(self.line()[1:])):
            digest.update(self.bulk() + b"\n")
        return digest.hexdigest()[:16]


def real_programs(scratch):
    """(rows, absent): the programs that are here, with their inputs written; and the others."""
    scratch, seed = Path(scratch), str(SEED)
    tools = {name: which(name) for name in (
        "sqlite3", "lua5.4", "perl", "gs", "redis-server", "redis-benchmark")}
    tools |= {"python3": "/usr/bin/python3" if which("python3") else None, "gcc": compiler_proper()}
    sql, source = scratch / "table.sql", scratch / "source.c"
    sql.write_text((INPUTS / "table.sql").read_text().replace("@SEED@", seed))
    source.write_text(c_source(SEED, 18))
    rows, absent = [], []

    def program(name, needs, *args, **fields):
        gone = [n for n in needs if tools[n] is None]
        if gone:
            absent.append((name, "needs " + " and ".join(gone)))
            return
        kind = fields.pop("kind", Row)
        argv = (tools[needs[-1]], *map(str, args))
        rows.append(kind(name=name, argv=argv, timeout_s=30, **fields))

    # Without PYTHONMALLOC Python serves small objects from arenas of its own.
    program("python3 objects", ["python3"], "-S", "-E", INPUTS / "objects.py", seed, threads=2,
            env={"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"})
    program("sqlite3 table", ["sqlite3"], "-batch", ":memory:", f".read {sql.name}")
    program("redis", ["redis-server", "redis-benchmark"], "-q", "-c", "8", "-P", "16", "-r",
            "100000", "-n", "30000", "-d", "100", "-t", "set,get,lpush", kind=RedisRow,
            server=tools["redis-server"])
    program("gcc -O2", ["gcc"], "-quiet", "-O2", "-o", "-", source.name)
    program("lua tree", ["lua5.4"], INPUTS / "tree.lua", seed)
    program("perl words", ["perl"], INPUTS / "words.pl", seed, env={"PERL_HASH_SEED": "0"})
    program("ghostscript page", ["gs"], "-q", "-dSAFER", "-dBATCH", "-dNOPAUSE", "-r60",
            "-sDEVICE=ppmraw", "-sOutputFile=-", f"-dSEED={seed}", INPUTS / "page.ps")
    return rows, absent
