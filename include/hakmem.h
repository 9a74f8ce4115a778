/* SPDX-License-Identifier: MIT */
/*
 * hakmem.h: the public interface of hakmem, a drop-in malloc for Linux.
 *
 * libhakmem.so exports malloc and its whole family under their libc names; the same functions stand
 * here under names of their own, for programs that want to say which allocator they mean. All sizes
 * are in bytes. Every function may be called from any thread at any time, also before main, in
 * thread-local destructors, in atexit handlers and in the child of a fork; none is safe in a signal
 * handler. A block belongs to the caller until one of the free functions takes it; both families of
 * names may be mixed freely. Failure is NULL with errno = ENOMEM unless a function says otherwise.
 */
#ifndef HAKMEM_H
#define HAKMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define HAK_API __attribute__((visibility("default")))
#else
#define HAK_API
#endif

/* A block of at least `size` bytes, aligned to 16; size 0 gives a unique block too. Sizes over
 * PTRDIFF_MAX fail. */
HAK_API void *hak_malloc(size_t size);

/* `count * size` bytes, zero up to the usable size; fails when the product overflows. */
HAK_API void *hak_calloc(size_t count, size_t size);

/* Moves or resizes `block` in place and keeps its first min(old, new) bytes. NULL allocates; size 0
 * frees and returns NULL with errno untouched (as glibc does). On failure the block stays valid. */
HAK_API void *hak_realloc(void *block, size_t size);

/* Returns a block; NULL is allowed; errno is kept. A pointer that is not a live block is reported
 * on stderr and ends the process (HAKMEM_MISUSE=ignore: is left alone). */
HAK_API void hak_free(void *block);

/* C23: as hak_free. The size and alignment are hints and are never trusted. */
HAK_API void hak_free_sized(void *block, size_t size);
HAK_API void hak_free_aligned_sized(void *block, size_t alignment, size_t size);

/* A block aligned to `alignment`, a power of two (else EINVAL); `size` need not be a multiple. */
HAK_API void *hak_aligned_alloc(size_t alignment, size_t size);

/* As aligned_alloc, but rounds the alignment up to a power of two, as glibc does; EINVAL when there
 * is none. */
HAK_API void *hak_memalign(size_t alignment, size_t size);

/* Returns 0, EINVAL (alignment no power of two or no multiple of sizeof(void *)) or ENOMEM; errno
 * is not used, and *out is written on success only. */
HAK_API int hak_posix_memalign(void **out, size_t alignment, size_t size);

/* Page-aligned blocks; pvalloc rounds the size up to whole pages, and 0 up to one. */
HAK_API void *hak_valloc(size_t size);
HAK_API void *hak_pvalloc(size_t size);

/* The bytes that may be used of a live block, at least those asked for, constant while it lives;
 * NULL gives 0. */
HAK_API size_t hak_usable_size(const void *block);

/* The usable size that a request of `size` bytes would get, or more of above 1 MiB, where memory
 * used before may have some to spare; never less than `size` unless the request cannot be served
 * (0). */
HAK_API size_t hak_good_size(size_t size);

/* Gives memory that is free back to the kernel, as far as this thread can reach it; returns the
 * bytes given back. Takes as long as the memory is large: not for hot paths. */
HAK_API size_t hak_purge(void);

/* What the allocator knows of itself. Exact when no other thread allocates meanwhile; else sums of
 * counters that are read one after the other, where live and free bytes are never more than the
 * mapped ones. `version` is set by the caller to HAK_STATS_VERSION. */
#define HAK_STATS_VERSION 4
struct hak_stats {
    uint32_t version;
    uint32_t heaps;            /* thread heaps in existence, those of ended threads included */
    uint64_t mapped_bytes;     /* address space held from the kernel for blocks */
    uint64_t metadata_bytes;   /* memory held for metadata */
    uint64_t small_live_bytes; /* blocks up to 64 KiB: live or in thread caches, by stride */
    uint64_t small_slab_bytes; /* slabs that hold them */
    uint64_t large_live_bytes; /* blocks over 64 KiB: live or in thread caches, by mapping */
    uint64_t large_live_count;
    uint64_t free_bytes; /* mapped and in no live block: kept, free in slabs, never used */
    uint64_t free_count; /* free blocks of slabs, kept spans and mappings; what was never cut: 1 */
    uint64_t idle_bytes; /* free memory that has pages, which hak_purge would give back */
    uint64_t small_free_count;     /* blocks free in their slabs, of those cut so far */
    uint64_t refill_count;         /* times an empty bin was filled */
    uint64_t refill_blocks;        /* blocks that filled it */
    uint64_t overflow_blocks;      /* blocks that full bins handed back to slabs */
    uint64_t remote_posted_blocks; /* blocks posted to slabs of other threads */
    uint64_t adopted_slabs;        /* slabs of ended threads taken over */
    uint64_t large_kept_bytes;     /* blocks over 64 KiB, freed and kept for reuse by their tiers */
    uint64_t large_kept_count;
};
/* Fills *out; returns 0, or -1 when `version` is unknown. Reads a dozen counters a heap and the
 * tiers' own, under their locks: microseconds, whatever the size of the heap. */
HAK_API int hak_stats(struct hak_stats *out);

/* What a module of this build counts beside that, or how it is set: hits, evictions, shards. Texts
 * are static. A name is one word of letters, digits and '_', and keeps its meaning. */
struct hak_counter {
    const char *module;
    const char *name;
    const char *unit;
    const char *help;
    uint64_t value;
};
typedef void hak_counter_fn(void *arg, const struct hak_counter *counter);
/* Calls `visit` with each counter, module by module, in the same order each time. No lock is held
 * meanwhile: `visit` may allocate. Which counters there are is the business of the modules. */
HAK_API void hak_counters(hak_counter_fn *visit, void *arg);

/* Recounts every invariant of every tier; returns true when all hold, and writes a line a breach to
 * stderr. Only meaningful while no other thread allocates or frees. */
HAK_API bool hak_check(void);

/* One line that names version, revision and the modules of this build; static storage. */
HAK_API const char *hak_build_info(void);

#ifdef __cplusplus
}
#endif

#endif
