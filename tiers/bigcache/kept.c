/* SPDX-License-Identifier: MIT */
/*
 * kept.c: the buckets of kept mappings, and which of them serves a request.
 */
#include "tiers/bigcache/kept.h"

#include "src/base/bits.h"

struct hak_bigcache hak_bigcache = {.lock = HAK_LOCK_INIT(HAK_RANK_TIER)};

struct hak_big_span *hak_kept_first_buckets[HAK_BIGCACHE_BUCKETS_MIN];

/* Eight to a doubling: the class of a mapping, and of a request the lowest class that may fit. */
static uint32_t class_of(size_t bytes) {
    unsigned top = 63u - (unsigned)__builtin_clzll(bytes);
    return top << HAK_BIGCACHE_STEP_SHIFT | ((uint32_t)(bytes >> (top - HAK_BIGCACHE_STEP_SHIFT)) &
                                             ((1u << HAK_BIGCACHE_STEP_SHIFT) - 1));
}

/* Fowler, Noll and Vo, variant 1a, 32 bits. */
static uint32_t fnv1a(uint32_t hash, uint64_t key, unsigned bytes) {
    for (; bytes > 0; bytes--, key >>= 8)
        hash = (hash ^ (uint8_t)key) * 16777619u;
    return hash;
}

static uint32_t hash_of(uint32_t class, const void *site) HAK_REQUIRES(hak_bigcache.lock) {
    uint32_t hash = fnv1a(2166136261u, class, sizeof(uint16_t));
    return hak_bigcache.by_site ? fnv1a(hash, (uintptr_t)site, sizeof site) : hash;
}

static struct hak_big_span **bucket_of(uint32_t hash) HAK_REQUIRES(hak_bigcache.lock) {
    hak_assert(hak_is_pow2(hak_bigcache.bucket_count));
    return &hak_bigcache.buckets[hash & (hak_bigcache.bucket_count - 1)];
}

void hak_kept_enter_bucket(struct hak_big_span *kept) HAK_REQUIRES(hak_bigcache.lock) {
    kept->hash = hash_of(class_of(kept->span.bytes), kept->site);
    struct hak_big_span **bucket = bucket_of(kept->hash);
    hak_assert(kept->is_kept);
    hak_assert(*bucket != kept);
    kept->next = *bucket;
    kept->is_hashed = true;
    *bucket = kept;
}

void hak_kept_leave_bucket(struct hak_big_span *kept) HAK_REQUIRES(hak_bigcache.lock) {
    struct hak_big_span **link = bucket_of(kept->hash);
    hak_assert(kept->is_hashed);
    while (*link != kept) {
        hak_assert(*link != NULL); /* it is in its bucket */
        link = &(*link)->next;
    }
    *link = kept->next;
    kept->is_hashed = false;
}

/* As many buckets as kept mappings, about: twice as many above that, half of them below an eighth.
 */
void hak_kept_fit_buckets(void) HAK_REQUIRES(hak_bigcache.lock) {
    size_t count = hak_bigcache.bucket_count;
    hak_lock_assert_held(&hak_bigcache.lock);
    if (hak_bigcache.kept_count > count && count < HAK_BIGCACHE_BUCKETS_MAX) {
        count *= 2;
    } else if (hak_bigcache.kept_count < count / 8 && count > HAK_BIGCACHE_BUCKETS_MIN) {
        count /= 2;
    } else {
        return;
    }
    struct hak_big_span **buckets = count == HAK_BIGCACHE_BUCKETS_MIN
                                        ? hak_kept_first_buckets
                                        : hak_os_map(count * sizeof *buckets);
    if (buckets == NULL) return; /* longer chains will do */
    struct hak_big_span **old = hak_bigcache.buckets;
    size_t old_bytes = hak_bigcache.bucket_count * sizeof *old;
    for (size_t i = 0; i < count; i++)
        buckets[i] = NULL;
    hak_bigcache.buckets = buckets;
    hak_bigcache.bucket_count = count;
    for (struct hak_big_span *kept = hak_bigcache.newest; kept != NULL; kept = kept->older) {
        if (kept->is_hashed) hak_kept_enter_bucket(kept);
    }
    if (old != hak_kept_first_buckets) hak_os_unmap(old, old_bytes);
}

/* A second one is kept: the one that was the newest can be found by its size now. */
void hak_kept_hash_second(struct hak_big_span *second) HAK_REQUIRES(hak_bigcache.lock) {
    if (second->freed_ms == 0) second->freed_ms = hak_os_now_ms();
    hak_kept_enter_bucket(second);
    hak_kept_fit_buckets();
}

/* At most an eighth larger, and aligned. */
static bool is_fit(const struct hak_big_span *kept, size_t bytes, size_t align) {
    size_t over = kept->span.bytes - bytes; /* huge when it is smaller */
    return over <= bytes >> HAK_BIGCACHE_STEP_SHIFT &&
           ((uintptr_t)kept->span.base & (align - 1)) == 0;
}

/* A kept mapping that fits; NULL when there is none. There is at least one kept. */
struct hak_big_span *hak_kept_find_fit(size_t bytes, size_t align) HAK_REQUIRES(hak_bigcache.lock) {
    hak_assert(hak_bigcache.newest != NULL);
    if (is_fit(hak_bigcache.newest, bytes, align)) return hak_bigcache.newest;
    uint32_t class = class_of(bytes);
    for (uint32_t fit = class; fit <= class + 1; fit++) {
        struct hak_big_span *kept = *bucket_of(hash_of(fit, hak_call_site));
        for (; kept != NULL; kept = kept->next) {
            if (is_fit(kept, bytes, align)) return kept;
        }
    }
    return NULL;
}

/* Kept mappings that lie side by side become one, as young as the youngest. Only when nothing fits:
 * before that the sizes that were freed are the ones most likely to be asked for again. */
void hak_kept_join_neighbours(void) HAK_REQUIRES(hak_bigcache.lock) {
    unsigned tries = HAK_BIGCACHE_TRIES;
    for (struct hak_big_span *kept = hak_bigcache.newest; kept != NULL && tries > 0;
         kept = kept->older, tries--) {
        struct hak_span *next = hak_big_table_find(kept->span.base + kept->span.bytes);
        if (next == NULL || !hak_big_of(next)->is_kept) continue;
        struct hak_big_span *older =
            kept->older == hak_big_of(next) ? kept->older->older : kept->older;
        hak_kept_remove(kept);
        hak_kept_remove(hak_big_of(next));
        hak_big_table_leave(&kept->span);
        hak_big_table_leave(next);
        kept->span.bytes += next->bytes;
        kept->seams = (uint16_t)(kept->seams + hak_big_of(next)->seams + 1);
        hak_span_header_free(next);
        hak_big_table_enter(&kept->span);
        hak_kept_add_before(kept, older);
        hak_kept_hash_second(kept);
        kept = hak_bigcache.newest; /* from the start: its other neighbour may stand before it */
    }
}

/* Whether its pages can be moved: not where the kernel has several mappings and moves only one. */
static bool is_movable(const struct hak_big_span *kept) HAK_REQUIRES(hak_bigcache.lock) {
    return kept->seams == 0 || hak_bigcache.moves_many;
}

/* The smallest kept mapping that is large enough, else the largest; NULL when there is none. */
struct hak_big_span *hak_kept_find_best(size_t bytes, bool must_move)
    HAK_REQUIRES(hak_bigcache.lock) {
    struct hak_big_span *best = NULL;
    unsigned tries = HAK_BIGCACHE_TRIES;
    for (struct hak_big_span *kept = hak_bigcache.newest; kept != NULL && tries > 0;
         kept = kept->older, tries--) {
        if (must_move && !is_movable(kept)) continue;
        size_t best_bytes = best == NULL ? 0 : best->span.bytes;
        bool is_enough = kept->span.bytes >= bytes;
        bool is_larger = kept->span.bytes > best_bytes;
        if (best_bytes < bytes ? is_larger : is_enough && !is_larger) best = kept;
    }
    return best;
}

/* The front part of a kept mapping becomes a block, the rest stays kept, as old as it is; NULL when
 * metadata is out. */
struct hak_big_span *hak_kept_split(struct hak_big_span *kept, size_t bytes)
    HAK_REQUIRES(hak_bigcache.lock) {
    struct hak_big_span *rest = hak_big_of(hak_span_header_alloc());
    if (rest == NULL) return NULL;
    struct hak_big_span *older = kept->older;
    hak_assert(bytes > 0 && bytes < kept->span.bytes);
    hak_kept_remove(kept);
    hak_big_table_leave(&kept->span);
    rest->span = (struct hak_span){
        .base = kept->span.base + bytes, .bytes = kept->span.bytes - bytes, .owner = HAK_OWNER_BIG};
    rest->freed_ms = kept->freed_ms; /* of a newest one: 0, and hash_second looks at the clock */
    rest->site = kept->site;
    uint16_t seams = (uint16_t)(kept->seams * bytes / kept->span.bytes);
    rest->seams = (uint16_t)(kept->seams - seams);
    kept->seams = seams;
    kept->span.bytes = bytes;
    hak_big_table_enter(&kept->span);
    hak_big_table_enter(&rest->span);
    hak_kept_add_before(rest, older);
    hak_kept_hash_second(rest);
    return kept;
}

/* A kept mapping becomes a block of `bytes`, without what it has over if that is worth keeping. */
void hak_kept_cut(struct hak_big_span *kept, size_t bytes) HAK_REQUIRES(hak_bigcache.lock) {
    hak_assert(kept->span.bytes >= bytes);
    bool is_wide = kept->span.bytes - bytes >= HAK_BIGCACHE_SPLIT_BYTES;
    if (!is_wide || hak_kept_split(kept, bytes) == NULL) hak_kept_remove(kept);
}

/* The oldest kept mapping is out of everything, for the caller to unmap. */
struct hak_big_span *hak_kept_evict_oldest(void) HAK_REQUIRES(hak_bigcache.lock) {
    struct hak_big_span *gone = hak_bigcache.oldest;
    hak_assert(gone != NULL);
    hak_kept_remove(gone);
    hak_big_table_leave(&gone->span);
    hak_bigcache.evictions++;
    return gone;
}

static bool is_in_bucket(const struct hak_big_span *kept) HAK_REQUIRES(hak_bigcache.lock) {
    if (!kept->is_hashed) return kept == hak_bigcache.newest;
    const struct hak_big_span *in = *bucket_of(kept->hash);
    while (in != NULL && in != kept)
        in = in->next;
    return in == kept;
}

bool hak_kept_check(hak_report_fn report, void *arg) HAK_REQUIRES(hak_bigcache.lock) {
    hak_lock_assert_held(&hak_bigcache.lock);
    size_t count = 0;
    size_t bytes = 0;
    bool holds = true;
    for (struct hak_big_span *kept = hak_bigcache.newest; kept != NULL; kept = kept->older) {
        count++;
        bytes += kept->span.bytes;
        struct hak_big_span *newer = kept->older == NULL ? hak_bigcache.oldest : kept->older->newer;
        if (kept->is_kept && newer == kept && is_in_bucket(kept) &&
            hak_big_table_find(kept->span.base) == &kept->span) {
            continue;
        }
        report(arg, "bigcache: a kept mapping is on its lists and in the table", kept, 1, 0);
        holds = false;
    }
    if (count != hak_bigcache.kept_count || bytes != hak_kept_bytes()) {
        report(arg, "bigcache: bytes kept", &hak_bigcache, hak_kept_bytes(), bytes);
        holds = false;
    }
    return holds;
}
