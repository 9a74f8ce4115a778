/* SPDX-License-Identifier: MIT */
/*
 * link.h: links of bins that are lists, proved before they are followed.
 *
 * A bin may be a list through its blocks, whose memory the program may have written to after their
 * free, or past the end of the block before. The fast paths follow links as they are. Elsewhere a
 * link is proved first: it leads to memory that has the tag of the bin, or is NULL where no block
 * is left. What lies below a wrong one is lost.
 */
#ifndef HAK_SUPPLY_LINK_H
#define HAK_SUPPLY_LINK_H

#include "src/contract/tcache.h"

HAK_INLINE bool hak_supply_is_link(const struct hak_tcache *tc, hak_class_t cls, const void *link,
                                   unsigned left) {
    if (left == 0) return link == NULL;
    return ((uintptr_t)link & (HAK_ALIGN_BYTES - 1)) == 0 &&
           hak_tagmap_slot(link) < hak_tagmap_slots() &&
           hak_tagmap_tag(link) == (tc->tag | (uint32_t)cls << HAK_BIN_SHIFT);
}

/* Empties the bin and notes a wrong link, with the block that held it, or NULL. */
HAK_COLD void hak_supply_give_up(struct hak_tcache *tc, hak_class_t cls, const void *holder);

/* For a bin that was found empty: if it should hold blocks, a link ended too early or went astray,
 * and it is given up. */
HAK_INLINE void hak_supply_check_empty(struct hak_tcache *tc, hak_class_t cls) {
    if (hak_unlikely(hak_bin_count(&tc->bins[cls]) != 0)) hak_supply_give_up(tc, cls, NULL);
}

/* The top block, if the bin has more than `keep`, and both it and its link are what they should be:
 * else NULL, and the bin is given up where they are not. What was proved as a link is not proved
 * again as the top, where it stays unless malloc takes it. */
void *hak_supply_pop(struct hak_tcache *tc, hak_class_t cls, unsigned keep);

#endif
