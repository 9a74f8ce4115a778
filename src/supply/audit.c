/* SPDX-License-Identifier: MIT */
/*
 * audit.c: see audit.h. Part of builds with guards, and of the tests.
 */
#include "src/supply/audit.h"

#include "src/contract/slots.h"
#include "src/meta/conserve.h"
#include "src/supply/link.h"

static void conserve_room(const struct hak_tcache *tc, const char *file, int line) {
    uint64_t bytes = 0;
    for (hak_class_t cls = 1; cls < HAK_SLAB_CLASSES; cls++)
        bytes += (uint64_t)tc->bins[cls].capacity * hak_sizeclass_stride(cls);
    if (bytes != tc->bin_bytes) hak_panic(file, line, "audit: the room of the bins is summed up");
}

/* Whether a block of a bin is in use in a slab of the bin's class. */
static bool is_in_use(const struct hak_tcache *tc, hak_class_t cls, const void *block) {
    const struct hak_slab *slab = hak_slab_of_span(hak_tagmap_span_inside(block));
    if (!hak_slab_is_block(slab, block) || slab->cls != cls) return false;
    unsigned index = hak_slab_index(slab, block);
    bool is_free = (slab->free_bits[index >> HAK_WORD_SHIFT] & hak_slab_bit(index)) != 0;
    return index < slab->carved && !is_free && atomic_load(&slab->owner) == &tc->heap;
}

static void conserve_bin(const struct hak_tcache *tc, hak_class_t cls, const char *file, int line) {
    const struct hak_bin *bin = &tc->bins[cls];
    unsigned count = hak_bin_count(bin);
    if (count > bin->capacity) hak_panic(file, line, "audit: a bin holds what it has room for");
    void *block = hak_bin_next(bin, NULL, 0);
    for (unsigned i = 0; i < count; block = hak_bin_next(bin, block, ++i)) {
        if (block == NULL || !hak_supply_is_link(tc, cls, block, count - i)) return;
        if (!is_in_use(tc, cls, block)) {
            hak_panic(file, line, "audit: a block in a bin is in use in its slab");
        }
    }
}

struct place {
    const struct hak_tcache *tc;
    hak_class_t cls;
    const char *file;
    int line;
};

static void conserve_held(void *arg, const void *block) {
    const struct place *place = arg;
    if (!hak_supply_is_link(place->tc, place->cls, block, 1)) return;
    if (is_in_use(place->tc, place->cls, block)) return;
    hak_panic(place->file, place->line, "audit: a block that a module holds is in use in its slab");
}

/* A slab of the heap by a number; NULL when it has none. */
static const struct hak_slab *slab_by(const struct hak_heap *heap, uint64_t number) {
    for (unsigned looks = 0; looks < HAK_SLAB_CLASSES; looks++) {
        size_t cls = (number + looks) % HAK_SLAB_CLASSES;
        const struct hak_slab *slab = heap->classes[cls].all;
        if (slab == NULL) continue;
        for (uint64_t steps = number >> 32 & 63; steps > 0 && slab->all_next != NULL; steps--)
            slab = slab->all_next;
        return slab;
    }
    return NULL;
}

static void conserve_slab(const struct hak_slab *slab, const struct hak_heap *heap,
                          const char *file, int line) {
    (void)hak_conserve_slab(slab, heap, hak_report_panic, &(struct hak_place){file, line});
}

void hak_supply_conserve(struct hak_tcache *tc, hak_class_t cls, const char *file, int line) {
    static _Atomic uint64_t calls;
    conserve_room(tc, file, line);
    conserve_bin(tc, cls, file, line);
    hak_bins_each_block(tc, cls, conserve_held, &(struct place){tc, cls, file, line});
    uint64_t call = atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
    if (call % HAK_AUDIT_PATHS != 0) return;
    uint64_t number = (call + 1) * HAK_HASH_MULTIPLIER >> 8;
    const struct hak_slab *slab = slab_by(&tc->heap, number);
    if (slab != NULL) conserve_slab(slab, &tc->heap, file, line);
}
