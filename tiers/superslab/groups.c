/* SPDX-License-Identifier: MIT */
/*
 * groups.c: which slabs of which superslab are free, and where a run of them is.
 */
#include "tiers/superslab/groups.h"

#include "src/base/bits.h"
#include "src/meta/arena.h"
#include "src/meta/tagmap.h"
#include "src/os/os.h"

struct hak_superslabs hak_superslabs = {.lock = HAK_LOCK_INIT(HAK_RANK_SPANS)};

/* Bit i is set where an aligned run of 2^order free slabs begins at i. */
static uint32_t run_starts(uint32_t free, unsigned order) {
    static const uint32_t aligned[HAK_SUPERSLAB_ORDERS] = {HAK_SLABS_ALL, 0x55555555u, 0x11111111u,
                                                           0x01010101u,   0x00010001u, 0x00000001u};
    uint32_t starts = free;
    for (unsigned k = 0; k < order; k++)
        starts &= starts >> (1u << k) & aligned[k + 1];
    return starts;
}

/* Index of the best run of the order; there is one. */
unsigned hak_group_best_run(const struct hak_superslab *ss, unsigned order) {
    uint32_t starts = run_starts(ss->free, order);
    hak_assert(starts != 0);
    uint32_t larger = order + 1 < HAK_SUPERSLAB_ORDERS ? run_starts(ss->free, order + 1) : 0;
    uint32_t lone = starts & ~(larger | larger << (1u << order));
    if (lone != 0) starts = lone;
    uint32_t used = starts & ss->dirty;
    return hak_bits_lowest(used != 0 ? used : starts);
}

/* After a change of a superslab's free slabs. */
static void note_runs(struct hak_group *group, unsigned i) HAK_REQUIRES(hak_superslabs.lock) {
    hak_lock_assert_held(&hak_superslabs.lock);
    hak_assert(i < HAK_GROUP_SIZE);
    uint64_t bit = (uint64_t)1 << i;
    for (unsigned order = 0; order < HAK_SUPERSLAB_ORDERS; order++) {
        if (run_starts(group->superslabs[i].free, order) == 0) {
            group->fits[order] &= ~bit;
            continue;
        }
        group->fits[order] |= bit;
        if (hak_superslabs.hint[order] == NULL ||
            hak_superslabs.hint[order]->number > group->number) {
            hak_superslabs.hint[order] = group;
        }
    }
}

/* Idle are slabs that are free and resident. */
static void count_idle(uint32_t slabs, bool is_more) {
    size_t bytes = (size_t)hak_bits_count(slabs) << HAK_SLAB_SHIFT;
    hak_assert(is_more || bytes <= hak_spans_idle());
    hak_idle_set(&hak_idle.spans, hak_spans_idle() + (is_more ? bytes : -bytes));
}

/* The only two places where a slab changes between free and not free. */
void hak_group_take(struct hak_group *group, unsigned i, uint32_t mask)
    HAK_REQUIRES(hak_superslabs.lock) {
    struct hak_superslab *ss = &group->superslabs[i];
    hak_assert(mask != 0);
    hak_assert((ss->free & mask) == mask);
    count_idle(mask & ss->resident, false);
    ss->free &= ~mask;
    ss->old &= ~mask;
    note_runs(group, i);
}

/* Taken for a span, which may write them. */
void hak_group_use(struct hak_group *group, unsigned i, uint32_t mask)
    HAK_REQUIRES(hak_superslabs.lock) {
    if (!hak_fault(HAK_FAULT_SPANS_TAKEN)) hak_group_take(group, i, mask);
    group->superslabs[i].dirty |= mask;
    group->superslabs[i].resident |= mask;
    hak_assert((group->superslabs[i].free & mask) == 0);
}

void hak_group_free(struct hak_group *group, unsigned i, uint32_t mask)
    HAK_REQUIRES(hak_superslabs.lock) {
    struct hak_superslab *ss = &group->superslabs[i];
    hak_assert(ss->base != NULL);
    hak_assert((ss->free & mask) == 0);
    count_idle(mask & ss->resident, true);
    ss->free |= mask;
    ss->freed_ms = hak_os_now_ms();
    note_runs(group, i);
}

/* A group with room for another superslab; NULL when metadata is out. */
static struct hak_group *group_with_room(void) HAK_REQUIRES(hak_superslabs.lock) {
    struct hak_group *group = hak_superslabs.first;
    while (group != NULL && ~group->mapped == 0)
        group = group->next;
    if (group != NULL) return group;
    group = hak_arena_alloc(sizeof *group);
    if (group == NULL) return NULL;
    group->number = hak_superslabs.last == NULL ? 0 : hak_superslabs.last->number + 1;
    atomic_signal_fence(memory_order_release);
    if (hak_superslabs.last == NULL) {
        hak_superslabs.first = group;
    } else {
        hak_superslabs.last->next = group;
    }
    hak_superslabs.last = group;
    return group;
}

bool hak_group_add(void) HAK_REQUIRES(hak_superslabs.lock) {
    struct hak_group *group = group_with_room();
    if (group == NULL) return false;
    char *base = hak_tagmap_map_window(HAK_SUPERSLAB_BYTES, HAK_SUPERSLAB_BYTES);
    if (base == NULL) return false;
    unsigned i = hak_bits_lowest(~group->mapped);
    hak_assert(((uintptr_t)base & (HAK_SUPERSLAB_BYTES - 1)) == 0);
    hak_assert(group->superslabs[i].base == NULL);
    group->superslabs[i] =
        (struct hak_superslab){.base = base, .free = HAK_SLABS_ALL, .asked_ms = hak_os_now_ms()};
    atomic_signal_fence(memory_order_release);
    group->mapped |= (uint64_t)1 << i;
    hak_superslabs.mapped++;
    note_runs(group, i);
    hak_idle_set(&hak_idle.growths, hak_idle_of(&hak_idle.growths) + 1);
    return true;
}

/* A superslab with a run of the order, of `group` at `*i`; NULL when there is none.
 */
struct hak_group *hak_group_find(unsigned order, unsigned *i) HAK_REQUIRES(hak_superslabs.lock) {
    struct hak_group *group = hak_superslabs.hint[order];
    hak_lock_assert_held(&hak_superslabs.lock);
    hak_assert(order < HAK_SUPERSLAB_ORDERS);
    for (; group != NULL; group = group->next) {
        while (group->fits[order] != 0) {
            *i = hak_bits_lowest(group->fits[order]);
            hak_superslabs.hint[order] = group;
            if (run_starts(group->superslabs[*i].free, order) != 0) return group;
            group->fits[order] &= group->fits[order] - 1;
        }
    }
    hak_superslabs.hint[order] = NULL;
    return NULL;
}
