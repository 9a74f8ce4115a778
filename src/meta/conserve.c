/* SPDX-License-Identifier: MIT */
/*
 * conserve.c: see conserve.h. A walk goes on after a breach as far as it can.
 *
 * Remote bits are left out: other threads set them meanwhile, and one on a free block is a mistake
 * of the program, which collect reports.
 */
#include "src/meta/conserve.h"

#include "src/base/bits.h"
#include "src/meta/tagmap.h"

struct walk {
    hak_report_fn report;
    void *arg;
    bool holds;
};

static void require(struct walk *walk, bool holds, const char *claim, const void *where) {
    if (holds) return;
    walk->holds = false;
    walk->report(walk->arg, claim, where, 1, 0);
}

static void require_same(struct walk *walk, uint64_t want, uint64_t got, const char *claim,
                         const void *where) {
    if (want == got) return;
    walk->holds = false;
    walk->report(walk->arg, claim, where, want, got);
}

static void conserve_bits(struct walk *walk, const struct hak_slab *slab) {
    unsigned nfree = 0;
    for (unsigned word = 0; word < slab->words; word++) {
        uint64_t bits = slab->free_bits[word];
        nfree += hak_bits_count(bits);
        require(walk, (bits & ~hak_slab_carved_bits(slab, word)) == 0,
                "a block never carved is not free", slab);
        require(walk, bits == 0 || word >= slab->low_word, "no free bit lies before low_word",
                slab);
    }
    require_same(walk, slab->nfree, nfree, "nfree counts the free bits", slab);
}

bool hak_conserve_slab(const struct hak_slab *slab, const struct hak_heap *heap,
                       hak_report_fn report, void *arg) {
    struct walk walk = {report, arg, true};
    require(&walk, slab->free_bits != NULL, "a slab of a heap is bound", slab);
    if (!walk.holds) return false;
    require(&walk, slab->nfree <= slab->carved, "free blocks are carved", slab);
    require(&walk, slab->carved <= slab->capacity, "carved blocks have room", slab);
    conserve_bits(&walk, slab);
    require(&walk, atomic_load(&slab->owner) == heap, "a slab's owner is the heap that lists it",
            slab);
    require(&walk, hak_tagmap_span(slab->span.base) == &slab->span, "the tag map leads to the slab",
            slab);
    require_same(&walk, hak_heap_tag(heap, slab->cls), hak_tagmap_tag(slab->span.base),
                 "a slab has the tag of its heap and class", slab);
    require(&walk, hak_slab_is_purged_right(slab), "no block in use lies on a page given back",
            slab);
    return walk.holds;
}

static void conserve_links(struct walk *walk, const struct hak_slab *slab, size_t cls) {
    require_same(walk, cls, slab->cls, "a slab is on the list of its class", slab);
    require(walk, slab->all_next == NULL || slab->all_next->all_prev == slab,
            "neighbours on a list know each other", slab);
    require(walk, slab->free_bits != NULL, "a listed slab is bound", slab);
}

/* Blocks that may be had without a new slab are on the list, each slab once. */
static void conserve_listed(struct walk *walk, const struct hak_class_slabs *slabs,
                            size_t listed_count) {
    size_t count = 0;
    const struct hak_slab *slab = slabs->listed;
    for (; slab != NULL && count <= listed_count; slab = slab->next, count++)
        require(walk, slab->is_listed, "a listed slab says so", slab);
    require_same(walk, listed_count, count, "a slab that says so is listed, once", slabs);
}

static void conserve_sums(struct walk *walk, const struct hak_heap *heap,
                          const struct hak_slab_sums *walked, size_t spare_bytes) {
    struct hak_slab_sums counted = hak_heap_sums(heap);
    require_same(walk, counted.slab_bytes, walked->slab_bytes, "bytes of all slabs", heap);
    require_same(walk, counted.carved_bytes, walked->carved_bytes, "bytes of carved blocks", heap);
    require_same(walk, counted.active_bytes, walked->active_bytes, "bytes of active blocks", heap);
    require_same(walk, counted.free_blocks, walked->free_blocks, "free blocks of all slabs", heap);
    require_same(walk, heap->spare_bytes, spare_bytes, "bytes of spare slabs", heap);
}

bool hak_conserve_heap(const struct hak_heap *heap, hak_report_fn report, void *arg) {
    struct walk walk = {report, arg, true};
    struct hak_slab_sums walked = {0};
    size_t spare_bytes = 0;
    for (size_t cls = 1; cls < HAK_SLAB_CLASSES; cls++) {
        const struct hak_class_slabs *slabs = &heap->classes[cls];
        size_t listed_count = 0;
        for (const struct hak_slab *slab = slabs->all; slab != NULL; slab = slab->all_next) {
            conserve_links(&walk, slab, cls);
            listed_count += slab->is_listed;
            hak_heap_sum_slab(&walked, slab);
        }
        conserve_listed(&walk, slabs, listed_count);
        if (slabs->fresh != NULL && slabs->fresh->carved == 0) {
            spare_bytes += slabs->fresh->span.bytes;
        }
    }
    conserve_sums(&walk, heap, &walked, spare_bytes);
    return walk.holds;
}

void hak_report_panic(void *arg, const char *claim, const void *where, unsigned long long want,
                      unsigned long long got) {
    const struct hak_place *place = arg;
    (void)where;
    (void)want;
    (void)got;
    hak_panic(place->file, place->line, claim);
}
