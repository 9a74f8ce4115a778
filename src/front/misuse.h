/* SPDX-License-Identifier: MIT */
/*
 * misuse.h: the caller's mistakes, reported in every build: one sentence on stderr, then abort; or
 * nothing at all with HAKMEM_MISUSE=ignore, and then the call has no effect.
 */
#ifndef HAK_FRONT_MISUSE_H
#define HAK_FRONT_MISUSE_H

#include "src/base/attrs.h"
#include "src/contract/tcache.h"

/* An address where no block begins: outside all spans, or within one. */
HAK_COLD void hak_misuse_unknown(const char *verb, const void *block);
HAK_COLD void hak_misuse_inside(const char *verb, const void *block);
HAK_COLD void hak_misuse_double(const void *block);

/* The block of a whole span that was freed before: a double free, or a use after it. */
HAK_COLD void hak_misuse_freed(const char *verb, const void *block);

HAK_COLD void hak_misuse_noted(struct hak_tcache *tc);

/* Reports what a slow path found wrong. */
HAK_INLINE void hak_misuse_check(struct hak_tcache *tc) {
    if (hak_unlikely(tc->heap.misused != NULL)) hak_misuse_noted(tc);
}

#endif
