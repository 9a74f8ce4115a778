# SPDX-License-Identifier: MIT
"""noise.py: what else the machine did: the lock, the wait for quiet, and a meter for each run.

Called by the runner. Noise is what others take: processor time that neither this process nor its
children used, and time the hypervisor stole. A run with much of it is kept and stamped `noisy`;
nothing is ever dropped for its value.
"""

import fcntl
import os
import resource
import tempfile
import time
from pathlib import Path

LOCK = Path(tempfile.gettempdir()) / "allocator-comparison.lock"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
FOREIGN_FLOOR_S, FOREIGN_SHARE = 0.04, 0.10  # ticks are coarse: below the floor nothing is known
STEAL_FLOOR_S, STEAL_SHARE = 0.02, 0.02
QUIET_LOAD, QUIET_PSI = 0.5, 5.0


def take_lock():
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


def psi_cpu():
    """(avg10 in percent, total in us) of `some` in /proc/pressure/cpu; zeros if there is none."""
    try:
        fields = Path("/proc/pressure/cpu").read_text().split("\n")[0].split()
    except OSError:
        return 0.0, 0
    values = dict(f.split("=") for f in fields[1:])
    return float(values["avg10"]), int(values["total"])


def load1():
    return float(Path("/proc/loadavg").read_text().split()[0])


def is_quiet():
    return load1() < QUIET_LOAD and psi_cpu()[0] < QUIET_PSI


def settle(patience_s, say):
    """Waits until the machine is quiet; False when it is still busy after `patience_s`."""
    end = time.monotonic() + patience_s
    while not is_quiet():
        if time.monotonic() > end:
            return False
        say(f"the machine is busy (load {load1():.2f}); waiting for quiet")
        time.sleep(2)
    return True


def machine_times():
    """(busy, stolen) processor seconds of the machine since boot."""
    with open("/proc/stat") as f:
        t = [int(x) * TICK_S for x in f.readline().split()[1:9]]
    return t[0] + t[1] + t[2] + t[5] + t[6], t[7]


def own_time():
    """Processor seconds of this process and of all children it has waited for."""
    usages = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in usages)


class Meter:
    """Started before a run and read after it."""

    def __init__(self):
        self.began = time.monotonic()
        self.busy, self.stolen = machine_times()
        self.own = own_time()
        self.psi = psi_cpu()[1]

    def read(self):
        wall = time.monotonic() - self.began
        busy, stolen = machine_times()
        foreign_s = max(0.0, busy - self.busy - (own_time() - self.own))
        steal_s = stolen - self.stolen
        capacity = wall * os.cpu_count()
        return {
            "foreign_ms": round(foreign_s * 1e3),
            "steal_ms": round(steal_s * 1e3),
            "psi_some_us": psi_cpu()[1] - self.psi,
            "load1": load1(),
            "noisy": foreign_s > max(FOREIGN_FLOOR_S, FOREIGN_SHARE * capacity)
            or steal_s > max(STEAL_FLOOR_S, STEAL_SHARE * capacity),
        }
