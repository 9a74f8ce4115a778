/* SPDX-License-Identifier: MIT */
/*
 * refill.c (tiny_p0): an empty bin is filled by one batch of the lowest free bits; when the class
 * has none, remote frees are drained; only then is new memory carved.
 *
 * Switches, read once: HAKMEM_TINY_P0_ENABLE (unset or not 0: on), HAKMEM_TINY_P0_DISABLE=1 (wins;
 * refill then carves first, as tiny_simple), HAKMEM_TINY_P0_NO_DRAIN=1, HAKMEM_TINY_P0_LOG=1. With
 * the log on, each batch is checked: the class's active blocks are recounted from the bitmaps
 * before and after, and the difference must be what the batch says it took. The count itself
 * cannot drift from the bits (meta/slab.h), so a mismatch would be a bug there.
 */
#include "src/supply/supply.h"

#include "src/base/bits.h"
#include "src/os/env.h"

static struct {
    bool is_off;
    bool no_drain;
    bool log; /* all three: constant after init */
    _Atomic uint64_t mismatches;
    _Atomic uint64_t logged;
} p0;

static int p0_init(void) {
    p0.is_off = hak_env_is_on("HAKMEM_TINY_P0_DISABLE") || hak_env_is_off("HAKMEM_TINY_P0_ENABLE");
    p0.no_drain = hak_env_is_on("HAKMEM_TINY_P0_NO_DRAIN");
    p0.log = hak_env_is_on("HAKMEM_TINY_P0_LOG");
    return 0;
}

/* Active blocks of a class, counted from the bits. */
static uint64_t recount_active(const struct hak_heap *heap, hak_class_t cls) {
    uint64_t active = 0;
    for (struct hak_slab *slab = heap->classes[cls].all; slab != NULL; slab = slab->all_next) {
        active += slab->carved;
        for (unsigned w = 0; w < slab->words; w++)
            active -= hak_bits_count(slab->free_bits[w]);
    }
    return active;
}

/* The same steps as hak_supply_fill_reusing, each batch between two counts. */
static HAK_COLD unsigned fill_logged(struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    hak_supply_widen(tc, cls, want);
    if (hak_heap_listed(&tc->heap, cls) == NULL && !p0.no_drain) hak_supply_drain(tc);
    if (hak_heap_listed(&tc->heap, cls) == NULL && hak_heap_fresh(&tc->heap, cls) == NULL) {
        if (!hak_supply_slab(tc, cls)) return 0;
    }
    uint64_t before = recount_active(&tc->heap, cls);
    unsigned count = hak_supply_from_bits(tc, cls, want);
    if (count == 0) count = hak_supply_from_fresh(tc, cls, want);
    uint64_t after = recount_active(&tc->heap, cls);
    atomic_fetch_add_explicit(&p0.logged, 1, memory_order_relaxed);
    if (after - before != count) {
        atomic_fetch_add_explicit(&p0.mismatches, 1, memory_order_relaxed);
    }
    return count;
}

static unsigned p0_fill(struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    if (hak_unlikely(p0.is_off)) return hak_supply_fill_carving(tc, cls, want);
    if (hak_unlikely(p0.log)) return fill_logged(tc, cls, want);
    return hak_supply_fill_reusing(tc, cls, want, !p0.no_drain);
}

static uint64_t count_of(const _Atomic uint64_t *count) {
    return atomic_load_explicit(count, memory_order_relaxed);
}

static void p0_counters(hak_counter_fn *visit, void *arg) {
    const struct hak_counter counters[] = {
        {"p0", "refills", "refills", "checked under HAKMEM_TINY_P0_LOG", count_of(&p0.logged)},
        {"p0", "mismatches", "refills", "where the count of active blocks was wrong",
         count_of(&p0.mismatches)},
    };
    visit(arg, &counters[0]);
    visit(arg, &counters[1]);
}

static const char *p0_verdict(void) {
    if (!p0.log) return NULL;
    return count_of(&p0.mismatches) == 0 ? "[P0_COUNTER_OK]" : "[P0_COUNTER_MISMATCH]";
}

static const struct hak_switch p0_switches[] = {
    {.name = "HAKMEM_TINY_P0_ENABLE",
     .unit = "on or off",
     .help = "whether a refill takes free blocks first"},
    {.name = "HAKMEM_TINY_P0_DISABLE",
     .unit = "on or off",
     .help = "whether it carves first, whatever ENABLE says"},
    {.name = "HAKMEM_TINY_P0_NO_DRAIN",
     .unit = "on or off",
     .help = "whether a refill leaves remote frees alone"},
    {.name = "HAKMEM_TINY_P0_LOG", .unit = "on or off", .help = "whether each refill is recounted"},
    {.name = NULL},
};

static bool p0_check(hak_report_fn report, void *arg) {
    uint64_t mismatches = count_of(&p0.mismatches);
    if (mismatches == 0) return true;
    report(arg, "a batch changes the active blocks by what it took", &p0, 0, mismatches);
    return false;
}

const struct hak_refill_ops hak_refill_p0 = {
    .name = "p0",
    .init = p0_init,
    .fill = p0_fill,
    .check = p0_check,
    .counters = p0_counters,
    .verdict = p0_verdict,
    .switches = p0_switches,
};
