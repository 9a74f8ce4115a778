/* SPDX-License-Identifier: MIT */
/*
 * conserve.c: see conserve.h. Part of builds with guards, and of the tests.
 *
 * Remote bits are left out: other threads set them meanwhile, and one on a free block is a mistake
 * of the program, which collect reports.
 */
#include "src/meta/conserve.h"

#include "src/base/bits.h"
#include "src/meta/tagmap.h"

struct place {
    const char *file;
    int line;
};

static void require(struct place place, bool holds, const char *claim) {
    if (!holds) hak_panic(place.file, place.line, claim);
}

static void conserve_bits(struct place place, const struct hak_slab *slab) {
    unsigned nfree = 0;
    for (unsigned word = 0; word < slab->words; word++) {
        uint64_t bits = slab->free_bits[word];
        nfree += hak_bits_count(bits);
        require(place, (bits & ~hak_slab_carved_bits(slab, word)) == 0,
                "audit: a block never carved is not free");
        require(place, bits == 0 || word >= slab->low_word,
                "audit: no free bit lies before low_word");
    }
    require(place, nfree == slab->nfree, "audit: nfree counts the free bits");
}

void hak_conserve_slab(const struct hak_slab *slab, const struct hak_heap *heap, const char *file,
                       int line) {
    struct place place = {file, line};
    require(place, slab->free_bits != NULL, "audit: a slab of a heap is bound");
    require(place, slab->nfree <= slab->carved, "audit: free blocks are carved");
    require(place, slab->carved <= slab->capacity, "audit: carved blocks have room");
    conserve_bits(place, slab);
    require(place, atomic_load(&slab->owner) == heap, "audit: a slab's owner lists it");
    require(place, hak_tagmap_span(slab->span.base) == &slab->span,
            "audit: the tag map leads to the slab");
    require(place, hak_tagmap_tag(slab->span.base) == hak_heap_tag(heap, slab->cls),
            "audit: a slab has the tag of its heap and class");
    require(place, hak_slab_is_purged_right(slab),
            "audit: no block in use lies on a page given back");
}

static void conserve_links(struct place place, const struct hak_slab *slab, size_t cls) {
    require(place, slab->cls == cls, "audit: a slab is on the list of its class");
    require(place, slab->all_next == NULL || slab->all_next->all_prev == slab,
            "audit: neighbours on a list know each other");
    require(place, slab->free_bits != NULL, "audit: a listed slab is bound");
}

/* Blocks that may be had without a new slab are on the list, each slab once. */
static void conserve_listed(struct place place, const struct hak_class_slabs *slabs,
                            size_t listed_count) {
    size_t count = 0;
    for (const struct hak_slab *slab = slabs->listed; slab != NULL; slab = slab->next) {
        require(place, slab->is_listed, "audit: a listed slab says so");
        require(place, ++count <= listed_count, "audit: a listed slab is one of the heap's");
    }
    require(place, count == listed_count, "audit: a slab that says so is listed");
}

void hak_conserve_heap(const struct hak_heap *heap, const char *file, int line) {
    struct place place = {file, line};
    struct hak_slab_sums walked = {0};
    size_t spare_bytes = 0;
    for (size_t cls = 1; cls < HAK_SLAB_CLASSES; cls++) {
        const struct hak_class_slabs *slabs = &heap->classes[cls];
        size_t listed_count = 0;
        for (const struct hak_slab *slab = slabs->all; slab != NULL; slab = slab->all_next) {
            conserve_links(place, slab, cls);
            listed_count += slab->is_listed;
            hak_heap_sum_slab(&walked, slab);
        }
        conserve_listed(place, slabs, listed_count);
        if (slabs->fresh != NULL && slabs->fresh->carved == 0) {
            spare_bytes += slabs->fresh->span.bytes;
        }
    }
    struct hak_slab_sums counted = hak_heap_sums(heap);
    require(place, counted.slab_bytes == walked.slab_bytes, "audit: bytes of all slabs");
    require(place, counted.carved_bytes == walked.carved_bytes, "audit: bytes of carved blocks");
    require(place, counted.active_bytes == walked.active_bytes, "audit: bytes of active blocks");
    require(place, counted.free_blocks == walked.free_blocks, "audit: free blocks of all slabs");
    require(place, spare_bytes == heap->spare_bytes, "audit: bytes of spare slabs");
}

void hak_report_panic(void *arg, const char *claim, const void *where, unsigned long long want,
                      unsigned long long got) {
    (void)where;
    (void)want;
    (void)got;
    hak_panic(arg, 0, claim);
}
