#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""long_programs.py LIB: large programs under a preloaded allocator, each for what it does unlike
others.

php opens its extensions with RTLD_DEEPBIND, node moves buffers between threads, R forks with large
matrices, groff replaces some of C++'s operators, Firefox brings a malloc of its own. As in
programs.py each must do the same with LIB as with libc's malloc (support.py), and a missing program
is a skip.
"""
import argparse
import os
import random
import socket
import subprocess
import sys
import time
import unittest
import urllib.request

from support import SEED, Compared, needs, settings

PHP_MODULES = {"PDO", "pdo_sqlite", "dom", "SimpleXML", "mbstring", "gd", "intl", "curl", "openssl"}
PHP = r"""<?php
$rows = 4000;
$db = new PDO('sqlite::memory:');
$db->exec('create table t(a integer, b text)');
$insert = $db->prepare('insert into t values(?, ?)');
for ($i = 0; $i < $rows; $i++) $insert->execute([$i, str_repeat('x', $i % 300)]);
print_r($db->query('select sum(a), count(distinct b) from t')->fetch(PDO::FETCH_NUM));
$tree = new DOMDocument();
$top = $tree->appendChild($tree->createElement('top'));
for ($i = 0; $i < $rows; $i++) {
    $top->appendChild($tree->createElement('item', "value $i"))->setAttribute('n', $i);
}
$text = $tree->saveXML();
echo md5($text), ' ', count(simplexml_load_string($text)->item), ' ';
echo (new DOMXPath($tree))->query('//item[@n mod 7 = 0]')->length, "\n";
echo mb_strtoupper('äöü straße'), "\n";
echo preg_replace_callback('/\d+/', fn($m) => $m[0] * 2, 'a1b22'), "\n";
$words = ['z', 'ä', 'a', 'Z', 'o', 'ö'];
(new Collator('de_DE'))->sort($words);
echo implode($words), (new NumberFormatter('de_DE', NumberFormatter::DECIMAL))->format(1234567.8);
$image = imagecreatetruecolor(300, 300);
for ($i = 0; $i < 50; $i++) {
    imagefilledellipse($image, 3 * $i, 150, 200, 100, imagecolorallocate($image, $i, 5 * $i, 99));
}
ob_start();
imagepng(imagescale($image, 123));
echo md5(ob_get_clean()), "\n";
$key = openssl_pkey_new(['private_key_bits' => 2048]);
openssl_sign($text, $signature, $key, OPENSSL_ALGO_SHA256);
$public = openssl_pkey_get_details($key)['key'];
echo openssl_verify($text, $signature, $public, OPENSSL_ALGO_SHA256), "\n";
$request = curl_init('file://' . __FILE__);
curl_setopt($request, CURLOPT_RETURNTRANSFER, true);
echo md5(curl_exec($request)), ' ', setlocale(LC_ALL, 'C.UTF-8'), ' ', gethostbyname('localhost');
putenv('SOME=thing');
echo getenv('SOME'), "\n";
$many = [];
for ($i = 0; $i < 200000; $i++) $many["key$i"] = [$i, "value $i"];
shuffle($many);
usort($many, fn($a, $b) => $a[0] <=> $b[0]);
echo md5(json_encode(array_slice($many, -1000))), ' ', md5(serialize($many)), "\n";
unset($many);
gc_collect_cycles();
"""
# Where the command line's php has processes.
PHP_FORK = r"""
for ($i = 0; $i < 3; $i++) {
    $child = pcntl_fork();
    if ($child === 0) {
        $list = [];
        for ($n = 0; $n < 50000; $n++) $list[] = str_repeat(chr(97 + $i), $n % 90);
        exit(strlen(implode($list)) % 200);
    }
    pcntl_waitpid($child, $status);
    echo pcntl_wexitstatus($status), "\n";
}
fwrite(STDERR, "to stderr\n");
exit(6);
"""

APACHE = """
ServerRoot "{folder}"
PidFile "{folder}/pid"
ErrorLog "{folder}/errors"
DocumentRoot "{folder}"
Listen 127.0.0.1:{port}
ServerName localhost
TypesConfig /dev/null
LoadModule mpm_prefork_module {modules}/mod_mpm_prefork.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule mime_module {modules}/mod_mime.so
LoadModule php_module {modules}/{php}
User www-data
<FilesMatch "\\.php$">
SetHandler application/x-httpd-php
</FilesMatch>
"""
APACHE_MODULES = "/usr/lib/apache2/modules"

NODE = r"""
const { Worker, isMainThread, parentPort, workerData } = require("worker_threads");
const crypto = require("crypto"), zlib = require("zlib");
const WORKERS = 4, EACH = 60, SIZES = [1 << 10, 70000, 1 << 20, 3 << 20, 9 << 20];
function serve(sum) {
    parentPort.on("message", ({ id, buffer }) => {
        const bytes = new Uint8Array(buffer);
        for (let i = 0; i < bytes.length; i += 97) bytes[i] = (bytes[i] + id) & 255;
        Atomics.add(sum, id, bytes.length);
        const packed = zlib.deflateSync(bytes).length;
        const hash = crypto.createHash("sha256").update(bytes).digest("hex");
        parentPort.postMessage({ buffer, packed, hash, extra: [new Map([[id, "x".repeat(id)]])] },
                               [buffer]);
    });
}
function drive(shared) {
    const lines = [];
    let alive = WORKERS;
    for (let id = 0; id < WORKERS; id++) {
        const worker = new Worker(__filename, { workerData: shared });
        let turn = 0;
        const send = () => {
            const buffer = new ArrayBuffer(SIZES[turn % SIZES.length] + 13 * turn);
            new Uint8Array(buffer).fill(turn + id);
            worker.postMessage({ id, buffer }, [buffer]);
            if (buffer.byteLength !== 0) lines.push("a buffer was not moved");
        };
        worker.on("message", (m) => {
            lines.push(`${id} ${m.buffer.byteLength} ${m.packed} ${m.hash} ${m.extra[0].get(id)}`);
            if (++turn === EACH) worker.terminate(); else send();
        });
        worker.on("exit", () => {
            if (--alive > 0) return;
            console.log(lines.sort().join("\n"));
            console.log(new Int32Array(shared).join(" "));
            process.exit(7);
        });
        send();
    }
}
if (isMainThread) drive(new SharedArrayBuffer(4 * WORKERS)); else serve(new Int32Array(workerData));
"""

R = r"""
library(parallel)
set.seed(7)
a <- matrix(rnorm(700 * 700), 700)
cat(sum(abs(a %*% solve(a) - diag(700))) < 1e-6, sprintf("%.6f", svd(a[1:300, 1:300])$d[1:3]), "\n")
work <- function(i) {
    set.seed(i)
    m <- matrix(runif(250000), 500)
    sum(m %*% t(m)) + length(unlist(lapply(1:5000, function(k) rep(k, k %% 7))))
}
cat(sprintf("%.4f", unlist(mclapply(1:12, work, mc.cores = 4))), "\n")
d <- data.frame(g = sample(letters, 50000, TRUE), v = runif(50000))
print(head(aggregate(v ~ g, d, mean), 4), digits = 6)
cat(sprintf("%.6f", deviance(lm(v ~ g, d))), "\n")
x <- character(0)
for (i in 1:20000) x[i] <- paste0("name", i, strrep("x", i %% 50))
e <- new.env()
for (i in 1:20000) assign(x[i], i, envir = e)
cat(sum(nchar(x)), length(ls(e)), "\n")
f <- tempfile()
saveRDS(d, f)
cat(identical(readRDS(f), d), "\n")
tryCatch(matrix(0, 2^20, 2^29), error = function(e) cat("refused\n"))
quit(status = 4)
"""

PAGE = """<!doctype html><meta charset=utf-8><title>page</title>
<style>body{font:16px sans-serif;margin:0}div{float:left;width:38px;height:38px;margin:1px}</style>
<body><canvas id=c width=200 height=100></canvas><script>
const items = [];
for (let i = 0; i < 200000; i++) items.push({ i, text: "value " + i });
items.sort((p, q) => q.text < p.text ? 1 : -1);
for (let i = 0; i < 200; i++) {
    const cell = document.createElement("div");
    cell.style.background = `hsl(${items[i].i * 7 % 360}, 80%, 50%)`;
    cell.textContent = items[i].i % 1000;
    document.body.appendChild(cell);
}
const pen = document.getElementById("c").getContext("2d");
for (let i = 0; i < 100; i++) {
    pen.fillStyle = `rgb(${2 * i}, ${255 - 2 * i}, 99)`;
    pen.fillRect(2 * i, i, 20, 20);
}
</script>
"""


def php_module():
    """Apache's module of php, whatever version."""
    try:
        names = [n for n in os.listdir(APACHE_MODULES) if n.startswith("libphp")]
    except FileNotFoundError:
        names = []
    if not names:
        raise unittest.SkipTest("Apache's php module is not installed")
    return sorted(names)[-1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def only_ours(text):
    """Of a program that says different things each time: what this library says."""
    return "".join(line for line in text.splitlines(True) if "hakmem" in line)


class LongPrograms(Compared):
    def exits_with(self, status, scenario):
        statuses = [result[3] for result in self.compare(scenario) if len(result) == 4]
        self.assertTrue(statuses)
        self.assertEqual(set(statuses), {str(status)})

    def needs_php_modules(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        missing = PHP_MODULES - set(done.stdout.split())
        if missing:
            raise unittest.SkipTest(f"php lacks {' '.join(sorted(missing))}")

    def test_php(self):
        needs("php")
        self.needs_php_modules("php", "-m")

        def scenario(run):
            run.write("script.php", PHP + PHP_FORK)
            run.run("php", "script.php")
            run.run("php", "script.php", USE_ZEND_ALLOC="0")
        self.exits_with(6, scenario)

    def fetch(self, server, url):
        """The page, once the server listens."""
        deadline = time.monotonic() + settings.timeout
        while True:
            try:
                with urllib.request.urlopen(url, timeout=settings.timeout) as answer:
                    return answer.read()
            except urllib.error.URLError:
                self.assertIsNone(server.poll(), "the server has ended")
                self.assertLess(time.monotonic(), deadline, "the server does not answer")
                time.sleep(0.1)

    def test_php_inside_apache(self):
        needs("apache2", "php")
        self.needs_php_modules("php", "-m")
        php = php_module()

        def scenario(run):
            port = free_port()
            run.write("script.php", PHP)
            run.write("httpd.conf", APACHE.format(folder=run.folder, port=port, php=php,
                                                  modules=APACHE_MODULES))
            for folder in (run.folder, os.path.dirname(run.folder)):
                os.chmod(folder, 0o755)
            server = run.start(["apache2", "-X", "-f", run.path("httpd.conf")])
            try:
                for _ in range(3):
                    page = self.fetch(server, f"http://127.0.0.1:{port}/script.php")
                    run.results.append(("page", page.decode()))
            finally:
                server.terminate()
                out, err = server.communicate(timeout=settings.timeout)
            run.results.append(("apache2", out, err, server.returncode))
        self.succeeds(scenario)

    def test_node_workers_that_pass_buffers(self):
        needs("node")

        def scenario(run):
            run.write("script.js", NODE)
            run.run("node", "script.js")
        self.exits_with(7, scenario)

    def test_r_with_large_matrices_and_forks(self):
        needs("Rscript")

        def scenario(run):
            run.write("script.R", R)
            run.run("Rscript", "--vanilla", "script.R")
        self.exits_with(4, scenario)

    def test_groff_whose_plain_operators_are_its_own(self):
        needs("groff", "tbl", "eqn", "pic")

        def scenario(run):
            dice, lines = random.Random(SEED), ['.TH PAGE 7 "" "" ""']
            for part in range(60):
                lines += [f".SH Part {part}", ".PP"]
                lines += [" ".join(f"{dice.getrandbits(28):x}" for _ in range(9))
                          for _ in range(30)]
                lines += [".TS", "box;", "l r n."]
                lines += [f"row {i}\t{dice.getrandbits(16)}\t{dice.random():.3f}"
                          for i in range(20)]
                lines += [".TE", ".EQ", f"x sub {part} = sqrt {{ a over {part + 1} }}", ".EN"]
                lines += [".PS", 'box "a"; arrow; circle "b"', ".PE"]
            run.write("page.7", "\n".join(lines) + "\n")
            for device in ("utf8", "ps"):
                run.run("groff", "-tep", "-man", "-T" + device, "page.7", SOURCE_DATE_EPOCH="1")
        self.succeeds(scenario)

    def test_firefox_renders_a_page(self):
        needs("firefox-esr")

        def scenario(run):
            run.write("page.html", PAGE)
            os.mkdir(run.path("profile"))
            run.run("firefox-esr", "--headless", "--no-remote", "--profile", run.path("profile"),
                    "--window-size=640,480", "--screenshot", run.path("page.png"),
                    "file://" + run.path("page.html"), keep=only_ours)
            run.digest("page.png")
        self.succeeds(scenario)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lib")
    args, rest = parser.parse_known_args()
    settings.lib = os.path.abspath(args.lib)
    settings.timeout = 600
    unittest.main(argv=sys.argv[:1] + rest)


if __name__ == "__main__":
    main()
