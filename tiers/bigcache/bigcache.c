/* SPDX-License-Identifier: MIT */
/*
 * bigcache.c: big blocks, one mapping each, and freed mappings kept for the next request.
 *
 * A kept mapping is on two lists: by age, and in a bucket of a hash table (FNV-1a, chained) whose
 * key is its size class, eight to a doubling, and perhaps the call site. The newest may be in no
 * bucket yet: often it is the very next to be used. A request takes a kept mapping at most an
 * eighth larger. Else it takes the pages of some that do not fit: the front part of the smallest
 * that is large enough, after neighbours were joined, or those of several, moved together; so
 * resident pages serve the next request whatever its size. What is kept is bounded in bytes and
 * age.
 *
 * Live and kept mappings are in the table of table.h. One lock over all; blocks are mapped, moved
 * and unmapped without it, and only the bucket array and span headers may want the kernel under it.
 * Fork: the truth is the list `newest` -> `older`, which changes by single stores; the child makes
 * everything else anew from it.
 */
#include "src/base/bits.h"
#include "src/base/tunables.h"
#include "src/contract/purge.h"
#include "src/contract/tier.h"
#include "src/os/env.h"
#include "src/os/lock.h"
#include "src/os/os.h"
#include "tiers/bigcache/table.h"

/* Under the lock, but for the span's constants. */
struct big_span {
    struct hak_span span;
    struct big_span *older, *newer; /* kept mappings by age */
    struct big_span *next;          /* in its bucket */
    uint64_t freed_ms; /* 0: since the last look at the clock, which a pair of calls does without */
    char of_late_senders[HAK_SPAN_LATE_BYTES];
    const void *site; /* that it was last allocated from */
    uint32_t hash;
    uint16_t seams; /* the kernel's mappings in it, less one, at most */
    bool is_kept;
    bool is_hashed;  /* in its bucket: every kept mapping but perhaps the newest */
    bool is_growing; /* realloc has made it larger before, and may again */
};
_Static_assert(sizeof(struct big_span) <= HAK_SPAN_META_BYTES, "a span is its own list node");
_Static_assert(offsetof(struct big_span, of_late_senders) == HAK_SPAN_LATE_OFFSET,
               "a late sender of the slab that this header was before writes nothing of ours");

/* The bucket array before it first grows. */
static struct big_span *first_buckets[HAK_BIGCACHE_BUCKETS_MIN];

struct bigcache {
    struct hak_lock lock;
    /* Constant after init. */
    size_t bytes_max; /* 0: nothing is kept */
    uint64_t age_ms;
    bool by_site;
    /* Under the lock. */
    bool moves_many; /* ranges of several of the kernel's mappings are moved */
    struct big_span **buckets;
    size_t bucket_count; /* a power of two */
    struct big_span *newest, *oldest;
    size_t kept_count;
    uint64_t hits, splits, gathers, misses, evictions;
    unsigned failed_gathers; /* whose place was left: only so many */
};
HAK_GUARDED_STATIC(struct bigcache, big) = {.lock = HAK_LOCK_INIT(HAK_RANK_TIER)};

static struct big_span *big_of(struct hak_span *span) {
    return (struct big_span *)(void *)span;
}

/* ---- size classes and hash ---- */

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

static uint32_t hash_of(uint32_t class, const void *site) HAK_REQUIRES(big.lock) {
    uint32_t hash = fnv1a(2166136261u, class, sizeof(uint16_t));
    return big.by_site ? fnv1a(hash, (uintptr_t)site, sizeof site) : hash;
}

static struct big_span **bucket_of(uint32_t hash) HAK_REQUIRES(big.lock) {
    hak_assert(hak_is_pow2(big.bucket_count));
    return &big.buckets[hash & (big.bucket_count - 1)];
}

static void enter_bucket(struct big_span *kept) HAK_REQUIRES(big.lock) {
    kept->hash = hash_of(class_of(kept->span.bytes), kept->site);
    struct big_span **bucket = bucket_of(kept->hash);
    hak_assert(kept->is_kept);
    hak_assert(*bucket != kept);
    kept->next = *bucket;
    kept->is_hashed = true;
    *bucket = kept;
}

static void leave_bucket(struct big_span *kept) HAK_REQUIRES(big.lock) {
    struct big_span **link = bucket_of(kept->hash);
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
static void fit_buckets(void) HAK_REQUIRES(big.lock) {
    size_t count = big.bucket_count;
    hak_lock_assert_held(&big.lock);
    if (big.kept_count > count && count < HAK_BIGCACHE_BUCKETS_MAX) {
        count *= 2;
    } else if (big.kept_count < count / 8 && count > HAK_BIGCACHE_BUCKETS_MIN) {
        count /= 2;
    } else {
        return;
    }
    struct big_span **buckets =
        count == HAK_BIGCACHE_BUCKETS_MIN ? first_buckets : hak_os_map(count * sizeof *buckets);
    if (buckets == NULL) return; /* longer chains will do */
    struct big_span **old = big.buckets;
    size_t old_bytes = big.bucket_count * sizeof *old;
    for (size_t i = 0; i < count; i++)
        buckets[i] = NULL;
    big.buckets = buckets;
    big.bucket_count = count;
    for (struct big_span *kept = big.newest; kept != NULL; kept = kept->older) {
        if (kept->is_hashed) enter_bucket(kept);
    }
    if (old != first_buckets) hak_os_unmap(old, old_bytes);
}

/* ---- kept mappings ---- */

static size_t kept_bytes(void) {
    return hak_idle_of(&hak_idle.big);
}

static void set_kept_bytes(size_t bytes) {
    hak_idle_set(&hak_idle.big, bytes);
}

/* `kept` comes before `older` in the list; both may be at its ends. */
HAK_INLINE void keep_before(struct big_span *kept, struct big_span *older) HAK_REQUIRES(big.lock) {
    struct big_span *newer = older != NULL ? older->newer : big.oldest;
    hak_lock_assert_held(&big.lock);
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
        big.newest = kept;
    }
    if (older != NULL) {
        older->newer = kept;
    } else {
        big.oldest = kept;
    }
    big.kept_count++;
    size_t missing = hak_fault(HAK_FAULT_BIGCACHE_BYTES) ? hak_os_page_bytes() : 0;
    set_kept_bytes(kept_bytes() + kept->span.bytes - missing);
}

/* A second one is kept: the one that was the newest can be found by its size now. */
static void hash_second(struct big_span *second) HAK_REQUIRES(big.lock) {
    if (second->freed_ms == 0) second->freed_ms = hak_os_now_ms();
    enter_bucket(second);
    fit_buckets();
}

HAK_INLINE void keep_newest(struct big_span *kept) HAK_REQUIRES(big.lock) {
    struct big_span *second = big.newest;
    kept->freed_ms = 0;
    keep_before(kept, second);
    if (second != NULL && !second->is_hashed) hash_second(second);
}

HAK_INLINE void unkeep(struct big_span *kept) HAK_REQUIRES(big.lock) {
    hak_lock_assert_held(&big.lock);
    hak_assert(kept->is_kept);
    hak_assert(big.kept_count > 0);
    hak_assert(kept_bytes() >= kept->span.bytes);
    hak_assert(kept->newer == NULL ? big.newest == kept : kept->newer->older == kept);
    hak_assert(kept->older == NULL ? big.oldest == kept : kept->older->newer == kept);
    if (kept->newer != NULL) {
        kept->newer->older = kept->older;
    } else {
        big.newest = kept->older;
    }
    if (kept->older != NULL) {
        kept->older->newer = kept->newer;
    } else {
        big.oldest = kept->newer;
    }
    atomic_signal_fence(memory_order_seq_cst); /* before the caller changes its length */
    kept->is_kept = false;
    big.kept_count--;
    set_kept_bytes(kept_bytes() - kept->span.bytes);
    if (hak_likely(!kept->is_hashed)) return;
    if (!hak_fault(HAK_FAULT_BIGCACHE_BUCKET)) leave_bucket(kept);
    hak_assert(!kept->is_hashed);
    fit_buckets();
}

/* At most an eighth larger, and aligned. */
static bool is_fit(const struct big_span *kept, size_t bytes, size_t align) {
    size_t over = kept->span.bytes - bytes; /* huge when it is smaller */
    return over <= bytes >> HAK_BIGCACHE_STEP_SHIFT &&
           ((uintptr_t)kept->span.base & (align - 1)) == 0;
}

/* A kept mapping that fits; NULL when there is none. There is at least one kept. */
static struct big_span *find_fit(size_t bytes, size_t align) HAK_REQUIRES(big.lock) {
    hak_assert(big.newest != NULL);
    if (is_fit(big.newest, bytes, align)) return big.newest;
    uint32_t class = class_of(bytes);
    for (uint32_t fit = class; fit <= class + 1; fit++) {
        struct big_span *kept = *bucket_of(hash_of(fit, hak_call_site));
        for (; kept != NULL; kept = kept->next) {
            if (is_fit(kept, bytes, align)) return kept;
        }
    }
    return NULL;
}

/* Kept mappings that lie side by side become one, as young as the youngest. Only when nothing fits:
 * before that the sizes that were freed are the ones most likely to be asked for again. */
static void join_neighbours(void) HAK_REQUIRES(big.lock) {
    unsigned tries = HAK_BIGCACHE_TRIES;
    for (struct big_span *kept = big.newest; kept != NULL && tries > 0;
         kept = kept->older, tries--) {
        struct hak_span *next = hak_big_table_find(kept->span.base + kept->span.bytes);
        if (next == NULL || !big_of(next)->is_kept) continue;
        struct big_span *older = kept->older == big_of(next) ? kept->older->older : kept->older;
        unkeep(kept);
        unkeep(big_of(next));
        hak_big_table_leave(&kept->span);
        hak_big_table_leave(next);
        kept->span.bytes += next->bytes;
        kept->seams = (uint16_t)(kept->seams + big_of(next)->seams + 1);
        hak_span_header_free(next);
        hak_big_table_enter(&kept->span);
        keep_before(kept, older);
        hash_second(kept);
        kept = big.newest; /* from the start: its other neighbour may stand before it */
    }
}

/* Whether its pages can be moved: not where the kernel has several mappings and moves only one. */
static bool is_movable(const struct big_span *kept) HAK_REQUIRES(big.lock) {
    return kept->seams == 0 || big.moves_many;
}

/* The smallest kept mapping that is large enough, else the largest; NULL when there is none. */
static struct big_span *find_best(size_t bytes, bool must_move) HAK_REQUIRES(big.lock) {
    struct big_span *best = NULL;
    unsigned tries = HAK_BIGCACHE_TRIES;
    for (struct big_span *kept = big.newest; kept != NULL && tries > 0;
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
static struct big_span *split(struct big_span *kept, size_t bytes) HAK_REQUIRES(big.lock) {
    struct big_span *rest = big_of(hak_span_header_alloc());
    if (rest == NULL) return NULL;
    struct big_span *older = kept->older;
    hak_assert(bytes > 0 && bytes < kept->span.bytes);
    unkeep(kept);
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
    keep_before(rest, older);
    hash_second(rest);
    return kept;
}

/* A kept mapping becomes a block of `bytes`, without what it has over if that is worth keeping. */
static void cut(struct big_span *kept, size_t bytes) HAK_REQUIRES(big.lock) {
    hak_assert(kept->span.bytes >= bytes);
    bool is_wide = kept->span.bytes - bytes >= HAK_BIGCACHE_SPLIT_BYTES;
    if (!is_wide || split(kept, bytes) == NULL) unkeep(kept);
}

/* The oldest kept mapping is out of everything, for the caller to unmap. */
static struct big_span *evict_oldest(void) HAK_REQUIRES(big.lock) {
    struct big_span *gone = big.oldest;
    hak_assert(gone != NULL);
    unkeep(gone);
    hak_big_table_leave(&gone->span);
    big.evictions++;
    return gone;
}

/* ---- blocks ---- */

static void unmap_span(struct big_span *gone) {
    char *base = gone->span.base;
    size_t bytes = gone->span.bytes;
    hak_assert(!gone->is_kept);
    hak_lock_assert_below(HAK_RANK_TIER); /* no system call under the lock */
    hak_span_header_free(&gone->span);
    hak_os_unmap(base, bytes);
}

static int bigcache_init(void) HAK_UNCHECKED {
    bool is_on = hak_env_number("HAKMEM_BIGCACHE", 1, 1) != 0;
    size_t share = hak_os_memory_bytes() / HAK_BIGCACHE_SHARE;
    if (share > HAK_BIGCACHE_BYTES) share = HAK_BIGCACHE_BYTES;
    big.bytes_max = hak_env_number("HAKMEM_BIGCACHE_BYTES", share, SIZE_MAX);
    if (!is_on) big.bytes_max = 0;
    big.age_ms = hak_env_number("HAKMEM_BIGCACHE_AGE_MS", HAK_BIGCACHE_AGE_MS, HAK_AGE_MS_MAX);
    big.by_site = hak_env_is_on("HAKMEM_BIGCACHE_SITE");
    big.moves_many = hak_os_moves_many();
    big.buckets = first_buckets;
    big.bucket_count = HAK_BIGCACHE_BUCKETS_MIN;
    return 0;
}

/* Takes up to PIECES kept mappings, the largest first, until they have `bytes`; what the last one
 * has over stays kept. Returns their number. */
static unsigned take_pieces(struct big_span *pieces[], size_t bytes) HAK_REQUIRES(big.lock) {
    unsigned count = 0;
    size_t sum = 0;
    while (sum < bytes && count < HAK_BIGCACHE_PIECES) {
        struct big_span *piece = find_best(SIZE_MAX, true);
        if (piece == NULL) break;
        bool is_whole = piece->span.bytes <= bytes - sum;
        if (is_whole || split(piece, bytes - sum) == NULL) unkeep(piece);
        hak_big_table_leave(&piece->span);
        if (sum + piece->span.bytes > bytes) { /* no header for a split: it stays whole */
            hak_big_table_enter(&piece->span);
            keep_newest(piece);
            break;
        }
        hak_assert(!piece->is_kept);
        sum += piece->span.bytes;
        pieces[count++] = piece;
    }
    return count;
}

/* Without the lock: the pieces' pages end up side by side at `base`; the headers of those that were
 * moved are given back, and the others stay in `pieces`. False when the kernel refuses one: whether
 * the place that it was to move to is still ours cannot be known, so that is left alone. */
static bool move_pieces(struct big_span *pieces[], unsigned count, struct big_span *made,
                        bool is_several) {
    char *to = made->span.base;
    hak_lock_assert_below(HAK_RANK_TIER);
    char *end = to + made->span.bytes;
    for (unsigned i = 0; i < count; i++) {
        struct hak_span *piece = &pieces[i]->span;
        size_t bytes = piece->bytes;
        if (!hak_os_move(piece->base, bytes, to, is_several)) {
            hak_os_unmap(made->span.base, (size_t)(to - made->span.base));
            hak_os_unmap(to + bytes, (size_t)(end - to) - bytes);
            return false;
        }
        made->seams = (uint16_t)(made->seams + pieces[i]->seams + 1);
        hak_span_header_free(piece);
        pieces[i] = NULL;
        to += bytes;
    }
    return true;
}

/* A mapping that is in no table yet; NULL when memory is out. */
static struct big_span *map_span(size_t bytes, size_t align) {
    struct big_span *made = big_of(hak_span_header_alloc());
    if (made == NULL) return NULL;
    char *base = hak_os_map_aligned(bytes, align);
    if (base == NULL) {
        hak_span_header_free(&made->span);
        return NULL;
    }
    made->span = (struct hak_span){.base = base, .bytes = bytes, .owner = HAK_OWNER_BIG};
    made->is_kept = false;
    made->seams = 0;
    return made;
}

static bool has_locked(struct big_span *const pieces[], unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (hak_os_is_locked(pieces[i]->span.base)) return true;
    }
    return false;
}

/* A block from the pages of several kept mappings, and new ones where they are not enough; gives
 * the lock. Moving a page costs a hundredth of faulting it in anew. */
static struct big_span *gather(size_t bytes) HAK_RELEASES(big.lock) {
    struct big_span *pieces[HAK_BIGCACHE_PIECES];
    unsigned count = take_pieces(pieces, bytes);
    /* Even one piece may be several mappings: a program may have advised on a part of a block. */
    bool is_several = big.moves_many;
    hak_lock_give(&big.lock);
    bool is_locked = is_several && has_locked(pieces, count);
    struct big_span *made = is_locked ? NULL : map_span(bytes, HAK_ALIGN_BYTES);
    bool done = made != NULL && move_pieces(pieces, count, made, is_several);
    if (made != NULL && !done) hak_span_header_free(&made->span);
    hak_lock_take(&big.lock);
    if (is_locked) big.moves_many = false; /* the process locks its memory */
    big.gathers += done;
    big.failed_gathers += made != NULL && !done;
    if (done) hak_big_table_enter(&made->span);
    for (unsigned i = 0; i < count; i++) {
        if (pieces[i] == NULL) continue;
        hak_big_table_enter(&pieces[i]->span);
        keep_newest(pieces[i]);
    }
    hak_lock_give(&big.lock);
    return done ? made : NULL;
}

/* No kept mapping fits: a part of a larger one, else pages of smaller ones; gives the lock. */
static struct big_span *alloc_unfit(size_t bytes) HAK_RELEASES(big.lock) {
    hak_lock_assert_held(&big.lock);
    struct big_span *best = find_best(bytes, false);
    if (best != NULL && best->span.bytes < bytes) {
        join_neighbours();
        best = find_best(bytes, false);
    }
    size_t best_bytes = best == NULL ? 0 : best->span.bytes;
    size_t live_bytes = hak_big_table_bytes() - kept_bytes();
    bool has_spare = kept_bytes() > live_bytes / HAK_BIGCACHE_SLACK;
    if (best_bytes < bytes && has_spare && big.failed_gathers < HAK_BIGCACHE_FAILS)
        return gather(bytes);
    struct big_span *found = NULL;
    if (best_bytes == bytes) {
        unkeep(best);
        found = best;
    } else if (best_bytes > bytes) {
        found = split(best, bytes);
    }
    big.splits += found != NULL;
    hak_lock_give(&big.lock);
    return found;
}

/* A block of kept memory; NULL when there is none to be had. */
static struct big_span *alloc_kept(size_t bytes, size_t align) {
    if (kept_bytes() == 0) return NULL;
    hak_lock_take(&big.lock);
    struct big_span *found = big.newest == NULL ? NULL : find_fit(bytes, align);
    if (found == NULL && align <= hak_os_page_bytes()) return alloc_unfit(bytes);
    if (found != NULL) {
        big.hits++;
        cut(found, bytes);
    }
    hak_lock_give(&big.lock);
    return found;
}

static struct big_span *alloc_mapping(size_t bytes, size_t align) {
    struct big_span *made = map_span(bytes, align);
    if (made == NULL) return NULL;
    made->span.zeroed = true;
    hak_lock_take(&big.lock);
    big.misses++;
    hak_big_table_enter(&made->span);
    hak_lock_give(&big.lock);
    return made;
}

static void *bigcache_alloc(size_t size, size_t align, bool *zeroed) {
    size_t bytes = hak_round_up(size, hak_os_page_bytes());
    if (bytes < size || bytes > PTRDIFF_MAX) return NULL;
    struct big_span *found = alloc_kept(bytes, align);
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

static bool check_kept(hak_report_fn report, void *arg) HAK_REQUIRES(big.lock);

/* Keeps a freed block if the budget allows, perhaps in the place of the oldest one.
 * Returns the mapping that must go, or NULL. */
static struct big_span *keep(struct big_span *freed) HAK_REQUIRES(big.lock) {
    size_t bytes = freed->span.bytes;
    size_t sum = kept_bytes() + bytes;
    hak_lock_assert_held(&big.lock);
    hak_assert(!freed->is_kept);
    size_t most = big.bytes_max;
    struct big_span *gone = NULL;
    bool is_patchwork = freed->seams > HAK_BIGCACHE_SEAMS;
    if (hak_unlikely(sum > most || is_patchwork)) {
        bool is_enough =
            !is_patchwork && big.oldest != NULL && sum - big.oldest->span.bytes <= most;
        if (!is_enough) {
            hak_big_table_leave(&freed->span);
            big.evictions++;
            return freed;
        }
        gone = evict_oldest();
    }
    keep_newest(freed);
    hak_assert(kept_bytes() <= most);
    if (HAK_GUARDS >= 2) check_kept(hak_report_panic, HAK_HERE);
    return gone;
}

/* Releases the lock. */
static bool free_live(struct big_span *freed) HAK_RELEASES(big.lock) {
    struct big_span *gone = keep(freed);
    hak_lock_give(&big.lock);
    if (hak_unlikely(gone != NULL)) unmap_span(gone);
    return true;
}

static bool bigcache_free(void *block, struct hak_span *span) {
    struct big_span *freed = big_of(span);
    hak_assert(span != NULL);
    hak_lock_take(&big.lock);
    bool is_live = hak_big_table_find(block) == span && !freed->is_kept;
    if (is_live) return free_live(freed);
    hak_lock_give(&big.lock);
    return false;
}

static bool bigcache_free_at(void *block) {
    hak_lock_take(&big.lock);
    struct big_span *freed = big_of(hak_big_table_find(block));
    if (hak_likely(freed != NULL && !freed->is_kept)) return free_live(freed);
    hak_lock_give(&big.lock);
    return false;
}

/* A block that grows again and again gets room ahead, in address space only: an eighth. */
static size_t with_headroom(const struct big_span *block, size_t bytes) {
    if (!block->is_growing) return bytes;
    size_t more = hak_round_up(bytes + (bytes >> HAK_BIGCACHE_STEP_SHIFT), hak_os_page_bytes());
    return more <= PTRDIFF_MAX ? more : bytes;
}

/* The block grows over a kept mapping behind it, as the rest of a split is. */
static bool grow_over_neighbour(struct big_span *block, size_t bytes) HAK_REQUIRES(big.lock) {
    size_t missing = bytes - block->span.bytes;
    hak_lock_assert_held(&big.lock);
    hak_assert(bytes > block->span.bytes);
    struct big_span *next = big_of(hak_big_table_find(block->span.base + block->span.bytes));
    if (next == NULL || !next->is_kept || next->span.bytes < missing) return false;
    cut(next, missing);
    hak_big_table_leave(&next->span);
    hak_big_table_leave(&block->span);
    block->span.bytes += next->span.bytes;
    block->seams = (uint16_t)(block->seams + next->seams + 1);
    hak_big_table_enter(&block->span);
    hak_span_header_free(&next->span);
    return true;
}

/* Pages that realloc adds are new: then kept ones are too many, and the oldest goes. */
static struct big_span *surplus(void) HAK_REQUIRES(big.lock) {
    hak_lock_assert_held(&big.lock);
    size_t live_bytes = hak_big_table_bytes() - kept_bytes();
    if (big.oldest == NULL || kept_bytes() <= live_bytes / HAK_BIGCACHE_SLACK) return NULL;
    return evict_oldest();
}

static void *bigcache_resize(void *block, size_t new_size, struct hak_span *span) {
    struct big_span *resized = big_of(span);
    hak_assert(new_size > 0);
    size_t bytes = hak_round_up(new_size, hak_os_page_bytes());
    if (bytes < new_size || bytes > PTRDIFF_MAX) return NULL;
    size_t spare = span->bytes - bytes; /* huge when it grows */
    if (spare <= span->bytes >> HAK_BIGCACHE_STEP_SHIFT) return block;
    hak_lock_take(&big.lock);
    bool is_live = !resized->is_kept && hak_big_table_find(block) == span;
    bool is_done = is_live && bytes > span->bytes && grow_over_neighbour(resized, bytes);
    if (is_live && !is_done) hak_big_table_leave(span);
    hak_lock_give(&big.lock);
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
    struct big_span *gone = NULL;
    hak_lock_take(&big.lock);
    hak_big_table_enter(span);
    if (moved != NULL && resized->is_growing) gone = surplus();
    hak_lock_give(&big.lock);
    if (gone != NULL) unmap_span(gone);
    return moved;
}

static struct hak_span *bigcache_find(const void *block) {
    hak_lock_take(&big.lock);
    struct hak_span *span = hak_big_table_find(block);
    if (span != NULL && big_of(span)->is_kept) span = NULL;
    hak_lock_give(&big.lock);
    return span;
}

static struct hak_span *bigcache_find_around(const void *address) {
    hak_lock_take(&big.lock);
    struct hak_span *span = hak_big_table_find_around(address);
    hak_lock_give(&big.lock);
    return span;
}

/* Unmaps the oldest; returns its bytes, 0 when it is not old enough or there is none. The newest
 * may have no time yet: its age begins with the first look. */
static size_t purge_oldest(uint64_t now_ms, uint64_t age_ms) {
    hak_lock_take(&big.lock);
    struct big_span *gone = big.oldest;
    if (gone != NULL && big.newest->freed_ms == 0) big.newest->freed_ms = now_ms;
    if (gone != NULL && !hak_purge_is_due(now_ms, gone->freed_ms, age_ms)) gone = NULL;
    if (gone != NULL) evict_oldest();
    hak_lock_give(&big.lock);
    if (gone == NULL) return 0;
    size_t bytes = gone->span.bytes;
    unmap_span(gone);
    return bytes;
}

/* Constant, so that no lock is needed. */
static uint64_t age_ms(void) HAK_UNCHECKED {
    return big.age_ms;
}

static size_t bigcache_purge(enum hak_purge how, size_t bytes_max) {
    if (kept_bytes() == 0) return 0;
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
    hak_lock_take(&big.lock);
    out->large_live_count += hak_big_table_count() - big.kept_count;
    out->large_live_bytes += hak_big_table_bytes() - kept_bytes();
    out->mapped_bytes += hak_big_table_bytes();
    out->large_kept_bytes += kept_bytes();
    out->large_kept_count += big.kept_count;
    hak_lock_give(&big.lock);
}

/* Values are read under the lock, and visited without it. */
static void bigcache_counters(hak_counter_fn *visit, void *arg) {
    hak_lock_take(&big.lock);
    const struct hak_counter counters[] = {
        {"bigcache", "kept_bytes", "bytes", "mappings freed and kept for reuse", kept_bytes()},
        {"bigcache", "kept_mappings", "mappings", "their number", big.kept_count},
        {"bigcache", "buckets", "buckets", "of the table of kept mappings", big.bucket_count},
        {"bigcache", "hits", "requests", "served by a kept mapping of their size", big.hits},
        {"bigcache", "splits", "requests", "served by a part of a larger one", big.splits},
        {"bigcache", "gathers", "requests", "served by pages of smaller ones", big.gathers},
        {"bigcache", "misses", "requests", "served by a new mapping", big.misses},
        {"bigcache", "evictions", "mappings", "unmapped for age or for room", big.evictions},
    };
    hak_lock_give(&big.lock);
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        visit(arg, &counters[i]);
}

static const struct hak_switch bigcache_switches[] = {
    {"HAKMEM_BIGCACHE", "on or off", "whether freed mappings are kept"},
    {"HAKMEM_BIGCACHE_BYTES", "bytes", "budget of kept mappings"},
    {"HAKMEM_BIGCACHE_AGE_MS", "ms", "age limit of a kept mapping"},
    {"HAKMEM_BIGCACHE_SITE", "on or off", "whether a kept mapping prefers its call site"},
    {NULL, NULL, NULL},
};

static bool is_in_bucket(const struct big_span *kept) HAK_REQUIRES(big.lock) {
    if (!kept->is_hashed) return kept == big.newest;
    const struct big_span *in = *bucket_of(kept->hash);
    while (in != NULL && in != kept)
        in = in->next;
    return in == kept;
}

static bool check_kept(hak_report_fn report, void *arg) HAK_REQUIRES(big.lock) {
    hak_lock_assert_held(&big.lock);
    size_t count = 0;
    size_t bytes = 0;
    bool holds = true;
    for (struct big_span *kept = big.newest; kept != NULL; kept = kept->older) {
        count++;
        bytes += kept->span.bytes;
        struct big_span *newer = kept->older == NULL ? big.oldest : kept->older->newer;
        if (kept->is_kept && newer == kept && is_in_bucket(kept) &&
            hak_big_table_find(kept->span.base) == &kept->span) {
            continue;
        }
        report(arg, "bigcache: a kept mapping is on its lists and in the table", kept, 1, 0);
        holds = false;
    }
    if (count != big.kept_count || bytes != kept_bytes()) {
        report(arg, "bigcache: bytes kept", &big, kept_bytes(), bytes);
        holds = false;
    }
    return holds;
}

static bool bigcache_check(hak_report_fn report, void *arg) {
    hak_lock_take(&big.lock);
    bool holds = check_kept(report, arg);
    if (!hak_big_table_check(report, arg)) holds = false;
    hak_lock_give(&big.lock);
    return holds;
}

/* What is on the list of kept mappings is marked again below. */
static void unmark(struct hak_span *span) {
    if (big_of(span)->is_kept) big_of(span)->is_kept = false;
}

static void bigcache_after_fork(bool in_disorder) HAK_UNCHECKED {
    hak_lock_reset(&big.lock);
    if (!in_disorder) return;
    hak_big_table_after_fork(unmark);
    big.buckets = first_buckets; /* another array may be half filled: it is given up */
    big.bucket_count = HAK_BIGCACHE_BUCKETS_MIN;
    for (size_t i = 0; i < big.bucket_count; i++)
        first_buckets[i] = NULL;
    big.oldest = NULL;
    big.kept_count = 0;
    set_kept_bytes(0);
    for (struct big_span *kept = big.newest; kept != NULL; kept = kept->older) {
        kept->newer = big.oldest;
        kept->is_kept = true;
        big.oldest = kept;
        big.kept_count++;
        set_kept_bytes(kept_bytes() + kept->span.bytes);
        kept->is_hashed = false;
        if (kept != big.newest) enter_bucket(kept);
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
