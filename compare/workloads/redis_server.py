# SPDX-License-Identifier: MIT
"""redis_server.py: the row that is a server: redis under the allocator, its client under libc's.

Called by programs.py, which finds the two programs. The client's part is played twice: by
redis-benchmark, which is what is timed, and by a Connection, which waits for the server, reads its
peak and its data, and ends it.
"""

import hashlib
import socket
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..measure.launch import Shot, failure_of
from .workload import LAUNCH_METRICS, Outcome, Row, last_words


@dataclass(frozen=True)
class RedisRow(Row):
    """redis-server under the allocator, redis-benchmark under libc's against it.

    Time is the client's, from its start to its end; memory is the server's peak, read from /proc
    before it shuts down. The checksum covers the list the client pushed, read back.
    """

    server: str = ""
    requests: int = 30000

    def measure(self, shot: Shot) -> Any:
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

    def judge(self, report: dict[str, Any], outcome: Outcome) -> None:
        """A crash of the server is the cause of whatever else went wrong."""
        ended = failure_of(report)
        if ended and (report["signal"] or outcome.failure is None):
            outcome.failure = ended
        elif outcome.failure is None and outcome.checksum is None:
            outcome.failure = "no answer"

    def server_argv(self, address: Path) -> Any:
        return (self.server, "--port", "0", "--unixsocket", str(address), "--save", "",
                "--appendonly", "no", "--dir", str(address.parent), "--daemonize", "no")

    def drive(self, shot: Shot, address: Path) -> Any:
        """One run of the client, on the other processor when there is one."""
        scratch = Path(shot.launcher.scratch)
        plain = replace(shot, preloads=(), env={}, sample=None, trace=None,
                        cpu=0 if shot.cpu else None)
        argv = (self.argv[0], "-s", str(address), *self.argv[1:])
        report = shot.launcher.run(plain, argv, self.timeout_s, scratch / "client.out",
                                   scratch / "client.err")
        outcome = Outcome(failure=failure_of(report))
        if outcome.failure is not None:
            outcome.failure = "client " + outcome.failure
        outcome.metric = {k: report[k] for k in LAUNCH_METRICS if k in report and "_s" in k}
        return outcome


def peak_kib(pid: int) -> Any:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise EOFError("the server has gone")


class Connection:
    """Just enough of redis's protocol to wait for the server, question it, and end it."""

    def __init__(self, address: Path, server: subprocess.Popen[str], timeout_s: float) -> None:
        self.address, self.server, self.timeout_s = str(address), server, timeout_s

    def __enter__(self) -> "Connection":
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

    def __exit__(self, *_: Any) -> None:
        self.stream.close()
        self.socket.close()

    def send(self, *words: Any) -> None:
        parts = b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)
        self.socket.sendall(b"*%d\r\n%s" % (len(words), parts))

    def line(self) -> Any:
        line = self.stream.readline()
        if not line:
            raise EOFError("the server closed the connection")
        return line.rstrip(b"\r\n")

    def bulk(self) -> Any:
        length = int(self.line()[1:])
        return self.stream.read(length + 2)[:-2]

    def info(self, key: str) -> Any:
        self.send(b"INFO", b"server")
        fields = dict(f.split(":", 1) for f in self.bulk().decode().splitlines() if ":" in f)
        return fields[key]

    def drain(self) -> Any:
        """Empties the server: the moment, in ms of the monotonic clock."""
        self.send(b"FLUSHALL", b"SYNC")
        self.line()
        return time.monotonic() * 1e3

    def list_digest(self, name: bytes) -> Any:
        self.send(b"LRANGE", name, b"0", b"-1")
        digest = hashlib.sha256()
        for _ in range(int(self.line()[1:])):
            digest.update(self.bulk() + b"\n")
        return digest.hexdigest()[:16]
