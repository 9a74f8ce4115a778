/* SPDX-License-Identifier: MIT */
/*
 * purge.c: see purge.h.
 */
#include "src/front/purge.h"

#include "src/contract/purge.h"
#include "src/contract/slots.h"
#include "src/contract/supply.h"
#include "src/front/misuse.h"
#include "src/front/options.h"
#include "src/os/os.h"

#include <pthread.h>
#include <signal.h>

static _Atomic bool has_thread;

static bool has_excess(void) {
    return hak_spans_idle() + hak_large_idle() > hak_purge_policy.keep_bytes;
}

/* At most one system call; returns the bytes given back. */
static size_t step(void) {
    size_t bytes = hak_large_purge(HAK_PURGE_SOME, HAK_PURGE_STEP_BYTES);
    return bytes > 0 ? bytes : hak_spans_purge(HAK_PURGE_SOME, HAK_PURGE_STEP_BYTES);
}

/* Once in a watch, halfway to the age: what the thread's bins and spare slabs hold back goes to the
 * span source, to be given back with the rest. */
static void let_go(struct hak_tcache *tc) {
    tc->is_flushed = true;
    hak_heap_drain(&tc->heap);
    hak_thread_flush(tc);
    hak_heap_empty_spares(&tc->heap);
    hak_supply_release_emptied(&tc->heap);
    hak_misuse_check(tc);
}

void hak_purge_visit_slow(struct hak_tcache *tc) {
    uint64_t now_ms = hak_os_now_ms();
    tc->visits_left = now_ms == tc->visited_ms ? HAK_PURGE_VISITS : 1;
    tc->visited_ms = now_ms;
    if (hak_unlikely(hak_options.purge_thread)) hak_purge_start_thread();
    if (hak_thread_is_watched()) {
        if (!tc->is_flushed &&
            hak_purge_is_due(now_ms, tc->watched_ms, hak_purge_policy.age_ms / 2)) {
            let_go(tc);
        }
        if (!has_excess()) {
            hak_thread_unwatch();
            return;
        }
    }
    (void)step();
}

void hak_purge_note(struct hak_tcache *tc) {
    tc->heap.has_released = false;
    if (hak_thread_is_watched() || !has_excess()) return;
    tc->watched_ms = hak_os_now_ms();
    tc->is_flushed = false;
    tc->visits_left = 1;
    hak_thread_watch(tc);
}

/* Never allocates, so that it has no cache of its own. */
static void *run_thread(void *unused) {
    for (;;) {
        uint64_t age_ms = hak_purge_policy.age_ms;
        hak_os_sleep_ms(age_ms < HAK_PURGE_SLEEP_MS_MIN ? HAK_PURGE_SLEEP_MS_MIN : age_ms / 2);
        for (unsigned idle = 0; idle < 2;)
            idle = step() > 0 ? 0 : idle + 1;
    }
    return unused;
}

void hak_purge_start_thread(void) {
    if (atomic_exchange(&has_thread, true)) return;
    sigset_t all, before;
    pthread_attr_t attr;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_create(&thread, &attr, run_thread, NULL);
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void hak_purge_after_fork(void) {
    atomic_store(&has_thread, false);
}
