/* SPDX-License-Identifier: MIT */
/*
 * gate.c: gate.h. Sequentially consistent: who is inside was counted before it saw the gate open,
 * and who forks closes the gate before it looks at the count. Without forks nothing is counted, so
 * that the count does not put threads in order before the eyes of ThreadSanitizer.
 */
#include "tests/fuzz/gate.h"
#include "tests/fuzz/calls.h"
#include "tests/fuzz/settings.h"

#include <sched.h>
#include <stdatomic.h>

static atomic_uint inside;
static atomic_bool is_closed;

static void call_meanwhile(struct place *place) {
    unsigned char *blocks[8];
    for (unsigned i = 0; i < 8; i++) {
        const size_t size = place_below(place, i == 0 ? 300 * KIB : 2 * KIB);
        blocks[i] = calls.malloc(size);
        if (blocks[i] == NULL) breach(place, "malloc(%zu) returned NULL", size);
        if (size > 0) blocks[i][0] = (unsigned char)i;
    }
    for (unsigned i = 0; i < 8; i++) {
        calls.free(blocks[i]);
    }
}

void gate_enter(struct place *place) {
    if (settings.forks == 0) return;
    for (;;) {
        atomic_fetch_add(&inside, 1);
        if (!atomic_load(&is_closed)) return;
        atomic_fetch_sub(&inside, 1);
        while (atomic_load(&is_closed)) {
            call_meanwhile(place);
        }
    }
}

void gate_leave(void) {
    if (settings.forks != 0) atomic_fetch_sub(&inside, 1);
}

bool gate_close(void) {
    if (atomic_exchange(&is_closed, true)) return false;
    while (atomic_load(&inside) != 0) {
        sched_yield();
    }
    return true;
}

void gate_open(void) {
    atomic_store(&is_closed, false);
}
