/* SPDX-License-Identifier: MIT */
/*
 * alert.c: see alert.h.
 *
 * A round alerts every thread that is listed; it is done in pieces, so that a free stays short.
 *
 *   alerter                                   a thread T whose watch ends
 *   A1  round := round + 1                    T1  seen := round, decides by what is idle
 *   A2  T's word: its cache -> watched ?      T2  word := its cache
 *                                             T3  round = seen ?  else it is watched anew
 *
 * All of these are sequentially consistent; only the fast paths read the word relaxed. No alert is
 * lost: let A2 find the word watched, and leave it so, or T2 overwrite what A2 has just turned.
 * Then A2 comes before T2, so A1 before T3, which sees it. Let A2 come after T2: it turns the word,
 * and T's next call answers. What that call does is decided by what is idle and by the clock, not
 * by what the alerter wrote, so the fast paths need no order: one that still sees the cache is a
 * call made before.
 *
 * The owner of an inbox is called in the same way: the sender pushes (remote.c), sets `is_called`,
 * and does A2; a visit of the owner clears it before the drain, and T3 looks at it as well. A
 * sender that finds it set leaves it at that: the owner clears it, and drains, after that look.
 *
 * Nobody but its thread writes another value than &hak_thread_empty, and that only in the place of
 * the thread's own cache: what an ending thread has set stays.
 *
 * The word is part of the thread's stack. It is listed and unlisted under the lock that A2 holds,
 * and unlisted by the thread's destructor, so A2 never writes to memory of a thread that is gone.
 */
#include "src/front/alert.h"

#include "src/base/tunables.h"
#include "src/contract/purge.h"
#include "src/front/care.h"
#include "src/front/thread.h"
#include "src/os/lock.h"
#include "src/os/os.h"
#include "src/supply/slabs.h"

#include <limits.h>
#include <stddef.h>

struct alerts {
    struct hak_lock lock;    /* comes before no other */
    struct hak_tcache *next; /* where the round goes on; NULL: none is on. Under the lock */
    _Atomic bool is_on;      /* next != NULL, for a glance */
    _Atomic uint32_t round;
    /* Relaxed: hints, of which a stale one costs or spares a round. */
    _Atomic uint64_t begun_ms;
    _Atomic size_t idle;    /* at the last round, or the least since; 0: more is news */
    _Atomic bool has_given; /* some was given back since the last round */
    _Atomic(const struct hak_tcache *) duty;
    _Atomic uint64_t duty_ms;
};
HAK_GUARDED_STATIC(struct alerts, alerts) = {.lock = HAK_LOCK_INIT(HAK_RANK_ALERTS)};

void hak_alert_list(struct hak_tcache *tc, _Atomic(struct hak_tcache *) *tls) {
    hak_lock_take(&alerts.lock);
    tc->tls = tls;
    hak_lock_give(&alerts.lock);
}

void hak_alert_unlist(struct hak_tcache *tc) {
    hak_alert_list(tc, NULL);
}

uint32_t hak_alert_round(void) {
    return atomic_load(&alerts.round);
}

uint64_t hak_alert_begun_ms(void) {
    return atomic_load_explicit(&alerts.begun_ms, memory_order_relaxed);
}

/* A2; a word that is turned already is not written, so that its line stays where it is. */
static void turn_one(struct hak_tcache *tc) {
    struct hak_tcache *own = tc;
    if (tc->tls == NULL || atomic_load(tc->tls) != own) return;
    (void)atomic_compare_exchange_strong(tc->tls, &own, &hak_thread_empty);
}

/* Up to `most` threads of the round. */
static void turn(const struct hak_tcache *self, unsigned most) HAK_REQUIRES(alerts.lock) {
    hak_lock_assert_held(&alerts.lock);
    struct hak_tcache *tc = alerts.next;
    for (; tc != NULL && most > 0; tc = tc->next_created, most--) {
        if (tc != self) turn_one(tc);
    }
    alerts.next = tc;
    atomic_store_explicit(&alerts.is_on, tc != NULL, memory_order_relaxed);
}

/* Alone there is nobody to alert, now and while this thread starts no other. */
static bool is_news(size_t idle) {
    size_t before = hak_idle_of(&alerts.idle);
    return !hak_lock_is_alone() && (before == 0 || idle >= before + HAK_ALERT_BYTES);
}

static void begin(size_t idle) HAK_REQUIRES(alerts.lock) {
    hak_lock_assert_held(&alerts.lock);
    alerts.next = hak_thread_first();
    hak_idle_set(&alerts.idle, idle);
    atomic_store_explicit(&alerts.has_given, false, memory_order_relaxed);
    atomic_store_explicit(&alerts.begun_ms, hak_os_now_ms(), memory_order_relaxed);
    atomic_fetch_add(&alerts.round, 1); /* A1 */
}

bool hak_alert_is_due(size_t idle) {
    bool is_on = atomic_load_explicit(&alerts.is_on, memory_order_relaxed);
    return (is_on || is_news(idle)) && hak_purge_policy.age_ms <= HAK_WATCH_AGE_MS;
}

void hak_alert_others(const struct hak_tcache *self, size_t idle, unsigned most) {
    hak_lock_take(&alerts.lock);
    if (alerts.next == NULL && is_news(idle)) begin(idle);
    if (alerts.next != NULL) turn(self, most);
    hak_lock_give(&alerts.lock);
}

/* A round that has nothing to do with what is idle. */
static void alert_all(const struct hak_tcache *self) {
    hak_lock_take(&alerts.lock);
    if (!hak_lock_is_alone()) begin(hak_idle_of(&alerts.idle));
    turn(self, HAK_ALERT_BY_FREE);
    hak_lock_give(&alerts.lock);
}

/* The cache whose heap has blocks of this entry; NULL for none, and for orphans. */
static struct hak_tcache *owner_of(const struct hak_sender_entry *entry) {
    struct hak_heap *heap = entry->bytes == 0 ? NULL : atomic_load(&entry->slab->owner);
    if (heap == NULL || heap == hak_heap_orphans()) return NULL;
    return (struct hak_tcache *)(void *)((char *)heap - offsetof(struct hak_tcache, heap));
}

static void call(struct hak_tcache *owner) {
    if (atomic_load(&owner->is_called)) return;
    hak_lock_take(&alerts.lock);
    if (owner->tls != NULL) {
        atomic_store(&owner->is_called, true);
        turn_one(owner);
    }
    hak_lock_give(&alerts.lock);
}

void hak_alert_post(struct hak_tcache *tc) {
    struct hak_tcache *owners[HAK_SENDER_ENTRIES];
    for (unsigned i = 0; i < HAK_SENDER_ENTRIES; i++)
        owners[i] = owner_of(&tc->heap.senders[i]);
    hak_supply_post(&tc->heap);
    for (unsigned i = 0; i < HAK_SENDER_ENTRIES; i++) {
        if (owners[i] != NULL && (i == 0 || owners[i] != owners[i - 1])) call(owners[i]);
    }
    if (hak_care_note_post(tc)) alert_all(tc);
}

void hak_alert_rearm(void) {
    hak_idle_set(&alerts.idle, 0);
}

/* Others may have left it to the one on duty, once what was idle at the last round was old. */
void hak_alert_at_exit(const struct hak_tcache *self) {
    size_t idle = hak_spans_idle() + hak_large_idle();
    if (idle <= hak_purge_policy.keep_bytes) return;
    bool is_duty = atomic_load_explicit(&alerts.duty, memory_order_relaxed) == self &&
                   hak_purge_is_due(hak_os_now_ms(), hak_alert_begun_ms(), hak_purge_policy.age_ms);
    if (is_duty) hak_alert_rearm();
    if (hak_alert_is_due(idle)) hak_alert_others(self, idle, UINT_MAX);
}

void hak_alert_look(uint64_t now_ms, size_t idle, bool has_excess, bool has_given) {
    size_t before = hak_idle_of(&alerts.idle);
    if (has_given) atomic_store_explicit(&alerts.has_given, true, memory_order_relaxed);
    if (before == 0 || idle >= before) return;
    bool is_later = hak_purge_is_due(now_ms, hak_alert_begun_ms(), HAK_ALERT_AGAIN_MS);
    bool is_gone = !has_excess && atomic_load_explicit(&alerts.has_given, memory_order_relaxed);
    if (is_gone || (is_later && !has_excess)) {
        hak_alert_rearm();
    } else if (is_later) {
        hak_idle_set(&alerts.idle, idle);
    }
}

bool hak_alert_is_on_duty(const struct hak_tcache *tc, uint64_t now_ms) {
    const struct hak_tcache *duty = atomic_load_explicit(&alerts.duty, memory_order_relaxed);
    uint64_t duty_ms = atomic_load_explicit(&alerts.duty_ms, memory_order_relaxed);
    if (duty != tc && duty != NULL && !hak_purge_is_due(now_ms, duty_ms, HAK_ALERT_DUTY_MS))
        return true;
    atomic_store_explicit(&alerts.duty, tc, memory_order_relaxed);
    atomic_store_explicit(&alerts.duty_ms, now_ms, memory_order_relaxed);
    return false;
}

void hak_alert_after_fork(void) {
    hak_lock_reset(&alerts.lock);
}
