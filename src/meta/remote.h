/* SPDX-License-Identifier: MIT */
/*
 * remote.h: frees by threads that do not own the slab: kept in the sender's cache, which is a part
 * of its heap, and posted to the owner's inbox.
 *
 * Called by free, by flushes, and by the files of src/meta/ that hand inboxes on.
 */
#ifndef HAK_META_REMOTE_H
#define HAK_META_REMOTE_H

#include "src/meta/heap.h"

/* Posts everything that the sender's cache holds. May leave emptied slabs, that were orphans. */
void hak_remote_flush(struct hak_heap *heap);

/* Remote frees (remote.c). `block` is known to begin a block of `slab`, which `heap` does not own.
 * May leave emptied slabs. This and hak_remote_add are followed by a flush where `sender_bytes` has
 * reached HAK_SENDER_FLUSH_BYTES. */
void hak_remote_free(struct hak_heap *heap, struct hak_slab *slab, const void *block);

/* The sender's entry for an address. */
HAK_INLINE struct hak_sender_entry *hak_remote_entry(struct hak_heap *heap, const void *block) {
    return &heap->senders[(uintptr_t)block >> HAK_SENDER_REACH_SHIFT & (HAK_SENDER_ENTRIES - 1)];
}

/* Adds a block to its entry if the entry is there and the address begins a block that is not in it;
 * else false, and the caller takes the long way, which proves the address. */
HAK_INLINE bool hak_remote_add(struct hak_heap *heap, const void *block) {
    struct hak_sender_entry *entry = hak_remote_entry(heap, block);
    uint64_t offset = (uintptr_t)block - (uintptr_t)entry->base;
    if (hak_unlikely(offset >= entry->bytes)) return false;
    uint64_t index = offset * entry->reciprocal >> HAK_RECIPROCAL_SHIFT;
    uint64_t bit = (uint64_t)1 << index;
    if (hak_unlikely(index * entry->stride != offset || (entry->bits & bit) != 0)) return false;
    entry->bits |= bit;
    heap->sender_bytes += entry->stride;
    return true;
}

/* Posts at once. Returns the bits whose blocks had been posted before. */
uint64_t hak_remote_post(struct hak_slab *slab, unsigned word, uint64_t bits);

/* Hands each slab of a chain of links to its owner's inbox; the caller holds their `pending`. */
void hak_remote_notify(struct hak_slab *list);

#endif
