# SPDX-License-Identifier: MIT
"""objects.py SEED: dictionaries, JSON and threads; prints a digest of what it computed."""

import hashlib
import json
import random
import sys
import threading


def record(rng, i):
    return {
        "id": i, "name": "user%x" % rng.getrandbits(40),
        "tags": ["t%d" % rng.randrange(500) for _ in range(rng.randrange(8))],
        "score": rng.random(), "nested": {"a": [i] * rng.randrange(5), "b": str(rng.random())},
    }


def work(seed, results, place):
    rng = random.Random(seed)
    table = {}
    digest = hashlib.sha256()
    for i in range(3000):
        row = record(rng, i)
        table[row["name"]] = row
        if i % 1000 == 999:
            text = json.dumps(table, sort_keys=True)
            digest.update(text.encode())
            table = json.loads(text)
            for name in list(table)[::3]:
                del table[name]
    results[place] = digest.hexdigest()


def main():
    seed, results = int(sys.argv[1]), [None] * 2
    threads = [threading.Thread(target=work, args=(seed + i, results, i)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(*results)


main()
