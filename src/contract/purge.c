/* SPDX-License-Identifier: MIT */
/*
 * purge.c: see purge.h.
 */
#include "src/contract/purge.h"

#include "src/base/tunables.h"
#include "src/os/env.h"
#include "src/os/os.h"

struct hak_purge_policy hak_purge_policy;
struct hak_idle hak_idle;

void hak_purge_policy_init(void) {
    hak_purge_policy.age_ms = hak_env_number("HAKMEM_PURGE_MS", HAK_PURGE_AGE_MS, HAK_AGE_MS_MAX);
    hak_purge_policy.keep_bytes =
        hak_env_number("HAKMEM_PURGE_KEEP_BYTES", HAK_PURGE_KEEP_BYTES, SIZE_MAX);
    hak_purge_policy.again_ms = HAK_PURGE_AGAIN_MS;
    hak_os_purge_lazily(hak_env_is("HAKMEM_PURGE", "free"));
}
