# SPDX-License-Identifier: MIT
"""cluster.py: Slurm with one node, on loopback, in a temporary folder, for a test.

Called by test_campaign_slurm.py. munged, slurmctld and slurmd are children of this process, with a
key, sockets, ports and a configuration of their own; nothing outside of the folder is read or
written. Invariant: when `Cluster` is left, by whatever way, no process of it is alive.
"""

import ctypes
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOOLS = ("munged", "slurmctld", "slurmd", "sbatch", "sinfo", "scancel")
SKIPPED = 77
SUBREAPER, DEATH_SIGNAL = 36, 1  # prctl's
START_S, END_S = 600, 300  # what hangs

CONFIGURATION = """
ClusterName=loopback
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={control_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/linear
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
NodeName=localhost NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""


def skip_without(*tools):
    """Ends the test as skipped, with a word, when a tool is not installed."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    absent = [tool for tool in tools if not shutil.which(tool)]
    if absent:
        print(f"skipped: {', '.join(absent)} not installed")
        sys.exit(SKIPPED)


def prctl(*numbers):
    ctypes.CDLL(None).prctl(*numbers, 0, 0, 0)


def free_ports(count):
    """Ports nobody listens on; all are held until the last one is found."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def descendants(pid):
    """All processes below `pid`, with those whose own parent has ended: we reap in its place."""
    try:
        children = [int(c) for task in Path(f"/proc/{pid}/task").iterdir()
                    for c in (task / "children").read_text().split()]
    except OSError:
        return []
    return children + [d for child in children for d in descendants(child)]


def end_all():
    """Ends and reaps everything below this process, what is being started meanwhile too."""
    end = time.monotonic() + END_S
    while time.monotonic() < end:
        for pid in descendants(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return  # there is nobody left
        time.sleep(0.05)


def stop(*_):
    raise KeyboardInterrupt  # what unittest lets pass; `__exit__` cleans up


class Cluster:
    def __enter__(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, stop)
        prctl(SUBREAPER, 1)  # a job outlives slurmd; it becomes ours
        self.temporary = tempfile.TemporaryDirectory(prefix="loopback-cluster-")
        self.folder, self.daemons = Path(self.temporary.name), []
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        end_all()
        for one in self.daemons:
            one.wait()
        self.temporary.cleanup()

    def start(self):
        for name in ("munge", "state", "spool"):
            (self.folder / name).mkdir(mode=0o700)
        key = self.folder / "munge/key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        control_port, node_port = free_ports(2)
        configuration = self.folder / "slurm.conf"
        configuration.write_text(CONFIGURATION.format(
            folder=self.folder, user=getpass.getuser(), cpus=os.cpu_count(),
            control_port=control_port, node_port=node_port))
        self.env = os.environ | {"SLURM_CONF": str(configuration)}
        munge = self.folder / "munge"
        self.daemon("munged", "-F", "--force", f"--key-file={key}", f"--socket={munge}/socket",
                    f"--pid-file={munge}/pid", f"--log-file={munge}/log",
                    f"--seed-file={munge}/seed")
        self.wait("munge's socket", lambda: (munge / "socket").exists())
        self.daemon("slurmctld", "-D", "-f", str(configuration))
        self.daemon("slurmd", "-D", "-N", "localhost", "-f", str(configuration))
        self.wait("an idle node", lambda: self.tool("sinfo", "-h", "-o", "%T").strip() == "idle")

    def daemon(self, *command):
        with open(self.folder / f"{command[0]}.out", "wb") as out:
            one = subprocess.Popen(
                command, env=self.env, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                preexec_fn=lambda: prctl(DEATH_SIGNAL, signal.SIGKILL))
        self.daemons.append(one)

    def tool(self, *command):
        return subprocess.run(command, env=self.env, capture_output=True, text=True,
                              check=False, stdin=subprocess.DEVNULL).stdout

    def wait(self, what, is_there):
        end = time.monotonic() + START_S
        while not is_there():
            if time.monotonic() > end:
                raise RuntimeError(f"no {what} after {START_S} s\n{self.words()}")
            time.sleep(0.1)

    def words(self):
        """The last of what the daemons said, for a test that fails."""
        return "\n".join(f"{p.name}: {p.read_text(errors='replace')[-1500:]}"
                         for p in sorted(self.folder.glob("*.out")))
