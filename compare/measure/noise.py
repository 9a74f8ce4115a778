# SPDX-License-Identifier: MIT
"""noise.py: what else the machine does: the lock, the look before a session, a meter for each run.

Called by session.py and the runner. Noise is what others take: processor time that neither
this process nor its children used, and time the hypervisor stole. A run with some of it is kept
and stamped `noisy`; one with so much that it says nothing is `invalid`, in words, so that its block
is run again; so is one that read its program from disk. Neither looks at the run's value.
"""

import fcntl
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LOCK = Path(tempfile.gettempdir()) / "allocator-comparison.lock"
PROC = Path("/proc")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")

# What preflight() calls busy.
MOST_LOAD, MOST_PSI, MOST_STEAL, MOST_OF_ONE = 0.3, 2.0, 0.01, 0.10
LEAST_BUSY = 0.03  # share of the processors: below it a load average is of what has ended
LEAST_FREE_KIB = 1 << 20
WATCH_S = 3.0

# Ticks are coarse: below the floor nothing is known; above it, a share of the machine's time.
FOREIGN_FLOOR_S, FOREIGN_SHARE = 0.04, 0.10
STEAL_FLOOR_S, STEAL_SHARE = 0.02, 0.02
WORST_FOREIGN_MS, WORST_FOREIGN_SHARE = 60, 0.20
WORST_STEAL_MS, WORST_STEAL_SHARE = 20, 0.05
WORST_JUMP_MS = 50  # a clock that is kept in step is slewed, and slewing moves both clocks

# What others took may have been taken of an idle processor, or of a run: the kernel's pressure
# (time in which something was ready and did not run) tells them apart. Of 35 000 recorded runs, 612
# met so much of others without pressure and took 0.9 % longer than their row's median; 47 met it
# with pressure and took 6 % longer. Pressure alone says nothing: runs of two threads and of many
# processes make it themselves, by up to 0.6 of their time, and some allocators more than others. So
# do involuntary switches: an excess over the row's own marked 50 runs, a third of them marked here
# by other words.
WAIT_FOREIGN_MS, WAIT_FOREIGN_SHARE = 20, 0.05
WAIT_MS, WAIT_SHARE = 20, 0.05

# A major fault took about a millisecond; a run with more than four took 12 % longer. Nearly all
# were the first of their block, and of a large program: the kernel had dropped its file since the
# block before.
WORST_FAULTS, WORST_FAULTS_A_S = 4, 20
COLD = "pages read from disk"


def take_lock() -> Any:
    """A file descriptor that holds the machine-wide lock, or None when another run has it."""
    try:
        fd = os.open(LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        fd = os.open(LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_CREAT, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def psi(what: str = "cpu") -> tuple[float, int]:
    """(avg10 in percent, total in us) of `some` in /proc/pressure; zeros where there is none."""
    try:
        fields = (PROC / "pressure" / what).read_text().split("\n")[0].split()
    except OSError:
        return 0.0, 0
    values = dict(f.split("=") for f in fields[1:])
    return float(values["avg10"]), int(values["total"])


def load1() -> float:
    return float((PROC / "loadavg").read_text().split()[0])


def counters(name: str) -> dict[str, int]:
    """The numbers of /proc/meminfo or /proc/vmstat by name."""
    words = (line.replace(":", " ").split() for line in (PROC / name).read_text().splitlines())
    return {w[0]: int(w[1]) for w in words if len(w) > 1}


def machine_times() -> tuple[float, float, float]:
    """(busy, stolen, all) processor seconds of the machine since boot."""
    with open(PROC / "stat", encoding="ascii") as f:
        t = [int(x) * TICK_S for x in f.readline().split()[1:9]]
    return t[0] + t[1] + t[2] + t[5] + t[6], t[7], sum(t)


def process_times() -> dict[int, tuple[str, int, float]]:
    """process id -> (name, parent's id, processor seconds)."""
    found = {}
    for path in PROC.glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text(errors="replace").partition("(")[2].rpartition(")")
        except OSError:
            continue  # it has ended
        fields = rest.split()
        found[int(path.parent.name)] = name, int(fields[1]), TICK_S * (
            int(fields[11]) + int(fields[12]))
    return found


def ourselves(processes: dict[int, tuple[str, int, float]]) -> set[int]:
    """This process and those that wait for it: the shell, ninja, a batch system's agent."""
    own, pid = set(), os.getpid()
    while pid in processes and pid not in own:
        own.add(pid)
        pid = processes[pid][1]
    return own


def heavy(before: dict[int, tuple[str, int, float]], after: dict[int, tuple[str, int, float]],
          watch_s: float) -> list[str]:
    """What other processes did meanwhile, the heaviest first."""
    own = ourselves(after)
    shares = [((after[pid][2] - before[pid][2]) / watch_s, after[pid][0])
              for pid in before.keys() & after.keys() - own]
    worst = sorted(s for s in shares if s[0] >= MOST_OF_ONE)[::-1]
    return [f"{name} takes {share:.0%} of a processor" for share, name in worst[:5]]


def preflight(watch_s: float = WATCH_S) -> list[str]:
    """Why this machine is not quiet, as a list of sentences; watches it for `watch_s`."""
    processes, (busy, stolen, capacity) = process_times(), machine_times()
    time.sleep(watch_s)
    findings = heavy(processes, process_times(), watch_s)
    busy_since, stolen_since, capacity_since = machine_times()
    passed = max(capacity_since - capacity, TICK_S)
    share = (stolen_since - stolen) / passed
    if share >= MOST_STEAL:
        findings.append(f"the hypervisor steals {share:.1%} of the processors")
    load = load1()
    # The average remembers for minutes what has ended, such as the session before this one.
    if load >= MOST_LOAD and (busy_since - busy) / passed >= LEAST_BUSY:
        findings.append(f"the load average is {load:.2f}, {MOST_LOAD:.2f} is busy")
    for what in ("cpu", "memory", "io"):
        percent = psi(what)[0]
        if percent >= MOST_PSI:
            findings.append(f"pressure on {what} is {percent:.1f} %, {MOST_PSI:g} % is busy")
    memory = counters("meminfo")
    if memory["MemAvailable"] < LEAST_FREE_KIB:
        findings.append(f"only {memory['MemAvailable'] >> 10} MiB of memory are free")
    swapped_kib = memory.get("SwapTotal", 0) - memory.get("SwapFree", 0)
    if swapped_kib > 0:
        findings.append(f"{swapped_kib} KiB of swap are in use")
    return findings


def settle(patience_s: int, say: Callable[[str], None], watch_s: float = WATCH_S) -> list[str]:
    """Waits until the machine is quiet; the findings that are left when patience is at its end."""
    end = time.monotonic() + patience_s
    while findings := preflight(watch_s):
        if time.monotonic() > end:
            break
        say(f"waiting for quiet: {findings[0]}")
        time.sleep(2)
    return findings


def own_time() -> float:
    """Processor seconds of this process and of all children it has waited for."""
    usages = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in usages)


def clock_difference() -> float:
    """Moves only when somebody sets the clock, or the machine slept."""
    return time.clock_gettime(time.CLOCK_REALTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


def swapped() -> int:
    """Pages swapped in or out since boot."""
    vm = counters("vmstat")
    return vm.get("pswpin", 0) + vm.get("pswpout", 0)


def is_waiting(noise: dict[str, Any], threads: int) -> bool:
    """Others ran, and something waited; whoever has more threads than processors waits anyhow."""
    if threads > len(os.sched_getaffinity(0)):
        return False
    capacity_ms = noise.get("capacity_ms", 0)
    waited_ms, wall_ms = noise["psi_some_us"] / 1e3, capacity_ms / os.cpu_count()
    return bool(noise["foreign_ms"] > max(WAIT_FOREIGN_MS, WAIT_FOREIGN_SHARE * capacity_ms)
                and waited_ms > max(WAIT_MS, WAIT_SHARE * wall_ms))


def invalid(noise: dict[str, Any], metric: dict[str, float] | None = None,
            threads: int = 1) -> str | None:
    """Why a run with this noise says nothing, in words; None when it counts.

    `metric`: what the launcher saw of it; without one only the noise speaks.
    """
    capacity_ms = noise.get("capacity_ms", 0)  # a record without it: only the floors speak
    if noise["steal_ms"] > max(WORST_STEAL_MS, WORST_STEAL_SHARE * capacity_ms):
        return f"stolen time {noise['steal_ms']} ms"
    if noise["foreign_ms"] > max(WORST_FOREIGN_MS, WORST_FOREIGN_SHARE * capacity_ms):
        return f"others ran for {noise['foreign_ms']} ms"
    if is_waiting(noise, threads):
        return f"others ran for {noise['foreign_ms']} ms while something waited"
    if noise.get("swap_pages"):
        return f"{noise['swap_pages']} pages swapped"
    if abs(noise.get("clock_jump_ms", 0)) > WORST_JUMP_MS:
        return f"the clock jumped by {noise['clock_jump_ms']} ms"
    metric = metric or {}
    faults = metric.get("majflt", 0)
    if faults > max(WORST_FAULTS, WORST_FAULTS_A_S * metric.get("wall_s", 0)):
        return f"{faults} {COLD}"
    return None


class Meter:
    """Started before a run and read after it."""

    def __init__(self) -> None:
        self.swapped = swapped()
        self.psi = psi()[1]
        self.clocks = clock_difference()
        self.began = time.monotonic()
        self.busy, self.stolen, _ = machine_times()
        self.own = own_time()

    def read(self) -> dict[str, float]:
        wall = time.monotonic() - self.began
        busy, stolen, _ = machine_times()
        foreign_s = max(0.0, busy - self.busy - (own_time() - self.own))
        steal_s = stolen - self.stolen
        capacity = wall * (os.cpu_count() or 1)
        return {
            "foreign_ms": round(foreign_s * 1e3),
            "steal_ms": round(steal_s * 1e3),
            "capacity_ms": round(capacity * 1e3),
            "psi_some_us": psi()[1] - self.psi,
            "load1": load1(),
            "swap_pages": swapped() - self.swapped,
            "clock_jump_ms": round((clock_difference() - self.clocks) * 1e3),
            "noisy": foreign_s > max(FOREIGN_FLOOR_S, FOREIGN_SHARE * capacity)
            or steal_s > max(STEAL_FLOOR_S, STEAL_SHARE * capacity),
        }
