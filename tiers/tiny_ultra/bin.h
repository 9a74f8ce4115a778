/* SPDX-License-Identifier: MIT */
/*
 * bin.h (tiny_ultra): a bin is an array of block pointers, so a cached block's memory is never
 * touched.
 *
 * A class that is used has 64 slots, 512 bytes aligned to 512. `top` is the next free slot; the
 * bin is full when `top` is aligned, one past its last slot. The slot below the first one used is
 * never written and stays NULL: a pop that reads NULL has found the bin empty. A smaller capacity
 * is a higher first slot. Owner thread only.
 */
#ifndef HAK_TINY_ULTRA_BIN_H
#define HAK_TINY_ULTRA_BIN_H

#include "src/base/bits.h"
#include "src/base/geometry.h"

#include <stdbool.h>
#include <string.h>

#define HAK_BIN_SLOTS        64u
#define HAK_BIN_BLOCKS_MAX   (HAK_BIN_SLOTS - 1)
#define HAK_BIN_ARRAY_BYTES  (HAK_BIN_SLOTS * sizeof(void *))
#define HAK_BIN_MEMORY_BYTES (HAK_CLASSES * HAK_BIN_ARRAY_BYTES)

struct hak_bin {
    void **top;
    uint16_t capacity;
    uint16_t overflows_left; /* until it gets smaller (supply/room.c) */
    uint16_t unused[2];
};

/* Of bins without an array, as of threads without a heap: popping finds NULL, and they are full. */
extern HAK_ALIGNED(HAK_BIN_ARRAY_BYTES) void *hak_ultra_no_slots[HAK_BIN_SLOTS];
#define HAK_BIN_EMPTY                                                                              \
    { .top = hak_ultra_no_slots + HAK_BIN_SLOTS }

HAK_INLINE void **hak_bin_end(const struct hak_bin *bin) {
    uintptr_t last = (uintptr_t)(bin->top - 1) | (HAK_BIN_ARRAY_BYTES - 1);
    return (void **)(last + 1);
}

/* Empty, with capacity 0. */
HAK_INLINE void hak_bin_init(struct hak_bin *bin) {
    bin->top = hak_ultra_no_slots + HAK_BIN_SLOTS;
    bin->capacity = 0;
}

/* Empty again, with its capacity. */
HAK_INLINE void hak_bin_clear(struct hak_bin *bin) {
    bin->top = hak_bin_end(bin) - bin->capacity;
}

/* Before its first capacity: its array, the `number`th in the cache's memory. */
HAK_INLINE bool hak_bin_has_memory(const struct hak_bin *bin) {
    return bin->top != hak_ultra_no_slots + HAK_BIN_SLOTS;
}
HAK_INLINE void hak_bin_give_memory(struct hak_bin *bin, void *memory, unsigned number) {
    bin->top = (void **)memory + (number + 1) * (size_t)HAK_BIN_SLOTS;
}

HAK_INLINE struct hak_bin *hak_bin_at(char *bins, uintptr_t offset) {
    return (struct hak_bin *)(void *)(bins + offset);
}

/* The bin at `bins + offset`; NULL when it is empty. */
HAK_INLINE void *hak_bin_pop_at(char *bins, uintptr_t offset) {
    void *block = hak_bin_at(bins, offset)->top[-1];
    if (hak_unlikely(block == NULL)) return NULL;
    hak_opaque(offset);
    hak_bin_at(bins, offset)->top--;
    return block;
}

/* False when it is full. */
HAK_INLINE bool hak_bin_push_at(char *bins, uintptr_t offset, void *block) {
    void **top = hak_bin_at(bins, offset)->top;
    if (hak_unlikely(((uintptr_t)top & (HAK_BIN_ARRAY_BYTES - 1)) == 0)) return false;
    *top = block;
    hak_opaque(offset);
    hak_bin_at(bins, offset)->top++;
    return true;
}

HAK_INLINE void *hak_bin_pop(struct hak_bin *bin) {
    return hak_bin_pop_at((char *)bin, 0);
}

HAK_INLINE bool hak_bin_push(struct hak_bin *bin, void *block) {
    return hak_bin_push_at((char *)bin, 0, block);
}

/* Adds the blocks base + i * stride of the set bits i, lowest on top; there is room. */
HAK_INLINE void hak_bin_put_word(struct hak_bin *bin, char *base, uint32_t stride, uint64_t bits) {
    void **slot = bin->top += hak_bits_count(bits);
    for (; bits != 0; bits &= bits - 1)
        *--slot = base + (size_t)hak_bits_lowest(bits) * stride;
}

/* Adds `count` (1 or more) blocks in a row, lowest on top; there is room. */
HAK_INLINE void hak_bin_put_run(struct hak_bin *bin, char *base, uint32_t stride, unsigned count) {
    void **slot = bin->top += count;
    for (unsigned left = count; left > 0; left--, base += stride)
        *--slot = base;
}

HAK_INLINE unsigned hak_bin_count(const struct hak_bin *bin) {
    return bin->capacity - (unsigned)(hak_bin_end(bin) - bin->top);
}

/* At least the bin's count. The blocks move to the slots below the new end of the free ones; the
 * slot below them is the new bottom. */
HAK_INLINE void hak_bin_set_capacity(struct hak_bin *bin, unsigned capacity) {
    unsigned count = hak_bin_count(bin);
    void **from = bin->top - count;
    void **to = hak_bin_end(bin) - capacity;
    memmove(to, from, count * sizeof(void *));
    to[-1] = NULL;
    bin->top = to + count;
    bin->capacity = (uint16_t)capacity;
}

/* A push and a pop change the bin by one store: there is nothing to mend after a fork. */
HAK_INLINE void hak_bin_mend(struct hak_bin *bin) {
    (void)bin;
}

/* The block below `block` in the bin, or the top one for NULL; NULL at the end. */
HAK_INLINE void *hak_bin_next(const struct hak_bin *bin, void *block, unsigned index) {
    (void)block;
    return index < hak_bin_count(bin) ? bin->top[-1 - (int)index] : NULL;
}

#endif
