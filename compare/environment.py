# SPDX-License-Identifier: MIT
"""environment.py: what machine, kernel and tools the numbers come from, as one JSON object.

Called by bench_compare.py. Holds no host names, user names or paths: a result folder can be
published as it is.
"""

import hashlib
import os
import platform
import re
import subprocess
from pathlib import Path


def read(path, default=""):
    try:
        return Path(path).read_text().strip()
    except OSError:
        return default


def field(path, key):
    """The value of the first `key : value` line of a /proc file."""
    for line in read(path).splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return "unknown"


def said(*command):
    """First line of what a tool prints; `unknown` when it is not there."""
    try:
        out = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return "unknown"
    return out.splitlines()[0].strip() if out.strip() else "unknown"


def revision():
    """What git calls the source tree; `nogit` outside of one."""
    here = str(Path(__file__).resolve().parent)
    rev = said("git", "-c", "safe.directory=*", "-C", here, "describe", "--always", "--dirty")
    return "nogit" if rev == "unknown" else rev


def versions(programs):
    """Debian versions of the programs in the table, where dpkg knows them."""
    wanted = ["dpkg-query", "-W", "-f=${Package} ${Version}\n", *programs]
    try:
        out = subprocess.run(wanted, capture_output=True, text=True, check=False).stdout
    except OSError:
        return {}
    return dict(line.split(" ", 1) for line in sorted(out.splitlines()) if " " in line)


def capture():
    cpu = field("/proc/cpuinfo", "model name")
    thp = "/sys/kernel/mm/transparent_hugepage"
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "cpu_flags_sha256": hashlib.sha256(field("/proc/cpuinfo", "flags").encode()).hexdigest(),
        "hypervisor": "hypervisor" in field("/proc/cpuinfo", "flags").split(),
        "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "unknown"),
        "kernel": platform.release(),
        "arch": platform.machine(),
        "page_bytes": os.sysconf("SC_PAGE_SIZE"),
        "memory_kib": int(field("/proc/meminfo", "MemTotal").split()[0]),
        "swap_kib": int(field("/proc/meminfo", "SwapTotal").split()[0]),
        "thp_enabled": read(f"{thp}/enabled", "unknown"),
        "thp_defrag": read(f"{thp}/defrag", "unknown"),
        "overcommit_memory": read("/proc/sys/vm/overcommit_memory"),
        "max_map_count": read("/proc/sys/vm/max_map_count"),
        "aslr": read("/proc/sys/kernel/randomize_va_space"),
        "libc": " ".join(platform.libc_ver()),
        "compiler": said("cc", "--version"),
        "python": platform.python_version(),
        "revision": revision(),
        "programs": versions(["python3.11", "sqlite3", "redis-server", "redis-tools", "gcc-12",
                              "lua5.4", "perl", "ghostscript", "z3", "git",
                              "rocksdb-tools"]),
    }


def machine_slug(env):
    """A folder name for the machine: model, cores, and a hash that tells kernels apart."""
    facts = f"{env['cpu']} {env['cores']} {env['kernel']} {env['memory_kib'] >> 20}"
    model = re.sub(r"[^a-z0-9]+", "-", env["cpu"].lower()).strip("-")[:24].strip("-")
    return f"{model}-{env['cores']}c-{hashlib.sha256(facts.encode()).hexdigest()[:6]}"
