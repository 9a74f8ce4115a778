/* SPDX-License-Identifier: MIT */
/*
 * span_source.h: contract of the slot "spans": where slabs and pages come from.
 *
 * A module exports one table, hak_spans_<name>, and nothing else. bind.c turns the chosen table
 * into the functions of slots.h. An entry that is NULL is the default, where one is named.
 */
#ifndef HAK_CONTRACT_SPAN_SOURCE_H
#define HAK_CONTRACT_SPAN_SOURCE_H

#include "include/hakmem.h"
#include "src/base/check.h"
#include "src/contract/counters.h"
#include "src/meta/span.h"

/* How eagerly memory goes back: a step of what the policy calls old, or all that is free. */
enum hak_purge { HAK_PURGE_SOME, HAK_PURGE_ALL };

/* 0 or -errno; once, before other threads. Default: 0. */
typedef int hak_spans_init_fn(void);

/* Any thread. `bytes` is rounded up to whole slabs, the base aligned to max(align, slab); the span
 * is in the tag map, with tag 0, before it is returned; `zeroed` is true only where it is known.
 * NULL when memory is out; errno is untouched. */
typedef struct hak_span *hak_spans_acquire_fn(size_t bytes, size_t align, enum hak_owner owner);

/* The caller is the sole holder. The tag map is cleared before the range can be used again. */
typedef void hak_spans_release_fn(struct hak_span *span);

/* The sole holder makes the span larger or smaller where it lies, to `bytes` rounded up to whole
 * slabs; false with nothing changed where that is impossible. What is added reads as anything; the
 * tags of all its slabs are 0 afterwards. Default: true where it has that many bytes already. */
typedef bool hak_spans_resize_fn(struct hak_span *span, size_t bytes);

/* ALL: gives back all that is free, up to about `bytes_max`. SOME: one step, of at most one system
 * call, if there is more than the policy keeps and it is old enough (contract/purge.h). Returns the
 * bytes given back, or 0 when there is nothing to do. Default: 0. */
typedef size_t hak_spans_purge_fn(enum hak_purge how, size_t bytes_max);

/* Adds its part to *out. */
typedef void hak_spans_stats_fn(struct hak_stats *out);

/* Walks every invariant; true when all hold. Default: true. */
typedef bool hak_spans_check_fn(hak_report_fn report, void *arg);

/* The child of a fork, before it has a second thread: opens the module's locks. `in_disorder`:
 * another thread may have been in the middle of a call; then sums and lists are made anew from what
 * changes by single stores. Otherwise nothing else is written, since each page written is copied.
 * Default: nothing to do. */
typedef void hak_spans_after_fork_fn(bool in_disorder);

struct hak_span_ops {
    const char *name;
    hak_spans_init_fn *init;
    hak_spans_acquire_fn *acquire;
    hak_spans_release_fn *release;
    hak_spans_resize_fn *resize;
    hak_spans_purge_fn *purge;
    hak_spans_stats_fn *stats;
    hak_spans_check_fn *check;
    hak_spans_after_fork_fn *after_fork;
    hak_counters_fn *counters;
    const struct hak_switch *switches; /* default: none */
};

#endif
