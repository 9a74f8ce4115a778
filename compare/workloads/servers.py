# SPDX-License-Identifier: MIT
"""servers.py: servers that go through a peak of memory: how each is started, filled and emptied.

Called by peaks.py, which follows their memory meanwhile. A server listens on a socket of the file
system and runs under the allocator; its client is this process. What is sent follows from SEED and
the size alone, so every allocator gets the same requests in the same order.
"""

import http.client
import json
import random
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from . import programs
from .redis_server import Connection

INPUTS = Path(__file__).parent / "inputs"
SEED = 12345
KEPT_OF = 20  # redis sparse: one key of so many is kept
PIPELINED = 500  # commands sent before their answers are read
HTTP_CONNECTIONS = 4
KEY_OVERHEAD = 120  # of redis for each key, beside its value: entry, object, two strings


class WrongAnswer(ValueError):
    """The server said something else than it should."""


class Client(Protocol):
    """The server is up once this is entered."""

    def __enter__(self) -> "Client": ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None: ...

    def fill(self) -> None: ...

    def drop(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class Server:
    """`size`: bytes that the fill brings about, by which a test makes it small."""

    name: str
    peak: str  # what its peak is made of and how it ends, for the tables
    program: str
    options: tuple[str, ...]
    size: int
    env: dict[str, str] = field(default_factory=dict)
    timeout_s: float = 300.0  # of everything but the idleness

    def argv(self, address: Path) -> tuple[str, ...]:
        return (self.program, *self.options, str(address))

    def client(self, address: Path, process: "subprocess.Popen[str]") -> Client:
        raise NotImplementedError

    def prepare(self) -> None:
        """Makes what is going to be sent, which takes time, once."""

    def record(self) -> dict[str, Any]:
        """The server as it stands among the session's workloads."""
        options = [word if "/" not in word else Path(word).name for word in self.options]
        return {"workload": self.name, "group": "server", "threads": 1, "args": " ".join(options),
                "score": "after_10s_rss_kib", "unit": "MiB", "direction": "lower is better",
                "memory": "absolute", "timeout_s": self.timeout_s, "env": self.env,
                "bytes": self.size, "peak": self.peak}


# ---- redis ----


@cache
def redis_commands(size: int) -> tuple[tuple[bytes, int], ...]:
    """(commands, how many) of each piece of the fill."""
    rng = random.Random(SEED)
    pieces: list[tuple[bytes, int]] = []
    commands: list[bytes] = []
    made = 0
    while made < size or commands:
        if made < size:
            value = b"v" * rng.randrange(8, 200)
            key = b"key:%08d" % (len(pieces) * PIPELINED + len(commands))
            commands.append(command(b"SET", key, value))
            made += len(value) + KEY_OVERHEAD
        if len(commands) == PIPELINED or made >= size:
            pieces.append((b"".join(commands), len(commands)))
            commands = []
    return tuple(pieces)


def command(*words: bytes) -> bytes:
    parts = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
    return b"*%d\r\n%s" % (len(words), parts)


@dataclass(frozen=True)
class Redis(Server):
    is_sparse: bool = False  # else nothing is kept

    def argv(self, address: Path) -> tuple[str, ...]:
        return (self.program, *self.options, "--dir", str(address.parent), "--unixsocket",
                str(address))

    def prepare(self) -> None:
        redis_commands(self.size)

    def client(self, address: Path, process: "subprocess.Popen[str]") -> "RedisClient":
        return RedisClient(Connection(address, process, self.timeout_s), self)


class RedisClient:
    def __init__(self, connection: Connection, server: Redis) -> None:
        self.connection, self.server = connection, server

    def __enter__(self) -> "RedisClient":
        self.connection.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.connection.__exit__(kind, error, trace)

    def ask(self, commands: bytes, answers: list[bytes]) -> None:
        self.connection.socket.sendall(commands)
        for wanted in answers:
            if (said := self.connection.line()) != wanted:
                raise WrongAnswer(f"redis said {said.decode(errors='replace')}")

    def fill(self) -> None:
        for commands, count in redis_commands(self.server.size):
            self.ask(commands, [b"+OK"] * count)

    def drop(self) -> None:
        if not self.server.is_sparse:
            self.ask(command(b"FLUSHALL", b"SYNC"), [b"+OK"])
            return
        place = 0
        for _, count in redis_commands(self.server.size):
            gone = [b"key:%08d" % n for n in range(place, place + count) if n % KEPT_OF]
            place += count
            if gone:
                self.ask(command(b"DEL", *gone), [b":%d" % len(gone)])

    def stop(self) -> None:
        self.connection.send(b"SHUTDOWN", b"NOSAVE")


# ---- servers that speak HTTP ----


def documents(size: int, mean_bytes: int) -> Iterator[bytes]:
    """JSON documents whose texts are so long in all."""
    rng = random.Random(SEED)
    words = ["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randrange(3, 11)))
             for _ in range(1000)]
    number, made = 0, 0
    while made < size:
        length = rng.randrange(mean_bytes // 4, mean_bytes * 7 // 4)
        rows: list[dict[str, Any]] = []
        while length > 0:
            rows.append({"name": f"{rng.choice(words)} {rng.getrandbits(40):x}",
                         "tags": rng.choices(words, k=rng.randrange(6)),
                         "score": rng.random(), "nested": {"a": rng.getrandbits(60), "b": None}})
            length -= len(json.dumps(rows[-1]))
        text = json.dumps({"id": number, "rows": rows}).encode()
        number, made = number + 1, made + len(text)
        yield text


@cache
def all_documents(size: int, mean_bytes: int) -> tuple[bytes, ...]:
    return tuple(documents(size, mean_bytes))


@dataclass(frozen=True)
class Http(Server):
    mean_bytes: int = 1 << 15

    def prepare(self) -> None:
        all_documents(self.size, self.mean_bytes)

    def client(self, address: Path, process: "subprocess.Popen[str]") -> "HttpClient":
        return HttpClient(Connection(address, process, self.timeout_s), self, address)


class HttpClient:
    """Several connections that stay open, used by turns."""

    def __init__(self, first: Connection, server: Http, address: Path) -> None:
        self.first, self.server, self.address = first, server, address
        self.connections: list[http.client.HTTPConnection] = []

    def __enter__(self) -> "HttpClient":
        self.first.__enter__()
        for number in range(HTTP_CONNECTIONS):
            connection = http.client.HTTPConnection("peak")
            if number:
                connection.sock = socket.socket(socket.AF_UNIX)
                connection.sock.settimeout(self.server.timeout_s)
                connection.sock.connect(str(self.address))
            else:
                connection.sock = self.first.socket
            self.connections.append(connection)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        for connection in self.connections:
            connection.close()
        self.first.__exit__(kind, error, trace)

    def ask(self, number: int, method: str, path: str, body: bytes | None = None) -> bytes:
        connection = self.connections[number % len(self.connections)]
        connection.request(method, path, body)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise WrongAnswer(f"{method} {path}: status {answer.status}")
        return text

    def fill(self) -> None:
        for number, text in enumerate(all_documents(self.server.size, self.server.mean_bytes)):
            if self.ask(number, "POST", "/documents", text) != b"%d" % (number + 1):
                raise WrongAnswer("a document was lost")

    def drop(self) -> None:
        if self.ask(0, "DELETE", "/documents") != b"0":
            raise WrongAnswer("a document was kept")

    def stop(self) -> None:
        self.ask(0, "DELETE", "/server")


# ---- those that are here ----

MIB = 1 << 20
REDIS_OPTIONS = ("--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no")


def declared() -> list[tuple[str, Server]]:
    """(the program it needs, the server as if that were at hand)."""
    return [
        ("redis-server", Redis(
            "redis flushed", "128 MiB of small values, then FLUSHALL", "redis-server",
            REDIS_OPTIONS, 128 * MIB)),
        ("redis-server", Redis(
            "redis sparse", "128 MiB of small values, then all keys but every 20th deleted",
            "redis-server", REDIS_OPTIONS, 128 * MIB, is_sparse=True)),
        ("node", Http(
            "node", "96 MiB of request bodies, then all forgotten and garbage collected", "node",
            ("--expose-gc", str(INPUTS / "peak_server.js")), 96 * MIB)),
        ("python3", Http(
            "python3", "15 MiB of JSON text as objects, then all forgotten", "python3",
            ("-S", "-P", str(INPUTS / "peak_server.py")), 15 * MIB,
            env={"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"})),
    ]


def found() -> tuple[list[Server], list[tuple[str, str]]]:
    """(servers, absent): those whose programs are here, and the others with what they need."""
    here, absent = [], []
    for needs, server in declared():
        path = programs.which(needs)
        if path is None:
            absent.append((server.name, f"needs {needs}"))
        else:
            here.append(replace(server, program=path))
    return here, absent
