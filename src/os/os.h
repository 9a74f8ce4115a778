/* SPDX-License-Identifier: MIT */
/*
 * os.h: all that hakmem asks of the kernel, on one page.
 *
 * Called by meta, the tiers and the front. Nothing here allocates, sets errno, or prints by itself;
 * failures are NULL, false or a negative errno. All sizes are in bytes.
 */
#ifndef HAK_OS_OS_H
#define HAK_OS_OS_H

#include "src/base/attrs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The page size, read once from the kernel; a power of two. */
size_t hak_os_page_bytes(void);

/* Private zeroed memory anywhere, page aligned; NULL when out. */
void *hak_os_map(size_t bytes);

/* The same, aligned to `align`, a power of two. */
void *hak_os_map_aligned(size_t bytes, size_t align);

/* The same exactly at `at`; false when something is there already or memory is out. */
bool hak_os_map_at(void *at, size_t bytes);

/* Address space that can be read as zeros but takes no memory, no commit charge and no place in
 * core dumps; hak_os_make_writable turns stretches of it into memory. */
void *hak_os_reserve(size_t bytes);
bool hak_os_make_writable(void *base, size_t bytes);

/* False when the kernel refuses, as it does at its limit of mappings: then the range stays mapped,
 * without its pages. */
bool hak_os_unmap(void *base, size_t bytes);

/* Resizes a mapping, moving it if need be; NULL when impossible (it stays as it was). */
void *hak_os_remap(void *base, size_t bytes, size_t new_bytes);

/* Moves the pages of a range over a mapped one of the same size. False when the kernel refuses, as
 * it does before 6.17 where several of its mappings would move at once; the target may be unmapped
 * then. hak_os_moves_many: whether it is such a kernel; asked once, by its version. */
bool hak_os_move(void *from, size_t bytes, void *to);
bool hak_os_moves_many(void);

/* Gives the pages back; false when the kernel refuses. *zeroed: they read as zeros from now on. */
bool hak_os_purge(void *base, size_t bytes, bool *zeroed);

/* Lets the kernel take purged pages when it needs them, instead of at once. At start. */
void hak_os_purge_lazily(bool lazily);

/* Makes a range that begins a page read as zeros, by the cheaper of writing them and giving its
 * pages back: a caller who left most of a large block untouched does not pay for all of it. True
 * when it was written, since much of it was in memory. */
bool hak_os_zero(void *base, size_t bytes);

/* Huge pages for the memory of blocks: HAKMEM_THP=never|madvise, else what the system does by
 * itself. hak_os_huge_pages_init reads it; the name is for reports. */
void hak_os_huge_pages_init(void);
const char *hak_os_huge_pages(void);

/* Milliseconds of a clock that only rises; a few milliseconds coarse, and no system call. */
uint64_t hak_os_now_ms(void);

/* Sleeps; for threads of our own. */
void hak_os_sleep_ms(uint64_t ms);

/* RLIMIT_AS, or SIZE_MAX when there is none; and physical memory. */
size_t hak_os_address_limit_bytes(void);
size_t hak_os_memory_bytes(void);

/* The value of an environment variable; NULL when unset, and always in AT_SECURE processes. */
const char *hak_os_getenv(const char *name);

/* Writes to stderr, unbuffered; errors are ignored. */
void hak_os_write_stderr(const char *text, size_t bytes);

HAK_NORETURN void hak_os_abort(void);

/* Gives the rest of this thread's time slice away. */
void hak_os_yield(void);

#endif
