/* SPDX-License-Identifier: MIT */
/*
 * direct.c: the null module of the slot "big": one mapping a block, found again by a hash table.
 *
 * The table is keyed by the block's address, since big mappings lie outside the window of the tag
 * map. It has a fixed number of chains, so that nothing ever moves: a chain changes by one store
 * under one leaf lock, and the child of a fork finds it valid. A span is its own chain node, with
 * `source` as the link; `base` is the block itself.
 */
#include "src/base/bits.h"
#include "src/base/tunables.h"
#include "src/contract/tier.h"
#include "src/os/lock.h"
#include "src/os/os.h"

static struct {
    struct hak_lock lock;
    struct hak_span *chains[1 << HAK_BIG_CHAINS_SHIFT]; /* under the lock */
    size_t live_count;
    size_t live_bytes;
} direct;

static struct hak_span **chain_of(const void *block) {
    /* Neighbouring blocks use neighbouring chains: few pages of the table are touched. */
    uintptr_t piece = (uintptr_t)block >> HAK_SLAB_SHIFT;
    return &direct.chains[piece & (((uintptr_t)1 << HAK_BIG_CHAINS_SHIFT) - 1)];
}

static void enter(struct hak_span *span) {
    struct hak_span **chain = chain_of(span->base);
    hak_lock_take(&direct.lock);
    span->source = *chain;
    atomic_signal_fence(memory_order_release);
    *chain = span;
    direct.live_count++;
    direct.live_bytes += span->bytes;
    hak_lock_give(&direct.lock);
}

/* Takes the span out of its chain: one of two threads that free a block at once finds nothing. */
static bool leave(struct hak_span *span) {
    bool found = false;
    hak_lock_take(&direct.lock);
    struct hak_span **link = chain_of(span->base);
    while (*link != NULL && *link != span)
        link = (struct hak_span **)&(*link)->source;
    if (*link == span) {
        *link = span->source;
        direct.live_count--;
        direct.live_bytes -= span->bytes;
        found = true;
    }
    hak_lock_give(&direct.lock);
    return found;
}

static int direct_init(void) {
    return 0;
}

static void *direct_alloc(size_t size, size_t align, bool *zeroed) {
    size_t page = hak_os_page_bytes();
    size_t bytes = hak_round_up(size, page);
    if (bytes < size || bytes > PTRDIFF_MAX) return NULL;
    struct hak_span *span = hak_span_header_alloc();
    if (span == NULL) return NULL;
    span->base = hak_os_map_aligned(bytes, align);
    if (span->base == NULL) {
        hak_span_header_free(span);
        return NULL;
    }
    span->bytes = bytes;
    span->owner = HAK_OWNER_BIG;
    span->zeroed = true;
    enter(span);
    *zeroed = true;
    return span->base;
}

static void direct_free(void *block, struct hak_span *span) {
    if (!leave(span)) return;
    size_t bytes = span->bytes;
    hak_span_header_free(span);
    hak_os_unmap(block, bytes);
}

static size_t direct_usable_size(const void *block, const struct hak_span *span) {
    (void)block;
    return span->bytes;
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
    struct hak_span *span = *chain_of(block);
    while (span != NULL && span->base != block)
        span = span->source;
    hak_lock_give(&direct.lock);
    return span;
}

static struct hak_span *direct_find_around(const void *address) {
    struct hak_span *around = NULL;
    hak_lock_take(&direct.lock);
    for (size_t i = 0; i < (size_t)1 << HAK_BIG_CHAINS_SHIFT && around == NULL; i++) {
        struct hak_span *span = direct.chains[i];
        while (span != NULL && (uintptr_t)address - (uintptr_t)span->base >= span->bytes) {
            span = span->source;
        }
        around = span;
    }
    hak_lock_give(&direct.lock);
    return around;
}

static void direct_thread_exit(struct hak_tcache *tc) {
    (void)tc;
}

static size_t direct_purge(enum hak_purge how, size_t bytes_max) {
    (void)how;
    (void)bytes_max;
    return 0;
}

static void direct_stats(struct hak_stats *out) {
    hak_lock_take(&direct.lock);
    out->large_live_count += direct.live_count;
    out->large_live_bytes += direct.live_bytes;
    out->mapped_bytes += direct.live_bytes;
    hak_lock_give(&direct.lock);
}

static bool direct_check(hak_report_fn report, void *arg) {
    size_t count = 0;
    size_t bytes = 0;
    hak_lock_take(&direct.lock);
    for (size_t i = 0; i < (size_t)1 << HAK_BIG_CHAINS_SHIFT; i++) {
        for (struct hak_span *span = direct.chains[i]; span != NULL; span = span->source) {
            count++;
            bytes += span->bytes;
        }
    }
    bool holds = count == direct.live_count && bytes == direct.live_bytes;
    if (count != direct.live_count) {
        report(arg, "big: blocks in the table", &direct, direct.live_count, count);
    }
    if (bytes != direct.live_bytes) {
        report(arg, "big: bytes in the table", &direct, direct.live_bytes, bytes);
    }
    hak_lock_give(&direct.lock);
    return holds;
}

static void direct_after_fork(void) {
    hak_lock_reset(&direct.lock);
}

const struct hak_tier_ops hak_big_direct = {
    .name = "direct",
    .owner = HAK_OWNER_BIG,
    .size_max = PTRDIFF_MAX,
    .init = direct_init,
    .alloc = direct_alloc,
    .free = direct_free,
    .usable_size = direct_usable_size,
    .resize = direct_resize,
    .find = direct_find,
    .find_around = direct_find_around,
    .thread_exit = direct_thread_exit,
    .purge = direct_purge,
    .stats = direct_stats,
    .check = direct_check,
    .after_fork = direct_after_fork,
};
