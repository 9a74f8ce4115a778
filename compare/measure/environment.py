# SPDX-License-Identifier: MIT
"""environment.py: what machine, kernel and tools the numbers come from, as one JSON object.

Called by session.py and insn.py. Holds no host names, user names or paths, and of environment
variables the names only: a result folder can be published as it is. What this machine does not tell
is `unknown`, an empty object, or null; nothing here fails for it.
"""

import hashlib
import json
import os
import platform
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

from ..paths import PACKAGE, SOURCE
from . import noise

ROOT = Path("/")
PROGRAMS = ["python3.11", "sqlite3", "redis-server", "redis-tools", "gcc-12", "lua5.4", "perl",
            "ghostscript", "z3", "git", "rocksdb-tools", "nodejs"]
KHUGEPAGED = ["defrag", "pages_to_scan", "scan_sleep_millisecs", "alloc_sleep_millisecs",
              "max_ptes_none"]

# Words of the kernel's command line that move a benchmark. All others, and any with a path, stay
# out: they may name the machine.
BOOT_WORDS = re.compile(
    r"(mitigations|nosmt|l1tf|mds|tsx\w*|spectre_\w+|spec_\w+|retbleed|srbds|mmio_stale_data|"
    r"nospectre_\w+|no?pti|kpti|isolcpus|nohz(_full)?|rcu_nocbs|irqaffinity|threadirqs|skew_tick|"
    r"maxcpus|nr_cpus|mem|preempt|psi|norandmaps|vsyscall|swapaccount|numa(_balancing)?|"
    r"(default_)?hugepages(z)?|hugepagesz|transparent_hugepage\w*|thp_\w+|clocksource|tsc|idle|"
    r"(processor|intel_idle)\.max_cstate|(intel|amd)_pstate\w*|cpuidle\S*|haltpoll\S*)")
# Variables that change an allocator, or which one is loaded.
TUNING = re.compile(r"GLIBC_TUNABLES|LD_(PRELOAD|LIBRARY_PATH|AUDIT|BIND_NOW)|"
                    r"(MALLOC|MIMALLOC|TCMALLOC|JEMALLOC|SNMALLOC|HAKMEM|M)_\w+")
# Options of meson that are part of what was measured.
BUILD_OPTIONS = re.compile(r"buildtype|optimization|debug|b_\w+|c_(args|link_args|std)")
# Compiler flags that change code; warnings, dependency files and includes do not.
CODE_FLAGS = re.compile(r"-(?!fdiag)([Ofm]|std=|g|DNDEBUG|DHAK_)")


def read(path: str, default: str = "") -> str:
    """The stripped text of a file of /proc or /sys."""
    try:
        return (ROOT / path.lstrip("/")).read_text(errors="replace").strip()
    except OSError:
        return default


def field(path: str, key: str) -> str:
    """The value of the first `key : value` line of a /proc file."""
    for line in read(path).splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return "unknown"


def kib(key: str) -> int | None:
    words = field("/proc/meminfo", key).split()
    return int(words[0]) if words[0].isdigit() else None


def folder_texts(path: str) -> dict[str, str]:
    """file name -> text of the files in a folder of /sys."""
    return {p.name: read(f"{path}/{p.name}")
            for p in sorted((ROOT / path.lstrip("/")).glob("*")) if p.is_file()}


def output(*command: Any) -> bytes:
    try:
        return subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL,
                              env=os.environ | {"LC_ALL": "C"}).stdout
    except OSError:
        return b""


def said(*command: Any) -> str:
    """First line of what a tool prints; `unknown` when it is not there."""
    text = output(*command).decode(errors="replace").strip()
    return text.splitlines()[0].strip() if text else "unknown"


def git(*command: Any) -> tuple[str, ...]:
    return "git", "-c", "safe.directory=*", "-C", str(SOURCE), *command


def revision() -> str:
    """What git calls the source tree; `nogit` outside of one."""
    rev = said(*git("describe", "--always", "--dirty"))
    return "nogit" if rev == "unknown" else rev


def uncommitted() -> Any:
    """A hash of what differs from the commit; null when nothing does."""
    difference = output(*git("diff", "HEAD"))
    return hashlib.sha256(difference).hexdigest() if difference else None


def harness_version() -> str:
    """A hash of the tool that measured, whatever the revision says."""
    total = hashlib.sha256()
    for path in sorted(p for ext in ("py", "toml", "json") for p in PACKAGE.rglob(f"*.{ext}")):
        total.update(path.name.encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:16]


def versions(programs: list[str]) -> dict[str, str]:
    """Debian versions of the programs in the table, where dpkg knows them."""
    text = output("dpkg-query", "-W", "-f=${Package} ${Version}\n", *programs).decode()
    return dict(line.split(" ", 1) for line in sorted(text.splitlines()) if " " in line)


def boot_words() -> list[str]:
    words = read("/proc/cmdline").split()
    return [w for w in words if BOOT_WORDS.fullmatch(w.partition("=")[0]) and "/" not in w]


def caches() -> dict[str, str]:
    """name -> size and line, as cpu0 sees them."""
    found = {}
    for index in sorted((ROOT / "sys/devices/system/cpu/cpu0/cache").glob("index*")):
        texts = folder_texts(f"/sys/devices/system/cpu/cpu0/cache/{index.name}")
        kind = {"Data": "d", "Instruction": "i"}.get(texts.get("type", ""), "")
        line = texts.get("coherency_line_size", "?")
        found[f"L{texts.get('level', '?')}{kind}"] = f"{texts.get('size', '?')}, lines of {line} B"
    return found


def group_limits() -> dict[str, list[str]]:
    """The limits of our control groups that bind; the groups' names stay out."""
    files = {"cpu": ("cpu.max", "cpu.cfs_quota_us"),
             "memory": ("memory.max", "memory.high", "memory.limit_in_bytes")}
    limits: dict[str, list[str]] = {}
    for line in read("/proc/self/cgroup").splitlines():
        _, controllers, place = line.split(":", 2)
        for controller, names in files.items():
            if controllers not in ("", controller) and controller not in controllers.split(","):
                continue
            top = f"/sys/fs/cgroup/{controller if controllers else ''}".rstrip("/")
            for folder in [Path(place), *Path(place).parents]:
                for name in names:
                    text = read(f"{top}{str(folder).rstrip('/')}/{name}")
                    is_bound = text and not text.startswith(("max", "-1")) and len(text) < 17
                    if is_bound:
                        limits.setdefault(name, []).append(text)
    return limits


def processor() -> dict[str, Any]:
    cpu = "/sys/devices/system/cpu"
    flags = field("/proc/cpuinfo", "flags")
    return {
        "cpu": field("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "cores_online": read(f"{cpu}/online", "unknown"),
        "smt_active": read(f"{cpu}/smt/active", "unknown"),
        "cpu_flags_sha256": hashlib.sha256(flags.encode()).hexdigest(),
        "microcode": field("/proc/cpuinfo", "microcode"),
        "caches": caches(),
        "hypervisor": "hypervisor" in flags.split(),
        "hypervisor_kind": read("/sys/hypervisor/type") or next(
            (line.split(":", 1)[1].strip() for line in output("lscpu").decode().splitlines()
             if line.startswith("Hypervisor vendor:")), "none seen"),
        "governor": read(f"{cpu}/cpu0/cpufreq/scaling_governor", "unknown"),
        "no_turbo": read(f"{cpu}/intel_pstate/no_turbo", "unknown"),
        "boost": read(f"{cpu}/cpufreq/boost", "unknown"),
        "clocksource": read("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                            "unknown"),
        "mitigations": folder_texts(f"{cpu}/vulnerabilities"),
        "numa_nodes": read("/sys/devices/system/node/online", "unknown"),
    }


def kernel() -> dict[str, Any]:
    thp = "/sys/kernel/mm/transparent_hugepage"
    facts = {
        "kernel": platform.release(),
        "arch": platform.machine(),
        "boot": boot_words(),
        "cpus_allowed": field("/proc/self/status", "Cpus_allowed_list"),
        "mems_allowed": field("/proc/self/status", "Mems_allowed_list"),
        "group_limits": group_limits(),
        "page_bytes": os.sysconf("SC_PAGE_SIZE"),
        "memory_kib": kib("MemTotal"),
        "memory_free_kib": kib("MemAvailable"),
        "swap_kib": kib("SwapTotal"),
        "hugepages": field("/proc/meminfo", "HugePages_Total"),
        "thp_enabled": read(f"{thp}/enabled", "unknown"),
        "thp_defrag": read(f"{thp}/defrag", "unknown"),
        "khugepaged": {k: read(f"{thp}/khugepaged/{k}", "unknown") for k in KHUGEPAGED},
        "aslr": read("/proc/sys/kernel/randomize_va_space"),
        "numa_balancing": read("/proc/sys/kernel/numa_balancing", "unknown"),
    }
    for name in ("overcommit_memory", "overcommit_ratio", "max_map_count", "swappiness"):
        facts[name] = read(f"/proc/sys/vm/{name}")
    return facts


def loader() -> str:
    """What the dynamic loader of this process says it is."""
    mapped = {line.split()[-1] for line in read("/proc/self/maps").splitlines()}
    path = next((p for p in sorted(mapped) if re.search(r"/ld[-.][^/]*\.so", p)), None)
    return said(path, "--version") if path else "unknown"


def tools() -> dict[str, dict[str, str] | str | None]:
    return {
        "libc": " ".join(platform.libc_ver()),
        "loader": loader(),
        "compiler": said("cc", "--version"),
        "linker": said("cc", "-Wl,--version"),
        "python": platform.python_version(),
        "revision": revision(),
        "uncommitted_sha256": uncommitted(),
        "harness": harness_version(),
        "programs": versions(PROGRAMS),
    }


def build_facts(folder: str | Path) -> dict[str, Any]:
    """Options and flags of a meson build folder; what has a path in it is left out."""
    folder = Path(folder)
    facts: dict[str, Any] = {}
    try:
        options = json.loads((folder / "meson-info/intro-buildoptions.json").read_text())
        compiled = json.loads((folder / "compile_commands.json").read_text())
    except (OSError, ValueError):
        return facts
    facts["options"] = {
        o["name"]: o["value"] for o in options if "/" not in str(o["value"])
        and (o["section"] == "user" or BUILD_OPTIONS.fullmatch(o["name"]))}
    ours = [c for c in compiled if re.search(r"(^|/)src/[^.]+\.c$", c["file"])] or compiled[:1]
    words = shlex.split(ours[0]["command"]) if ours else []
    facts["flags"] = [w for w in words if CODE_FLAGS.match(w) and "/" not in w]
    return facts


def capture(build: str | None = None) -> dict[str, Any]:
    """All of it. `build`: the meson build folder of what is measured, if there is one."""
    return processor() | kernel() | tools() | {
        "build": build_facts(build) if build else {},
        "allocator_variables": sorted(name for name in os.environ if TUNING.fullmatch(name)),
        "load1": noise.load1(),
        "pressure": {what: noise.psi(what)[0] for what in ("cpu", "memory", "io")},
        "steal_share_since_boot": round(stolen_share(), 4),
    }


def stolen_share() -> float:
    _, stolen, capacity = noise.machine_times()
    return stolen / max(capacity, noise.TICK_S)


def machine_slug(env: dict[str, Any]) -> str:
    """A folder name for the machine: model, cores, and a hash that tells kernels apart."""
    facts = f"{env['cpu']} {env['cores']} {env['kernel']} {env['memory_kib'] >> 20}"
    model = re.sub(r"[^a-z0-9]+", "-", env["cpu"].lower()).strip("-")[:24].strip("-")
    return f"{model}-{env['cores']}c-{hashlib.sha256(facts.encode()).hexdigest()[:6]}"
