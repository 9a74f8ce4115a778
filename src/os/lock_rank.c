/* SPDX-License-Identifier: MIT */
/*
 * lock_rank.c: see lock_rank.h. Part of builds with guards, and of the tests.
 *
 * What a thread holds is a thread-local array, in static TLS like the pointer to its cache, so that
 * a look at it never allocates. The child of a fork inherits the array of the thread that forked,
 * which holds no lock then; a lock of a vanished thread is in no array of the child.
 */
#include "src/os/lock_rank.h"

#include "src/base/check.h"
#include "src/os/lock.h"
#include "src/os/os.h"

#include <string.h>

#define HELD_MAX 4u /* the uncached cache or a claim, a tier or the span source, two of meta */

static HAK_TLS struct {
    const struct hak_lock *locks[HELD_MAX];
    unsigned count;
} held;

static const char *const names[HAK_RANKS] = {
    [HAK_RANK_NONE] = "a lock without rank",
    [HAK_RANK_INIT] = "init",
    [HAK_RANK_UNCACHED] = "uncached",
    [HAK_RANK_STEPPING] = "stepping",
    [HAK_RANK_CLAIM] = "claim",
    [HAK_RANK_THREADS] = "threads",
    [HAK_RANK_ALERTS] = "alerts",
    [HAK_RANK_TIER] = "tier",
    [HAK_RANK_SPANS] = "spans",
    [HAK_RANK_ORPHANS] = "orphans",
    [HAK_RANK_WINDOW] = "window",
    [HAK_RANK_HEADERS] = "headers",
    [HAK_RANK_ARENA] = "arena",
};

static void print(const char *text) {
    hak_os_write_stderr(text, strlen(text));
}

/* One line that names both locks, before the one that says where. */
static void print_pair(const struct hak_lock *lock, const struct hak_lock *holding) {
    print("hakmem: lock order: ");
    print(names[lock->rank]);
    print(" is taken while ");
    print(names[holding->rank]);
    print(" is held\n");
}

void hak_lock_check_rank(const struct hak_lock *lock, const char *file, int line) {
    if (lock->rank == HAK_RANK_NONE) hak_panic(file, line, "a lock that is taken has a rank");
    for (unsigned i = 0; i < held.count; i++) {
        if (held.locks[i]->rank < lock->rank && held.locks[i] != lock) continue;
        print_pair(lock, held.locks[i]);
        hak_panic(file, line, "locks are taken in the order of their ranks");
    }
}

void hak_lock_note_taken(const struct hak_lock *lock, const char *file, int line) {
    if (held.count == HELD_MAX) hak_panic(file, line, "a thread holds a few locks at most");
    held.locks[held.count++] = lock;
}

/* The index of a lock that this thread holds; `held.count` if it does not. */
static unsigned index_of(const struct hak_lock *lock) {
    unsigned i = 0;
    while (i < held.count && held.locks[i] != lock)
        i++;
    return i;
}

static void forget(unsigned i) {
    held.count--;
    for (; i < held.count; i++)
        held.locks[i] = held.locks[i + 1];
}

void hak_lock_note_given(const struct hak_lock *lock, const char *file, int line) {
    unsigned i = index_of(lock);
    if (i == held.count) hak_panic(file, line, "who releases a lock holds it");
    forget(i);
}

void hak_lock_note_reset(const struct hak_lock *lock) {
    unsigned i = index_of(lock);
    if (i < held.count) forget(i);
}

bool hak_lock_is_mine(const struct hak_lock *lock) {
    return index_of(lock) < held.count;
}

bool hak_lock_holds_below(enum hak_lock_rank rank) {
    for (unsigned i = 0; i < held.count; i++) {
        if (held.locks[i]->rank >= rank) return false;
    }
    return true;
}
