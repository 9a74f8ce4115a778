/* SPDX-License-Identifier: MIT */
/*
 * heap.c: lists of slabs, and how slabs change owner: bind, orphan, adopt, release.
 */
#include "src/meta/heap.h"

#include "src/meta/conserve.h"
#include "src/meta/tagmap.h"
#include "src/os/lock.h"

#include <string.h>

/* The slabs of ended threads: a heap like any other, but that its owner is whoever holds the lock.
 * What its slabs may give, free or never carved, lists them; none is kept for being fresh. Fork:
 * the child makes the lists anew from the slabs' owners. */
struct orphans {
    struct hak_lock lock;
    _Atomic size_t count; /* of its slabs: written under the lock; a peek may be relaxed */
    struct hak_heap heap;
};
HAK_GUARDED_STATIC(struct orphans, orphans) = {
    .lock = HAK_LOCK_INIT(HAK_RANK_ORPHANS),
};

static uint64_t count_of(const _Atomic uint64_t *count) {
    return atomic_load_explicit(count, memory_order_relaxed);
}

static bool is_orphans(const struct hak_heap *heap) {
    return heap == &orphans.heap;
}

static uint64_t active_bytes(const struct hak_slab *slab) {
    return (uint64_t)(slab->carved - slab->nfree) * slab->stride;
}

static uint64_t carved_bytes(const struct hak_slab *slab) {
    return (uint64_t)slab->carved * slab->stride;
}

void hak_heap_sum_slab(struct hak_slab_sums *sums, const struct hak_slab *slab) {
    sums->slab_bytes += slab->span.bytes;
    sums->carved_bytes += carved_bytes(slab);
    sums->active_bytes += active_bytes(slab);
    sums->free_blocks += slab->nfree;
}

uint32_t hak_heap_tag(const struct hak_heap *heap, hak_class_t cls) {
    uint32_t tag = is_orphans(heap) ? HAK_HEAP_ID_ORPHAN << HAK_TAG_SHIFT : heap->tag;
    return tag | (uint32_t)cls << HAK_BIN_SHIFT;
}

void hak_heap_init(struct hak_heap *heap, uint32_t id) {
    hak_assert(id >= 1 && id < HAK_HEAP_ID_ORPHAN);
    hak_assert(heap->emptied == NULL);
    heap->tag = id << HAK_TAG_SHIFT;
    hak_lock_init(&heap->claim, HAK_RANK_CLAIM);
}

static void list_slab(struct hak_heap *heap, struct hak_slab *slab) {
    struct hak_class_slabs *slabs = &heap->classes[slab->cls];
    hak_assert(!slab->is_listed);
    hak_assert(slabs->listed != slab);
    slab->is_listed = true;
    slab->prev = NULL;
    slab->next = slabs->listed;
    if (slab->next != NULL) slab->next->prev = slab;
    slabs->listed = slab;
}

static void unlist_slab(struct hak_heap *heap, struct hak_slab *slab) {
    if (!slab->is_listed) return;
    hak_assert(slab->next == NULL || slab->next->prev == slab);
    hak_assert(slab->prev == NULL ? heap->classes[slab->cls].listed == slab
                                  : slab->prev->next == slab);
    slab->is_listed = false;
    if (slab->next != NULL) slab->next->prev = slab->prev;
    if (slab->prev != NULL) {
        slab->prev->next = slab->next;
    } else {
        heap->classes[slab->cls].listed = slab->next;
    }
}

/* The slab enters the heap's lists and counts. */
static void enter_slab(struct hak_heap *heap, struct hak_slab *slab) {
    struct hak_class_slabs *slabs = &heap->classes[slab->cls];
    hak_assert(slab->free_bits != NULL);
    hak_assert(slabs->all != slab);
    slab->is_listed = false;
    slab->all_prev = NULL;
    slab->all_next = slabs->all;
    if (slab->all_next != NULL) slab->all_next->all_prev = slab;
    slabs->all = slab;
    if (!hak_fault(HAK_FAULT_HEAP_UNCOUNTED)) {
        hak_count_up(&heap->counts.slab_bytes, slab->span.bytes);
    }
    hak_count_up(&heap->counts.carved_bytes, carved_bytes(slab));
    hak_count_up(&heap->counts.active_bytes, active_bytes(slab));
    hak_count_up(&heap->counts.arrived_blocks, slab->nfree);
    if (is_orphans(heap)) atomic_fetch_add_explicit(&orphans.count, 1, memory_order_relaxed);
}

/* It belongs to the heap from the last store on. */
static void own_slab(struct hak_heap *heap, struct hak_slab *slab) {
    if (is_orphans(heap)) hak_lock_assert_held(&orphans.lock);
    enter_slab(heap, slab);
    hak_tagmap_set_tag(&slab->span, hak_heap_tag(heap, slab->cls));
    atomic_store(&slab->owner, heap);
}

/* `fresh` of a class changes here only, so that the sum of what is spare follows. */
static void set_fresh(struct hak_heap *heap, hak_class_t cls, struct hak_slab *slab) {
    struct hak_slab *before = heap->classes[cls].fresh;
    hak_assert(slab == NULL || slab->cls == cls);
    hak_assert(slab == NULL || slab->carved < slab->capacity);
    hak_assert(before == NULL || before->carved > 0 || heap->spare_bytes >= before->span.bytes);
    if (before != NULL && before->carved == 0) heap->spare_bytes -= before->span.bytes;
    if (slab != NULL && slab->carved == 0) heap->spare_bytes += slab->span.bytes;
    heap->classes[cls].fresh = slab;
}

static void leave_slab(struct hak_heap *heap, struct hak_slab *slab) {
    if (is_orphans(heap)) hak_lock_assert_held(&orphans.lock);
    struct hak_class_slabs *slabs = &heap->classes[slab->cls];
    hak_assert(atomic_load(&slab->owner) == heap);
    hak_assert(slab->all_next == NULL || slab->all_next->all_prev == slab);
    hak_assert(slab->all_prev == NULL ? slabs->all == slab : slab->all_prev->all_next == slab);
    hak_assert(count_of(&heap->counts.slab_bytes) >= slab->span.bytes);
    hak_assert(count_of(&heap->counts.active_bytes) >= active_bytes(slab));
    if (!hak_fault(HAK_FAULT_HEAP_LISTED)) unlist_slab(heap, slab);
    if (slab->all_next != NULL) slab->all_next->all_prev = slab->all_prev;
    if (slab->all_prev != NULL) {
        slab->all_prev->all_next = slab->all_next;
    } else {
        slabs->all = slab->all_next;
    }
    if (slabs->fresh == slab) set_fresh(heap, slab->cls, NULL);
    hak_count_down(&heap->counts.slab_bytes, slab->span.bytes);
    hak_count_down(&heap->counts.carved_bytes, carved_bytes(slab));
    hak_count_down(&heap->counts.active_bytes, active_bytes(slab));
    hak_count_down(&heap->counts.arrived_blocks, slab->nfree);
    if (is_orphans(heap)) atomic_fetch_sub_explicit(&orphans.count, 1, memory_order_relaxed);
}

/* Takes a wholly free slab out of the heap; false while a sender holds its link: then its inbox
 * entry will bring it back to settle(). */
static bool empty_out(struct hak_heap *heap, struct hak_slab *slab) {
    hak_assert(hak_slab_is_empty(slab));
    if (atomic_exchange(&slab->pending, 1) != 0) return false;
    leave_slab(heap, slab);
    atomic_store(&slab->owner, NULL);
    hak_slab_unbind(slab);
    slab->next = heap->emptied;
    heap->emptied = slab;
    return true;
}

/* Puts a slab where its free count says it belongs. */
static void settle(struct hak_heap *heap, struct hak_slab *slab) {
    struct hak_class_slabs *slabs = &heap->classes[slab->cls];
    hak_assert(atomic_load(&slab->owner) == heap);
    hak_assert(slab->nfree <= slab->carved);
    if (hak_slab_is_empty(slab)) {
        bool has_room = heap->spare_bytes + slab->span.bytes <= HAK_SPARE_BYTES_MAX;
        if (is_orphans(heap)) has_room = false;
        if (has_room && (slabs->fresh == NULL || slabs->fresh == slab)) {
            unlist_slab(heap, slab);
            set_fresh(heap, slab->cls, NULL);
            if (slab->carved > 0) { /* else it may still be known to be zero */
                hak_count_down(&heap->counts.arrived_blocks, slab->nfree);
                hak_count_down(&heap->counts.carved_bytes, carved_bytes(slab));
                hak_slab_reset(slab);
            }
            set_fresh(heap, slab->cls, slab);
            return;
        }
        if (empty_out(heap, slab)) return;
    }
    if (is_orphans(heap)) {
        bool may_give = slab->nfree > 0 || slab->carved < slab->capacity;
        if (may_give && !slab->is_listed) list_slab(heap, slab);
        return;
    }
    if (slab->nfree > 0 && !slab->is_listed) list_slab(heap, slab);
    if (slab->carved < slab->capacity && slabs->fresh == NULL) set_fresh(heap, slab->cls, slab);
}

bool hak_heap_bind(struct hak_heap *heap, struct hak_span *span, hak_class_t cls) {
    struct hak_slab *slab = hak_slab_of_span(span);
    hak_assert(!is_orphans(heap));
    hak_assert(atomic_load(&slab->owner) == NULL); /* no slab, or its header was released */
    hak_assert(hak_tagmap_tag(span->base) == 0);
    if (!hak_slab_bind(slab, cls)) return false;
    atomic_store(&slab->summary, 0);
    own_slab(heap, slab);
    /* Last: from here on a late sender of the header's former slab may push it, as a slab of its
     * new owner, which is harmless. */
    atomic_store(&slab->pending, 0);
    set_fresh(heap, cls, slab);
    hak_assert(hak_heap_fresh(heap, cls) == slab);
    hak_assert(heap->spare_bytes >= slab->span.bytes);
    hak_audit_slab(slab, heap);
    hak_audit_heap(heap);
    return true;
}

uint64_t hak_heap_take_word(struct hak_heap *heap, struct hak_slab *slab, unsigned want,
                            unsigned *first_index) {
    unsigned before = slab->nfree;
    hak_assert(atomic_load(&slab->owner) == heap);
    hak_assert(slab->is_listed);
    uint64_t bits = hak_slab_take_word(slab, want, first_index);
    uint64_t count = before - slab->nfree;
    hak_count_up(&heap->counts.taken_blocks, count);
    hak_count_up(&heap->counts.active_bytes, count * slab->stride);
    if (slab->nfree == 0) unlist_slab(heap, slab);
    hak_assert(slab->is_listed == (slab->nfree > 0));
    return bits;
}

unsigned hak_heap_carve(struct hak_heap *heap, struct hak_slab *slab, unsigned want,
                        unsigned *first_index) {
    hak_assert(atomic_load(&slab->owner) == heap);
    hak_assert(hak_heap_fresh(heap, slab->cls) == slab);
    hak_assert(slab->carved > 0 || heap->spare_bytes >= slab->span.bytes);
    if (slab->carved == 0) heap->spare_bytes -= slab->span.bytes;
    unsigned count = hak_slab_carve(slab, want, first_index);
    hak_count_up(&heap->counts.carved_blocks, count);
    hak_count_up(&heap->counts.carved_bytes, (uint64_t)count * slab->stride);
    hak_count_up(&heap->counts.active_bytes, (uint64_t)count * slab->stride);
    if (slab->carved == slab->capacity) set_fresh(heap, slab->cls, NULL);
    return count;
}

uint64_t hak_heap_excess(const struct hak_heap *heap) {
    uint64_t carved = count_of(&heap->counts.carved_bytes);
    uint64_t active = count_of(&heap->counts.active_bytes);
    return carved > active ? carved - active : 0;
}

uint64_t hak_heap_activity(const struct hak_heap *heap) {
    const struct hak_heap_counts *counts = &heap->counts;
    return count_of(&counts->returned_blocks) + count_of(&counts->taken_blocks) +
           count_of(&counts->carved_blocks) + count_of(&counts->posted_blocks);
}

/* So much more than when it was noted last has come back to slabs which stay: the front has to look
 * again, even if the thread makes no call that comes to a slow path by itself. */
static void note_excess(struct hak_heap *heap) {
    uint64_t excess = hak_heap_excess(heap);
    if (excess < heap->excess_noted) heap->excess_noted = excess;
    if (excess - heap->excess_noted < HAK_CARE_NOTE_BYTES) return;
    heap->excess_noted = excess;
    heap->looks_left = HAK_CARE_LOOKS;
    heap->has_grown = true;
    hak_heap_note_released(heap);
}

/* Apart, so that the usual way through hak_heap_put saves no registers. */
static HAK_NOINLINE bool put_rare(struct hak_heap *heap, struct hak_slab *slab, const void *block,
                                  enum hak_free_verdict verdict) {
    hak_heap_enter(heap);
    if (verdict != HAK_FREE_OK) {
        hak_heap_note_misuse(heap, block, verdict);
    } else {
        settle(heap, slab);
        note_excess(heap);
    }
    hak_heap_leave(heap);
    return heap->emptied != NULL;
}

bool hak_heap_put(struct hak_heap *heap, struct hak_slab *slab, const void *block) {
    hak_assert(atomic_load(&slab->owner) == heap);
    enum hak_free_verdict verdict = hak_slab_put(slab, block);
    if (hak_likely(verdict == HAK_FREE_OK)) {
        hak_count_up(&heap->counts.returned_blocks, 1);
        hak_count_down(&heap->counts.active_bytes, slab->stride);
    }
    bool is_usual = verdict == HAK_FREE_OK && slab->is_listed && !hak_slab_is_empty(slab);
    return hak_likely(is_usual) ? false : put_rare(heap, slab, block, verdict);
}

static size_t collect(struct hak_heap *heap, struct hak_slab *slab) {
    void *doubled = NULL;
    size_t count = hak_slab_collect(slab, &doubled);
    if (hak_unlikely(doubled != NULL)) hak_heap_note_misuse(heap, doubled, HAK_FREE_DOUBLE);
    hak_count_up(&heap->counts.drained_blocks, count);
    hak_count_down(&heap->counts.active_bytes, count * slab->stride);
    hak_audit_slab(slab, heap);
    settle(heap, slab);
    return count;
}

size_t hak_heap_drain(struct hak_heap *heap) {
    if (atomic_load_explicit(&heap->inbox, memory_order_relaxed) == NULL) return 0;
    struct hak_slab *slab = atomic_exchange(&heap->inbox, NULL);
    struct hak_slab *foreign = NULL;
    size_t count = 0;
    while (slab != NULL) {
        struct hak_slab *next = slab->link; /* ours until `pending` is cleared */
        hak_assert(atomic_load(&slab->pending) == 1);
        hak_assert(next != slab);
        if (atomic_load(&slab->owner) == heap) {
            atomic_exchange(&slab->pending, 0); /* before the summary is read: see remote.c */
            count += collect(heap, slab);
        } else {
            slab->link = foreign;
            foreign = slab;
        }
        slab = next;
    }
    hak_remote_notify(foreign);
    if (foreign != NULL && !is_orphans(heap)) hak_heap_drain_orphans(heap);
    hak_audit_heap(heap);
    return count;
}

/* Takes in what was posted to orphans. What became empty goes to the heap, which releases it, or
 * stays for the next that comes without one. */
static void drain_orphans(struct hak_heap *heap) HAK_REQUIRES(orphans.lock) {
    hak_lock_assert_held(&orphans.lock);
    hak_heap_drain(&orphans.heap);
    struct hak_slab *slab;
    while (heap != NULL && (slab = hak_heap_pop_emptied(&orphans.heap)) != NULL) {
        slab->next = heap->emptied;
        heap->emptied = slab;
    }
}

/* A sender that finds the lock held leaves its post to the holder, who looks at the inbox once more
 * after giving the lock: of the sender's push and look at the lock, and the holder's store to the
 * lock and look at the inbox, all in one order, one sees the other. */
void hak_heap_drain_orphans(struct hak_heap *heap) {
    if (atomic_load(&orphans.heap.inbox) == NULL) return; /* our push was taken by a holder */
    do {
        if (!hak_lock_try(&orphans.lock)) return;
        drain_orphans(heap);
        hak_lock_give(&orphans.lock);
        atomic_thread_fence(memory_order_seq_cst);
    } while (atomic_load(&orphans.heap.inbox) != NULL);
}

bool hak_heap_adopt(struct hak_heap *heap, hak_class_t cls) {
    hak_assert(cls >= 1 && cls < HAK_SLAB_CLASSES);
    hak_assert(!is_orphans(heap));
    if (atomic_load_explicit(&orphans.count, memory_order_relaxed) == 0) return false;
    hak_lock_take(&orphans.lock);
    drain_orphans(heap);
    struct hak_slab *slab = orphans.heap.classes[cls].listed;
    if (slab != NULL) {
        hak_assert(slab->cls == cls);
        leave_slab(&orphans.heap, slab);
        own_slab(heap, slab);
    }
    hak_lock_give(&orphans.lock);
    hak_heap_drain_orphans(heap); /* what was left to us meanwhile */
    if (slab == NULL) return false;
    collect(heap, slab); /* whatever `pending` says: its holder may still look for the owner */
    hak_count_up(&heap->counts.adopted_slabs, 1);
    hak_audit_heap(heap);
    return true;
}

static void orphan(struct hak_heap *heap, struct hak_slab *slab) {
    hak_assert(!is_orphans(heap));
    leave_slab(heap, slab);
    hak_lock_take(&orphans.lock);
    own_slab(&orphans.heap, slab);
    collect(&orphans.heap, slab);
    hak_audit_heap(&orphans.heap);
    hak_lock_give(&orphans.lock);
}

void hak_heap_empty_spare(struct hak_heap *heap, hak_class_t cls) {
    struct hak_slab *slab = heap->classes[cls].fresh;
    hak_assert(slab == NULL || slab->nfree <= slab->carved);
    if (slab != NULL && slab->carved == 0) (void)empty_out(heap, slab);
}

void hak_heap_empty_spares(struct hak_heap *heap) {
    for (hak_class_t cls = 0; cls < HAK_SLAB_CLASSES && heap->spare_bytes > 0; cls++)
        hak_heap_empty_spare(heap, cls);
}

void hak_heap_recount(struct hak_heap *heap) {
    struct hak_slab_sums sums = {0};
    for (size_t cls = 0; cls < HAK_SLAB_CLASSES; cls++) {
        for (struct hak_slab *slab = heap->classes[cls].all; slab != NULL; slab = slab->all_next) {
            hak_slab_recount(slab);
            hak_heap_sum_slab(&sums, slab);
        }
    }
    hak_count_up(&heap->counts.arrived_blocks, sums.free_blocks - hak_heap_sums(heap).free_blocks);
    hak_count_up(&heap->counts.active_bytes, sums.active_bytes - hak_heap_sums(heap).active_bytes);
}

bool hak_heap_claim(struct hak_heap *heap) HAK_UNCHECKED {
    bool is_used =
        hak_heap_is_busy(heap) || atomic_load_explicit(&heap->putting, memory_order_relaxed) != 0;
    if (is_used) return false; /* a glance, which spares the barrier */
    if (!hak_lock_try(&heap->claim)) return false;
    hak_assert(!is_orphans(heap));
    bool is_away = hak_os_barrier() &&
                   atomic_load_explicit(&heap->busy, memory_order_acquire) == 0 &&
                   atomic_load_explicit(&heap->putting, memory_order_acquire) == 0;
    if (!is_away) hak_lock_give(&heap->claim);
    return is_away;
}

void hak_heap_unclaim(struct hak_heap *heap) HAK_UNCHECKED {
    hak_lock_assert_held(&heap->claim);
    hak_assert(heap->emptied == NULL); /* what the claimer emptied it has released */
    hak_lock_give(&heap->claim);
}

/* The mark is set again under the lock: the next claimer sees it. */
void hak_heap_wait(struct hak_heap *heap, _Atomic uint32_t *mark) {
    atomic_store_explicit(mark, 0, memory_order_release);
    hak_lock_take(&heap->claim);
    atomic_store_explicit(mark, 1, memory_order_relaxed);
    hak_lock_give(&heap->claim);
}

void hak_heap_orphan_all(struct hak_heap *heap) {
    hak_assert(heap->sender_bytes == 0); /* the sender's cache was flushed */
    hak_heap_drain(heap);
    for (size_t cls = 0; cls < HAK_SLAB_CLASSES; cls++) {
        struct hak_slab *slab;
        while ((slab = heap->classes[cls].all) != NULL) {
            if (hak_slab_is_empty(slab) && empty_out(heap, slab)) continue;
            orphan(heap, slab);
        }
        hak_assert(heap->classes[cls].listed == NULL);
        hak_assert(heap->classes[cls].fresh == NULL);
    }
    hak_assert(heap->spare_bytes == 0);
    hak_assert(count_of(&heap->counts.slab_bytes) == 0);
    hak_remote_notify(atomic_exchange(&heap->inbox, NULL));
    hak_lock_take(&orphans.lock);
    drain_orphans(heap);
    hak_lock_give(&orphans.lock);
    hak_heap_drain_orphans(heap);
}

struct hak_slab *hak_heap_pop_emptied(struct hak_heap *heap) {
    struct hak_slab *slab = heap->emptied;
    hak_assert(slab == NULL || slab->free_bits == NULL);
    hak_assert(slab == NULL || atomic_load(&slab->pending) == 1);
    if (slab != NULL) heap->emptied = slab->next;
    return slab;
}

size_t hak_heap_purge(struct hak_heap *heap) {
    size_t bytes = 0;
    for (size_t cls = 1; cls < HAK_SLAB_CLASSES; cls++) {
        for (struct hak_slab *slab = heap->classes[cls].all; slab != NULL; slab = slab->all_next)
            bytes += hak_slab_purge(slab);
    }
    hak_audit_heap(heap);
    return bytes;
}

size_t hak_heap_purge_some(struct hak_heap *heap, size_t bytes_max) {
    size_t bytes = 0;
    for (size_t cls = 1; cls < HAK_SLAB_CLASSES; cls++) {
        struct hak_slab *slab = heap->classes[cls].all;
        for (; slab != NULL && bytes < bytes_max; slab = slab->all_next)
            bytes += hak_slab_purge_settled(slab);
    }
    hak_audit_heap(heap);
    return bytes;
}

size_t hak_heap_purge_some_orphans(size_t bytes_max) {
    hak_lock_take(&orphans.lock);
    size_t bytes = hak_heap_purge_some(&orphans.heap, bytes_max);
    hak_lock_give(&orphans.lock);
    return bytes;
}

size_t hak_heap_purge_orphans(void) {
    hak_lock_take(&orphans.lock);
    size_t bytes = hak_heap_purge(&orphans.heap);
    hak_lock_give(&orphans.lock);
    return bytes;
}

struct hak_slab *hak_heap_pop_emptied_orphan(void) {
    hak_lock_take(&orphans.lock);
    struct hak_slab *slab = hak_heap_pop_emptied(&orphans.heap);
    hak_lock_give(&orphans.lock);
    return slab;
}

struct hak_slab_sums hak_heap_sums(const struct hak_heap *heap) {
    const struct hak_heap_counts *counts = &heap->counts;
    uint64_t free_blocks = count_of(&counts->returned_blocks) + count_of(&counts->drained_blocks);
    free_blocks += count_of(&counts->arrived_blocks);
    free_blocks -= count_of(&counts->taken_blocks); /* last: then the sum is rather too small */
    return (struct hak_slab_sums){
        .slab_bytes = count_of(&counts->slab_bytes),
        .carved_bytes = count_of(&counts->carved_bytes),
        .active_bytes = count_of(&counts->active_bytes),
        .free_blocks = (int64_t)free_blocks < 0 ? 0 : free_blocks,
    };
}

const struct hak_heap *hak_heap_orphans(void) {
    return &orphans.heap;
}

void hak_heap_lock_orphans(void) HAK_UNCHECKED {
    hak_lock_take(&orphans.lock);
}

void hak_heap_unlock_orphans(void) HAK_UNCHECKED {
    hak_lock_give(&orphans.lock);
}

void hak_heap_after_fork(void) {
    hak_lock_reset(&orphans.lock);
}

/* A sender that is gone may have left a word without its bit of the summary. */
static void mend_summary(struct hak_slab *slab) {
    for (unsigned word = 0; word < slab->words; word++) {
        uint64_t mark = (uint64_t)1 << word;
        bool has_bits = atomic_load(hak_slab_remote_word(slab, word)) != 0;
        if (has_bits && (atomic_load(&slab->summary) & mark) == 0) {
            atomic_fetch_or(&slab->summary, mark);
        }
    }
}

/* The slab of a header that is bound to a heap or an orphan; NULL for every other span. */
static struct hak_slab *bound_slab(struct hak_span *span) {
    struct hak_slab *slab = hak_slab_of_span(span);
    bool is_bound = hak_span_is_slab(span) && slab->free_bits != NULL &&
                    hak_tagmap_span(span->base) == span && hak_tagmap_tag(span->base) != 0;
    return is_bound ? slab : NULL;
}

/* Another thread may have been changing the lists: what they hold is what belongs to them. */
static void relist(struct hak_heap *heap) {
    for (size_t cls = 0; cls < HAK_SLAB_CLASSES; cls++) {
        struct hak_class_slabs *slabs = &heap->classes[cls];
        slabs->listed = slabs->fresh = slabs->all = NULL;
    }
    uint64_t arrived = count_of(&heap->counts.taken_blocks);
    arrived -= count_of(&heap->counts.returned_blocks) + count_of(&heap->counts.drained_blocks);
    atomic_store(&heap->counts.arrived_blocks, arrived);
    atomic_store(&heap->counts.slab_bytes, 0);
    atomic_store(&heap->counts.carved_bytes, 0);
    atomic_store(&heap->counts.active_bytes, 0);
    heap->emptied = NULL;
    heap->spare_bytes = 0;
    for (uint32_t number = 1; number < hak_span_table_count(); number++) {
        struct hak_slab *slab = bound_slab(hak_span_of_number(number));
        if (slab == NULL || atomic_load(&slab->owner) != heap) continue;
        hak_slab_recount(slab);
        enter_slab(heap, slab);
        settle(heap, slab);
    }
}

static void relist_orphans(void) HAK_REQUIRES(orphans.lock) {
    hak_heap_empty_inbox(&orphans.heap);
    atomic_store_explicit(&orphans.count, 0, memory_order_relaxed);
    relist(&orphans.heap);
}

void hak_heap_mend_claimed(struct hak_heap *heap) {
    if (!hak_lock_is_held(&heap->claim)) return;
    relist(heap);
    hak_lock_reset(&heap->claim);
}

void hak_heap_mend(void) {
    hak_lock_take(&orphans.lock);
    relist_orphans();
    hak_lock_give(&orphans.lock);
    for (uint32_t number = 1; number < hak_span_table_count(); number++) {
        struct hak_slab *slab = bound_slab(hak_span_of_number(number));
        if (slab == NULL || atomic_load(&slab->owner) == NULL) continue;
        mend_summary(slab);
        if (atomic_load(&slab->pending) == 0 && atomic_load(&slab->summary) == 0) continue;
        atomic_store(&slab->pending, 1);
        slab->link = NULL;
        hak_remote_notify(slab);
    }
}
