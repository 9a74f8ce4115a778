/* SPDX-License-Identifier: MIT */
/*
 * groups.h: superslabs in groups of 64, for the files of this folder only.
 *
 * A superslab's state is three words: which slabs are free, which may hold something else than
 * zeros (dirty), and which have been used since the kernel last took their pages (resident). A span
 * takes a run of slabs that begins at a multiple of the next power of two, as in a buddy system:
 * the first superslab that has one, there a run whose neighbour is taken, so that larger runs stay
 * whole, and used memory before untouched. Groups of 64 superslabs say for each order which of them
 * have such a run, so that the search reads a word a group. There is no limit to the number of
 * groups.
 */
#ifndef HAK_SUPERSLAB_GROUPS_H
#define HAK_SUPERSLAB_GROUPS_H

#include "src/base/bits.h"
#include "src/base/check.h"
#include "src/base/geometry.h"
#include "src/base/tunables.h"
#include "src/contract/purge.h"
#include "src/os/lock.h"

#define HAK_GROUP_SIZE 64u /* superslabs: the bits of a word */

struct hak_superslab {
    char *base; /* NULL: not mapped */
    uint32_t free;
    uint32_t dirty;    /* may hold something else than zeros */
    uint32_t resident; /* used since they were last given back */
    uint32_t old;      /* free since `aged_ms`, and not used since then */
    uint64_t freed_ms; /* when a slab last became free */
    uint64_t aged_ms;
    uint64_t asked_ms; /* since when what is not resident has not been given back once more */
};

struct hak_group {
    uint64_t fits[HAK_SUPERSLAB_ORDERS]; /* bit i: superslab i may have a run of this order */
    uint64_t mapped;
    struct hak_group *next; /* constant after publication */
    uint32_t number;        /* constant */
    struct hak_superslab superslabs[HAK_GROUP_SIZE];
};

#define HAK_SLABS_ALL UINT32_MAX

struct hak_superslabs {
    struct hak_lock lock;
    struct hak_group *first, *last;
    struct hak_group *hint[HAK_SUPERSLAB_ORDERS]; /* no group before it has a run of this order */
    struct hak_group *purged; /* where the next purge step looks; NULL: at the first */
    size_t mapped;
};
HAK_GUARDED_EXTERN(struct hak_superslabs, hak_superslabs);

/* The bits of `count` slabs. */
HAK_INLINE uint32_t hak_run_mask(unsigned count) {
    return count >= HAK_SUPERSLAB_SLABS ? HAK_SLABS_ALL : ((uint32_t)1 << count) - 1;
}

/* The only two places where a slab changes between free and not free. */
void hak_group_take(struct hak_group *group, unsigned i, uint32_t mask)
    HAK_REQUIRES(hak_superslabs.lock);
void hak_group_free(struct hak_group *group, unsigned i, uint32_t mask)
    HAK_REQUIRES(hak_superslabs.lock);

/* Taken for a span, which may write them. */
void hak_group_use(struct hak_group *group, unsigned i, uint32_t mask)
    HAK_REQUIRES(hak_superslabs.lock);

/* Maps one more superslab; false when memory or metadata is out. */
bool hak_group_add(void) HAK_REQUIRES(hak_superslabs.lock);

/* A superslab with a run of the order, of `group` at `*i`; NULL when there is none. */
struct hak_group *hak_group_find(unsigned order, unsigned *i) HAK_REQUIRES(hak_superslabs.lock);

/* Index of the best run of the order; there is one. */
unsigned hak_group_best_run(const struct hak_superslab *ss, unsigned order);

#endif
