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
 * most one system call for it (front/purge.h).
 */
#ifndef HAK_CONTRACT_PURGE_H
#define HAK_CONTRACT_PURGE_H

#include "src/base/attrs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Constant after hak_purge_policy_init. */
struct hak_purge_policy {
    uint64_t age_ms;
    size_t keep_bytes;
};
extern struct hak_purge_policy hak_purge_policy;

void hak_purge_policy_init(void);

/* Whether what was freed at `freed_ms` has reached `age_ms`. */
HAK_INLINE bool hak_purge_is_due(uint64_t now_ms, uint64_t freed_ms, uint64_t age_ms) {
    return now_ms - freed_ms >= age_ms;
}

#endif
