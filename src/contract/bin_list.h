/* SPDX-License-Identifier: MIT */
/*
 * bin_list.h: a bin that is a list through the first word of its free blocks; the greater part of
 * bin.h in the refill modules simple and p0.
 *
 * `credit` is capacity - length at every instant, so one counter bounds the bin and a full bin
 * hands back one block a free, never a batch. Owner thread only.
 */
#ifndef HAK_CONTRACT_BIN_LIST_H
#define HAK_CONTRACT_BIN_LIST_H

#include "src/base/bits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HAK_BIN_BLOCKS_MAX 16384u /* most blocks that a bin can hold */

struct hak_bin {
    void *list;
    int32_t credit;
    uint16_t capacity;
    uint16_t overflows_left; /* until it gets smaller (supply/room.c) */
};
#define HAK_BIN_EMPTY                                                                              \
    { .list = NULL }

/* Empty, with capacity 0. */
HAK_INLINE void hak_bin_init(struct hak_bin *bin) {
    bin->list = NULL;
    bin->credit = 0;
    bin->capacity = 0;
}

/* Empty again, whatever its list leads to, with its capacity. */
HAK_INLINE void hak_bin_clear(struct hak_bin *bin) {
    bin->list = NULL;
    bin->credit = bin->capacity;
}

/* Before its first capacity: the list needs no memory beside its blocks. */
HAK_INLINE bool hak_bin_has_memory(const struct hak_bin *bin) {
    (void)bin;
    return true;
}
HAK_INLINE void hak_bin_give_memory(struct hak_bin *bin, void *memory, unsigned number) {
    (void)bin;
    (void)memory;
    (void)number;
}

HAK_INLINE struct hak_bin *hak_bin_at(char *bins, uintptr_t offset) {
    return (struct hak_bin *)(void *)(bins + offset);
}

/* The bin at `bins + offset`; NULL when it is empty. */
HAK_INLINE void *hak_bin_pop_at(char *bins, uintptr_t offset) {
    void *block = hak_bin_at(bins, offset)->list;
    if (hak_unlikely(block == NULL)) return NULL;
    hak_result(block);
    hak_opaque(offset);
    hak_bin_at(bins, offset)->credit++;
    hak_opaque(offset);
    hak_bin_at(bins, offset)->list = *(void **)block;
    return block;
}

/* False when it is full. */
HAK_INLINE bool hak_bin_push_at(char *bins, uintptr_t offset, void *block) {
    hak_decrement_or(hak_bin_at(bins, offset)->credit, full);
    hak_opaque(offset);
    *(void **)block = hak_bin_at(bins, offset)->list;
    hak_opaque(offset);
    hak_bin_at(bins, offset)->list = block;
    return true;
full:
    hak_opaque(offset);
    hak_bin_at(bins, offset)->credit = 0;
    return false;
}

HAK_INLINE void *hak_bin_pop(struct hak_bin *bin) {
    return hak_bin_pop_at((char *)bin, 0);
}

HAK_INLINE bool hak_bin_push(struct hak_bin *bin, void *block) {
    return hak_bin_push_at((char *)bin, 0, block);
}

/* Adds the blocks base + i * stride of the set bits i, lowest on top; there is room. Linked in
 * address order: the blocks may be cold, and processors fetch ahead of rising addresses best. */
HAK_INLINE void hak_bin_put_word(struct hak_bin *bin, char *base, uint32_t stride, uint64_t bits) {
    void *below = bin->list;
    void **link = &bin->list;
    bin->credit -= (int32_t)hak_bits_count(bits);
    for (; bits != 0; bits &= bits - 1) {
        void *block = base + (size_t)hak_bits_lowest(bits) * stride;
        *link = block;
        link = block;
    }
    *link = below;
}

/* Adds `count` (1 or more) blocks in a row, lowest on top; there is room. */
HAK_INLINE void hak_bin_put_run(struct hak_bin *bin, char *base, uint32_t stride, unsigned count) {
    char *block = base;
    for (unsigned left = count - 1; left > 0; left--, block += stride)
        *(void **)(void *)block = block + stride;
    *(void **)(void *)block = bin->list;
    bin->list = base;
    bin->credit -= (int32_t)count;
}

/* At least the bin's count. */
HAK_INLINE void hak_bin_set_capacity(struct hak_bin *bin, unsigned capacity) {
    bin->credit += (int32_t)capacity - bin->capacity;
    bin->capacity = (uint16_t)capacity;
}

HAK_INLINE unsigned hak_bin_count(const struct hak_bin *bin) {
    return bin->capacity - (unsigned)bin->credit;
}

/* The bin of a thread that vanished in a fork, perhaps between the two stores of a push or a pop:
 * makes the count what the list holds. */
HAK_INLINE void hak_bin_mend(struct hak_bin *bin) {
    bin->credit = bin->capacity;
    for (void *block = bin->list; block != NULL; block = *(void **)block)
        bin->credit--;
}

/* The block below `block` in the bin, or the top one for NULL; NULL at the end. */
HAK_INLINE void *hak_bin_next(const struct hak_bin *bin, void *block, unsigned index) {
    (void)index;
    return block == NULL ? bin->list : *(void **)block;
}

#endif
