/* SPDX-License-Identifier: MIT */
/*
 * slots.h: the pool of live blocks that all threads share, and what must be true of each: nobody
 * else has its bytes, its contents are what was written, its usable size does not change. A block
 * is taken out before it is given back or resized, and put in when it is there. Who has taken a
 * slot owns it until it is put or left.
 */
#ifndef HAK_TESTS_SLOTS_H
#define HAK_TESTS_SLOTS_H

#include "tests/fuzz/place.h"

enum origin { FROM_MALLOC, FROM_NEW, FROM_NEW_ARRAY };

struct live {
    unsigned char *block; /* NULL: the slot is empty */
    size_t size;          /* asked for */
    size_t usable;
    size_t alignment; /* asked for, 1 where none was */
    uint64_t number;  /* of its contents */
    enum origin origin;
};

struct slot;

/* A slot that holds a block, which is checked and taken out of the slot, or NULL. */
struct slot *slots_take(struct place *place, struct live *live);

/* The same, of the first block of the pool: NULL when there is none at all. */
struct slot *slots_take_first(struct place *place, struct live *live);

/* An empty slot, or NULL. */
struct slot *slots_take_empty(struct place *place);

/* Checks a block that the allocator has just returned, fills it, and puts it in. With `zeroed` its
 * first bytes, so many, must be zero; with `kept` its first bytes must be those of that block. */
void slots_put(struct place *place, struct slot *slot, struct live born, size_t zeroed,
               const struct live *kept);

/* Puts a block back that nothing was done with: its contents must be there. */
void slots_put_back(struct place *place, struct slot *slot, const struct live *live);

/* Leaves the slot empty. */
void slots_leave(struct slot *slot);

/* Checks one block where it lies; and all of them, when no other thread runs. */
void slots_check(struct place *place);
void slots_check_all(struct place *place);

/* Usable bytes of all blocks in the pool. */
size_t slots_live_bytes(void);

/* In the child of a fork: forgets the blocks that other threads had taken. */
void slots_after_fork(void);

#endif
