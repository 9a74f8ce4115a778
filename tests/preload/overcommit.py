#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""overcommit.py: the machine's strict accounting of memory, for a while.

It is put back by a process of its own, however the tests end.
"""
import os

OVERCOMMIT = "/proc/sys/vm/overcommit_memory"
RATIO = "/proc/sys/vm/overcommit_ratio"


def read_number(path):
    with open(path, encoding="ascii") as file:
        return int(file.read())


def write_number(path, number):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(number))


def start_guardian():
    """A process that waits for our end, however it comes, and then puts the settings back. Returns
    the end of a pipe that holds it off, and its pid."""
    mode, ratio = read_number(OVERCOMMIT), read_number(RATIO)
    reading, writing = os.pipe()
    guardian = os.fork()
    if guardian == 0:
        os.setsid()
        os.close(writing)
        os.read(reading, 1)
        write_number(OVERCOMMIT, mode)
        write_number(RATIO, ratio)
        os._exit(0)
    os.close(reading)
    return writing, guardian


def high_enough_ratio():
    facts = {}
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            name, value = line.split(":")
            facts[name] = int(value.split()[0])
    wanted_kib = facts["Committed_AS"] + 8 * 1024 * 1024
    return max(50, 100 * wanted_kib // facts["MemTotal"] + 1)
