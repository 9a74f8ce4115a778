/* SPDX-License-Identifier: MIT */
/*
 * region.c: see region.h.
 *
 * `growing` tells the child of a fork that another thread stood between mapping and noting it. Both
 * are plain stores in that order; os/lock.h says why the child sees them in that order.
 */
#include "src/meta/region.h"

#include "src/base/bits.h"
#include "src/base/check.h"
#include "src/base/geometry.h"

#include <stdatomic.h>

enum hak_os_mapped hak_region_begin(struct hak_region *region, uintptr_t at, size_t bytes) {
    hak_assert(bytes > 0);
    hak_assert((at & (HAK_REGION_STEP_BYTES - 1)) == 0);
    bytes = hak_round_up(bytes, HAK_REGION_STEP_BYTES);
    enum hak_os_mapped mapped = hak_os_map_at((void *)at, bytes);
    if (mapped != HAK_OS_MAPPED) return mapped;
    *region = (struct hak_region){.base = (char *)at, .bytes = bytes};
    return mapped;
}

void hak_region_end(struct hak_region *region) {
    hak_assert(region->base != NULL);
    hak_os_unmap(region->base, region->bytes);
    *region = (struct hak_region){.base = NULL};
}

/* By an eighth at least, so that the number of steps stays small. */
static size_t next_bytes(const struct hak_region *region, size_t bytes) {
    size_t least = region->bytes + region->bytes / 8;
    return hak_round_up(bytes < least ? least : bytes, HAK_REGION_STEP_BYTES);
}

bool hak_region_grow(struct hak_region *region, size_t bytes) {
    if (bytes <= region->bytes) return true;
    hak_assert(region->base != NULL);
    hak_assert(region->growing == 0);
    size_t end = next_bytes(region, bytes);
    region->growing = end;
    atomic_signal_fence(memory_order_seq_cst);
    enum hak_os_mapped mapped = hak_os_map_at(region->base + region->bytes, end - region->bytes);
    atomic_signal_fence(memory_order_seq_cst);
    if (mapped == HAK_OS_MAPPED) region->bytes = end;
    atomic_signal_fence(memory_order_seq_cst);
    region->growing = 0;
    if (mapped != HAK_OS_MAPPED) return false;
    hak_assert(region->bytes >= bytes);
    /* A table is used here and there: a huge page of it would be mostly empty. */
    if (end >= HAK_SUPERSLAB_BYTES) hak_os_no_huge_pages(region->base, end);
    return true;
}

bool hak_region_after_fork(struct hak_region *region) {
    if (region->growing == 0) return false;
    /* TAKEN: the other thread had mapped it. */
    enum hak_os_mapped mapped =
        hak_os_map_at(region->base + region->bytes, region->growing - region->bytes);
    if (mapped != HAK_OS_OUT) region->bytes = region->growing;
    region->growing = 0;
    return true;
}
