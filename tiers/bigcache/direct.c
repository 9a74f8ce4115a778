/* SPDX-License-Identifier: MIT */
/*
 * direct.c: the null module of the slot "big": one mapping a block, unmapped by its free.
 */
#include "src/base/bits.h"
#include "src/contract/tier.h"
#include "src/os/lock.h"
#include "src/os/os.h"
#include "tiers/bigcache/table.h"

static struct {
    struct hak_lock lock;
} direct = {.lock = HAK_LOCK_INIT(HAK_RANK_TIER)}; /* over the table */

static void enter(struct hak_span *span) {
    hak_lock_take(&direct.lock);
    hak_big_table_enter(span);
    hak_lock_give(&direct.lock);
}

static bool leave(struct hak_span *span) {
    hak_lock_take(&direct.lock);
    bool was_there = hak_big_table_leave(span);
    hak_lock_give(&direct.lock);
    return was_there;
}

static void *direct_alloc(size_t size, size_t align, bool *zeroed) {
    size_t page = hak_os_page_bytes();
    size_t bytes = hak_round_up(size, page);
    hak_assert(size > 0);
    hak_assert(hak_is_pow2(align));
    if (bytes < size || bytes > PTRDIFF_MAX) return NULL;
    struct hak_span *span = hak_span_header_alloc();
    if (span == NULL) return NULL;
    char *base = hak_os_map_aligned(bytes, align);
    if (base == NULL) {
        hak_span_header_free(span);
        return NULL;
    }
    *span = (struct hak_span){.base = base, .bytes = bytes, .owner = HAK_OWNER_BIG, .zeroed = true};
    enter(span);
    *zeroed = true;
    return span->base;
}

static void unmap(struct hak_span *span) {
    char *base = span->base;
    size_t bytes = span->bytes;
    hak_assert(span->owner == HAK_OWNER_BIG);
    hak_lock_assert_below(HAK_RANK_TIER); /* no system call under the lock */
    hak_span_header_free(span);
    hak_os_unmap(base, bytes);
}

static bool direct_free(void *block, struct hak_span *span) {
    (void)block;
    if (!leave(span)) return false;
    unmap(span);
    return true;
}

static bool direct_free_at(void *block) {
    hak_lock_take(&direct.lock);
    struct hak_span *span = hak_big_table_find(block);
    if (span != NULL) hak_big_table_leave(span);
    hak_lock_give(&direct.lock);
    if (span != NULL) unmap(span);
    return span != NULL;
}

static void *direct_resize(void *block, size_t new_size, struct hak_span *span) {
    size_t bytes = hak_round_up(new_size, hak_os_page_bytes());
    if (bytes < new_size || bytes > PTRDIFF_MAX) return NULL;
    if (bytes == span->bytes) return block;
    if (!leave(span)) return NULL;
    void *moved = hak_os_remap(block, span->bytes, bytes);
    if (moved != NULL) {
        span->base = moved;
        span->bytes = bytes;
    }
    enter(span);
    return moved;
}

static struct hak_span *direct_find(const void *block) {
    hak_lock_take(&direct.lock);
    struct hak_span *span = hak_big_table_find(block);
    hak_lock_give(&direct.lock);
    return span;
}

static struct hak_span *direct_find_around(const void *address) {
    hak_lock_take(&direct.lock);
    struct hak_span *span = hak_big_table_find_around(address);
    hak_lock_give(&direct.lock);
    return span;
}

static void direct_stats(struct hak_stats *out) {
    hak_lock_take(&direct.lock);
    out->large_live_count += hak_big_table_count();
    out->large_live_bytes += hak_big_table_bytes();
    out->mapped_bytes += hak_big_table_bytes();
    hak_lock_give(&direct.lock);
}

static bool direct_check(hak_report_fn report, void *arg) {
    hak_lock_take(&direct.lock);
    bool holds = hak_big_table_check(report, arg);
    hak_lock_give(&direct.lock);
    return holds;
}

static void leave_as_it_is(struct hak_span *span) {
    (void)span;
}

static void direct_after_fork(bool in_disorder) {
    hak_lock_reset(&direct.lock);
    if (in_disorder) hak_big_table_after_fork(leave_as_it_is);
}

const struct hak_tier_ops hak_big_direct = {
    .name = "direct",
    .owner = HAK_OWNER_BIG,
    .size_max = PTRDIFF_MAX,
    .alloc = direct_alloc,
    .free = direct_free,
    .resize = direct_resize,
    .find = direct_find,
    .free_at = direct_free_at,
    .find_around = direct_find_around,
    .stats = direct_stats,
    .check = direct_check,
    .after_fork = direct_after_fork,
};
