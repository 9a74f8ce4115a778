/* SPDX-License-Identifier: MIT */
/*
 * bigcache.c: big blocks, one mapping each, and freed mappings kept for the next request.
 *
 * A request takes a kept mapping at most an eighth larger. Else it takes the pages of some that do
 * not fit (gather.c). What is kept (kept.h) is bounded in bytes and age.
 *
 * Live and kept mappings are in the table of table.h. One lock over all; blocks are mapped, moved
 * and unmapped without it, and only the bucket array and span headers may want the kernel under it.
 */
#include "src/base/bits.h"
#include "src/os/env.h"
#include "tiers/bigcache/gather.h"
#include "tiers/bigcache/kept.h"

static void unmap_span(struct hak_big_span *gone) {
    char *base = gone->span.base;
    size_t bytes = gone->span.bytes;
    hak_assert(!gone->is_kept);
    hak_lock_assert_below(HAK_RANK_TIER); /* no system call under the lock */
    hak_span_header_free(&gone->span);
    hak_os_unmap(base, bytes);
}

static int bigcache_init(void) HAK_UNCHECKED {
    bool is_on = !hak_env_is_off("HAKMEM_BIGCACHE");
    size_t share = hak_os_memory_bytes() / HAK_BIGCACHE_SHARE;
    if (share > HAK_BIGCACHE_BYTES) share = HAK_BIGCACHE_BYTES;
    hak_bigcache.bytes_max = hak_env_number("HAKMEM_BIGCACHE_BYTES", share, SIZE_MAX);
    if (!is_on) hak_bigcache.bytes_max = 0;
    hak_bigcache.age_ms =
        hak_env_number("HAKMEM_BIGCACHE_AGE_MS", HAK_BIGCACHE_AGE_MS, HAK_AGE_MS_MAX);
    hak_bigcache.by_site = hak_env_is_on("HAKMEM_BIGCACHE_SITE");
    hak_bigcache.moves_many = hak_os_moves_many();
    hak_bigcache.buckets = hak_kept_first_buckets;
    hak_bigcache.bucket_count = HAK_BIGCACHE_BUCKETS_MIN;
    return 0;
}

/* A block of kept memory; NULL when there is none to be had. */
static struct hak_big_span *alloc_kept(size_t bytes, size_t align) {
    if (hak_kept_bytes() == 0) return NULL;
    hak_lock_take(&hak_bigcache.lock);
    struct hak_big_span *found =
        hak_bigcache.newest == NULL ? NULL : hak_kept_find_fit(bytes, align);
    if (found == NULL && align <= hak_os_page_bytes()) return hak_big_alloc_unfit(bytes);
    if (found != NULL) {
        hak_bigcache.hits++;
        hak_kept_cut(found, bytes);
    }
    hak_lock_give(&hak_bigcache.lock);
    return found;
}

static struct hak_big_span *alloc_mapping(size_t bytes, size_t align) {
    struct hak_big_span *made = hak_big_map(bytes, align);
    if (made == NULL) return NULL;
    made->span.zeroed = true;
    hak_lock_take(&hak_bigcache.lock);
    hak_bigcache.misses++;
    hak_big_table_enter(&made->span);
    hak_lock_give(&hak_bigcache.lock);
    return made;
}

static void *bigcache_alloc(size_t size, size_t align, bool *zeroed) {
    size_t bytes = hak_round_up(size, hak_os_page_bytes());
    if (bytes < size || bytes > PTRDIFF_MAX) return NULL;
    struct hak_big_span *found = alloc_kept(bytes, align);
    if (found == NULL) found = alloc_mapping(bytes, align);
    if (found == NULL) return NULL;
    hak_assert(!found->is_kept);
    hak_assert(found->span.bytes >= size);
    hak_assert(((uintptr_t)found->span.base & (align - 1)) == 0);
    found->is_growing = false;
    found->site = hak_call_site;
    *zeroed = found->span.zeroed;
    return found->span.base;
}

/* Keeps a freed block if the budget allows, perhaps in the place of the oldest one.
 * Returns the mapping that must go, or NULL. */
static struct hak_big_span *keep(struct hak_big_span *freed) HAK_REQUIRES(hak_bigcache.lock) {
    size_t bytes = freed->span.bytes;
    size_t sum = hak_kept_bytes() + bytes;
    hak_lock_assert_held(&hak_bigcache.lock);
    hak_assert(!freed->is_kept);
    size_t most = hak_bigcache.bytes_max;
    struct hak_big_span *gone = NULL;
    bool is_patchwork = freed->seams > HAK_BIGCACHE_SEAMS;
    if (hak_unlikely(sum > most || is_patchwork)) {
        bool is_enough = !is_patchwork && hak_bigcache.oldest != NULL &&
                         sum - hak_bigcache.oldest->span.bytes <= most;
        if (!is_enough) {
            hak_big_table_leave(&freed->span);
            hak_bigcache.evictions++;
            return freed;
        }
        gone = hak_kept_evict_oldest();
    }
    hak_kept_add_newest(freed);
    hak_assert(hak_kept_bytes() <= most);
    if (HAK_GUARDS >= 2) hak_kept_check(hak_report_panic, HAK_HERE);
    return gone;
}

/* Releases the lock. */
static bool free_live(struct hak_big_span *freed) HAK_RELEASES(hak_bigcache.lock) {
    struct hak_big_span *gone = keep(freed);
    hak_lock_give(&hak_bigcache.lock);
    if (hak_unlikely(gone != NULL)) unmap_span(gone);
    return true;
}

static bool bigcache_free(void *block, struct hak_span *span) {
    struct hak_big_span *freed = hak_big_of(span);
    hak_assert(span != NULL);
    hak_lock_take(&hak_bigcache.lock);
    bool is_live = hak_big_table_find(block) == span && !freed->is_kept;
    if (is_live) return free_live(freed);
    hak_lock_give(&hak_bigcache.lock);
    return false;
}

static bool bigcache_free_at(void *block) {
    hak_lock_take(&hak_bigcache.lock);
    struct hak_big_span *freed = hak_big_of(hak_big_table_find(block));
    if (hak_likely(freed != NULL && !freed->is_kept)) return free_live(freed);
    hak_lock_give(&hak_bigcache.lock);
    return false;
}

/* A block that grows again and again gets room ahead, in address space only: an eighth. */
static size_t with_headroom(const struct hak_big_span *block, size_t bytes) {
    if (!block->is_growing) return bytes;
    size_t more = hak_round_up(bytes + (bytes >> HAK_BIGCACHE_STEP_SHIFT), hak_os_page_bytes());
    return more <= PTRDIFF_MAX ? more : bytes;
}

/* The block grows over a kept mapping behind it, as the rest of a split is. */
static bool grow_over_neighbour(struct hak_big_span *block, size_t bytes)
    HAK_REQUIRES(hak_bigcache.lock) {
    size_t missing = bytes - block->span.bytes;
    hak_lock_assert_held(&hak_bigcache.lock);
    hak_assert(bytes > block->span.bytes);
    struct hak_big_span *next =
        hak_big_of(hak_big_table_find(block->span.base + block->span.bytes));
    if (next == NULL || !next->is_kept || next->span.bytes < missing) return false;
    hak_kept_cut(next, missing);
    hak_big_table_leave(&next->span);
    hak_big_table_leave(&block->span);
    block->span.bytes += next->span.bytes;
    block->seams = (uint16_t)(block->seams + next->seams + 1);
    hak_big_table_enter(&block->span);
    hak_span_header_free(&next->span);
    return true;
}

/* Pages that realloc adds are new: then kept ones are too many, and the oldest goes. */
static struct hak_big_span *surplus(void) HAK_REQUIRES(hak_bigcache.lock) {
    hak_lock_assert_held(&hak_bigcache.lock);
    size_t live_bytes = hak_big_table_bytes() - hak_kept_bytes();
    if (hak_bigcache.oldest == NULL || hak_kept_bytes() <= live_bytes / HAK_BIGCACHE_SLACK)
        return NULL;
    return hak_kept_evict_oldest();
}

static void *bigcache_resize(void *block, size_t new_size, struct hak_span *span) {
    struct hak_big_span *resized = hak_big_of(span);
    hak_assert(new_size > 0);
    size_t bytes = hak_round_up(new_size, hak_os_page_bytes());
    if (bytes < new_size || bytes > PTRDIFF_MAX) return NULL;
    size_t spare = span->bytes - bytes; /* huge when it grows */
    if (spare <= span->bytes >> HAK_BIGCACHE_STEP_SHIFT) return block;
    hak_lock_take(&hak_bigcache.lock);
    bool is_live = !resized->is_kept && hak_big_table_find(block) == span;
    bool is_done = is_live && bytes > span->bytes && grow_over_neighbour(resized, bytes);
    if (is_live && !is_done) hak_big_table_leave(span);
    hak_lock_give(&hak_bigcache.lock);
    if (is_done) return block;
    if (!is_live) return NULL;
    size_t want = bytes > span->bytes ? with_headroom(resized, bytes) : bytes;
    char *moved = hak_os_remap(block, span->bytes, want);
    if (moved == NULL && want > bytes) moved = hak_os_remap(block, span->bytes, want = bytes);
    if (moved != NULL) {
        resized->is_growing = bytes > span->bytes;
        span->base = moved;
        span->bytes = want;
    }
    struct hak_big_span *gone = NULL;
    hak_lock_take(&hak_bigcache.lock);
    hak_big_table_enter(span);
    if (moved != NULL && resized->is_growing) gone = surplus();
    hak_lock_give(&hak_bigcache.lock);
    if (gone != NULL) unmap_span(gone);
    return moved;
}

static struct hak_span *bigcache_find(const void *block) {
    hak_lock_take(&hak_bigcache.lock);
    struct hak_span *span = hak_big_table_find(block);
    if (span != NULL && hak_big_of(span)->is_kept) span = NULL;
    hak_lock_give(&hak_bigcache.lock);
    return span;
}

static struct hak_span *bigcache_find_around(const void *address) {
    hak_lock_take(&hak_bigcache.lock);
    struct hak_span *span = hak_big_table_find_around(address);
    hak_lock_give(&hak_bigcache.lock);
    return span;
}

/* Unmaps the oldest; returns its bytes, 0 when it is not old enough or there is none. The newest
 * may have no time yet: its age begins with the first look. */
static size_t purge_oldest(uint64_t now_ms, uint64_t age_ms) {
    hak_lock_take(&hak_bigcache.lock);
    struct hak_big_span *gone = hak_bigcache.oldest;
    if (gone != NULL && hak_bigcache.newest->freed_ms == 0) hak_bigcache.newest->freed_ms = now_ms;
    if (gone != NULL && !hak_purge_is_due(now_ms, gone->freed_ms, age_ms)) gone = NULL;
    if (gone != NULL) hak_kept_evict_oldest();
    hak_lock_give(&hak_bigcache.lock);
    if (gone == NULL) return 0;
    size_t bytes = gone->span.bytes;
    unmap_span(gone);
    return bytes;
}

/* Constant, so that no lock is needed. */
static uint64_t age_ms(void) HAK_UNCHECKED {
    return hak_bigcache.age_ms;
}

static size_t bigcache_purge(enum hak_purge how, size_t bytes_max) {
    if (hak_kept_bytes() == 0) return 0;
    uint64_t now_ms = hak_os_now_ms();
    if (how == HAK_PURGE_SOME) return purge_oldest(now_ms, age_ms());
    size_t bytes = 0;
    size_t step = 1;
    while (step > 0 && bytes < bytes_max) {
        step = purge_oldest(now_ms, 0);
        bytes += step;
    }
    return bytes;
}

static void bigcache_stats(struct hak_stats *out) {
    hak_lock_take(&hak_bigcache.lock);
    out->large_live_count += hak_big_table_count() - hak_bigcache.kept_count;
    out->large_live_bytes += hak_big_table_bytes() - hak_kept_bytes();
    out->mapped_bytes += hak_big_table_bytes();
    out->large_kept_bytes += hak_kept_bytes();
    out->large_kept_count += hak_bigcache.kept_count;
    hak_lock_give(&hak_bigcache.lock);
}

/* Values are read under the lock, and visited without it. */
static void bigcache_counters(hak_counter_fn *visit, void *arg) {
    hak_lock_take(&hak_bigcache.lock);
    const struct hak_counter counters[] = {
        {"bigcache", "kept_bytes", "bytes", "mappings freed and kept for reuse", hak_kept_bytes()},
        {"bigcache", "kept_mappings", "mappings", "their number", hak_bigcache.kept_count},
        {"bigcache", "buckets", "buckets", "of the table of kept mappings",
         hak_bigcache.bucket_count},
        {"bigcache", "hits", "requests", "served by a kept mapping of their size",
         hak_bigcache.hits},
        {"bigcache", "splits", "requests", "served by a part of a larger one", hak_bigcache.splits},
        {"bigcache", "gathers", "requests", "served by pages of smaller ones",
         hak_bigcache.gathers},
        {"bigcache", "misses", "requests", "served by a new mapping", hak_bigcache.misses},
        {"bigcache", "evictions", "mappings", "unmapped for age or for room",
         hak_bigcache.evictions},
    };
    hak_lock_give(&hak_bigcache.lock);
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        visit(arg, &counters[i]);
}

static const struct hak_switch bigcache_switches[] = {
    {.name = "HAKMEM_BIGCACHE", .unit = "on or off", .help = "whether freed mappings are kept"},
    {.name = "HAKMEM_BIGCACHE_BYTES",
     .unit = "bytes",
     .help = "budget of kept mappings",
     .kind = HAK_SWITCH_NUMBER,
     .max = SIZE_MAX},
    {.name = "HAKMEM_BIGCACHE_AGE_MS",
     .unit = "ms",
     .help = "age limit of a kept mapping",
     .kind = HAK_SWITCH_NUMBER,
     .max = HAK_AGE_MS_MAX},
    {.name = "HAKMEM_BIGCACHE_SITE",
     .unit = "on or off",
     .help = "whether a kept mapping prefers its call site"},
    {.name = NULL},
};

static bool bigcache_check(hak_report_fn report, void *arg) {
    hak_lock_take(&hak_bigcache.lock);
    bool holds = hak_kept_check(report, arg);
    if (!hak_big_table_check(report, arg)) holds = false;
    hak_lock_give(&hak_bigcache.lock);
    return holds;
}

/* What is on the list of kept mappings is marked again below. */
static void unmark(struct hak_span *span) {
    if (hak_big_of(span)->is_kept) hak_big_of(span)->is_kept = false;
}

static void bigcache_after_fork(bool in_disorder) HAK_UNCHECKED {
    hak_lock_reset(&hak_bigcache.lock);
    if (!in_disorder) return;
    hak_big_table_after_fork(unmark);
    hak_bigcache.buckets =
        hak_kept_first_buckets; /* another array may be half filled: it is given up */
    hak_bigcache.bucket_count = HAK_BIGCACHE_BUCKETS_MIN;
    for (size_t i = 0; i < hak_bigcache.bucket_count; i++)
        hak_kept_first_buckets[i] = NULL;
    hak_bigcache.oldest = NULL;
    hak_bigcache.kept_count = 0;
    hak_kept_set_bytes(0);
    for (struct hak_big_span *kept = hak_bigcache.newest; kept != NULL; kept = kept->older) {
        kept->newer = hak_bigcache.oldest;
        kept->is_kept = true;
        hak_bigcache.oldest = kept;
        hak_bigcache.kept_count++;
        hak_kept_set_bytes(hak_kept_bytes() + kept->span.bytes);
        kept->is_hashed = false;
        if (kept != hak_bigcache.newest) hak_kept_enter_bucket(kept);
    }
}

const struct hak_tier_ops hak_big_bigcache = {
    .name = "bigcache",
    .owner = HAK_OWNER_BIG,
    .size_max = PTRDIFF_MAX,
    .init = bigcache_init,
    .alloc = bigcache_alloc,
    .free = bigcache_free,
    .resize = bigcache_resize,
    .find = bigcache_find,
    .free_at = bigcache_free_at,
    .find_around = bigcache_find_around,
    .purge = bigcache_purge,
    .stats = bigcache_stats,
    .check = bigcache_check,
    .after_fork = bigcache_after_fork,
    .counters = bigcache_counters,
    .switches = bigcache_switches,
};
