/* SPDX-License-Identifier: MIT */
/*
 * span.h: a run of pages with one owner, and its header.
 *
 * Span sources make spans, tiers own them, the tag map finds them. Headers come from one table and
 * are recycled only as headers: a thread that still holds a pointer to the header of a span that
 * has been released meanwhile finds the atomics of some span there, never other data: no tier keeps
 * anything at HAK_SPAN_LATE_OFFSET. The other bytes after the common part belong to the tier that
 * owns the span (slab.h).
 */
#ifndef HAK_META_SPAN_H
#define HAK_META_SPAN_H

#include "src/base/geometry.h"
#include "src/meta/region.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which tier a span's blocks belong to. */
enum hak_owner {
    HAK_OWNER_NONE = 0,
    HAK_OWNER_TINY, /* refill module: slabs of tiny classes */
    HAK_OWNER_MID,  /* mid tier: slabs of the classes above */
    HAK_OWNER_L25,
    HAK_OWNER_BIG,
};

/* Constant from acquire to release, but for resize, when the caller is the sole holder. */
struct hak_span {
    char *base;
    size_t bytes;
    void *source;  /* the span source's own record; big: the next span of the hash chain */
    uint8_t owner; /* enum hak_owner */
    bool zeroed;   /* the memory is known to read as zeros; owner-only after acquire */
    _Atomic uint8_t is_free; /* a block that was freed and is kept by its tier: exchanged by free */
};

/* Whether the span is a slab, whose blocks live in bins. */
static inline bool hak_span_is_slab(const struct hak_span *span) {
    return span->owner == HAK_OWNER_TINY || span->owner == HAK_OWNER_MID;
}

/* A zeroed header at first use, else as the last span left it; NULL when out. Any thread. */
struct hak_span *hak_span_header_alloc(void);

/* Returns a header; its shared fields (slab.h) must be in their resting state. Any thread. */
void hak_span_header_free(struct hak_span *span);

/* Headers and their numbers in the tag map (1 .. ; 0 is no span). */
uint32_t hak_span_number(const struct hak_span *span);
struct hak_span *hak_span_of_number(uint32_t number);

/* Begins the table at `at`, behind which it may grow. Once, before other threads. */
enum hak_os_mapped hak_span_table_init(uintptr_t at);

size_t hak_span_table_bytes(void);

/* Numbers of spans lie below it. */
size_t hak_span_table_count(void);
void hak_span_after_fork(void);

#endif
