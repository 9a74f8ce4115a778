/* SPDX-License-Identifier: MIT */
/*
 * tcache.h: a thread's cache: its bins, what the fast path needs beside them, and its heap.
 *
 * The bin's layout and its inline push and pop come from "bin.h" of the refill module that this
 * variant is built with; every such header has the same names. Owned by one thread.
 */
#ifndef HAK_CONTRACT_TCACHE_H
#define HAK_CONTRACT_TCACHE_H

#include "bin.h"
#include "src/meta/heap.h"
#include "src/meta/tagmap.h"

_Static_assert(sizeof(struct hak_bin) == HAK_BIN_BYTES, "a tag holds the byte offset of a bin");

struct hak_tcache {
    struct hak_bin bins[HAK_BINS]; /* first: a tag is an offset from here */
    uint32_t tag;                  /* of the heap; HEAP_ID_NONE's without one */
    bool is_live;                  /* a thread's own; false: the empty one */
    uintptr_t
        slots; /* copies of hak_tagmap, on a line that is hot anyway; slots as of the last fill */
    struct hak_tag_entry *entries;
    uint32_t bin_bytes;      /* that the bins of slab classes may hold now: capacity * stride */
    uint32_t bin_budget;     /* that they may widen to; only fills of empty bins go beyond it */
    uint64_t got_bytes;      /* of slabs, since the last scan of its bins */
    uint32_t scan_gap;       /* that it gets at least before it scans them again */
    uint16_t scan_emptied;   /* classes that the last scan emptied */
    uint16_t scan_regrets;   /* of these, filled since */
    uint64_t scanned_ms;     /* the last scan that the clock asked for */
    uint32_t span_bin_bytes; /* that the bins of whole spans may hold now */
    uint8_t span_victim;     /* the one of them that lost its capacity last */
    uint32_t visits_left;    /* front/purge.c: slow-path visits until the next look at the clock */
    uint32_t visits_gap;     /* what it was set to */
    uint32_t visits_fast;    /* visits since the clock last moved */
    uint32_t visits_natural; /* of these, what came to a slow path of malloc by itself */
    bool was_natural;        /* there were a few before the clock last moved */
    bool is_busy;            /* let go for the number of both, until the clock moves again */
    bool keeps_capacities;   /* let go while its own visits are needed: bins are not widened */
    uint8_t busy_ticks;      /* in a row, at the end of which it might have been let go */
    bool has_due;            /* the last look found something to give back */
    uint64_t visited_ms;     /* the last look */
    uint64_t cared_ms;       /* front/care.c: when the thread last looked after its slabs */
    _Atomic uint64_t care_seen; /* its heap's activity in the last round; by who has the round */
    _Atomic uint32_t care_vain; /* looks in a row that got nothing, since then; likewise */
    bool is_watching;           /* the watch has begun, for the thread itself */
    uint32_t alert_seen;        /* the last alert that it has answered (front/alert.c) */
    _Atomic(struct hak_tcache *) *tls; /* the thread's word that its fast paths go by, which others
                                          may turn; NULL: none. Under alert.c's lock */
    _Atomic bool is_called; /* others posted much to its inbox since the last drain by a visit */
    uint32_t posted_bytes;  /* of its own posts, since it called their owners */
    size_t visited_idle;    /* bytes that were idle at the last look */
    bool has_more;          /* it released something since the last look */
    uint32_t watch_frees;   /* since the last look */
    uint64_t watched_ms;    /* since when the thread is watched */
    uint64_t released_ms;   /* when it was seen last to have released something */
    uint64_t let_go_ms;     /* when the last watch ended */
    uint8_t watch_flushes;  /* times that its bins were emptied since then */
    hak_class_t watch_hand; /* the bin that is drained next; HAK_CLASSES: none is left */
    uint64_t
        watch_used[HAK_BINS / HAK_WORD_BITS]; /* classes that malloc was asked for since then */
    const void *proved;  /* the link of a bin that was proved last (supply/link.c) */
    void *bin_memory;    /* HAK_BIN_MEMORY_BYTES of bin.h: zeros at first, then as it was left */
    uint32_t bins_given; /* bins that have their part of it */
    bool is_used;        /* by a thread that has not ended; under the threads' lock */
    uint32_t forks;      /* before that thread took it: fewer than now, it has vanished */
    struct hak_tcache *next_created; /* all caches ever made; constant after publication */
    struct hak_tcache *next_idle;
    struct hak_heap heap;
};

#endif
