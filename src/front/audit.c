/* SPDX-License-Identifier: MIT */
/*
 * audit.c: hak_check, the recount of every invariant.
 *
 * Slabs, heaps and orphans are walked by meta/conserve.c, as in builds with guards=audit; at rest
 * the remote bits are recounted too. For each block outside the bitmaps, that is in a bin or in a
 * sender's cache: it begins a carved block of the right class and heap, and is in no bitmap and in
 * no second bin or cache; for that it gets a mark in a map that lives as long as the audit, 4096
 * bits a span. The tiers recount their own.
 */
#include "include/hakmem.h"
#include "src/base/bits.h"
#include "src/contract/slots.h"
#include "src/front/init.h"
#include "src/front/purge.h"
#include "src/front/text.h"
#include "src/meta/conserve.h"
#include "src/os/os.h"

struct audit {
    hak_report_fn report;
    uint64_t (*marks)[HAK_SLAB_WORDS_MAX]; /* by span number: blocks found outside the bitmaps */
    bool holds;
};

static void breach(struct audit *audit, const char *claim, const void *where, uint64_t want,
                   uint64_t got) {
    audit->holds = false;
    audit->report(audit, claim, where, want, got);
}

/* At rest what other threads posted can be told as well. */
static void audit_remote(struct audit *audit, const struct hak_slab *slab) {
    for (unsigned w = 0; w < slab->words; w++) {
        uint64_t remote = atomic_load(hak_slab_remote_word(slab, w));
        uint64_t both = remote & slab->free_bits[w];
        if ((remote & ~hak_slab_carved_bits(slab, w)) != 0) {
            breach(audit, "a block never carved is not remote", slab, 0, w);
        }
        if (both != 0) breach(audit, "a block is free or remote, not both", slab, 0, both);
        if (remote != 0 && (atomic_load(&slab->summary) >> w & 1) == 0) {
            breach(audit, "the summary knows every remote word", slab, 1, 0);
        }
    }
}

/* A kept whole span. */
static void audit_kept_span(struct audit *audit, const void *block, const struct hak_tcache *tc,
                            size_t cls) {
    const struct hak_span *span = hak_tagmap_span(block);
    if (span == NULL || span->owner != HAK_OWNER_L25 || span->base != (const char *)block ||
        span->bytes < hak_sizeclass_stride((hak_class_t)cls)) {
        breach(audit, "a bin of whole spans holds spans that large", block, cls, 0);
    } else if (hak_tagmap_tag(block) != (tc->tag | (uint32_t)cls << HAK_BIN_SHIFT)) {
        breach(audit, "a kept span has the tag of its bin", block, cls, hak_tagmap_tag(block));
    } else if (audit->marks[hak_span_number(span)][0]++ != 0) {
        breach(audit, "a block is in one bin or cache", block, 1, 2);
    }
}

/* The room that the bins of whole spans have together. */
static void audit_span_room(struct audit *audit, const struct hak_tcache *tc) {
    uint64_t bytes = 0;
    for (size_t cls = HAK_SLAB_CLASSES; cls < HAK_CLASSES; cls++) {
        bytes += (uint64_t)tc->bins[cls].capacity * hak_sizeclass_stride((hak_class_t)cls);
    }
    if (bytes != tc->span_bin_bytes || bytes > HAK_SPAN_BIN_BYTES) {
        breach(audit, "the room of the bins of whole spans", tc, tc->span_bin_bytes, bytes);
    }
}

/* The room that the bins of slab classes have together, which their budget is about. */
static void audit_room(struct audit *audit, const struct hak_tcache *tc) {
    uint64_t bytes = 0;
    for (size_t cls = 1; cls < HAK_SLAB_CLASSES; cls++)
        bytes += (uint64_t)tc->bins[cls].capacity * hak_sizeclass_stride((hak_class_t)cls);
    if (bytes != tc->bin_bytes) {
        breach(audit, "the room of the bins of slab classes", tc, tc->bin_bytes, bytes);
    }
}

/* A block outside the bitmaps. */
static void audit_held(struct audit *audit, const void *block, const char *claim) {
    struct hak_span *span = hak_tagmap_span(block);
    if (span == NULL || !hak_slab_is_block(hak_slab_of_span(span), block)) {
        breach(audit, claim, block, 1, 0);
        return;
    }
    struct hak_slab *slab = hak_slab_of_span(span);
    unsigned index = hak_slab_index(slab, block);
    uint64_t bit = hak_slab_bit(index);
    unsigned word = index >> HAK_WORD_SHIFT;
    uint64_t bits = slab->free_bits[word] | atomic_load(hak_slab_remote_word(slab, word));
    if (index >= slab->carved || (bits & bit) != 0) breach(audit, claim, block, 0, 1);
    uint64_t *mark = &audit->marks[hak_span_number(span)][word];
    if ((*mark & bit) != 0) breach(audit, "a block is in one bin or cache", block, 1, 2);
    *mark |= bit;
}

/* A bin's block belongs to the bin's heap and class. */
static void audit_home(struct audit *audit, const void *block, const struct hak_heap *heap,
                       size_t cls) {
    struct hak_span *span = hak_tagmap_span(block);
    if (span == NULL) return; /* reported already */
    const struct hak_slab *slab = hak_slab_of_span(span);
    if (atomic_load(&slab->owner) != heap) {
        breach(audit, "a block in a bin belongs to the bin's heap", block, 0, 1);
    }
    if (slab->cls != cls) {
        breach(audit, "a block in a bin is of the bin's class", block, cls, slab->cls);
    }
}

static void audit_bin(struct audit *audit, const struct hak_tcache *tc, size_t cls) {
    const struct hak_bin *bin = &tc->bins[cls];
    unsigned count = 0;
    for (void *b = hak_bin_next(bin, NULL, 0); b != NULL; b = hak_bin_next(bin, b, ++count)) {
        if (count > bin->capacity) break;
        if (cls >= HAK_SLAB_CLASSES) {
            audit_kept_span(audit, b, tc, cls);
            continue;
        }
        audit_held(audit, b, "a block in a bin is in no bitmap");
        audit_home(audit, b, &tc->heap, cls);
    }
    if (count != hak_bin_count(bin)) {
        breach(audit, "a bin holds as many blocks as it counts", bin, hak_bin_count(bin), count);
    }
}

struct holdings {
    struct audit *audit;
    const struct hak_heap *heap;
    size_t cls;
    uint64_t count;
};

static void audit_holding(void *arg, const void *block) {
    struct holdings *held = arg;
    held->count++;
    audit_held(held->audit, block, "a block that a module holds is in no bitmap");
    audit_home(held->audit, block, held->heap, held->cls);
}

/* A heap's slabs and lists; orphans are listed for blocks never carved as well. */
static void audit_heap(struct audit *audit, const struct hak_heap *heap) {
    if (!hak_conserve_heap(heap, audit->report, audit)) audit->holds = false;
    for (size_t cls = 1; cls < HAK_SLAB_CLASSES; cls++) {
        for (const struct hak_slab *s = heap->classes[cls].all; s != NULL; s = s->all_next) {
            if (!hak_conserve_slab(s, heap, audit->report, audit)) audit->holds = false;
            if (s->free_bits != NULL) audit_remote(audit, s);
        }
        for (const struct hak_slab *s = heap->classes[cls].listed; s != NULL; s = s->next) {
            bool may_give = s->nfree > 0 || (heap == hak_heap_orphans() && s->carved < s->capacity);
            if (!may_give) breach(audit, "a listed slab has free bits", s, 1, 0);
        }
    }
}

static void audit_bin_of_slabs(struct audit *audit, const struct hak_tcache *tc, size_t cls) {
    uint64_t active = 0;
    for (struct hak_slab *s = tc->heap.classes[cls].all; s != NULL; s = s->all_next)
        active += (uint64_t)(s->carved - s->nfree);
    audit_bin(audit, tc, cls);
    struct holdings held = {audit, &tc->heap, cls, hak_bin_count(&tc->bins[cls])};
    hak_bins_each_block(tc, (hak_class_t)cls, audit_holding, &held);
    if (active < held.count) {
        breach(audit, "blocks in a bin are active in their slabs", &tc->bins[cls], held.count,
               active);
    }
}

static void audit_tcache(struct audit *audit, const struct hak_tcache *tc) {
    const struct hak_heap *heap = &tc->heap;
    audit_heap(audit, heap);
    for (size_t cls = HAK_SLAB_CLASSES; cls < HAK_CLASSES; cls++)
        audit_bin(audit, tc, cls);
    audit_span_room(audit, tc);
    audit_room(audit, tc);
    for (size_t cls = 1; cls < HAK_SLAB_CLASSES; cls++)
        audit_bin_of_slabs(audit, tc, cls);
    for (unsigned i = 0; i < HAK_SENDER_ENTRIES; i++) {
        const struct hak_sender_entry *entry = &heap->senders[i];
        for (uint64_t bits = entry->bytes != 0 ? entry->bits : 0; bits != 0; bits &= bits - 1) {
            unsigned index = (entry->word << HAK_WORD_SHIFT) + hak_bits_lowest(bits);
            audit_held(audit, hak_slab_block(entry->slab, index),
                       "a block in a sender's cache is in no bitmap");
        }
    }
}

static void print_breach(void *arg, const char *claim, const void *where, unsigned long long want,
                         unsigned long long got) {
    (void)arg;
    struct hak_text text = {.length = 0};
    hak_text_add(&text, "hakmem: audit: ");
    hak_text_add(&text, claim);
    hak_text_add(&text, ": at ");
    hak_text_add_hex(&text, (uintptr_t)where);
    hak_text_add(&text, ", want ");
    hak_text_add_decimal(&text, want);
    hak_text_add(&text, ", got ");
    hak_text_add_decimal(&text, got);
    hak_text_print_line(&text);
}

static void audit_all(struct audit *audit) {
    for (struct hak_tcache *tc = hak_thread_first(); tc != NULL; tc = tc->next_created) {
        if (!hak_thread_has_vanished(tc)) audit_tcache(audit, tc);
    }
    hak_heap_lock_orphans();
    audit_heap(audit, hak_heap_orphans());
    hak_heap_unlock_orphans();
    if (!hak_spans_check(print_breach, NULL)) audit->holds = false;
    if (!hak_refill_check(print_breach, NULL)) audit->holds = false;
    if (!hak_large_check(print_breach, NULL)) audit->holds = false;
}

HAK_EXPORT bool hak_check(void) {
    if (!hak_init()) return true;
    while (hak_thread_reap()) { /* what stays vanished was being changed: it is left out */
    }
    struct audit audit = {.report = print_breach, .holds = true};
    size_t marks_bytes = hak_span_table_count() * sizeof *audit.marks;
    audit.marks = hak_os_map(marks_bytes);
    if (audit.marks == NULL) {
        breach(&audit, "there is memory for the audit", NULL, marks_bytes, 0);
        return false;
    }
    hak_purge_pause();
    audit_all(&audit);
    hak_purge_resume();
    hak_os_unmap(audit.marks, marks_bytes);
    return audit.holds;
}
