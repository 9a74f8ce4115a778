/* SPDX-License-Identifier: MIT */
/*
 * fork.c: mends the child of a fork before its first step.
 *
 * No handler runs before a fork: one that waits for a thread which waits for stdio's lock is the
 * classic deadlock. Instead, whatever threads share changes by single stores that leave it valid at
 * every instant (os/lock.h), so what the child inherits is valid wherever other threads stood. It
 * needs two things: its locks open, and where a thread was in the middle of a step, the sums and
 * links made anew that take more than one store. A thread says in its heap that it is in a step.
 *
 * The handler does this, or the child's first step, or whoever waits for a lock outside of a step:
 * handlers that other libraries registered before ours may allocate.
 *
 * The child pays for what can be in disorder. A parent that never had two caches in use leaves
 * nothing; one whose threads were all between two steps leaves the locks to look at. The caches of
 * vanished threads are retired later, one a visit (hak_thread_reap).
 */
#include "src/front/fork.h"

#include "src/contract/slots.h"
#include "src/front/init.h"
#include "src/front/purge.h"
#include "src/front/thread.h"
#include "src/meta/arena.h"
#include "src/os/lock.h"
#include "src/os/os.h"

#include <pthread.h>

static void mend(struct hak_lock *waited) {
    if (!hak_os_is_forked()) return;
    if (waited != NULL && hak_heap_is_busy(&hak_thread_current()->heap)) {
        /* In the middle of a step, on a kernel that clears no page: the handler does the rest. */
        hak_lock_reset(waited);
        return;
    }
    hak_os_note_process();
    hak_init_after_fork();
    bool in_disorder = hak_purge_after_fork();
    in_disorder |= hak_thread_after_fork();
    hak_tagmap_after_fork();
    hak_span_after_fork();
    hak_arena_after_fork();
    hak_heap_after_fork();
    hak_large_after_fork(in_disorder);
    hak_spans_after_fork(in_disorder);
    if (!in_disorder) return;
    hak_thread_empty_inboxes();
    hak_heap_mend();
    hak_thread_mend_claimed();
}

void hak_fork_init(void) {
    if (hak_lock_mend_after_fork != NULL) return;
    hak_os_note_process();
    hak_os_barrier_init();
    hak_lock_mend_after_fork = mend;
}

static void mend_first(void) {
    mend(NULL);
}

void hak_fork_register(void) {
    pthread_atfork(NULL, NULL, mend_first);
}
