/* SPDX-License-Identifier: MIT */
/*
 * purge.c: see purge.h.
 */
#include "src/front/purge.h"

#include "src/contract/purge.h"
#include "src/contract/slots.h"
#include "src/front/alert.h"
#include "src/front/care.h"
#include "src/front/options.h"
#include "src/os/lock.h"
#include "src/os/os.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

static _Atomic bool has_thread;

/* Held by that thread in a step, and by an audit, which wants everything at rest. */
static struct hak_lock stepping = HAK_LOCK_INIT(HAK_RANK_STEPPING);

void hak_purge_pause(void) HAK_UNCHECKED {
    hak_lock_take(&stepping);
}

void hak_purge_resume(void) HAK_UNCHECKED {
    hak_lock_give(&stepping);
}

static size_t idle_bytes(void) {
    return hak_spans_idle() + hak_large_idle();
}

static bool has_excess(void) {
    return idle_bytes() > hak_purge_policy.keep_bytes;
}

/* Rounds are to come (front/care.h), and this thread has not come here by itself since its watch
 * began: where it does so a few times in a tick, that is enough. Once is no sign, since a watch
 * empties its bins. */
static bool needs_care(const struct hak_tcache *tc) {
    bool is_natural = tc->was_natural || tc->visits_natural >= HAK_WATCH_NATURAL;
    return hak_care_is_wanted(tc) && !is_natural;
}

/* Whether nothing is left that a watch would be for. */
static bool is_done(const struct hak_tcache *tc) {
    return !has_excess() && !needs_care(tc);
}

/* At most one system call, for a share of what is idle; returns the bytes given back. */
static size_t step(void) {
    size_t bytes_max = hak_spans_idle() / HAK_PURGE_STEPS;
    if (bytes_max < HAK_PURGE_STEP_BYTES_MIN) bytes_max = HAK_PURGE_STEP_BYTES_MIN;
    if (bytes_max > HAK_PURGE_STEP_BYTES_MAX) bytes_max = HAK_PURGE_STEP_BYTES_MAX;
    size_t bytes = hak_large_purge(HAK_PURGE_SOME, bytes_max);
    return bytes > 0 ? bytes : hak_spans_purge(HAK_PURGE_SOME, bytes_max);
}

/* When the last visit of any thread was that counted the time since the one before. Relaxed: the
 * one who moves it has that time to itself, and nothing else is read by it. */
static _Atomic uint64_t paced_ms;

/* Bytes that a visit may give back beyond one step: a share of what is idle that grows with the
 * time since the last visit, all of it after SPREAD_MS. So memory goes as fast at two calls a
 * second as at a million, and a visit takes no more than a part of the time since the last. */
static size_t allowance(uint64_t now_ms) {
    uint64_t before_ms = atomic_load_explicit(&paced_ms, memory_order_relaxed);
    bool has_moved = before_ms != now_ms &&
                     atomic_compare_exchange_strong_explicit(
                         &paced_ms, &before_ms, now_ms, memory_order_relaxed, memory_order_relaxed);
    if (!has_moved) return 0;
    uint64_t gap_ms = now_ms - before_ms;
    size_t idle = idle_bytes();
    if (gap_ms > HAK_PURGE_SPREAD_MS) gap_ms = HAK_PURGE_SPREAD_MS;
    size_t share = idle / HAK_PURGE_SPREAD_MS * gap_ms;
    size_t most = gap_ms * HAK_PURGE_BYTES_A_MS;
    return share < most ? share : most;
}

/* One step, or as many as the time since the last allows. A step that finds nothing may have looked
 * at a part of the superslabs only: two in a row have seen what there is. False when nothing was
 * due. */
static bool purge_due(uint64_t now_ms) {
    size_t most = allowance(now_ms);
    size_t bytes = step();
    unsigned idle_steps = bytes == 0;
    while (bytes < most && idle_steps < 2) {
        size_t given = step();
        idle_steps = given == 0 ? idle_steps + 1 : 0;
        bytes += given;
    }
    return bytes > 0;
}

static void begin_watch(struct hak_tcache *tc, uint64_t now_ms) {
    if (hak_purge_policy.age_ms > HAK_WATCH_AGE_MS) return; /* "never": natural visits will do */
    tc->watched_ms = now_ms;
    tc->released_ms = now_ms;
    tc->has_more = false;
    tc->watch_flushes = 0;
    tc->watch_frees = 0;
    tc->watch_hand = 0;
    memset(tc->watch_used, 0, sizeof tc->watch_used);
    tc->visits_left = 1;
    tc->visits_gap = 1;
    tc->visits_fast = 0; /* what it did before, in the same tick, does not make it busy */
    tc->visits_natural = 0;
    tc->was_natural = false;
    tc->keeps_capacities = false;
    hak_thread_watch(tc);
}

/* What was released goes through the tiers, and is old then: the rest is younger, of another
 * thread, or used again. */
static bool is_over(const struct hak_tcache *tc, uint64_t now_ms) {
    uint64_t more_ms = hak_idle_of(&hak_idle.big) > 0 ? HAK_WATCH_BIG_MS : HAK_WATCH_MS;
    uint64_t watch_ms = 2 * hak_purge_policy.age_ms + more_ms;
    return !tc->has_due && !needs_care(tc) && hak_purge_is_due(now_ms, tc->released_ms, watch_ms) &&
           hak_purge_is_due(now_ms, hak_alert_begun_ms(), watch_ms);
}

/* What this thread released, and what was idle when it was alerted last, is old; another one that
 * makes calls sees to what is released from now on, and alerts anew. */
static bool is_relieved(const struct hak_tcache *tc, uint64_t now_ms) {
    uint64_t watch_ms = hak_purge_policy.age_ms + HAK_ALERT_DUTY_MS;
    return hak_alert_is_on_duty(tc, now_ms) && !tc->has_due && !needs_care(tc) &&
           hak_purge_is_due(now_ms, tc->released_ms, watch_ms) &&
           hak_purge_is_due(now_ms, hak_alert_begun_ms(), watch_ms);
}

/* The look that decided this has noted the round of alerts before it; see alert.c, T1 to T3. */
static bool turn_back(struct hak_tcache *tc) {
    hak_thread_unwatch();
    return hak_alert_round() == tc->alert_seen && !atomic_load(&tc->is_called);
}

static void end_watch(struct hak_tcache *tc, uint64_t now_ms) {
    if (turn_back(tc)) {
        tc->let_go_ms = now_ms;
        tc->keeps_capacities = tc->is_busy;
    } else {
        tc->visits_left = 1;
        hak_thread_watch(tc);
    }
}

/* Halfway to the age, and when all that was idle has gone: what the thread's bins and spare slabs
 * hold back goes to the span source, to be given back with the rest. */
static void let_go(struct hak_tcache *tc) {
    tc->watch_flushes++;
    hak_thread_let_go(tc);
}

/* A thread that calls so often would be slowed down. If its calls come to malloc's slow path by
 * themselves, they will go on to do so, and that is enough; to that end its bins are not widened
 * until it is watched again, or all has gone. If its bins serve them, nobody might look again: then
 * it stays watched until all is over. */
static bool is_busy(const struct hak_tcache *tc) {
    return tc->busy_ticks >= HAK_WATCH_TICKS && tc->visits_fast > HAK_WATCH_BUSY &&
           tc->visits_natural >= HAK_WATCH_NATURAL;
}

/* A tick of the clock is over that the thread was watched in. After a burst, after a flush and in a
 * new phase of the program its bins run empty until they hold what it uses from now on, which is no
 * sign of more: only several ticks in a row are. */
static void count_tick(struct hak_tcache *tc) {
    if (tc->visits_fast <= HAK_WATCH_BUSY) return;
    if (tc->visits_natural < HAK_WATCH_NATURAL) {
        tc->busy_ticks = 0;
    } else if (tc->busy_ticks < HAK_WATCH_TICKS) {
        tc->busy_ticks++;
    }
}

static void watch(struct hak_tcache *tc, uint64_t now_ms) {
    if (tc->has_more) tc->released_ms = now_ms;
    tc->has_more = false;
    tc->watch_frees = 0;
    bool is_half = hak_purge_is_due(now_ms, tc->watched_ms, hak_purge_policy.age_ms / 2);
    if (tc->watch_flushes == 0 && is_half) let_go(tc);
    if (tc->watch_flushes == 1 && !has_excess()) let_go(tc);
    tc->is_busy = is_busy(tc);
    bool may_end = is_relieved(tc, now_ms) || is_over(tc, now_ms);
    if (tc->is_busy || is_done(tc) || may_end) end_watch(tc, now_ms);
}

/* Where visits come fast the clock is looked at more rarely, until it has moved on. */
static void count_visit(struct hak_tcache *tc, bool has_ticked) {
    bool is_rare = has_ticked || tc->visits_fast < HAK_PURGE_VISITS_RARE;
    uint32_t gap = is_rare ? 1 : 2 * tc->visits_gap;
    tc->visits_gap = gap < HAK_PURGE_VISITS ? gap : HAK_PURGE_VISITS;
    tc->visits_left = tc->visits_gap;
    if (has_ticked && hak_thread_is_watched()) count_tick(tc);
    tc->visits_fast = has_ticked ? 0 : tc->visits_fast + tc->visits_gap;
    if (!has_ticked) return;
    tc->was_natural = tc->visits_natural >= HAK_WATCH_NATURAL;
    tc->visits_natural = 0;
    tc->is_busy = false;
}

/* Once a tick: goes on with what concerns other threads. */
static void look(struct hak_tcache *tc, uint64_t now_ms) {
    size_t idle = idle_bytes();
    tc->visited_idle = idle;
    hak_alert_look(now_ms, idle, has_excess(), tc->has_due);
    if (!is_done(tc) && hak_alert_is_due(idle)) hak_alert_others(tc, idle, HAK_ALERT_BY_VISIT);
}

static void visit(struct hak_tcache *tc) {
    uint64_t now_ms = hak_os_now_ms();
    bool has_ticked = now_ms != tc->visited_ms;
    tc->alert_seen = hak_alert_round();
    count_visit(tc, has_ticked);
    tc->visited_ms = now_ms;
    if (hak_unlikely(hak_options.purge_thread)) hak_purge_start_thread();
    if (hak_unlikely(atomic_load_explicit(&hak_thread_may_reap, memory_order_relaxed))) {
        (void)hak_thread_reap();
    }
    if (hak_care_visit(tc, now_ms, has_ticked)) tc->has_more = true;
    hak_care_drain_if_called(tc);
    /* What was not due is not due before the clock moves. */
    if (has_ticked || tc->has_due || hak_purge_policy.age_ms == 0) tc->has_due = purge_due(now_ms);
    if (has_ticked) look(tc, now_ms);
    if (tc->keeps_capacities && !has_excess()) tc->keeps_capacities = false;
    if (hak_thread_is_watched()) {
        watch(tc, now_ms);
    } else if (has_ticked && has_excess() &&
               hak_purge_is_due(now_ms, tc->let_go_ms, HAK_WATCH_AGAIN_MS) &&
               !hak_alert_is_on_duty(tc, now_ms)) {
        begin_watch(tc, now_ms); /* it may have become one whose bins serve all its calls */
    }
}

void hak_purge_visit_slow(struct hak_tcache *tc) {
    hak_heap_enter(&tc->heap);
    visit(tc);
    hak_heap_leave(&tc->heap);
}

void hak_purge_look(struct hak_tcache *tc) {
    uint64_t now_ms = hak_os_now_ms();
    tc->alert_seen = hak_alert_round();
    tc->watch_frees = 0;
    tc->has_due = false; /* it gives nothing back itself */
    if (is_done(tc) || is_over(tc, now_ms)) end_watch(tc, now_ms);
}

void hak_purge_drain_cold(struct hak_tcache *tc) {
    /* One pass is enough: nothing enters the bin of a class while that is cold. */
    for (unsigned looks = 0; looks < HAK_WATCH_LOOKS && tc->watch_hand < HAK_CLASSES; looks++) {
        hak_class_t hand = tc->watch_hand;
        unsigned count = hak_bin_count(&tc->bins[hand]);
        if ((count > 0 || hak_bins_may_hold(hand)) && hak_purge_is_cold(tc, hand)) {
            hak_bins_flush(tc, hand, count < HAK_WATCH_DRAIN ? 0 : count - HAK_WATCH_DRAIN);
            if (count > 0) return;
        }
        tc->watch_hand++;
    }
}

/* A thread that was called by senders only, and let go just now, need not be watched for it. */
static bool may_turn_back(const struct hak_tcache *tc, uint32_t seen, uint64_t now_ms) {
    if (!has_excess() && !hak_care_is_wanted(tc)) return true;
    return seen == tc->alert_seen && !hak_purge_is_due(now_ms, tc->let_go_ms, HAK_WATCH_AGAIN_MS);
}

void hak_purge_answer(struct hak_tcache *tc, bool may_drain) {
    uint32_t seen = tc->alert_seen;
    uint64_t now_ms = hak_os_now_ms();
    hak_heap_enter(&tc->heap);
    tc->alert_seen = hak_alert_round();
    if (may_drain) hak_care_drain_if_called(tc);
    bool is_left = !may_drain && seen == tc->alert_seen &&
                   atomic_load_explicit(&tc->is_called, memory_order_relaxed);
    if (!is_left && !(may_turn_back(tc, seen, now_ms) && turn_back(tc))) begin_watch(tc, now_ms);
    hak_heap_leave(&tc->heap);
}

/* Who was let go for being busy is watched again where it frees much between two visits. */
void hak_purge_note(struct hak_tcache *tc) {
    size_t idle = idle_bytes();
    tc->heap.has_released = false;
    tc->has_more = true;
    bool has_grown = tc->heap.has_grown;
    tc->heap.has_grown = false;
    if (!has_excess() && !has_grown) return;
    if (hak_unlikely(idle > hak_purge_policy.keep_bytes && hak_alert_is_due(idle))) {
        hak_heap_enter(&tc->heap);
        hak_alert_others(tc, idle, HAK_ALERT_BY_FREE);
        hak_heap_leave(&tc->heap);
    }
    if (hak_thread_is_watched()) return;
    bool is_news = has_grown || idle >= tc->visited_idle + HAK_ALERT_BYTES;
    if (tc->is_busy && !is_news) return;
    begin_watch(tc, hak_os_now_ms());
}

/* Never allocates, so that it has no cache of its own. */
static void *run_thread(void *unused) {
    for (;;) {
        uint64_t age_ms = hak_purge_policy.age_ms;
        hak_os_sleep_ms(age_ms < HAK_PURGE_SLEEP_MS_MIN ? HAK_PURGE_SLEEP_MS_MIN : age_ms / 2);
        for (unsigned idle = 0; idle < 2;) {
            hak_lock_take(&stepping);
            hak_care_visit_others(hak_os_now_ms());
            idle = step() > 0 ? 0 : idle + 1;
            hak_lock_give(&stepping);
        }
    }
    return unused;
}

void hak_purge_start_thread(void) {
    if (atomic_load_explicit(&has_thread, memory_order_relaxed)) return; /* most visits */
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

bool hak_purge_after_fork(void) {
    bool was_stepping = hak_lock_is_held(&stepping);
    if (atomic_load(&has_thread)) atomic_store(&has_thread, false);
    hak_lock_reset(&stepping);
    return was_stepping;
}
