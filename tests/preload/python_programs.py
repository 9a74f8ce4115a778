#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""python_programs.py: python3 and its extensions under a preloaded allocator (programs.py)."""
import subprocess
import unittest

from support import PYTHON, Compared, needs


class PythonPrograms(Compared):
    def python(self, script, **env):
        def scenario(run):
            run.write("script.py", script)
            run.run(PYTHON, "script.py", **env)
        needs(PYTHON)
        self.succeeds(scenario)

    def test_python_json_and_threads(self):
        script = """
import json, threading, random, hashlib, re
def work(seed, out):
    r = random.Random(seed)
    data = [{"n": r.random(), "s": "ä" * r.randrange(300), "l": list(range(r.randrange(50)))}
            for _ in range(1500)]
    text = json.dumps(data, sort_keys=True)
    assert json.loads(text) == data
    out[seed] = hashlib.sha256(text.encode()).hexdigest()
out = {}
threads = [threading.Thread(target=work, args=(i, out)) for i in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sorted(out.items()))
print(len(re.findall(r"(\\w+)\\s", "some words here " * 20000)), 3 ** 20000 % 1000007)
"""
        self.python(script)
        self.python(script, PYTHONMALLOC="malloc")

    def test_python_whose_extension_runs_out_of_memory(self):
        """scipy's C++ comes by dlopen, and libstdc++ with it: its operator new must throw."""
        done = subprocess.run([PYTHON, "-c", "import scipy.sparse"], capture_output=True,
                              check=False)
        if done.returncode != 0:
            raise unittest.SkipTest("python3-scipy is not installed")
        self.python("""
import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree
def rows(columns, last):
    parts = np.ones(2), np.array([0, last], np.int64), np.array([0, 1, 2], np.int64)
    return sparse.csr_matrix(parts, shape=(2, columns))
for _ in range(3):
    try:
        print(rows(2, 1) @ rows(2 ** 57, 2 ** 56))
    except MemoryError:
        print("MemoryError")
x = sparse.random(300, 300, 0.1, format="csr", random_state=1)
print(round(float((x @ x).sum()), 6))
print(cKDTree(np.random.RandomState(2).rand(5000, 3)).query([0.5, 0.5, 0.5], 3)[1])
""", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

    def test_python_that_limits_its_own_address_space(self):
        self.python("""
import resource, threading
resource.setrlimit(resource.RLIMIT_AS, (500 << 20, 500 << 20))
held = [bytearray(1 << 20) for _ in range(100)]
items = [[i, str(i), {i: "x" * (i % 50)}] for i in range(200000)]
thread = threading.Thread(target=lambda: print(sum(len(str(i)) for i in items)))
thread.start(); thread.join()
try:
    bytearray(1 << 30)
except MemoryError:
    print("MemoryError")
more = []
try:
    while True:
        more.append(bytearray(1 << 20))
except MemoryError:
    print("full", len(more) > 100)
del more, held
print(len(bytearray(200 << 20)), len(items))
""")

    def test_python_subprocess_and_multiprocessing(self):
        self.python("""
import multiprocessing, subprocess, sys, concurrent.futures
def square(n):
    return sum(len("x" * i) for i in range(n)) + n * n
if __name__ == "__main__":
    lines = "b\\na\\nc\\n"
    print(subprocess.run(["sort", "-r"], input=lines, capture_output=True, text=True).stdout)
    print(subprocess.check_output([sys.executable, "-c", "print('child', 6 * 7)"], text=True))
    with multiprocessing.Pool(3) as pool:
        print(pool.map(square, range(200)))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        print(list(pool.map(lambda n: subprocess.call(["true"]) + n, range(12))))
    queue = multiprocessing.Queue()
    child = multiprocessing.get_context("spawn").Process(target=print, args=("spawned",))
    child.start(); child.join(); print(child.exitcode)
""")

    def test_scipy_out_of_memory_is_a_memory_error(self):
        """A std::vector of 8 GB in an extension of C++; Python itself is C."""
        found = subprocess.run([PYTHON, "-c", "import scipy.sparse"], capture_output=True)
        if found.returncode:
            raise unittest.SkipTest("scipy is not installed")

        def scenario(run):
            run.write("script.py", """
import numpy, scipy.sparse
def matrix(columns):
    ones = (numpy.ones(3), ([0, 1, 2], [0, 1, 2]))
    return scipy.sparse.csr_matrix(ones, shape=(3, columns))
try:
    matrix(3) @ matrix(2 * 10**9)
except MemoryError as error:
    print("MemoryError:", error)
""")
            out = run.run("bash", "-c", f"ulimit -v 4000000; {PYTHON} script.py",
                          OPENBLAS_NUM_THREADS="1")
            self.assertEqual(out, "MemoryError: std::bad_alloc\n")
        self.succeeds(scenario)
