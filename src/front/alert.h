/* SPDX-License-Identifier: MIT */
/*
 * alert.h: tells threads that there is free memory to give back.
 *
 * A thread whose bins serve all its calls never looks at the clock, and the one that freed much may
 * sleep, or end. So whoever frees more than the policy keeps alerts the others: it turns their
 * words `hak_tls` to the empty cache, and the next call of each takes a slow path, where it
 * answers (front/purge.c): it is watched from then on, or turns its word back.
 */
#ifndef HAK_FRONT_ALERT_H
#define HAK_FRONT_ALERT_H

#include "src/contract/tcache.h"

/* The thread with this cache may be alerted by `tls` from now on; no longer, before that word goes,
 * and before the cache is another thread's. */
void hak_alert_list(struct hak_tcache *tc, _Atomic(struct hak_tcache *) *tls);
void hak_alert_unlist(struct hak_tcache *tc);

/* Where more is idle than the policy keeps: whether that is news, or a round is on. Then the caller
 * alerts up to `most` threads, but for itself, in a step; the next call goes on with the rest. */
bool hak_alert_is_due(size_t idle);
void hak_alert_others(const struct hak_tcache *self, size_t idle, unsigned most);

/* By a thread that ends, in its last step. */
void hak_alert_at_exit(const struct hak_tcache *self);

/* At a look at the clock: what is idle then, whether that is more than the policy keeps, and
 * whether some was given back. Less than before makes the next growth news. */
void hak_alert_look(uint64_t now_ms, size_t idle, bool has_excess, bool has_given);

/* All that was idle has been given back: more is news. */
void hak_alert_rearm(void);

/* Posts the thread's remote frees (hak_supply_post) and calls their owners: alerts them, to take in
 * what is in their inboxes. In a step. */
void hak_alert_post(struct hak_tcache *tc);

/* A number that each round of alerts changes; and when the last one began. */
uint32_t hak_alert_round(void);
uint64_t hak_alert_begun_ms(void);

/* Whether another thread has looked at the clock just now, and is to go on: else the caller is the
 * one who does. */
bool hak_alert_is_on_duty(const struct hak_tcache *tc, uint64_t now_ms);

/* The child of a fork. */
void hak_alert_after_fork(void);

#endif
