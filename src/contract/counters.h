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

/* A switch of the environment (os/env.h). A table of them ends with a name that is NULL. On or off:
 * off is "0" or "false", and unset its default. */
enum hak_switch_kind { HAK_SWITCH_ON_OFF, HAK_SWITCH_NUMBER, HAK_SWITCH_WORD };
struct hak_switch {
    const char *name; /* of the variable; at its end <bytes> stands for a class's block size */
    const char *unit; /* "on or off", "bytes", "ms" */
    const char *help;
    enum hak_switch_kind kind;
    uint64_t min, max; /* of a number */
    const char *words; /* of a word: the valid ones, with a space between */
};

#endif
