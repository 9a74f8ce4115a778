/* SPDX-License-Identifier: MIT */
/*
 * glibc.c: see glibc.h. The layout is that of malloc.c and arena.c from glibc 2.3 on, 64-bit: what
 * is relied on here has not changed since. With huge pages for its heaps (glibc.malloc.hugetlb=2)
 * glibc aligns them otherwise: then they are not found.
 */
#include "src/os/glibc.h"

#include "src/base/geometry.h"
#include "src/os/os.h"

/* The words before a block. `size` counts from `previous_bytes` on; its low bits are flags. */
struct chunk {
    size_t previous_bytes; /* of a mapped block: what lies unused before the chunk */
    size_t size;
};

#define PREVIOUS_IS_LIVE ((size_t)1)
#define IS_MAPPED        ((size_t)2)
#define IS_IN_ARENA      ((size_t)4) /* of a thread: not in the program break's */
#define FLAGS            (PREVIOUS_IS_LIVE | IS_MAPPED | IS_IN_ARENA)
#define CHUNK_BYTES_MIN  ((size_t)32)

/* At the start of each heap of an arena, and the arena itself behind that of its first heap. */
struct heap {
    uintptr_t arena;
    struct heap *previous;
    size_t bytes;
};

#define HEAP_ALIGN       ((uintptr_t)64 << 20)
#define HEAP_HEAD_MAX    ((size_t)256)
#define ADDRESS_BITS_MAX 56

static uintptr_t break_start;

void hak_glibc_init(void) {
    break_start = hak_os_program_break();
}

static const struct chunk *chunk_of(const void *block) {
    return (const struct chunk *)block - 1;
}

static size_t bytes_of(const struct chunk *chunk) {
    return chunk->size & ~FLAGS;
}

static bool is_aligned(uintptr_t value, size_t align) {
    return (value & (align - 1)) == 0;
}

/* Whether the block's chunk, and the header of the next one, lie below `end`, and say that the
 * block is live. */
static bool is_live_below(const struct chunk *chunk, uintptr_t end) {
    size_t bytes = bytes_of(chunk);
    if (bytes < CHUNK_BYTES_MIN || !is_aligned(bytes, HAK_ALIGN_BYTES)) return false;
    uintptr_t room = end - (uintptr_t)chunk;
    if (room < sizeof *chunk || bytes > room - sizeof *chunk) return false;
    const struct chunk *next = (const struct chunk *)((uintptr_t)chunk + bytes);
    size_t size = next->size;
    return (size & PREVIOUS_IS_LIVE) != 0 && (size & IS_MAPPED) == 0 &&
           is_aligned(size & ~FLAGS, HAK_ALIGN_BYTES) && size > FLAGS;
}

/* All memory from the break at start to the present one is readable. */
static bool is_in_break(const void *block) {
    uintptr_t end = hak_os_program_break();
    uintptr_t at = (uintptr_t)chunk_of(block);
    if (break_start == 0 || at < break_start || at >= end) return false;
    if (end - at < 2 * sizeof(struct chunk)) return false;
    const struct chunk *chunk = chunk_of(block);
    return (chunk->size & (IS_MAPPED | IS_IN_ARENA)) == 0 && is_live_below(chunk, end);
}

static const struct heap *heap_of(uintptr_t address) {
    const struct heap *heap = (const struct heap *)(address & ~(HEAP_ALIGN - 1));
    return hak_os_is_readable(heap) ? heap : NULL;
}

/* Whether the arena lies behind the head of a heap that names it. */
static bool is_arena(uintptr_t arena) {
    size_t offset = arena & (HEAP_ALIGN - 1);
    if (offset < sizeof(struct heap) || offset > HEAP_HEAD_MAX) return false;
    const struct heap *first = heap_of(arena);
    return first != NULL && first->arena == arena && first->previous == NULL;
}

static bool is_in_arena(const void *block) {
    const struct chunk *chunk = chunk_of(block);
    if (!hak_os_is_readable(chunk)) return false;
    if ((chunk->size & (IS_MAPPED | IS_IN_ARENA)) != IS_IN_ARENA) return false;
    const struct heap *heap = heap_of((uintptr_t)chunk);
    if (heap == NULL || !is_arena(heap->arena)) return false;
    size_t heap_bytes = heap->bytes;
    if (heap_bytes > HEAP_ALIGN || !is_aligned(heap_bytes, hak_os_page_bytes())) return false;
    return is_live_below(chunk, (uintptr_t)heap + heap_bytes);
}

bool hak_glibc_is_in_heap(const void *block) {
    if (!is_aligned((uintptr_t)block, HAK_ALIGN_BYTES) || block == NULL) return false;
    return is_in_break(block) || is_in_arena(block);
}

bool hak_glibc_is_mapped(const void *block) {
    const struct chunk *chunk = chunk_of(block);
    if (!is_aligned((uintptr_t)block, HAK_ALIGN_BYTES) || !hak_os_is_readable(chunk)) return false;
    if ((chunk->size & FLAGS) != IS_MAPPED) return false;
    size_t lead = chunk->previous_bytes, bytes = bytes_of(chunk), page = hak_os_page_bytes();
    if (bytes < CHUNK_BYTES_MIN || (bytes | lead) >> ADDRESS_BITS_MAX != 0) return false;
    uintptr_t base = (uintptr_t)chunk - lead;
    if (base == 0 || base > (uintptr_t)chunk) return false;
    if (!is_aligned(base, page) || !is_aligned(lead + bytes, page)) return false;
    return hak_os_is_readable((const void *)base) &&
           hak_os_is_readable((const void *)((uintptr_t)chunk + bytes - sizeof *chunk));
}
