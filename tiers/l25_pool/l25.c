/* SPDX-License-Identifier: MIT */
/*
 * l25.c: blocks of whole spans, up to 1 MiB, kept for reuse in shards.
 *
 * A freed span goes to the shard of the freeing thread, on the list of its number of slabs, and to
 * the span source when the shard holds its share of the budget already. Any thread may free and
 * allocate any of them. How the number of shards follows contention is in README.md; a thread finds
 * its shard by a hash of its own address, so that no shard keeps a record of threads.
 *
 * Lists are last in, first out, so each is sorted by age and what is old is its tail. Each list
 * changes by one store; the sums beside it are made anew in the child of a fork.
 */
#include "src/base/tunables.h"
#include "src/contract/purge.h"
#include "src/contract/slots.h"
#include "src/os/lock.h"
#include "src/os/os.h"

struct l25_span {
    struct hak_span span;
    struct l25_span *next; /* on a shard's list: under its lock */
    uint64_t freed_ms;
};
_Static_assert(sizeof(struct l25_span) <= HAK_SPAN_LATE_OFFSET, "late senders write behind it");

struct shard {
    HAK_ALIGNED(HAK_LINE_BYTES) struct hak_lock lock;
    /* Under the lock. */
    uint32_t visits, waits;        /* of the current window */
    size_t kept_bytes, kept_count; /* on the lists */
    int64_t live_bytes; /* allocated less freed through this shard: only the sum has a meaning */
    int64_t live_count;
    uint64_t hits, misses;
    struct l25_span *lists[HAK_SPAN_SLABS_MAX + 1]; /* by number of slabs */
};

static struct {
    struct shard shards[HAK_L25_SHARDS_MAX];
    _Atomic uint32_t mask;  /* shards in use, a power of two, less one */
    _Atomic uint32_t quiet; /* windows without a wait since the mask changed last */
    _Atomic uint32_t last;  /* no shard above it was ever used */
} l25;                      /* zeros, so that it takes no room in the file */

static uint32_t shard_mask(void) {
    return atomic_load_explicit(&l25.mask, memory_order_relaxed);
}

static uint32_t shard_count(void) {
    return shard_mask() + 1;
}

static struct shard *own_shard(void) {
    uint64_t self = (uint64_t)(uintptr_t)__builtin_thread_pointer();
    uint64_t mixed = (self >> HAK_LINE_SHIFT) * HAK_HASH_MULTIPLIER;
    return &l25.shards[mixed >> (64 - HAK_L25_SHARDS_SHIFT) & shard_mask()];
}

static size_t slabs_of(size_t bytes) {
    return (bytes + HAK_SLAB_BYTES - 1) >> HAK_SLAB_SHIFT;
}

/* Twice as many shards, or half; the one who wins the exchange has done it. */
static void set_count(uint32_t from, uint32_t to) {
    if (to < 1 || to > HAK_L25_SHARDS_MAX) return;
    hak_assert((to & (to - 1)) == 0);
    uint32_t mask = from - 1;
    if (!atomic_compare_exchange_strong(&l25.mask, &mask, to - 1)) return;
    atomic_store_explicit(&l25.quiet, 0, memory_order_relaxed);
    uint32_t last = atomic_load_explicit(&l25.last, memory_order_relaxed);
    while (to - 1 > last && !atomic_compare_exchange_weak(&l25.last, &last, to - 1)) {
    }
}

/* At the end of a window of visits: split where many had to wait, merge after long quiet. */
static void end_window(struct shard *shard) HAK_REQUIRES(shard->lock) {
    uint32_t count = shard_count();
    if (shard->waits > HAK_L25_WINDOW / HAK_L25_SPLIT) {
        set_count(count, count * 2);
    } else if (shard->waits > 0) {
        atomic_store_explicit(&l25.quiet, 0, memory_order_relaxed);
    } else if (count > 1 && atomic_fetch_add_explicit(&l25.quiet, 1, memory_order_relaxed) >=
                                HAK_L25_MERGE_WINDOWS) {
        set_count(count, count / 2);
    }
    shard->visits = 0;
    shard->waits = 0;
}

static void enter(struct shard *shard) HAK_ACQUIRES(shard->lock) {
    bool waited = hak_lock_is_held(&shard->lock);
    hak_lock_take(&shard->lock);
    shard->waits += waited;
    if (++shard->visits >= HAK_L25_WINDOW) end_window(shard);
}

static void count_kept(struct shard *shard, size_t bytes, bool is_more) HAK_REQUIRES(shard->lock) {
    hak_lock_assert_held(&shard->lock);
    hak_assert(is_more || shard->kept_count > 0);
    hak_assert(is_more || shard->kept_bytes >= bytes);
    shard->kept_bytes += is_more ? bytes : -bytes;
    shard->kept_count += is_more ? 1 : (size_t)-1;
    atomic_fetch_add_explicit(&hak_idle.l25, is_more ? bytes : -bytes, memory_order_relaxed);
}

static void count_live(struct shard *shard, int count, size_t bytes) HAK_REQUIRES(shard->lock) {
    hak_lock_assert_held(&shard->lock);
    shard->live_count += count;
    shard->live_bytes += count * (int64_t)bytes;
}

static size_t count_lists(const struct shard *shard, hak_report_fn report, void *arg, bool *holds,
                          size_t *count);

/* With guards=audit: what a shard keeps, recounted. */
static void audit_kept(const struct shard *shard) HAK_REQUIRES(shard->lock) {
    bool holds = true;
    size_t count = 0;
    if (HAK_GUARDS < 2) return;
    hak_assert(count_lists(shard, hak_report_panic, HAK_HERE, &holds, &count) == shard->kept_bytes);
    hak_assert(count == shard->kept_count);
}

static int l25_init(void) {
    for (uint32_t i = 0; i < HAK_L25_SHARDS_MAX; i++)
        hak_lock_init(&l25.shards[i].lock, HAK_RANK_TIER);
    return 0;
}

/* A kept span of `slabs`; NULL when there is none. */
static struct l25_span *pop(struct shard *shard, size_t slabs) HAK_REQUIRES(shard->lock) {
    struct l25_span *kept = shard->lists[slabs];
    hak_lock_assert_held(&shard->lock);
    hak_assert(slabs <= HAK_SPAN_SLABS_MAX);
    if (kept == NULL) return NULL;
    hak_assert(kept->span.owner == HAK_OWNER_L25);
    hak_assert(kept->span.bytes == slabs << HAK_SLAB_SHIFT);
    hak_assert(atomic_load(&kept->span.is_free) == 1);
    hak_assert(kept->next != kept);
    shard->lists[slabs] = kept->next;
    count_kept(shard, kept->span.bytes, false);
    return kept;
}

static void *l25_alloc(size_t size, size_t align, bool *zeroed) {
    size_t slabs = slabs_of(size);
    hak_assert(size > 0 && size <= HAK_BINNED_MAX);
    struct shard *shard = own_shard();
    enter(shard);
    struct l25_span *found = align <= HAK_SLAB_BYTES ? pop(shard, slabs) : NULL;
    size_t bytes = found != NULL ? found->span.bytes : slabs << HAK_SLAB_SHIFT;
    shard->hits += found != NULL;
    shard->misses += found == NULL;
    count_live(shard, 1, bytes);
    hak_lock_give(&shard->lock);
    if (found == NULL) {
        found = (struct l25_span *)(void *)hak_spans_acquire(bytes, align, HAK_OWNER_L25);
        if (found == NULL) {
            hak_lock_take(&shard->lock);
            count_live(shard, -1, bytes);
            hak_lock_give(&shard->lock);
            return NULL;
        }
    } else {
        found->span.zeroed = false;
    }
    hak_assert(found->span.bytes >= size);
    hak_assert(((uintptr_t)found->span.base & (align - 1)) == 0);
    hak_assert(hak_tagmap_tag(found->span.base) == 0);
    atomic_store_explicit(&found->span.is_free, 0, memory_order_relaxed);
    *zeroed = found->span.zeroed;
    return found->span.base;
}

static bool l25_free(void *block, struct hak_span *span) {
    struct l25_span *freed = (struct l25_span *)(void *)span;
    if (span->base != block) return false; /* freed and gone: the header is another span's */
    if (atomic_exchange_explicit(&span->is_free, 1, memory_order_relaxed) != 0) return false;
    size_t bytes = span->bytes;
    hak_assert(span->owner == HAK_OWNER_L25);
    hak_assert(hak_tagmap_span(block) == span);
    hak_tagmap_tag_first(span, 0);
    freed->freed_ms = hak_os_now_ms();
    struct shard *shard = own_shard();
    enter(shard);
    count_live(shard, -1, bytes);
    bool has_room = shard->kept_bytes + bytes <= HAK_L25_KEEP_BYTES / shard_count() &&
                    hak_idle_of(&hak_idle.l25) + bytes <= HAK_L25_KEEP_BYTES;
    if (has_room) {
        struct l25_span **list = &shard->lists[bytes >> HAK_SLAB_SHIFT];
        hak_assert(*list != freed);
        freed->next = *list;
        atomic_signal_fence(memory_order_release);
        *list = freed;
        count_kept(shard, bytes, true);
        audit_kept(shard);
    }
    hak_lock_give(&shard->lock);
    if (!has_room) hak_spans_release(span);
    return true;
}

/* Where the span lies: over the free slabs behind it, or giving its last ones back. */
static void *l25_resize(void *block, size_t new_size, struct hak_span *span) {
    size_t bytes = slabs_of(new_size) << HAK_SLAB_SHIFT;
    size_t old_bytes = span->bytes;
    hak_assert(new_size > 0);
    if (bytes == old_bytes) return block;
    if (new_size <= hak_bins_size_max() || new_size > HAK_BINNED_MAX) return NULL;
    hak_tagmap_tag_first(span, 0); /* its bin's class may no longer be the span's */
    if (!hak_spans_resize(span, bytes)) return NULL;
    struct shard *shard = own_shard();
    enter(shard);
    shard->live_bytes += (int64_t)bytes - (int64_t)old_bytes;
    hak_lock_give(&shard->lock);
    return block;
}

/* Takes one span that is due out of a shard, the oldest of a list; NULL when there is none. */
static struct l25_span *take_due(struct shard *shard, uint64_t now_ms, uint64_t age_ms) {
    struct l25_span *due = NULL;
    hak_lock_take(&shard->lock);
    for (size_t slabs = 0; slabs <= HAK_SPAN_SLABS_MAX && due == NULL; slabs++) {
        struct l25_span **link = &shard->lists[slabs];
        while (*link != NULL && (*link)->next != NULL)
            link = &(*link)->next;
        if (*link == NULL || !hak_purge_is_due(now_ms, (*link)->freed_ms, age_ms)) continue;
        due = *link;
        hak_assert(due->next == NULL);
        hak_assert(atomic_load(&due->span.is_free) == 1);
        *link = NULL;
        count_kept(shard, due->span.bytes, false);
        audit_kept(shard);
    }
    hak_lock_give(&shard->lock);
    return due;
}

/* The next span that is due in any shard goes to the span source; its bytes, or 0. */
static size_t release_due(uint64_t now_ms, uint64_t age_ms) {
    uint32_t last = atomic_load_explicit(&l25.last, memory_order_relaxed);
    for (uint32_t i = 0; i <= last; i++) {
        struct l25_span *due = take_due(&l25.shards[i], now_ms, age_ms);
        if (due == NULL) continue;
        size_t bytes = due->span.bytes;
        hak_spans_release(&due->span);
        return bytes;
    }
    return 0;
}

/* A step is all that is due, up to `bytes_max`, so that the span source has it in long runs. The
 * span source may keep it, to give its pages back in its own time: then nothing was given back
 * here. One that gives a span back at once has made the step's system call. */
static size_t l25_purge(enum hak_purge how, size_t bytes_max) {
    if (hak_idle_of(&hak_idle.l25) == 0) return 0;
    uint64_t now_ms = hak_os_now_ms();
    uint64_t age_ms = how == HAK_PURGE_SOME ? hak_purge_policy.age_ms : 0;
    size_t idle = hak_spans_idle();
    size_t released = 0;
    size_t given = 0;
    size_t bytes = 1;
    while (bytes > 0 && released < bytes_max && (how == HAK_PURGE_ALL || given == 0)) {
        bytes = release_due(now_ms, age_ms);
        released += bytes;
        size_t more_idle = hak_spans_idle() - idle;
        given = more_idle < released ? released - more_idle : 0;
    }
    return given;
}

/* Sums over the shards. A span that moves from one shard's count to another's meanwhile may count
 * as -1. */
struct l25_sums {
    int64_t live_count, live_bytes;
    uint64_t kept_count, kept_bytes, hits, misses;
};

static struct l25_sums sum_shards(void) {
    struct l25_sums sums = {0};
    for (uint32_t i = 0; i < HAK_L25_SHARDS_MAX; i++) {
        struct shard *shard = &l25.shards[i];
        hak_lock_take(&shard->lock);
        sums.live_count += shard->live_count;
        sums.live_bytes += shard->live_bytes;
        sums.kept_bytes += shard->kept_bytes;
        sums.kept_count += shard->kept_count;
        sums.hits += shard->hits;
        sums.misses += shard->misses;
        hak_lock_give(&shard->lock);
    }
    return sums;
}

static void l25_stats(struct hak_stats *out) {
    struct l25_sums sums = sum_shards();
    out->large_kept_bytes += sums.kept_bytes;
    out->large_kept_count += sums.kept_count;
    out->large_live_count += sums.live_count > 0 ? (uint64_t)sums.live_count : 0;
    out->large_live_bytes += sums.live_bytes > 0 ? (uint64_t)sums.live_bytes : 0;
}

static void l25_counters(hak_counter_fn *visit, void *arg) {
    struct l25_sums sums = sum_shards();
    const struct hak_counter counters[] = {
        {"l25", "kept_bytes", "bytes", "spans freed and kept for reuse", sums.kept_bytes},
        {"l25", "kept_spans", "spans", "their number", sums.kept_count},
        {"l25", "hits", "requests", "served by a kept span", sums.hits},
        {"l25", "misses", "requests", "served by the span source", sums.misses},
        {"l25", "shards", "shards", "over which kept spans are spread", shard_count()},
    };
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        visit(arg, &counters[i]);
}

/* The bytes of the kept spans, and their number. */
static size_t count_lists(const struct shard *shard, hak_report_fn report, void *arg, bool *holds,
                          size_t *count) {
    size_t bytes = 0;
    *count = 0;
    for (size_t slabs = 0; slabs <= HAK_SPAN_SLABS_MAX; slabs++) {
        for (const struct l25_span *kept = shard->lists[slabs]; kept != NULL; kept = kept->next) {
            bytes += kept->span.bytes;
            ++*count;
            if (report == NULL) continue;
            if (kept->span.bytes == slabs << HAK_SLAB_SHIFT && kept->span.is_free == 1 &&
                kept->span.owner == HAK_OWNER_L25 &&
                hak_tagmap_span(kept->span.base) == &kept->span) {
                continue;
            }
            report(arg, "l25: a kept span is free and on the list of its size", kept, slabs,
                   kept->span.bytes >> HAK_SLAB_SHIFT);
            *holds = false;
        }
    }
    return bytes;
}

static bool l25_check(hak_report_fn report, void *arg) {
    bool holds = true;
    size_t sum = 0;
    for (uint32_t i = 0; i < HAK_L25_SHARDS_MAX; i++) {
        struct shard *shard = &l25.shards[i];
        hak_lock_take(&shard->lock);
        size_t count;
        size_t bytes = count_lists(shard, report, arg, &holds, &count);
        sum += bytes;
        if (bytes != shard->kept_bytes) {
            report(arg, "l25: bytes on a shard's lists", shard, shard->kept_bytes, bytes);
            holds = false;
        }
        if (count != shard->kept_count) {
            report(arg, "l25: spans on a shard's lists", shard, shard->kept_count, count);
            holds = false;
        }
        hak_lock_give(&shard->lock);
    }
    size_t kept = atomic_load_explicit(&hak_idle.l25, memory_order_relaxed);
    if (sum != kept) {
        report(arg, "l25: bytes of all shards", &l25, kept, sum);
        holds = false;
    }
    return holds;
}

static void l25_after_fork(bool in_disorder) {
    for (uint32_t i = 0; i < HAK_L25_SHARDS_MAX; i++)
        hak_lock_reset(&l25.shards[i].lock);
    if (!in_disorder) return;
    size_t sum = 0;
    for (uint32_t i = 0; i < HAK_L25_SHARDS_MAX; i++) {
        struct shard *shard = &l25.shards[i];
        shard->kept_bytes = count_lists(shard, NULL, NULL, NULL, &shard->kept_count);
        sum += shard->kept_bytes;
    }
    atomic_store_explicit(&hak_idle.l25, sum, memory_order_relaxed);
}

const struct hak_tier_ops hak_l25_l25 = {
    .name = "l25",
    .owner = HAK_OWNER_L25,
    .size_max = HAK_BINNED_MAX,
    .init = l25_init,
    .alloc = l25_alloc,
    .free = l25_free,
    .resize = l25_resize,
    .purge = l25_purge,
    .stats = l25_stats,
    .check = l25_check,
    .after_fork = l25_after_fork,
    .counters = l25_counters,
};
