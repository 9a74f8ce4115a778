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

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The page size, read once from the kernel; a power of two. */
size_t hak_os_page_bytes(void);

/* Private zeroed memory anywhere, page aligned; NULL when out. */
void *hak_os_map(size_t bytes);

/* The same, aligned to `align`, a power of two. */
void *hak_os_map_aligned(size_t bytes, size_t align);

/* The same exactly at `at`: TAKEN when something is mapped there already, OUT when memory, address
 * space or the limit of mappings is out. */
enum hak_os_mapped { HAK_OS_MAPPED, HAK_OS_TAKEN, HAK_OS_OUT };
enum hak_os_mapped hak_os_map_at(void *at, size_t bytes);

/* Small pages for a range of metadata, which is used sparsely. */
void hak_os_no_huge_pages(void *base, size_t bytes);

/* Shift of the address space of this process, a little more than its highest mapping. */
unsigned hak_os_address_shift(void);

/* A number that differs from process to process, as far as the kernel places stacks and libraries
 * at random. No secret. */
uint64_t hak_os_random(void);

/* False when the kernel refuses, as it does at its limit of mappings: then the range, which is not
 * the caller's any more in any case, loses its pages, and goes later (os/leftover.h). */
bool hak_os_unmap(void *base, size_t bytes);

/* Resizes a mapping, moving it if need be; NULL when impossible (it stays as it was). */
void *hak_os_remap(void *base, size_t bytes, size_t new_bytes);

/* Moves the pages of a range over a mapped one of the same size. False when the kernel refuses:
 * then the range is still mapped, perhaps without all of its pages, but nothing is known of the
 * target, which may be unmapped, and another thread's by now. `is_several`: it may be several of
 * the kernel's mappings. Kernels before 6.17 refuse that; later ones may have moved some when they
 * do. hak_os_moves_many: whether it is such a kernel; asked once, by its version. */
bool hak_os_move(void *from, size_t bytes, void *to, bool is_several);
bool hak_os_moves_many(void);

/* Whether a page is locked in memory. Several locked mappings are better not moved: the kernel
 * counts them twice against RLIMIT_MEMLOCK from then on. Linux 5.4; true before. */
bool hak_os_is_locked(void *page);

/* Gives the pages back; false when the kernel refuses. *zeroed: they read as zeros from now on. */
bool hak_os_purge(void *base, size_t bytes, bool *zeroed);

/* Lets the kernel take purged pages when it needs them, instead of at once. At start. */
void hak_os_purge_lazily(bool lazily);

/* Makes a range that begins a page read as zeros, by the cheaper of writing them and giving its
 * pages back: a caller who left most of a large block untouched does not pay for all of it. What is
 * cheaper, a few looks at its contents say. */
void hak_os_zero(void *base, size_t bytes);

/* Huge pages for the memory of blocks: HAKMEM_THP=never|madvise, else what the system does by
 * itself. hak_os_huge_pages_init reads it; the name is for reports. */
void hak_os_huge_pages_init(void);
const char *hak_os_huge_pages(void);
bool hak_os_may_use_huge_pages(void);

/* Milliseconds of a clock that only rises; a few milliseconds coarse, and no system call. */
uint64_t hak_os_now_ms(void);

/* Sleeps, and is a cancellation point: for threads of our own. */
void hak_os_sleep_ms(uint64_t ms);

/* Physical memory. */
size_t hak_os_memory_bytes(void);

/* Whether the 16 bytes at an address that is a multiple of 16 can be read, asked of the kernel. */
bool hak_os_is_readable(const void *address);

/* Where the heap that libc extends by brk ends now; hakmem itself never does. */
uintptr_t hak_os_program_break(void);

/* The value of an environment variable; NULL when unset, and always in AT_SECURE processes. */
const char *hak_os_getenv(const char *name);

/* The environment's entry "name=value" of that index; NULL past the last, and likewise. */
const char *hak_os_env_entry(size_t index);

/* Write unbuffered; errors are ignored. No cancellation points. */
void hak_os_write_stderr(const char *text, size_t bytes);
void hak_os_write_stdout(const char *text, size_t bytes);

HAK_NORETURN void hak_os_abort(void);

/* Ends the process without its handlers. */
HAK_NORETURN void hak_os_exit(int status);

/* Sleeps until woken, unless the word is not `value`; may return for no reason. Wakes one sleeper.
 */
void hak_os_wait(_Atomic uint32_t *word, uint32_t value);
void hak_os_wake_one(_Atomic uint32_t *word);

/* A full barrier in every thread of the process, so that one side of a handshake gets by with a
 * compiler barrier (membarrier, Linux 4.14): each thread's accesses before some instant of this
 * call are complete, and none after it has begun. False when the kernel has no such thing. The
 * first is called once at start, while it costs nothing; a child of a fork inherits it. */
void hak_os_barrier_init(void);
bool hak_os_barrier(void);

/* Whether this process is the child of a fork and has not called hak_os_note_process itself: by the
 * process number, or by a page that the kernel clears in the child (Linux 4.14), which also holds
 * in new process namespaces. Unlike a fork handler it is true from the child's first instruction
 * on. Any thread; the two that set it up under the caller's lock. */
bool hak_os_is_forked(void);
void hak_os_note_process(void);
void hak_os_watch_forks(void); /* takes the page */

/* Whether it is a child of a fork at all: true for good, also after it has noted itself. A fork
 * before the first note does not count. */
bool hak_os_is_child(void);

/* The page, or a word that is never 0 before it was taken: 0 in the child until it has noted
 * itself. For a look on the way, without a call. Acquire: pairs with the release that published the
 * page, else the mark in it might not be seen, and the process taken for a child. */
extern _Atomic(_Atomic uint32_t *) hak_os_fork_page;
HAK_INLINE bool hak_os_page_is_cleared(void) {
    const _Atomic uint32_t *page = atomic_load_explicit(&hak_os_fork_page, memory_order_acquire);
    return atomic_load_explicit(page, memory_order_relaxed) == 0;
}

#endif
