/* SPDX-License-Identifier: MIT */
/*
 * gather.c: a block where no kept mapping fits: the front part of the smallest that is large
 * enough, after neighbours were joined, or the pages of several, moved together. So resident pages
 * serve the next request whatever its size.
 */
#include "tiers/bigcache/gather.h"

#include "src/base/bits.h"
#include "tiers/bigcache/table.h"

/* Takes up to PIECES kept mappings, the largest first, until they have `bytes`; what the last one
 * has over stays kept. Returns their number. */
static unsigned take_pieces(struct hak_big_span *pieces[], size_t bytes)
    HAK_REQUIRES(hak_bigcache.lock) {
    unsigned count = 0;
    size_t sum = 0;
    while (sum < bytes && count < HAK_BIGCACHE_PIECES) {
        struct hak_big_span *piece = hak_kept_find_best(SIZE_MAX, true);
        if (piece == NULL) break;
        bool is_whole = piece->span.bytes <= bytes - sum;
        if (is_whole || hak_kept_split(piece, bytes - sum) == NULL) hak_kept_remove(piece);
        hak_big_table_leave(&piece->span);
        if (sum + piece->span.bytes > bytes) { /* no header for a split: it stays whole */
            hak_big_table_enter(&piece->span);
            hak_kept_add_newest(piece);
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
static bool move_pieces(struct hak_big_span *pieces[], unsigned count, struct hak_big_span *made,
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
struct hak_big_span *hak_big_map(size_t bytes, size_t align) {
    struct hak_big_span *made = hak_big_of(hak_span_header_alloc());
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

static bool has_locked(struct hak_big_span *const pieces[], unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (hak_os_is_locked(pieces[i]->span.base)) return true;
    }
    return false;
}

/* A block from the pages of several kept mappings, and new ones where they are not enough; gives
 * the lock. Moving a page costs a hundredth of faulting it in anew. */
static struct hak_big_span *gather(size_t bytes) HAK_RELEASES(hak_bigcache.lock) {
    struct hak_big_span *pieces[HAK_BIGCACHE_PIECES];
    unsigned count = take_pieces(pieces, bytes);
    /* Even one piece may be several mappings: a program may have advised on a part of a block. */
    bool is_several = hak_bigcache.moves_many;
    hak_lock_give(&hak_bigcache.lock);
    bool is_locked = is_several && has_locked(pieces, count);
    struct hak_big_span *made = is_locked ? NULL : hak_big_map(bytes, HAK_ALIGN_BYTES);
    bool done = made != NULL && move_pieces(pieces, count, made, is_several);
    if (made != NULL && !done) hak_span_header_free(&made->span);
    hak_lock_take(&hak_bigcache.lock);
    if (is_locked) hak_bigcache.moves_many = false; /* the process locks its memory */
    hak_bigcache.gathers += done;
    hak_bigcache.failed_gathers += made != NULL && !done;
    if (done) hak_big_table_enter(&made->span);
    for (unsigned i = 0; i < count; i++) {
        if (pieces[i] == NULL) continue;
        hak_big_table_enter(&pieces[i]->span);
        hak_kept_add_newest(pieces[i]);
    }
    hak_lock_give(&hak_bigcache.lock);
    return done ? made : NULL;
}

/* No kept mapping fits: a part of a larger one, else pages of smaller ones; gives the lock. */
struct hak_big_span *hak_big_alloc_unfit(size_t bytes) HAK_RELEASES(hak_bigcache.lock) {
    hak_lock_assert_held(&hak_bigcache.lock);
    struct hak_big_span *best = hak_kept_find_best(bytes, false);
    if (best != NULL && best->span.bytes < bytes) {
        hak_kept_join_neighbours();
        best = hak_kept_find_best(bytes, false);
    }
    size_t best_bytes = best == NULL ? 0 : best->span.bytes;
    size_t live_bytes = hak_big_table_bytes() - hak_kept_bytes();
    bool has_spare = hak_kept_bytes() > live_bytes / HAK_BIGCACHE_SLACK;
    if (best_bytes < bytes && has_spare && hak_bigcache.failed_gathers < HAK_BIGCACHE_FAILS)
        return gather(bytes);
    struct hak_big_span *found = NULL;
    if (best_bytes == bytes) {
        hak_kept_remove(best);
        found = best;
    } else if (best_bytes > bytes) {
        found = hak_kept_split(best, bytes);
    }
    hak_bigcache.splits += found != NULL;
    hak_lock_give(&hak_bigcache.lock);
    return found;
}
