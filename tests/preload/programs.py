#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""programs.py LIB [--ulimit-v KIB] [--commit-limit SHIM] [--overcommit2]: real programs under a
preloaded allocator.

Each program runs on generated input with libc's malloc and with LIB preloaded, and does the same
(support.py). A missing program is a skip.
--commit-limit preloads SHIM as well, which is commit_limit.c: each process under LIB may commit no
more than COMMIT_LIMIT bytes, counted as a kernel with strict accounting does. --overcommit2
switches the machine to overcommit_memory=2 meanwhile (root only, else exit 77), and a guardian
process puts the setting back even when this one is killed.
"""
import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import unittest

import overcommit
import python_programs
from support import PYTHON, SEED, Runner, environment, needs, settings


class Programs(python_programs.PythonPrograms):
    def test_the_library_is_loaded(self):
        with tempfile.TemporaryDirectory(prefix="hak-") as folder:
            maps = Runner(folder, settings.lib).run("cat", "/proc/self/maps")
        self.assertIn(os.path.realpath(settings.lib), maps)

    def test_more_than_may_be_committed_is_refused_and_less_is_not(self):
        if not settings.commit_limit:
            raise unittest.SkipTest("there is no limit")
        script = ("import sys\n"
                  "blocks = [bytearray(mib << 20) for mib in (100, 100)]; del blocks\n"
                  "try: bytearray(300 << 20)\n"
                  "except MemoryError: sys.exit(7)\n")
        with tempfile.TemporaryDirectory(prefix="hak-") as folder:
            run = Runner(folder, settings.lib)
            run.run(PYTHON, "-c", script)
        self.assertEqual(run.results[0][3], 7, run.results)

    def test_a_process_that_does_nothing_commits_next_to_nothing(self):
        if not settings.commit_limit:
            raise unittest.SkipTest("there is no limit")
        with tempfile.TemporaryDirectory(prefix="hak-") as folder:
            run = Runner(folder, settings.lib)
            run.run("ls", "/", HAK_COMMIT_LIMIT=str(4 << 20))
        self.assertEqual(run.results[0][3], 0, run.results)

    def test_ls_in_a_utf8_locale(self):
        def scenario(run):
            names = random.Random(SEED)
            for i in range(300):
                word = "".join(names.choice("abcäöüßéλжあ漢 ") for _ in range(8))
                run.write(f"{i:03}{word}.txt", word * i)
            for entry in os.scandir(run.folder):
                os.utime(entry.path, (10**9, 10**9))
            for folder in (run.folder, os.path.dirname(run.folder)):
                os.utime(folder, (10**9, 10**9))
            # Without the totals: how many disk blocks a file takes is the file system's affair.
            for options in ("-la", "-laSR --color=always"):
                run.run("bash", "-c", f"set -o pipefail; ls {options} . | grep -v ^total")
            run.run("ls")
            run.run("ls", "-la", "no such file")
        needs("ls", "bash", "grep")
        self.compare(scenario)

    def test_bash(self):
        script = r"""
declare -A table
for i in $(seq 1 3000); do table[k$i]=$((i * i)); list+=("word$i"); done
sum=0; for k in "${!table[@]}"; do sum=$((sum + ${table[$k]})); done; echo "$sum ${#list[@]}"
text=""; for i in {1..2000}; do text+="line $i äöü "; done
echo "${#text} ${text//line/LINE}" | md5sum
while read -r a b; do echo "$b-$a"; done < <(printf '%s %s\n' {1..200}) | sort | md5sum
for i in 1 2 3 4 5; do (echo "sub $i" | tr a-z A-Z) ; done
cat <<END
here $sum $(echo nested $(echo deeper))
END
f() { local n=$1; [ "$n" -le 1 ] && echo 1 || echo $((n * $(f $((n - 1))))); }; f 12
echo to-stderr >&2; sleep 0.05 & wait; exit 7
"""
        needs("bash")

        def scenario(run):
            run.write("script.sh", script)
            run.run("bash", "script.sh")
        self.compare(scenario)

    def test_bash_that_limits_its_own_address_space(self):
        needs("bash", "sort", "head", "tr", "md5sum")

        def scenario(run):
            run.write("script.sh", r"""
ulimit -v 1000000
declare -A table
for i in $(seq 1 20000); do table[k$i]=$i; list+=("word$i"); done
echo "${#table[@]} ${#list[@]} $(ulimit -v)"
for i in {1..3000}; do text+="line of text $i "; done
(echo "${#text}"; echo "$text" | md5sum)
printf '%s
' "${list[@]}" | sort -r | head -3
large=$(head -c 30000000 /dev/zero | tr '\0' a)
echo ${#large}
""")
            run.run("bash", "script.sh")
        self.succeeds(scenario)

    def test_perl(self):
        needs("perl")

        def scenario(run):
            run.write("script.pl", r"""
use strict; use warnings;
my %count; my @words = map { "w" . ($_ * 7919 % 5003) } 1 .. 60000;
$count{$_}++ for @words;
my @top = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
print scalar(@top), " @top[0 .. 9]\n";
my $text = join " ", @words; $text =~ s/w(\d)(\d*)/$2$1/g; print length($text), "\n";
my @nested = map { { id => $_, list => [ 1 .. $_ % 20 ] } } 1 .. 5000;
my $sum = 0; $sum += $_ for map { scalar @{ $_->{list} } } @nested; print "$sum\n";
open my $pipe, "-|", "echo from a child" or die; print <$pipe>; close $pipe;
warn "to stderr\n"; exit 3;
""")
            run.run("perl", "script.pl")
        self.compare(scenario)

    def test_git_log_and_gc(self):
        needs("git")
        env = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}

        def scenario(run):
            words, marks = random.Random(SEED), []
            for commit in range(1, 301):
                text = "".join(f"{words.getrandbits(64):x}\n" for _ in range(60))
                marks.append(f"commit refs/heads/main\ncommitter A <a@b> {10**9 + commit} +0000\n"
                             f"data {len(f'change {commit}')}\nchange {commit}\n"
                             f"M 100644 inline file{commit % 20}\ndata {len(text)}\n{text}\n")
            run.write("stream", "".join(marks))
            run.run("git", "init", "-q", "-b", "main", "repo", **env)
            with open(run.path("stream"), "rb") as stream:
                subprocess.run(["git", "-C", run.path("repo"), "fast-import", "--quiet"],
                               stdin=stream, check=True, env=environment(run.folder, None) | env)
            run.run("git", "-C", "repo", "log", "--stat", **env)
            run.run("git", "-C", "repo", "log", "-p", "-20", **env)
            run.run("git", "-C", "repo", "gc", "-q", "--aggressive", "--prune=now", **env)
            run.run("git", "-C", "repo", "fsck", "--full", "--strict", **env)
            run.run("git", "-C", "repo", "log", "--oneline", **env)
            run.run("git", "-C", "repo", "count-objects", "-v", **env,
                    keep=lambda text: re.sub(r"size-pack: \d+", "", text))
        self.succeeds(scenario)

    def test_gcc_compiling_3000_lines(self):
        needs("gcc")

        def scenario(run):
            dice = random.Random(SEED)
            lines = ["#include <stdio.h>", "struct s { int a, b; double c; char d[40]; };"]
            for i in range(300):
                a, b = dice.randrange(1, 999), dice.randrange(1, 99)
                lines += [f"static int f{i}(struct s *s, int n)", "{", f"    int r = {a};",
                          "    for (int i = 0; i < n; i++) {",
                          f"        r = r * {b} + (s->a ^ i);", f"        s->b += r % {a};",
                          f"        if (r & {b}) s->c += r / {a}.0;", "    }",
                          f"    return r + {f'f{i - 1}(s, n / 2)' if i else 'n'};", "}"]
            lines += ["int main(void) { struct s s = {0};",
                      '    printf("%d\\n", f299(&s, 20)); return 0; }']
            run.write("big.c", "\n".join(lines) + "\n")
            run.run("gcc", "-O1", "-Wall", "-c", "big.c", "-o", "big.o")
            run.digest("big.o")
            run.run("gcc", "big.o", "-o", "big")
            run.run("./big")
            run.write("wrong.c", "int main(void) { return undeclared; }\n")
            run.run("gcc", "-c", "wrong.c", keep=str)
        results = self.compare(scenario)
        self.assertEqual([r[3] for r in results if len(r) == 4], ["0", "0", "0", "1"])

    def test_sqlite3_indexing_a_million_rows(self):
        needs("sqlite3")

        def scenario(run):
            run.write("script.sql", """
PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
CREATE TABLE t(id INTEGER PRIMARY KEY, k INTEGER, s TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
INSERT INTO t SELECT i, (i * 7919) % 1000003, 'row' || (i % 1009) FROM n;
CREATE INDEX by_k ON t(k);
SELECT count(*), sum(k), min(s), max(s) FROM t WHERE k BETWEEN 1000 AND 500000;
SELECT s, count(*) FROM t GROUP BY s ORDER BY 2 DESC, 1 LIMIT 5;
PRAGMA integrity_check;
SELECT nonsense FROM t;
""")
            run.run("sqlite3", "test.db", ".read script.sql")
        self.compare(scenario)

    def test_redis_under_its_benchmark(self):
        needs("redis-server", "redis-benchmark", "redis-cli")

        def scenario(run):
            socket = run.path("s")
            server = run.start(["redis-server", "--port", "0", "--unixsocket", socket, "--save", "",
                                "--appendonly", "no", "--daemonize", "no"])
            deadline = time.monotonic() + settings.timeout
            while not os.path.exists(socket) and server.poll() is None:
                self.assertLess(time.monotonic(), deadline, "redis-server did not start")
                time.sleep(0.02)
            try:
                self.drive_redis(run, socket)
            finally:
                try:
                    out, err = server.communicate(timeout=settings.timeout)
                except subprocess.TimeoutExpired:
                    server.kill()
                    out, err = server.communicate()
            self.assertNotIn(b"hakmem", out)
            self.assertNotIn(b"CRASHED", out)
            run.results.append(("server", err.decode(), server.returncode))
            self.assertEqual(server.returncode, 0)
        self.succeeds(scenario)

    def drive_redis(self, run, socket):
        run.run("redis-benchmark", "-s", socket, "-q", "-n", "4000", "-c", "20", "-d", "300", "-r",
                "1000", "-t", "set,get,lpush,lpop,sadd,hset,zadd,lrange_100,mset",
                keep=lambda text: "")
        cli = ["redis-cli", "-s", socket]
        run.run(*cli, "FLUSHALL")
        run.run(*cli, "SET", "key", "v" * 5000)
        run.run(*cli, "APPEND", "key", "tail")
        run.run(*cli, "STRLEN", "key")
        run.run(*cli, "EVAL", "for i=1,500 do redis.call('zadd','z',i%37,'m'..i) end "
                "return redis.call('zrange','z',0,20)", "0")
        run.run(*cli, "LPUSH", "list", *[f"item{i}" for i in range(300)])
        run.run(*cli, "SORT", "list", "ALPHA", "LIMIT", "0", "10")
        run.run(*cli, "GETRANGE", "key", "4990", "-1")
        run.run(*cli, "NOSUCHCOMMAND")
        run.run(*cli, "SHUTDOWN", "NOSAVE")

    def test_gdb_batch(self):
        needs("gdb", "gcc")

        def scenario(run):
            run.write("small.c", "struct p { int x; char name[8]; };\n"
                      "static int sum(struct p *p, int n)\n{\n    int r = 0;\n"
                      "    for (int i = 0; i < n; i++) r += p[i].x;\n    return r;\n}\n"
                      "int main(void)\n{\n"
                      "    struct p p[3] = {{1, \"a\"}, {2, \"b\"}, {3, \"c\"}};\n"
                      "    return sum(p, 3);\n}\n")
            subprocess.run(["gcc", "-g", "-O0", "small.c", "-o", "small"], cwd=run.folder,
                           check=True)
            run.run("gdb", "-nx", "-batch", "-ex", "list main", "-ex", "info line sum",
                    "-ex", "ptype struct p", "-ex", "disassemble sum",
                    "-ex", "print sizeof(struct p)", "small")
            run.run("gdb", "-nx", "-batch", "-ex", "break sum", "-ex", "run", "-ex", "backtrace",
                    "-ex", "print p[1]", "-ex", "continue", "small",
                    keep=lambda text: re.sub(r"process \d+|0x[0-9a-f]+", "N", text))
        self.compare(scenario)

    def test_ghostscript(self):
        needs("gs")

        def scenario(run):
            dice, page = random.Random(SEED), ["%!PS"]
            for _ in range(5):
                page.append("/Times-Roman findfont 11 scalefont setfont")
                for line in range(50):
                    word = " ".join(f"{dice.getrandbits(24):x}" for _ in range(8))
                    page.append(f"40 {780 - line * 15} moveto ({word}) show")
                page.append("newpath 100 100 moveto 300 500 400 200 500 700 curveto stroke")
                page.append("showpage")
            run.write("in.ps", "\n".join(page) + "\n")
            base = ["gs", "-q", "-dSAFER", "-dNOPAUSE", "-dBATCH"]
            run.run(*base, "-sDEVICE=txtwrite", "-o", "-", "in.ps")
            run.run(*base, "-sDEVICE=bbox", "in.ps")
            run.run(*base, "-sDEVICE=pnggray", "-r60", "-o", "out%d.png", "in.ps")
            run.digest("out3.png")
        self.succeeds(scenario)

    def test_lua(self):
        needs("lua5.4")

        def scenario(run):
            run.write("script.lua", """
local t, parts = {}, {}
for i = 1, 200000 do t[i] = (i * 7919) % 100003 end
table.sort(t)
for i = 1, 20000 do parts[#parts + 1] = string.format("%x:%s", i, string.rep("z", i % 40)) end
local text = table.concat(parts, ",")
print(#t, t[1], t[#t], #text, select(2, text:gsub("zz", "y")))
local co = {}
for i = 1, 2000 do
    co[i] = coroutine.wrap(function() for j = 1, 3 do coroutine.yield(i * j) end end)
end
local sum = 0
for j = 1, 3 do for i = 1, 2000 do sum = sum + co[i]() end end
print(sum); collectgarbage(); io.stderr:write("to stderr\\n"); os.exit(5, true)
""")
            run.run("lua5.4", "script.lua")
        self.compare(scenario)


UNDER_COMMIT_LIMIT = ["test_the_library_is_loaded",
                      "test_more_than_may_be_committed_is_refused_and_less_is_not",
                      "test_a_process_that_does_nothing_commits_next_to_nothing",
                      "test_ls_in_a_utf8_locale", "test_bash", "test_python_json_and_threads",
                      "test_perl", "test_lua"]
UNDER_OVERCOMMIT2 = ["test_the_library_is_loaded", "test_ls_in_a_utf8_locale", "test_bash",
                     "test_python_json_and_threads", "test_python_subprocess_and_multiprocessing",
                     "test_perl", "test_gcc_compiling_3000_lines", "test_redis_under_its_benchmark",
                     "test_lua"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lib")
    parser.add_argument("--ulimit-v", type=int, default=0, metavar="KIB")
    parser.add_argument("--commit-limit", type=os.path.abspath, metavar="SHIM")
    parser.add_argument("--overcommit2", action="store_true")
    args, rest = parser.parse_known_args()
    settings.lib = os.path.abspath(args.lib)
    settings.ulimit_kib = args.ulimit_v
    settings.commit_limit = args.commit_limit
    if args.commit_limit:
        rest = rest or [f"Programs.{name}" for name in UNDER_COMMIT_LIMIT]
    if not args.overcommit2:
        unittest.main(argv=sys.argv[:1] + rest)
    if os.geteuid() != 0 or not os.access(overcommit.OVERCOMMIT, os.W_OK):
        print("overcommit_memory cannot be set here")
        sys.exit(77)
    hold, guardian = overcommit.start_guardian()
    try:
        overcommit.write_number(overcommit.RATIO, overcommit.high_enough_ratio())
        overcommit.write_number(overcommit.OVERCOMMIT, 2)
    except OSError as error:
        print(f"overcommit_memory cannot be set here: {error}")
        os.close(hold)
        os.waitpid(guardian, 0)
        sys.exit(77)
    try:
        chosen = [f"Programs.{name}" for name in UNDER_OVERCOMMIT2]
        run = unittest.main(argv=sys.argv[:1] + (rest or chosen), exit=False)
    finally:
        os.close(hold)
        os.waitpid(guardian, 0)
    sys.exit(0 if run.result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
