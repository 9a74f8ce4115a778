/* SPDX-License-Identifier: MIT */
/*
 * care.c: see care.h.
 *
 * A round gives back so many bytes at most and claims so many heaps, each of which costs a barrier;
 * what is left over makes the next round due at the next tick of the clock, which goes on where
 * this one ended. A heap with nothing to give, as two passes in a row have shown, is not claimed
 * again before its thread has used it or somebody has posted to it.
 */
#include "src/front/care.h"

#include "src/contract/purge.h"
#include "src/contract/slots.h"
#include "src/os/os.h"
#include "src/supply/room.h"
#include "src/supply/slabs.h"

/* When the last round of the others was, and where the next one begins, NULL: with the first cache.
 * Relaxed, like what a round has seen: who moves the time has the round to itself, unless it is
 * slow and the next one begins; what they do is ordered by claims. */
static _Atomic uint64_t round_ms;
static _Atomic(struct hak_tcache *) round_next;

static bool is_on(void) {
    return hak_purge_policy.age_ms <= HAK_WATCH_AGE_MS;
}

/* From one look at slabs to the next. */
static uint64_t gap_ms(void) {
    uint64_t age_ms = hak_purge_policy.age_ms;
    return age_ms > HAK_CARE_GAP_MS ? age_ms : HAK_CARE_GAP_MS;
}

static bool begin_round(uint64_t now_ms) {
    uint64_t before_ms = atomic_load_explicit(&round_ms, memory_order_relaxed);
    return is_on() && before_ms != now_ms && hak_purge_is_due(now_ms, before_ms, gap_ms()) &&
           atomic_compare_exchange_strong_explicit(&round_ms, &before_ms, now_ms,
                                                   memory_order_relaxed, memory_order_relaxed);
}

static void hurry_round(uint64_t now_ms) {
    atomic_store_explicit(&round_ms, now_ms - gap_ms(), memory_order_relaxed);
}

/* The heap is claimed: its emptied slabs are released without a step of its own. True when there
 * were any. */
static bool release_emptied(struct hak_heap *heap) {
    struct hak_slab *slab = hak_heap_pop_emptied(heap);
    bool has_any = slab != NULL;
    for (; slab != NULL; slab = hak_heap_pop_emptied(heap))
        hak_spans_release(&slab->span);
    return has_any;
}

/* Whether there may be something to be had. A glance: the inbox and the counters are atomics. */
static bool is_worth_it(const struct hak_tcache *tc) {
    bool has_mail = atomic_load_explicit(&tc->heap.inbox, memory_order_relaxed) != NULL;
    bool is_vain = atomic_load_explicit(&tc->care_vain, memory_order_relaxed) >= HAK_CARE_VAIN;
    return has_mail || (!is_vain && hak_heap_excess(&tc->heap) >= HAK_CARE_KEEP_BYTES);
}

/* Whether the heap's counters have stayed as they were since the last round. */
static bool is_away(struct hak_tcache *tc) {
    uint64_t seen = hak_heap_activity(&tc->heap);
    bool is_same = atomic_exchange_explicit(&tc->care_seen, seen, memory_order_relaxed) == seen;
    if (!is_same) atomic_store_explicit(&tc->care_vain, 0, memory_order_relaxed);
    return is_same;
}

/* Another thread's heap, as far as `left` bytes of pages; true when slabs were released. */
static bool look_after(struct hak_tcache *tc, size_t *left) {
    struct hak_heap *heap = &tc->heap;
    if (!hak_heap_claim(heap)) return false;
    bool has_drained = hak_heap_drain(heap) > 0;
    hak_heap_empty_spares(heap);
    bool has_released = release_emptied(heap);
    size_t bytes = hak_heap_purge_some(heap, *left);
    *left -= bytes < *left ? bytes : *left;
    hak_heap_unclaim(heap);
    bool is_vain = !has_drained && !has_released && bytes == 0;
    uint32_t vain = atomic_load_explicit(&tc->care_vain, memory_order_relaxed);
    atomic_store_explicit(&tc->care_vain, is_vain ? vain + 1 : 0, memory_order_relaxed);
    return has_released;
}

static bool release_orphans(void) {
    hak_heap_drain_orphans(NULL);
    struct hak_slab *slab = hak_heap_pop_emptied_orphan();
    bool has_any = slab != NULL;
    for (; slab != NULL; slab = hak_heap_pop_emptied_orphan())
        hak_spans_release(&slab->span);
    return has_any;
}

/* A flush of posts has gone to an owner that may be away, and nobody else look: all threads are
 * alerted, and those that call are watched for as many rounds as it takes. An owner that takes
 * blocks from its slabs will come to its inbox by itself: then it is over at the next tick, and the
 * next note comes later. Hints, all relaxed: what a stale one costs is a round. */
static struct {
    _Atomic(const struct hak_heap *) owner;
    _Atomic uint64_t seen; /* its activity at the note */
    _Atomic uint64_t noted_ms;
    _Atomic uint64_t gap_ms; /* to the next note */
} posts;

_Atomic uint32_t hak_care_rounds;

#define GET(field)        atomic_load_explicit(&posts.field, memory_order_relaxed)
#define SET(field, value) atomic_store_explicit(&posts.field, (value), memory_order_relaxed)

bool hak_care_note_post(struct hak_tcache *tc) {
    const struct hak_heap *owner = tc->heap.posted_to;
    if (!is_on() || owner == NULL || owner == hak_heap_orphans()) return false;
    uint64_t now_ms = hak_os_now_ms();
    if (!hak_purge_is_due(now_ms, GET(noted_ms), GET(gap_ms))) return false;
    SET(noted_ms, now_ms);
    SET(owner, owner);
    SET(seen, hak_heap_activity(owner));
    if (GET(gap_ms) == 0) SET(gap_ms, HAK_CARE_POST_MS);
    atomic_store_explicit(&hak_care_rounds, HAK_CARE_LOOKS, memory_order_relaxed);
    tc->heap.has_grown = true;
    hak_heap_note_released(&tc->heap);
    return true;
}

/* A thread is watched for the note: is it over? */
static void look_at_owner(void) {
    const struct hak_heap *owner = GET(owner);
    if (owner == NULL || GET(seen) == hak_heap_activity(owner)) return;
    uint64_t gap_ms = 2 * GET(gap_ms);
    SET(owner, NULL);
    SET(gap_ms, gap_ms < HAK_CARE_POST_MS_MAX ? gap_ms : HAK_CARE_POST_MS_MAX);
    atomic_store_explicit(&hak_care_rounds, 0, memory_order_relaxed);
}

static void end_round(bool has_released) {
    uint32_t rounds = atomic_load_explicit(&hak_care_rounds, memory_order_relaxed);
    if (has_released) SET(gap_ms, HAK_CARE_POST_MS);
    if (rounds > 0) atomic_store_explicit(&hak_care_rounds, rounds - 1, memory_order_relaxed);
}

/* From where the last round ended; where this one ends before the last cache, the next goes on. */
static bool look_after_others(size_t left, uint64_t now_ms) {
    struct hak_tcache *tc = atomic_load_explicit(&round_next, memory_order_relaxed);
    bool has_released = false;
    unsigned claims = 0;
    if (tc == NULL) tc = hak_thread_first();
    for (; tc != NULL && left > 0 && claims < HAK_CARE_CLAIMS; tc = tc->next_created) {
        if (!is_away(tc) || !is_worth_it(tc)) continue;
        has_released |= look_after(tc, &left);
        claims++;
    }
    atomic_store_explicit(&round_next, tc, memory_order_relaxed);
    if (tc != NULL) hurry_round(now_ms);
    return has_released;
}

bool hak_care_visit_others(uint64_t now_ms) {
    if (!begin_round(now_ms)) return false;
    size_t left = HAK_CARE_BYTES_MAX;
    bool has_released = release_orphans();
    if (hak_heap_excess(hak_heap_orphans()) >= HAK_CARE_KEEP_BYTES) {
        size_t bytes = hak_heap_purge_some_orphans(left);
        left -= bytes < left ? bytes : left;
    }
    has_released |= look_after_others(left, now_ms);
    end_round(has_released);
    return has_released;
}

/* The thread's own slabs, in its step. */
static void look_after_own(struct hak_tcache *tc, uint64_t now_ms) {
    struct hak_heap *heap = &tc->heap;
    if (!hak_purge_is_due(now_ms, tc->cared_ms, gap_ms())) return;
    tc->cared_ms = now_ms;
    if (atomic_load_explicit(&heap->inbox, memory_order_relaxed) != NULL) hak_supply_drain(tc);
    size_t bytes = 0;
    if (hak_heap_excess(heap) >= HAK_CARE_KEEP_BYTES) {
        bytes = hak_heap_purge_some(heap, HAK_CARE_BYTES_MAX);
    }
    if (bytes >= HAK_CARE_BYTES_MAX) {
        tc->cared_ms = now_ms - gap_ms(); /* there is more: at the next tick */
    } else if (heap->looks_left > 0) {
        heap->looks_left--;
    }
}

/* `is_called` is cleared first: alert.c. */
void hak_care_drain_if_called(struct hak_tcache *tc) {
    if (hak_likely(!atomic_load_explicit(&tc->is_called, memory_order_relaxed))) return;
    atomic_store(&tc->is_called, false);
    hak_supply_drain(tc);
}

bool hak_care_visit(struct hak_tcache *tc, uint64_t now_ms, bool has_ticked) {
    hak_supply_drain_orphans(&tc->heap);
    if (!has_ticked || !is_on()) return false;
    if (hak_purge_is_due(now_ms, tc->scanned_ms, HAK_SCAN_MS)) {
        tc->scanned_ms = now_ms;
        hak_supply_scan(tc);
    }
    if (hak_care_is_wanted(tc)) look_at_owner();
    look_after_own(tc, now_ms);
    return hak_care_visit_others(now_ms);
}

size_t hak_care_trim(void) {
    release_orphans();
    size_t bytes = hak_heap_purge_orphans();
    for (struct hak_tcache *tc = hak_thread_first(); tc != NULL; tc = tc->next_created) {
        struct hak_heap *heap = &tc->heap;
        if (!hak_heap_claim(heap)) continue; /* the caller's own, or in use */
        (void)hak_heap_drain(heap);
        hak_heap_empty_spares(heap);
        release_emptied(heap);
        bytes += hak_heap_purge(heap);
        hak_heap_unclaim(heap);
    }
    return bytes;
}
