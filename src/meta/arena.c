/* SPDX-License-Identifier: MIT */
/*
 * arena.c: a bump pointer and one free list a size.
 *
 * Each change is published by one store (of `bump` or of a list head), so that the child of a fork
 * finds a valid arena wherever another thread stood.
 */
#include "src/meta/arena.h"

#include "src/base/bits.h"
#include "src/base/check.h"
#include "src/base/geometry.h"
#include "src/os/os.h"

#include <string.h>

#define LISTS 32 /* free lists for 1..LISTS-1 units; larger memory is never freed */

struct free_memory {
    struct free_memory *next;
};

struct arena {
    struct hak_lock lock;
    char *bump;
    char *end;
    struct free_memory *lists[LISTS];
    size_t bytes;
};
HAK_GUARDED_STATIC(struct arena, arena) = {.lock = HAK_LOCK_INIT(HAK_RANK_ARENA)};

static void *bump(size_t bytes) HAK_REQUIRES(arena.lock) {
    if (arena.end < arena.bump || (size_t)(arena.end - arena.bump) < bytes) {
        size_t chunk = hak_round_up(bytes, HAK_META_CHUNK_BYTES);
        char *base = hak_os_map(chunk);
        if (base == NULL) return NULL;
        arena.bytes += chunk;
        arena.end = NULL; /* no room at every instant ... */
        atomic_signal_fence(memory_order_seq_cst);
        arena.bump = base;
        atomic_signal_fence(memory_order_seq_cst);
        arena.end = base + chunk; /* ... until the chunk is whole */
    }
    void *memory = arena.bump;
    arena.bump += bytes;
    return memory;
}

void *hak_arena_alloc(size_t bytes) {
    hak_assert(bytes > 0);
    bytes = hak_round_up(bytes, HAK_META_UNIT_BYTES);
    size_t units = bytes >> HAK_META_UNIT_SHIFT;
    hak_lock_take(&arena.lock);
    struct free_memory *memory = units < LISTS ? arena.lists[units] : NULL;
    if (memory != NULL) {
        arena.lists[units] = memory->next;
    } else {
        memory = bump(bytes);
    }
    hak_lock_give(&arena.lock);
    hak_assert(((uintptr_t)memory & (HAK_META_UNIT_BYTES - 1)) == 0);
    if (memory != NULL && units < LISTS) memset(memory, 0, bytes);
    return memory;
}

void hak_arena_free(void *memory, size_t bytes) {
    size_t units = hak_round_up(bytes, HAK_META_UNIT_BYTES) >> HAK_META_UNIT_SHIFT;
    if (memory == NULL || units >= LISTS) return;
    struct free_memory *freed = memory;
    hak_lock_take(&arena.lock);
    hak_assert(((uintptr_t)memory & (HAK_META_UNIT_BYTES - 1)) == 0);
    hak_assert(arena.lists[units] != freed);
    freed->next = arena.lists[units];
    atomic_signal_fence(memory_order_release);
    arena.lists[units] = freed;
    hak_lock_give(&arena.lock);
}

size_t hak_arena_bytes(void) {
    hak_lock_take(&arena.lock);
    size_t bytes = arena.bytes;
    hak_lock_give(&arena.lock);
    return bytes;
}

void hak_arena_after_fork(void) {
    hak_lock_reset(&arena.lock);
}
