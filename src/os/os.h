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

void hak_os_unmap(void *base, size_t bytes);

/* Resizes a mapping, moving it if need be; NULL when impossible (it stays as it was). */
void *hak_os_remap(void *base, size_t bytes, size_t new_bytes);

/* Gives the pages back; they read as zeros afterwards. False when the kernel refuses. */
bool hak_os_purge(void *base, size_t bytes);

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
