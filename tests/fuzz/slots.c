/* SPDX-License-Identifier: MIT */
/*
 * slots.c: slots.h. Everything here that changes a record happens inside the gate.
 */
#include "tests/fuzz/slots.h"
#include "tests/fuzz/calls.h"
#include "tests/fuzz/claims.h"
#include "tests/fuzz/contents.h"
#include "tests/fuzz/gate.h"

#include <stdatomic.h>

#define SLOTS         4096U
#define OWN_SLOTS     256U /* a thread prefers these: many blocks are freed by their maker */
#define MOST_LOOKS    64U
#define MIN_ALIGNMENT ((size_t)16)

struct slot {
    atomic_bool is_taken; /* acquire and release: the fields go from thread to thread */
    struct live live;     /* owner only */
};

static struct slot slots[SLOTS];
static atomic_size_t live_bytes; /* relaxed: a bound, not an order */

static bool try_take(struct slot *slot, bool is_full) {
    if (atomic_exchange_explicit(&slot->is_taken, true, memory_order_acquire)) return false;
    if ((slot->live.block != NULL) == is_full) return true;
    slots_leave(slot);
    return false;
}

static struct slot *find_from(size_t at, size_t looks, bool is_full) {
    for (size_t i = 0; i < looks; i++) {
        struct slot *slot = &slots[(at + i) % SLOTS];
        if (try_take(slot, is_full)) return slot;
    }
    return NULL;
}

static struct slot *find(struct place *place, bool is_full) {
    const bool is_own = place_happens(place, 0x8000);
    const size_t at = place_below(place, is_own ? OWN_SLOTS : SLOTS);
    return find_from(is_own ? place->thread * OWN_SLOTS + at : at, MOST_LOOKS, is_full);
}

static void check_contents(const struct place *place, const struct live *live, size_t filled,
                           size_t end, const char *when) {
    const size_t at = contents_damage(live->block, filled, end, live->number);
    if (at == end) return;
    breach(place, "byte %zu of the block %p of %zu bytes (usable %zu) is %02x, not as written, %s",
           at, (void *)live->block, live->size, live->usable, live->block[at], when);
}

static void check_usable(const struct place *place, const struct live *live) {
    const size_t usable = calls.usable_size(live->block);
    if (usable == live->usable) return;
    breach(place, "the usable size of %p, %zu bytes, was %zu and is %zu", (void *)live->block,
           live->size, live->usable, usable);
}

static void check(const struct place *place, const struct live *live) {
    check_usable(place, live);
    check_contents(place, live, live->usable, live->usable, "while it lived");
}

static void take_out(struct place *place, struct slot *slot, struct live *live) {
    *live = slot->live;
    check(place, live);
    const void *at = claims_remove(live->block, live->usable);
    if (at != NULL) breach(place, "the fuzzer lost its own claim at %p", at);
    atomic_fetch_sub_explicit(&live_bytes, live->usable, memory_order_relaxed);
    slot->live.block = NULL;
}

struct slot *slots_take(struct place *place, struct live *live) {
    gate_enter(place);
    struct slot *slot = find(place, true);
    if (slot != NULL) take_out(place, slot, live);
    gate_leave();
    return slot;
}

struct slot *slots_take_first(struct place *place, struct live *live) {
    gate_enter(place);
    struct slot *slot = find_from(0, SLOTS, true);
    if (slot != NULL) take_out(place, slot, live);
    gate_leave();
    return slot;
}

struct slot *slots_take_empty(struct place *place) {
    gate_enter(place);
    struct slot *slot = find(place, false);
    gate_leave();
    return slot;
}

/* For a breach only: other threads change their slots meanwhile. */
static const struct live *holder_of(const void *address) {
    for (size_t i = 0; i < SLOTS; i++) {
        const struct live *live = &slots[i].live;
        const uintptr_t at = (uintptr_t)address - (uintptr_t)live->block;
        if (live->block != NULL && at < live->usable) return live;
    }
    return NULL;
}

static void claim(const struct place *place, const struct live *born) {
    const void *taken = claims_add(born->block, born->usable);
    if (taken == NULL) return;
    const struct live *other = holder_of(taken);
    breach(place,
           "the block %p of %zu bytes (usable %zu) overlaps a live block at %p: %p, %zu bytes",
           (void *)born->block, born->size, born->usable, taken,
           other == NULL ? NULL : (void *)other->block, other == NULL ? 0 : other->size);
}

static void check_alignment(const struct place *place, const struct live *born) {
    const size_t alignment = born->alignment > MIN_ALIGNMENT ? born->alignment : MIN_ALIGNMENT;
    if (((uintptr_t)born->block & (alignment - 1)) == 0) return;
    breach(place, "the block %p of %zu bytes is not aligned to %zu", (void *)born->block,
           born->size, alignment);
}

static size_t usable_size_of(const struct place *place, const struct live *born) {
    const size_t usable = calls.usable_size(born->block);
    if (usable >= born->size) return usable;
    breach(place, "the usable size of %p is %zu, but %zu bytes were asked for", (void *)born->block,
           usable, born->size);
}

static void check_zeros(const struct place *place, const struct live *born, size_t zeroed) {
    const size_t at = contents_not_zero(born->block, zeroed);
    if (at == zeroed) return;
    breach(place, "byte %zu of the block %p of %zu bytes (usable %zu) is %02x, not zero", at,
           (void *)born->block, born->size, born->usable, born->block[at]);
}

static void check_kept(const struct place *place, const struct live *born,
                       const struct live *kept) {
    struct live moved = *born;
    moved.number = kept->number;
    const size_t end = kept->usable < born->size ? kept->usable : born->size;
    check_contents(place, &moved, kept->usable, end, "after it was resized");
}

static void store(struct slot *slot, const struct live *live) {
    atomic_fetch_add_explicit(&live_bytes, live->usable, memory_order_relaxed);
    slot->live = *live;
    slots_leave(slot);
}

void slots_put(struct place *place, struct slot *slot, struct live born, size_t zeroed,
               const struct live *kept) {
    check_alignment(place, &born);
    born.usable = usable_size_of(place, &born);
    born.number = place_next(place);
    gate_enter(place);
    claim(place, &born);
    check_zeros(place, &born, zeroed < born.usable ? zeroed : born.usable);
    if (kept != NULL) check_kept(place, &born, kept);
    contents_fill(born.block, born.usable, born.number);
    store(slot, &born);
    gate_leave();
}

void slots_put_back(struct place *place, struct slot *slot, const struct live *live) {
    gate_enter(place);
    claim(place, live);
    check(place, live);
    store(slot, live);
    gate_leave();
}

void slots_leave(struct slot *slot) {
    atomic_store_explicit(&slot->is_taken, false, memory_order_release);
}

void slots_check(struct place *place) {
    gate_enter(place);
    struct slot *slot = find(place, true);
    if (slot != NULL) {
        check(place, &slot->live);
        slots_leave(slot);
    }
    gate_leave();
}

void slots_check_all(struct place *place) {
    for (size_t i = 0; i < SLOTS; i++) {
        if (slots[i].live.block != NULL) check(place, &slots[i].live);
    }
}

size_t slots_live_bytes(void) {
    return atomic_load_explicit(&live_bytes, memory_order_relaxed);
}

void slots_after_fork(void) {
    for (size_t i = 0; i < SLOTS; i++) {
        if (!atomic_load(&slots[i].is_taken)) continue;
        slots[i].live.block = NULL;
        slots_leave(&slots[i]);
    }
}
