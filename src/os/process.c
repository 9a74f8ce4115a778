/* SPDX-License-Identifier: MIT */
/*
 * process.c: what os.h says of the process and its forks. Keeps errno.
 */
#define _GNU_SOURCE
#include "src/os/os.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static _Atomic uint32_t no_page = 1;
static _Atomic pid_t noted_process;
static _Atomic bool is_child;
_Atomic(_Atomic uint32_t *) hak_os_fork_page = &no_page;

bool hak_os_is_forked(void) {
    bool has_page = atomic_load_explicit(&hak_os_fork_page, memory_order_relaxed) != &no_page;
    if (has_page) return hak_os_page_is_cleared();
    return atomic_load_explicit(&noted_process, memory_order_relaxed) != getpid();
}

bool hak_os_is_child(void) {
    return atomic_load_explicit(&is_child, memory_order_relaxed) ||
           (atomic_load_explicit(&noted_process, memory_order_relaxed) != 0 && hak_os_is_forked());
}

void hak_os_note_process(void) {
    if (hak_os_is_child()) atomic_store_explicit(&is_child, true, memory_order_relaxed);
    _Atomic uint32_t *page = atomic_load_explicit(&hak_os_fork_page, memory_order_relaxed);
    if (page != &no_page) atomic_store_explicit(page, 1, memory_order_relaxed);
    atomic_store_explicit(&noted_process, getpid(), memory_order_relaxed);
}

void hak_os_watch_forks(void) {
    if (atomic_load_explicit(&hak_os_fork_page, memory_order_relaxed) != &no_page) return;
    _Atomic uint32_t *page = hak_os_map(hak_os_page_bytes());
    if (page == NULL) return;
    int saved_errno = errno;
    bool is_cleared = madvise(page, hak_os_page_bytes(), MADV_WIPEONFORK) == 0;
    errno = saved_errno;
    if (!is_cleared) {
        hak_os_unmap(page, hak_os_page_bytes());
        return;
    }
    atomic_store_explicit(page, 1, memory_order_relaxed);
    atomic_store_explicit(&hak_os_fork_page, page, memory_order_release);
}
