/* SPDX-License-Identifier: MIT */
/*
 * kept.h: freed mappings kept for the next request, for the files of this folder only.
 *
 * A kept mapping is on two lists: by age, and in a bucket of a hash table (FNV-1a, chained) whose
 * key is its size class, eight to a doubling, and perhaps the call site. The newest may be in no
 * bucket yet: often it is the very next to be used. Fork: the truth is the list `newest` ->
 * `older`, which changes by single stores; the child makes everything else anew from it.
 */
#ifndef HAK_BIGCACHE_KEPT_H
#define HAK_BIGCACHE_KEPT_H

#include "src/base/tunables.h"
#include "src/contract/purge.h"
#include "src/contract/tier.h"
#include "src/os/lock.h"
#include "src/os/os.h"
#include "tiers/bigcache/table.h"

/* Under the lock, but for the span's constants. */
struct hak_big_span {
    struct hak_span span;
    struct hak_big_span *older, *newer; /* kept mappings by age */
    struct hak_big_span *next;          /* in its bucket */
    uint64_t freed_ms; /* 0: since the last look at the clock, which a pair of calls does without */
    char of_late_senders[HAK_SPAN_LATE_BYTES];
    const void *site; /* that it was last allocated from */
    uint32_t hash;
    uint16_t seams; /* the kernel's mappings in it, less one, at most */
    bool is_kept;
    bool is_hashed;  /* in its bucket: every kept mapping but perhaps the newest */
    bool is_growing; /* realloc has made it larger before, and may again */
};
_Static_assert(sizeof(struct hak_big_span) <= HAK_SPAN_META_BYTES, "a span is its own list node");
_Static_assert(offsetof(struct hak_big_span, of_late_senders) == HAK_SPAN_LATE_OFFSET,
               "a late sender of the slab that this header was before writes nothing of ours");

struct hak_bigcache {
    struct hak_lock lock;
    /* Constant after init. */
    size_t bytes_max; /* 0: nothing is kept */
    uint64_t age_ms;
    bool by_site;
    /* Under the lock. */
    bool moves_many; /* ranges of several of the kernel's mappings are moved */
    struct hak_big_span **buckets;
    size_t bucket_count; /* a power of two */
    struct hak_big_span *newest, *oldest;
    size_t kept_count;
    uint64_t hits, splits, gathers, misses, evictions;
    unsigned failed_gathers; /* whose place was left: only so many */
};
HAK_GUARDED_EXTERN(struct hak_bigcache, hak_bigcache);

HAK_INLINE struct hak_big_span *hak_big_of(struct hak_span *span) {
    return (struct hak_big_span *)(void *)span;
}

HAK_INLINE size_t hak_kept_bytes(void) {
    return hak_idle_of(&hak_idle.big);
}

HAK_INLINE void hak_kept_set_bytes(size_t bytes) {
    hak_idle_set(&hak_idle.big, bytes);
}

/* The bucket array before it first grows. */
extern struct hak_big_span *hak_kept_first_buckets[HAK_BIGCACHE_BUCKETS_MIN];

/* A kept mapping enters and leaves the bucket of its size; as many buckets as kept mappings. */
void hak_kept_enter_bucket(struct hak_big_span *kept) HAK_REQUIRES(hak_bigcache.lock);
void hak_kept_leave_bucket(struct hak_big_span *kept) HAK_REQUIRES(hak_bigcache.lock);
void hak_kept_fit_buckets(void) HAK_REQUIRES(hak_bigcache.lock);

/* A second one is kept: the one that was the newest can be found by its size now. */
void hak_kept_hash_second(struct hak_big_span *second) HAK_REQUIRES(hak_bigcache.lock);

/* `kept` comes before `older` in the list; both may be at its ends. */
HAK_INLINE void hak_kept_add_before(struct hak_big_span *kept, struct hak_big_span *older)
    HAK_REQUIRES(hak_bigcache.lock) {
    struct hak_big_span *newer = older != NULL ? older->newer : hak_bigcache.oldest;
    hak_lock_assert_held(&hak_bigcache.lock);
    hak_assert(!kept->is_kept);
    hak_assert(older == NULL || older->is_kept);
    hak_assert(hak_big_table_find(kept->span.base) == &kept->span);
    kept->is_kept = true;
    kept->is_hashed = false;
    kept->span.zeroed = false;
    kept->older = older;
    kept->newer = newer;
    atomic_signal_fence(memory_order_release);
    if (newer != NULL) {
        newer->older = kept;
    } else {
        hak_bigcache.newest = kept;
    }
    if (older != NULL) {
        older->newer = kept;
    } else {
        hak_bigcache.oldest = kept;
    }
    hak_bigcache.kept_count++;
    size_t missing = hak_fault(HAK_FAULT_BIGCACHE_BYTES) ? hak_os_page_bytes() : 0;
    hak_kept_set_bytes(hak_kept_bytes() + kept->span.bytes - missing);
}

HAK_INLINE void hak_kept_add_newest(struct hak_big_span *kept) HAK_REQUIRES(hak_bigcache.lock) {
    struct hak_big_span *second = hak_bigcache.newest;
    kept->freed_ms = 0;
    hak_kept_add_before(kept, second);
    if (second != NULL && !second->is_hashed) hak_kept_hash_second(second);
}

HAK_INLINE void hak_kept_remove(struct hak_big_span *kept) HAK_REQUIRES(hak_bigcache.lock) {
    hak_lock_assert_held(&hak_bigcache.lock);
    hak_assert(kept->is_kept);
    hak_assert(hak_bigcache.kept_count > 0);
    hak_assert(hak_kept_bytes() >= kept->span.bytes);
    hak_assert(kept->newer == NULL ? hak_bigcache.newest == kept : kept->newer->older == kept);
    hak_assert(kept->older == NULL ? hak_bigcache.oldest == kept : kept->older->newer == kept);
    if (kept->newer != NULL) {
        kept->newer->older = kept->older;
    } else {
        hak_bigcache.newest = kept->older;
    }
    if (kept->older != NULL) {
        kept->older->newer = kept->newer;
    } else {
        hak_bigcache.oldest = kept->newer;
    }
    atomic_signal_fence(memory_order_seq_cst); /* before the caller changes its length */
    kept->is_kept = false;
    hak_bigcache.kept_count--;
    hak_kept_set_bytes(hak_kept_bytes() - kept->span.bytes);
    if (hak_likely(!kept->is_hashed)) return;
    if (!hak_fault(HAK_FAULT_BIGCACHE_BUCKET)) hak_kept_leave_bucket(kept);
    hak_assert(!kept->is_hashed);
    hak_kept_fit_buckets();
}

/* A kept mapping that fits; NULL when there is none. There is at least one kept. */
struct hak_big_span *hak_kept_find_fit(size_t bytes, size_t align) HAK_REQUIRES(hak_bigcache.lock);

/* The smallest kept mapping that is large enough, else the largest; NULL when there is none. */
struct hak_big_span *hak_kept_find_best(size_t bytes, bool must_move)
    HAK_REQUIRES(hak_bigcache.lock);

/* Kept mappings that lie side by side become one. */
void hak_kept_join_neighbours(void) HAK_REQUIRES(hak_bigcache.lock);

/* The front part of a kept mapping becomes a block, the rest stays kept; NULL when metadata is out.
 */
struct hak_big_span *hak_kept_split(struct hak_big_span *kept, size_t bytes)
    HAK_REQUIRES(hak_bigcache.lock);

/* The same where the rest is worth keeping; else the whole of it becomes the block. */
void hak_kept_cut(struct hak_big_span *kept, size_t bytes) HAK_REQUIRES(hak_bigcache.lock);

/* The oldest kept mapping is out of everything, for the caller to unmap. */
struct hak_big_span *hak_kept_evict_oldest(void) HAK_REQUIRES(hak_bigcache.lock);

/* The audit of lists, buckets and sums. */
bool hak_kept_check(hak_report_fn report, void *arg) HAK_REQUIRES(hak_bigcache.lock);

#endif
