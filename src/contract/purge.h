/* SPDX-License-Identifier: MIT */
/*
 * purge.h: when free memory goes back to the kernel; read once from the environment, by the tiers
 * and the front.
 *
 * HAKMEM_PURGE_MS: free memory this old goes back; 0: at the next visit. HAKMEM_PURGE_KEEP_BYTES:
 * so much of it stays in superslabs however old. HAKMEM_PURGE=free lets the kernel take pages when
 * it wants them (MADV_FREE), which is cheaper and does not show in the resident size.
 *
 * Nothing is given back inside free. A visit is a call of malloc on its slow path; each makes at
 * most one system call for it, or several after a pause (front/purge.h).
 */
#ifndef HAK_CONTRACT_PURGE_H
#define HAK_CONTRACT_PURGE_H

#include "src/base/attrs.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Constant after hak_purge_policy_init. */
struct hak_purge_policy {
    uint64_t age_ms;
    size_t keep_bytes;
    uint64_t again_ms; /* after which what was given back may have been filled again */
};
extern struct hak_purge_policy hak_purge_policy;

void hak_purge_policy_init(void);

/* Free memory that a purge would give back, in bytes, as each slot's module tells it: written under
 * the module's lock, read by anyone for a glance. Relaxed: nothing else is read by it. */
struct hak_idle {
    _Atomic size_t spans, l25, big;
    _Atomic size_t growths; /* times that the span source mapped more: what others keep gives way */
};
extern struct hak_idle hak_idle;

HAK_INLINE size_t hak_idle_of(_Atomic size_t *bytes) {
    return atomic_load_explicit(bytes, memory_order_relaxed);
}
HAK_INLINE void hak_idle_set(_Atomic size_t *bytes, size_t now) {
    atomic_store_explicit(bytes, now, memory_order_relaxed);
}
HAK_INLINE size_t hak_spans_idle(void) {
    return hak_idle_of(&hak_idle.spans);
}
HAK_INLINE size_t hak_large_idle(void) {
    return hak_idle_of(&hak_idle.l25) + hak_idle_of(&hak_idle.big);
}

/* Whether what was freed at `freed_ms` has reached `age_ms`. */
HAK_INLINE bool hak_purge_is_due(uint64_t now_ms, uint64_t freed_ms, uint64_t age_ms) {
    return (int64_t)(now_ms - freed_ms) >= (int64_t)age_ms; /* it may have been freed since `now` */
}

#endif
