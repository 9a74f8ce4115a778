/* SPDX-License-Identifier: MIT */
/*
 * thread.c: see thread.h.
 *
 * The end of a thread is learned from a pthread key's destructor. It does not wait for the later
 * rounds of destructors, which may not come: calls after it are served uncached.
 * pthread_setspecific may allocate for keys past the first 32: it is called only with the thread's
 * cache installed, so that such a call is served like any other and cannot recurse.
 */
#include "src/front/thread.h"

#include "src/contract/slots.h"
#include "src/front/alert.h"
#include "src/front/init.h"
#include "src/front/misuse.h"
#include "src/meta/arena.h"
#include "src/os/os.h"
#include "src/supply/supply.h"

#include <pthread.h>

#define EMPTY_BINS_4  HAK_BIN_EMPTY, HAK_BIN_EMPTY, HAK_BIN_EMPTY, HAK_BIN_EMPTY
#define EMPTY_BINS_16 EMPTY_BINS_4, EMPTY_BINS_4, EMPTY_BINS_4, EMPTY_BINS_4
#define EMPTY_BINS_64 EMPTY_BINS_16, EMPTY_BINS_16, EMPTY_BINS_16, EMPTY_BINS_16
#define EMPTY_BINS    EMPTY_BINS_64, EMPTY_BINS_64, EMPTY_BINS_64, EMPTY_BINS_64
_Static_assert(HAK_BINS == 256, "every bin of the empty cache is written out");

struct hak_tcache hak_thread_empty = {
    .bins = {EMPTY_BINS},
    .tag = HAK_HEAP_ID_NONE << HAK_TAG_SHIFT,
};

HAK_TLS _Atomic(struct hak_tcache *) hak_tls = &hak_thread_empty;
HAK_TLS struct hak_tcache *hak_tls_own;
static HAK_TLS bool has_ended;

static struct {
    struct hak_lock lock;
    _Atomic(struct hak_tcache *) created; /* all; only grows */
    struct hak_tcache *idle;              /* of ended threads */
    uint32_t last_id;
    uint32_t forks; /* that this process is the child of */
    bool had_two;   /* caches in use at a time; never taken back */
    pthread_key_t key;
    bool has_key;
} threads = {.lock = HAK_LOCK_INIT(HAK_RANK_THREADS)};

/* The cache that serves ended threads, all under one lock. The lock comes before every other. */
static struct {
    struct hak_lock lock;
    struct hak_tcache *tc;
} uncached = {.lock = HAK_LOCK_INIT(HAK_RANK_UNCACHED)};

/* The next heap id; 0 when there is none left. */
static uint32_t take_id(void) {
    hak_lock_take(&threads.lock);
    uint32_t id = threads.last_id + 1 < HAK_HEAP_ID_ORPHAN ? ++threads.last_id : 0;
    hak_lock_give(&threads.lock);
    return id;
}

static void publish(struct hak_tcache *tc) {
    hak_lock_take(&threads.lock);
    tc->next_created = atomic_load_explicit(&threads.created, memory_order_relaxed);
    atomic_store_explicit(&threads.created, tc, memory_order_release);
    hak_lock_give(&threads.lock);
}

static struct hak_tcache *create(void) {
    void *bin_memory = HAK_BIN_MEMORY_BYTES > 0 ? hak_os_map(HAK_BIN_MEMORY_BYTES) : NULL;
    if (HAK_BIN_MEMORY_BYTES > 0 && bin_memory == NULL) return NULL;
    struct hak_tcache *tc = hak_arena_alloc(sizeof *tc);
    uint32_t id = tc == NULL ? 0 : take_id();
    if (id == 0) {
        if (bin_memory != NULL) hak_os_unmap(bin_memory, HAK_BIN_MEMORY_BYTES);
        return NULL;
    }
    hak_heap_init(&tc->heap, id);
    tc->bin_memory = bin_memory;
    tc->tag = tc->heap.tag;
    tc->is_live = true;
    tc->visits_left = 1;
    tc->entries = hak_tagmap.entries;
    hak_thread_see_map(tc);
    publish(tc);
    return tc;
}

static struct hak_tcache *take_idle(void) {
    hak_lock_take(&threads.lock);
    struct hak_tcache *tc = threads.idle;
    if (tc != NULL) threads.idle = tc->next_idle;
    hak_lock_give(&threads.lock);
    return tc;
}

/* The cache is a thread's from here on. With a second one a fork may come in the middle of a step,
 * and forks are watched by more than the process number. */
static void use(struct hak_tcache *tc) {
    hak_lock_take(&threads.lock);
    bool is_first = atomic_load_explicit(&threads.created, memory_order_relaxed) == tc &&
                    tc->next_created == NULL;
    if (!is_first && !threads.had_two) {
        threads.had_two = true;
        hak_os_watch_forks();
    }
    tc->forks = threads.forks;
    tc->is_used = true;
    hak_lock_give(&threads.lock);
    atomic_fetch_add_explicit(&hak_supply_threads, 1, memory_order_relaxed);
}

static struct hak_tcache *acquire(void) {
    struct hak_tcache *tc = take_idle();
    if (tc == NULL) {
        tc = create();
        if (tc == NULL) return NULL;
    }
    hak_supply_init_bins(tc);
    use(tc);
    return tc;
}

void hak_thread_post(struct hak_tcache *tc) {
    tc->posted_bytes += tc->heap.sender_bytes;
    if (tc->posted_bytes < HAK_SENDER_FLUSH_BYTES) {
        hak_supply_post(&tc->heap);
    } else {
        tc->posted_bytes = 0;
        hak_alert_post(tc);
    }
}

void hak_thread_flush(struct hak_tcache *tc) {
    for (hak_class_t cls = 1; cls < HAK_CLASSES; cls++) {
        if (hak_bin_count(&tc->bins[cls]) > 0 || hak_bins_may_hold(cls)) {
            hak_bins_flush(tc, cls, 0);
        }
    }
    hak_thread_post(tc);
}

void hak_thread_let_go(struct hak_tcache *tc) {
    hak_heap_drain(&tc->heap);
    hak_thread_flush(tc);
    hak_heap_empty_spares(&tc->heap);
    hak_supply_release_emptied(&tc->heap);
    hak_misuse_check(tc);
}

/* All that the cache holds belongs to everybody, and the cache waits for another thread. */
static void retire(struct hak_tcache *tc) {
    hak_heap_enter(&tc->heap);
    hak_alert_unlist(tc);
    hak_thread_flush(tc);
    hak_misuse_check(tc);
    hak_heap_orphan_all(&tc->heap);
    hak_misuse_check(tc);
    hak_supply_release_emptied(&tc->heap);
    hak_alert_at_exit(tc);
    hak_heap_leave(&tc->heap);
    atomic_fetch_sub_explicit(&hak_supply_threads, 1, memory_order_relaxed);
    hak_lock_take(&threads.lock);
    tc->is_used = false;
    tc->next_idle = threads.idle;
    atomic_signal_fence(memory_order_release);
    threads.idle = tc;
    hak_lock_give(&threads.lock);
}

static void set_tls(struct hak_tcache *tc) {
    atomic_store_explicit(&hak_tls, tc, memory_order_relaxed);
}

static void at_thread_exit(void *arg) {
    struct hak_tcache *tc = arg;
    set_tls(&hak_thread_empty);
    has_ended = true;
    hak_tls_own = NULL;
    retire(tc);
}

static void make_key(void) {
    hak_lock_take(&threads.lock);
    if (!threads.has_key) threads.has_key = pthread_key_create(&threads.key, at_thread_exit) == 0;
    hak_lock_give(&threads.lock);
}

struct hak_tcache *hak_thread_cache(void) {
    struct hak_tcache *tc = hak_tls_own;
    if (hak_likely(tc != NULL)) return tc;
    if (has_ended || !hak_init()) return NULL;
    tc = acquire();
    if (tc == NULL) return NULL;
    hak_tls_own = tc;
    set_tls(tc);
    tc->is_watching = false;
    tc->visits_left = 1;
    make_key();
    /* Only a thread whose end is learned may be alerted: its word is gone then. */
    if (threads.has_key && pthread_setspecific(threads.key, tc) == 0) hak_alert_list(tc, &hak_tls);
    hak_init_handlers();
    return tc;
}

void hak_thread_watch(struct hak_tcache *tc) {
    if (hak_tls_own != tc) return;
    tc->is_watching = true;
    set_tls(&hak_thread_empty);
}

void hak_thread_unwatch(void) {
    if (hak_tls_own == NULL) return;
    hak_tls_own->is_watching = false;
    atomic_store(&hak_tls, hak_tls_own); /* T2 of alert.c */
}

void *hak_thread_uncached_alloc(hak_class_t cls) {
    void *block = NULL;
    if (!hak_init()) return NULL;
    hak_heap_mend_if_forked();
    hak_lock_take(&uncached.lock);
    if (uncached.tc == NULL) uncached.tc = acquire();
    struct hak_tcache *tc = uncached.tc;
    if (tc != NULL) {
        hak_heap_enter(&tc->heap); /* a fork meanwhile gives the cache up */
        block = hak_bin_pop(&tc->bins[cls]);
        if (block == NULL && hak_bins_fill(tc, cls, 1) > 0) block = hak_bin_pop(&tc->bins[cls]);
        hak_heap_leave(&tc->heap);
    }
    hak_lock_give(&uncached.lock);
    return block;
}

struct hak_tcache *hak_thread_first(void) {
    return atomic_load_explicit(&threads.created, memory_order_acquire);
}

_Atomic uint32_t hak_thread_uncached_steps;
_Atomic bool hak_thread_may_reap;

bool hak_thread_has_vanished(const struct hak_tcache *tc) {
    return tc->is_used && tc->forks != threads.forks;
}

/* Caches that are this process's own: the surviving thread's, and the one of ended threads unless a
 * thread that is gone was filling it. */
static void keep_own(struct hak_tcache *own) HAK_UNCHECKED {
    if (own != NULL) own->forks = threads.forks;
    bool was_free = hak_lock_try(&uncached.lock);
    if (!was_free) uncached.tc = NULL;
    hak_lock_reset(&uncached.lock);
    if (uncached.tc != NULL) uncached.tc->forks = threads.forks;
}

bool hak_thread_after_fork(void) {
    hak_lock_reset(&threads.lock);
    hak_alert_after_fork();
    hak_thread_unwatch();
    bool in_disorder = atomic_load(&hak_thread_uncached_steps) != 0;
    if (in_disorder) atomic_store(&hak_thread_uncached_steps, 0);
    if (!threads.had_two) return in_disorder;
    struct hak_tcache *own = hak_tls_own;
    uint32_t before = threads.forks++;
    keep_own(own);
    for (struct hak_tcache *tc = hak_thread_first(); tc != NULL; tc = tc->next_created) {
        if (!tc->is_used || tc->forks != before) continue;
        tc->tls = NULL; /* its stack is gone, or another thread's soon */
        if (hak_heap_is_busy(&tc->heap) || hak_heap_is_claimed(&tc->heap)) in_disorder = true;
        atomic_store_explicit(&hak_thread_may_reap, true, memory_order_relaxed);
    }
    return in_disorder;
}

void hak_thread_empty_inboxes(void) {
    for (struct hak_tcache *tc = hak_thread_first(); tc != NULL; tc = tc->next_created) {
        hak_heap_empty_inbox(&tc->heap);
    }
}

void hak_thread_mend_claimed(void) {
    for (struct hak_tcache *tc = hak_thread_first(); tc != NULL; tc = tc->next_created) {
        hak_heap_mend_claimed(&tc->heap);
    }
}

/* Claims the cache of a vanished thread that was between two steps; NULL when there is none. */
static struct hak_tcache *claim_vanished(void) {
    hak_lock_take(&threads.lock);
    struct hak_tcache *tc = hak_thread_first();
    while (tc != NULL && (!hak_thread_has_vanished(tc) || hak_heap_is_busy(&tc->heap)))
        tc = tc->next_created;
    if (tc != NULL) tc->forks = threads.forks;
    if (tc == NULL) atomic_store_explicit(&hak_thread_may_reap, false, memory_order_relaxed);
    hak_lock_give(&threads.lock);
    return tc;
}

bool hak_thread_reap(void) {
    struct hak_tcache *tc = claim_vanished();
    if (tc == NULL) return false;
    tc->heap.misused = NULL;     /* of the parent */
    hak_heap_enter(&tc->heap);   /* another thread of the child may claim it */
    hak_heap_end_put(&tc->heap); /* it may have been in the middle of one */
    hak_heap_recount(&tc->heap);
    for (size_t cls = 0; cls < HAK_CLASSES; cls++)
        hak_bin_mend(&tc->bins[cls]);
    hak_heap_leave(&tc->heap);
    retire(tc);
    return true;
}
