# SPDX-License-Identifier: MIT
"""Test: a workload over an allocator with a planted fault must end with status 1 and one
sentence on stderr that names the fault. A crash, or a run that passes, is a failed test.

usage: notices.py libbroken_malloc.so FAULT WORKLOAD
"""

import os
import subprocess
import sys

SENTENCES = {
    "twice": "does not hold what was written",
    "null": "returned NULL",
    "odd": "not aligned",
    "dirty": "not zero",
}


def main():
    library, fault, workload = sys.argv[1:4]
    env = dict(os.environ, LD_PRELOAD=library, HAK_BROKEN=fault)
    done = subprocess.run([workload, "--smoke", "--json"], env=env, capture_output=True, text=True)
    lines = done.stderr.splitlines()
    is_one_sentence = len(lines) == 1 and SENTENCES[fault] in lines[0]
    if done.returncode == 1 and is_one_sentence and not done.stdout:
        return 0
    print(f"fault {fault}: status {done.returncode}, {done.stderr!r}, stdout {done.stdout!r}")
    return 1


sys.exit(main())
