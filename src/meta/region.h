/* SPDX-License-Identifier: MIT */
/*
 * region.h: zeroed memory for a table of metadata that grows where it lies.
 *
 * Called by the tag map and the table of span headers, under their locks. Address space is taken as
 * the table grows, and never reserved ahead: what is reserved counts against RLIMIT_AS, and against
 * RLIMIT_MEMLOCK under mlockall. Room to grow is there because the region begins at an address,
 * chosen by the caller, behind which nothing else is placed.
 */
#ifndef HAK_META_REGION_H
#define HAK_META_REGION_H

#include "src/os/os.h"

struct hak_region {
    char *base;     /* constant after begin */
    size_t bytes;   /* mapped; only rises */
    size_t growing; /* what `bytes` is about to become; 0 when nothing is under way */
};

/* Maps the first `bytes` at `at`; TAKEN or OUT with nothing mapped. */
enum hak_os_mapped hak_region_begin(struct hak_region *region, uintptr_t at, size_t bytes);

/* Undoes begin. */
void hak_region_end(struct hak_region *region);

/* Makes the region at least `bytes` long; false when there is no memory or no room. */
bool hak_region_grow(struct hak_region *region, size_t bytes);

/* The child of a fork: completes what another thread had under way; true when there was. */
bool hak_region_after_fork(struct hak_region *region);

#endif
