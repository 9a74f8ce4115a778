/* SPDX-License-Identifier: MIT */
/*
 * counters.h: what a module of any slot publishes under names of its own; the core names none.
 *
 * A module that has switches, which it reads in init, lists them, so that pages and reports can.
 */
#ifndef HAK_CONTRACT_COUNTERS_H
#define HAK_CONTRACT_COUNTERS_H

#include "include/hakmem.h"

/* Visits each counter of the module (hakmem.h). Any thread, at any time, and `visit` may allocate:
 * no lock of the module is held meanwhile. Default: there is none. */
typedef void hak_counters_fn(hak_counter_fn *visit, void *arg);

/* A variable of the environment. A table of them ends with a name that is NULL. */
struct hak_switch {
    const char *name;
    const char *unit; /* "on or off", "bytes", "ms" */
    const char *help;
};

#endif
