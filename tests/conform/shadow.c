/* SPDX-License-Identifier: MIT */
/*
 * shadow.c: one array sorted by address; insertion moves the tail, which is fast enough for the few
 * ten thousand intervals of a test.
 */
#include "tests/conform/shadow.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define STEP ((size_t)16384)

struct interval {
    uintptr_t from;
    uintptr_t end;
};

static struct {
    pthread_mutex_t mutex;
    struct interval *intervals;
    size_t count;
    size_t room;
} shadow = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* The first interval that ends above `address`. */
static size_t find_above(uintptr_t address) {
    size_t low = 0;
    size_t high = shadow.count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (shadow.intervals[middle].end > address) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static void make_room(void) {
    if (shadow.count < shadow.room) return;
    shadow.room += STEP;
    shadow.intervals = realloc(shadow.intervals, shadow.room * sizeof(*shadow.intervals));
    if (shadow.intervals == NULL) abort();
}

bool shadow_add(const void *block, size_t bytes) {
    const uintptr_t from = (uintptr_t)block;
    pthread_mutex_lock(&shadow.mutex);
    make_room();
    const size_t at = find_above(from);
    const bool is_clear = at == shadow.count || shadow.intervals[at].from >= from + bytes;
    if (is_clear) {
        memmove(&shadow.intervals[at + 1], &shadow.intervals[at],
                (shadow.count - at) * sizeof(*shadow.intervals));
        shadow.intervals[at] = (struct interval){.from = from, .end = from + bytes};
        shadow.count++;
    }
    pthread_mutex_unlock(&shadow.mutex);
    return is_clear;
}

bool shadow_remove(const void *block) {
    const uintptr_t from = (uintptr_t)block;
    pthread_mutex_lock(&shadow.mutex);
    const size_t at = find_above(from);
    const bool is_there = at < shadow.count && shadow.intervals[at].from == from;
    if (is_there) {
        shadow.count--;
        memmove(&shadow.intervals[at], &shadow.intervals[at + 1],
                (shadow.count - at) * sizeof(*shadow.intervals));
    }
    pthread_mutex_unlock(&shadow.mutex);
    return is_there;
}

size_t shadow_count(void) {
    pthread_mutex_lock(&shadow.mutex);
    const size_t count = shadow.count;
    pthread_mutex_unlock(&shadow.mutex);
    return count;
}

void shadow_clear(void) {
    pthread_mutex_lock(&shadow.mutex);
    shadow.count = 0;
    pthread_mutex_unlock(&shadow.mutex);
}
