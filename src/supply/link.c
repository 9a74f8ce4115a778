/* SPDX-License-Identifier: MIT */
/*
 * link.c: see link.h.
 */
#include "src/supply/link.h"

void hak_supply_give_up(struct hak_tcache *tc, hak_class_t cls, const void *holder) {
    hak_bin_clear(&tc->bins[cls]);
    hak_assert(hak_bin_count(&tc->bins[cls]) == 0);
    hak_heap_note_overwritten(&tc->heap, cls, holder);
}

void *hak_supply_pop(struct hak_tcache *tc, hak_class_t cls, unsigned keep) {
    struct hak_bin *bin = &tc->bins[cls];
    unsigned count = hak_bin_count(bin);
    if (count <= keep) return NULL;
    void *block = NULL;
    const void *top = hak_bin_next(bin, NULL, 0);
    bool is_known = top != NULL && top == tc->proved;
    if (hak_likely(is_known || hak_supply_is_link(tc, cls, top, count))) {
        block = hak_bin_pop(bin);
        const void *link = hak_bin_next(bin, NULL, 0);
        tc->proved = link;
        if (hak_likely(hak_supply_is_link(tc, cls, link, count - 1))) return block;
        tc->proved = NULL;
    }
    hak_supply_give_up(tc, cls, block);
    return block;
}
