/* SPDX-License-Identifier: MIT */
/*
 * superslab.c: spans from aligned 2 MiB superslabs of 32 slabs; the default span source.
 *
 * A superslab's state is two words: which slabs are free, and which have ever been used since the
 * kernel gave them (dirty). Used slabs are given out again before untouched ones, so that memory
 * that is already there serves first. There is no limit to their number. Superslabs with free slabs
 * form a stack; one that turns out full when it is looked at leaves it. All under one leaf lock;
 * each change is one store, so the child of a fork finds it valid.
 */
#include "src/base/bits.h"
#include "src/base/tunables.h"
#include "src/contract/span_source.h"
#include "src/meta/arena.h"
#include "src/meta/tagmap.h"
#include "src/os/os.h"

struct superslab {
    char *base; /* NULL: unmapped; the record waits for the next mapping */
    uint32_t free;
    uint32_t dirty;
    struct superslab *next_all; /* constant */
    struct superslab *next;     /* on the stack of those with free slabs */
    bool is_stacked;
};

static struct {
    struct hak_lock lock;
    struct superslab *all;
    struct superslab *stack;
    size_t mapped;
} superslabs;

#define ALL_SLABS UINT32_MAX

static int superslab_init(void) {
    return 0;
}

/* The bits of `count` slabs. */
static uint32_t run_mask(unsigned count) {
    return count >= HAK_SUPERSLAB_SLABS ? ALL_SLABS : ((uint32_t)1 << count) - 1;
}

/* Bit i is set where `count` bits of `mask` are set from i on. */
static uint32_t run_starts(uint32_t mask, unsigned count) {
    uint32_t starts = mask;
    for (unsigned have = 1; have < count;) {
        unsigned step = have < count - have ? have : count - have;
        starts &= starts >> step;
        have += step;
    }
    return starts;
}

/* Bits where a run may start, for an alignment of `slabs` slabs. */
static uint32_t aligned_starts(unsigned slabs) {
    uint32_t starts = 0;
    for (unsigned i = 0; i < HAK_SUPERSLAB_SLABS; i += slabs)
        starts |= (uint32_t)1 << i;
    return starts;
}

/* Index of the best run of free slabs; -1 when there is none. */
static int find_run(const struct superslab *ss, unsigned count, unsigned align_slabs) {
    uint32_t starts = run_starts(ss->free, count) & aligned_starts(align_slabs);
    if (starts == 0) return -1;
    uint32_t reused = starts & ss->dirty;
    return (int)hak_bits_lowest(reused != 0 ? reused : starts);
}

static void stack(struct superslab *ss) {
    ss->is_stacked = true;
    ss->next = superslabs.stack;
    atomic_signal_fence(memory_order_release);
    superslabs.stack = ss;
}

/* A mapped superslab, wholly free, on the stack; NULL when memory is out. */
static struct superslab *add_superslab(void) {
    struct superslab *ss = superslabs.all;
    while (ss != NULL && ss->base != NULL)
        ss = ss->next_all;
    if (ss == NULL) {
        ss = hak_arena_alloc(sizeof *ss);
        if (ss == NULL) return NULL;
        ss->next_all = superslabs.all;
        atomic_signal_fence(memory_order_release);
        superslabs.all = ss;
    }
    char *base = hak_tagmap_map_window(HAK_SUPERSLAB_BYTES, HAK_SUPERSLAB_BYTES);
    if (base == NULL) return NULL;
    ss->dirty = 0;
    ss->free = ALL_SLABS;
    ss->base = base;
    superslabs.mapped++;
    if (!ss->is_stacked) stack(ss);
    return ss;
}

/* Under the lock: a superslab with a run, and its index. */
static struct superslab *find(unsigned count, unsigned align_slabs, int *index) {
    while (superslabs.stack != NULL && superslabs.stack->free == 0) {
        struct superslab *full = superslabs.stack;
        superslabs.stack = full->next;
        atomic_signal_fence(memory_order_release);
        full->is_stacked = false; /* last: a child of a fork may lose it, but not find it twice */
    }
    unsigned looks = 0;
    for (struct superslab *ss = superslabs.stack; ss != NULL; ss = ss->next) {
        *index = find_run(ss, count, align_slabs);
        if (*index >= 0) return ss;
        if (++looks == HAK_SUPERSLAB_LOOKS) break;
    }
    struct superslab *ss = add_superslab();
    if (ss != NULL) *index = find_run(ss, count, align_slabs);
    return ss;
}

static struct hak_span *superslab_acquire(size_t bytes, size_t align, enum hak_owner owner) {
    if (bytes > HAK_SPAN_BYTES_MAX || align > HAK_SUPERSLAB_BYTES) return NULL;
    bytes = hak_round_up(bytes, HAK_SLAB_BYTES);
    unsigned count = (unsigned)(bytes >> HAK_SLAB_SHIFT);
    unsigned align_slabs = align <= HAK_SLAB_BYTES ? 1 : (unsigned)(align >> HAK_SLAB_SHIFT);
    struct hak_span *span = hak_span_header_alloc();
    if (span == NULL) return NULL;
    int index = 0;
    hak_lock_take(&superslabs.lock);
    struct superslab *ss = find(count, align_slabs, &index);
    if (ss != NULL) {
        uint32_t mask = run_mask(count) << index;
        span->base = ss->base + ((size_t)index << HAK_SLAB_SHIFT);
        span->zeroed = (ss->dirty & mask) == 0;
        ss->free &= ~mask;
        ss->dirty |= mask;
    }
    hak_lock_give(&superslabs.lock);
    if (ss == NULL) {
        hak_span_header_free(span);
        return NULL;
    }
    span->bytes = bytes;
    span->owner = (uint8_t)owner;
    span->source = ss;
    hak_tagmap_enter(span);
    return span;
}

static void superslab_release(struct hak_span *span) {
    struct superslab *ss = span->source;
    unsigned index = (unsigned)((size_t)(span->base - ss->base) >> HAK_SLAB_SHIFT);
    uint32_t mask = run_mask((unsigned)(span->bytes >> HAK_SLAB_SHIFT)) << index;
    hak_tagmap_clear(span);
    hak_span_header_free(span);
    hak_lock_take(&superslabs.lock);
    hak_assert((ss->free & mask) == 0);
    ss->free |= mask;
    if (!ss->is_stacked) stack(ss);
    hak_lock_give(&superslabs.lock);
}

/* Gives the pages of free slabs back; returns the bytes. */
static size_t purge_slabs(struct superslab *ss) {
    uint32_t unused = ss->free & ss->dirty;
    size_t bytes = 0;
    while (unused != 0) {
        unsigned index = hak_bits_lowest(unused);
        uint32_t rest = ~(unused >> index);
        unsigned count = rest == 0 ? HAK_SUPERSLAB_SLABS - index : hak_bits_lowest(rest);
        uint32_t mask = run_mask(count) << index;
        if (hak_os_purge(ss->base + ((size_t)index << HAK_SLAB_SHIFT), count * HAK_SLAB_BYTES)) {
            ss->dirty &= ~mask;
            bytes += count * HAK_SLAB_BYTES;
        }
        unused &= ~mask;
    }
    return bytes;
}

static size_t superslab_purge(enum hak_purge how, size_t bytes_max) {
    size_t bytes = 0;
    size_t keep = how == HAK_PURGE_ALL ? 0 : HAK_EMPTY_SUPERSLABS_KEPT;
    hak_lock_take(&superslabs.lock);
    for (struct superslab *ss = superslabs.all; ss != NULL && bytes < bytes_max;
         ss = ss->next_all) {
        if (ss->base == NULL) continue;
        bytes += purge_slabs(ss);
        if (ss->free != ALL_SLABS) continue;
        if (keep > 0) {
            keep--;
            continue;
        }
        char *base = ss->base;
        ss->free = 0;
        ss->base = NULL;
        superslabs.mapped--;
        hak_tagmap_unmap_window(base, HAK_SUPERSLAB_BYTES);
    }
    hak_lock_give(&superslabs.lock);
    return bytes;
}

static void superslab_stats(struct hak_stats *out) {
    hak_lock_take(&superslabs.lock);
    out->mapped_bytes += superslabs.mapped * HAK_SUPERSLAB_BYTES;
    hak_lock_give(&superslabs.lock);
}

/* Every slab is free and not in the tag map, or not free and in it. */
static bool check_one(const struct superslab *ss, hak_report_fn report, void *arg) {
    bool holds = true;
    for (unsigned i = 0; i < HAK_SUPERSLAB_SLABS; i++) {
        const char *slab = ss->base + ((size_t)i << HAK_SLAB_SHIFT);
        const struct hak_span *span = hak_tagmap_span(slab);
        bool is_free = (ss->free >> i & 1) != 0;
        if (is_free == (span == NULL) && (is_free || span->source == ss)) continue;
        report(arg, "superslab: a slab is free or in the tag map", slab, is_free, span == NULL);
        holds = false;
    }
    return holds;
}

static bool superslab_check(hak_report_fn report, void *arg) {
    bool holds = true;
    size_t mapped = 0;
    hak_lock_take(&superslabs.lock);
    for (struct superslab *ss = superslabs.all; ss != NULL; ss = ss->next_all) {
        if (ss->base == NULL) continue;
        mapped++;
        if (!check_one(ss, report, arg)) holds = false;
    }
    if (mapped != superslabs.mapped) {
        report(arg, "superslab: number mapped", &superslabs, superslabs.mapped, mapped);
        holds = false;
    }
    hak_lock_give(&superslabs.lock);
    return holds;
}

static void superslab_after_fork(void) {
    hak_lock_reset(&superslabs.lock);
}

const struct hak_span_ops hak_spans_superslab = {
    .name = "superslab",
    .init = superslab_init,
    .acquire = superslab_acquire,
    .release = superslab_release,
    .purge = superslab_purge,
    .stats = superslab_stats,
    .check = superslab_check,
    .after_fork = superslab_after_fork,
};
