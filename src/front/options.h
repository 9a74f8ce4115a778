/* SPDX-License-Identifier: MIT */
/*
 * options.h: what the environment asks for, read once before the first block is served, and not at
 * all in AT_SECURE processes. The switches of a module are read by the module.
 */
#ifndef HAK_FRONT_OPTIONS_H
#define HAK_FRONT_OPTIONS_H

#include "src/base/geometry.h"

#include <stdbool.h>

/* Constant after hak_options_init. */
struct hak_options {
    bool verbose;       /* HAKMEM_VERBOSE: a banner at start */
    bool stats;         /* HAKMEM_STATS: hak_stats at exit, on stderr */
    bool audit;         /* HAKMEM_AUDIT: hak_check at exit, with a line on stderr */
    bool purge_thread;  /* HAKMEM_PURGE_THREAD: memory goes back in idle programs too */
    bool ignore_misuse; /* HAKMEM_MISUSE=ignore */
    bool deepbind;      /* HAKMEM_DEEPBIND: dlopen keeps RTLD_DEEPBIND */
    uint8_t refill_count[HAK_SLAB_CLASSES]; /* blocks that one refill of the class asks for */
};
extern struct hak_options hak_options;

/* Needs the size classes. */
void hak_options_init(void);

#endif
