/* SPDX-License-Identifier: MIT */
/*
 * faults.c: faults.h. A wrapper calls the allocator and then spoils the result, once in FAULT_EVERY
 * calls. Some need another block that is live for certain: `other` is one that malloc returned, and
 * that no call has taken since.
 */
#define _GNU_SOURCE
#include "tests/fuzz/faults.h"
#include "tests/fuzz/calls.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define FAULT_EVERY 50U

static struct calls sound; /* the calls as they were */
static atomic_uint turns;
static _Atomic(unsigned char *) other;
static pid_t first_process;

static bool is_turn(void) {
    return atomic_fetch_add(&turns, 1) % FAULT_EVERY == FAULT_EVERY - 1;
}

static void *remembered(void *block) {
    if (block != NULL && sound.usable_size(block) >= 32) atomic_store(&other, block);
    return block;
}

static void forget(void *block) {
    unsigned char *expected = block;
    if (block != NULL) (void)atomic_compare_exchange_strong(&other, &expected, NULL);
}

/* The wrappers that keep `other` true. */

static void *malloc_remembering(size_t size) {
    return remembered(sound.malloc(size));
}

static void *realloc_forgetting(void *block, size_t size) {
    forget(block);
    return sound.realloc(block, size);
}

static void *reallocarray_forgetting(void *block, size_t count, size_t size) {
    forget(block);
    return sound.reallocarray(block, count, size);
}

static void free_forgetting(void *block) {
    forget(block);
    sound.free(block);
}

static void free_sized_forgetting(void *block, size_t size) {
    forget(block);
    sound.free_sized(block, size);
}

static void remember(void) {
    calls.malloc = malloc_remembering;
    calls.realloc = realloc_forgetting;
    if (sound.reallocarray != NULL) calls.reallocarray = reallocarray_forgetting;
    calls.free = free_forgetting;
    if (sound.free_sized != NULL) calls.free_sized = free_sized_forgetting;
}

/* The faults. */

static void *malloc_again(size_t size) {
    unsigned char *live = is_turn() ? atomic_load(&other) : NULL;
    return live != NULL && size <= 32 ? live : malloc_remembering(size);
}

static void plant_overlap(void) {
    remember();
    calls.malloc = malloc_again;
}

static void *realloc_losing(void *block, size_t size) {
    const size_t before = block == NULL ? 0 : sound.usable_size(block);
    unsigned char *moved = sound.realloc(block, size);
    const size_t kept = before < size ? before : size;
    if (moved != NULL && kept > 0 && kept < 4096 && is_turn()) moved[kept / 2] ^= 1;
    return moved;
}

static void plant_lost(void) {
    calls.realloc = realloc_losing;
}

static void *calloc_dirty(size_t count, size_t size) {
    unsigned char *block = sound.calloc(count, size);
    if (block != NULL && count * size > 0 && is_turn()) block[count * size - 1] = 1;
    return block;
}

static void plant_dirty(void) {
    calls.calloc = calloc_dirty;
}

static void *calloc_dirty_behind(size_t count, size_t size) {
    unsigned char *block = sound.calloc(count, size);
    if (block == NULL || !is_turn()) return block;
    const size_t usable = sound.usable_size(block);
    if (usable > count * size) block[usable - 1] = 1;
    return block;
}

static void plant_slack(void) {
    calls.calloc = calloc_dirty_behind;
}

static void *memalign_beside(size_t alignment, size_t size) {
    unsigned char *block = sound.memalign(alignment, size);
    return block != NULL && alignment > 16 && is_turn() ? block + 16 : block;
}

static void plant_misaligned(void) {
    calls.memalign = memalign_beside;
}

static void free_changing_errno(void *block) {
    sound.free(block);
    if (block != NULL && is_turn()) errno = EAGAIN;
}

static void plant_errno(void) {
    calls.free = free_changing_errno;
}

static size_t usable_size_short(void *block) {
    const size_t usable = sound.usable_size(block);
    return is_turn() ? usable / 2 : usable;
}

static void plant_short(void) {
    calls.usable_size = usable_size_short;
}

/* Always the same for a block: what is wrong is the room that it has. */
static size_t usable_size_long(void *block) {
    const size_t usable = sound.usable_size(block);
    return ((uintptr_t)block >> 6) % FAULT_EVERY == 0 && block != NULL ? usable + 16 : usable;
}

static void plant_long(void) {
    calls.usable_size = usable_size_long;
}

static void free_scribbling(void *block) {
    free_forgetting(block);
    unsigned char *live = is_turn() ? atomic_load(&other) : NULL;
    if (live != NULL) live[17] ^= 1;
}

static void plant_stray(void) {
    remember();
    calls.free = free_scribbling;
}

static void *malloc_in_child(size_t size) {
    unsigned char *live = atomic_load(&other);
    if (getpid() != first_process && live != NULL) live[9] ^= 1;
    return malloc_remembering(size);
}

static void plant_child(void) {
    remember();
    first_process = getpid();
    calls.malloc = malloc_in_child;
}

static void free_not(void *block) {
    if (!is_turn()) sound.free(block);
}

static void plant_leak(void) {
    calls.free = free_not;
}

static int posix_memalign_writing(void **out, size_t alignment, size_t size) {
    const int status = sound.posix_memalign(out, alignment, size);
    if (status != 0) *out = NULL;
    return status;
}

static void plant_out(void) {
    calls.posix_memalign = posix_memalign_writing;
}

static void *malloc_refusing(size_t size) {
    void *block = sound.malloc(size);
    if (block == NULL) errno = 0;
    return block;
}

static void plant_refusal(void) {
    calls.malloc = malloc_refusing;
}

static void *realloc_freeing(void *block, size_t size) {
    void *moved = sound.realloc(block, size);
    if (moved == NULL && size != 0) memset(block, 0, 1);
    return moved;
}

static void plant_refused(void) {
    calls.realloc = realloc_freeing;
}

/* A stack of one free block that threads share without order: right for a single thread. */
static void *volatile stacked;

static void *malloc_stacked(size_t size) {
    void *block = size <= 64 && size > 48 ? stacked : NULL;
    if (block == NULL) return sound.malloc(size);
    sched_yield();
    stacked = NULL;
    return block;
}

static void free_stacked(void *block) {
    if (block != NULL && sound.usable_size(block) == 64 && stacked == NULL)
        stacked = block;
    else
        sound.free(block);
}

static void plant_race(void) {
    calls.malloc = malloc_stacked;
    calls.free = free_stacked;
}

bool faults_plant(const char *name) {
    static const struct {
        const char *name;
        void (*plant)(void);
    } faults[] = {
        {"overlap", plant_overlap},
        {"lost", plant_lost},
        {"dirty", plant_dirty},
        {"slack", plant_slack},
        {"misaligned", plant_misaligned},
        {"errno", plant_errno},
        {"short", plant_short},
        {"long", plant_long},
        {"stray", plant_stray},
        {"child", plant_child},
        {"leak", plant_leak},
        {"out", plant_out},
        {"refusal", plant_refusal},
        {"refused", plant_refused},
        {"race", plant_race},
    };
    sound = calls;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (strcmp(name, faults[i].name) != 0) continue;
        faults[i].plant();
        return true;
    }
    return false;
}
