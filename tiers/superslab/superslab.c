/* SPDX-License-Identifier: MIT */
/*
 * superslab.c: spans from aligned 2 MiB superslabs of 32 slabs; the default span source.
 *
 * A superslab's state is three words: which slabs are free, which may hold something else than
 * zeros (dirty), and which have been used since the kernel last took their pages (resident). A span
 * takes a run of slabs that begins at a multiple of the next power of two, as in a buddy system:
 * the first superslab that has one, there a run whose neighbour is taken, so that larger runs stay
 * whole, and used memory before untouched. Groups of 64 superslabs say for each order which of them
 * have such a run, so that the search reads a word a group. There is no limit to the number of
 * groups.
 *
 * All under one leaf lock, which no system call is made under but the mapping of a superslab: what
 * is purged is taken meanwhile. The child of a fork makes the free slabs anew from the tag map.
 */
#include "src/base/bits.h"
#include "src/base/check.h"
#include "src/base/tunables.h"
#include "src/contract/purge.h"
#include "src/contract/span_source.h"
#include "src/meta/arena.h"
#include "src/meta/tagmap.h"
#include "src/os/os.h"

#define GROUP_SIZE 64u /* superslabs: the bits of a word */

struct superslab {
    char *base; /* NULL: not mapped */
    uint32_t free;
    uint32_t dirty;    /* may hold something else than zeros */
    uint32_t resident; /* used since they were last given back */
    uint32_t old;      /* free since `aged_ms`, and not used since then */
    uint64_t freed_ms; /* when a slab last became free */
    uint64_t aged_ms;
    uint64_t asked_ms; /* since when what is not resident has not been given back once more */
};

struct group {
    uint64_t fits[HAK_SUPERSLAB_ORDERS]; /* bit i: superslab i may have a run of this order */
    uint64_t mapped;
    struct group *next; /* constant after publication */
    uint32_t number;    /* constant */
    struct superslab superslabs[GROUP_SIZE];
};

struct groups {
    struct hak_lock lock;
    struct group *first, *last;
    struct group *hint[HAK_SUPERSLAB_ORDERS]; /* no group before it has a run of this order */
    struct group *purged; /* where the next purge step looks; NULL: at the first */
    size_t mapped;
};
HAK_GUARDED_STATIC(struct groups, groups) = {.lock = HAK_LOCK_INIT(HAK_RANK_SPANS)};

#define ALL_SLABS UINT32_MAX

static int superslab_init(void) {
    return 0;
}

/* The bits of `count` slabs. */
static uint32_t run_mask(unsigned count) {
    return count >= HAK_SUPERSLAB_SLABS ? ALL_SLABS : ((uint32_t)1 << count) - 1;
}

/* Bit i is set where an aligned run of 2^order free slabs begins at i. */
static uint32_t run_starts(uint32_t free, unsigned order) {
    static const uint32_t aligned[HAK_SUPERSLAB_ORDERS] = {ALL_SLABS,   0x55555555u, 0x11111111u,
                                                           0x01010101u, 0x00010001u, 0x00000001u};
    uint32_t starts = free;
    for (unsigned k = 0; k < order; k++)
        starts &= starts >> (1u << k) & aligned[k + 1];
    return starts;
}

/* Index of the best run of the order; there is one. */
static unsigned best_run(const struct superslab *ss, unsigned order) {
    uint32_t starts = run_starts(ss->free, order);
    hak_assert(starts != 0);
    uint32_t larger = order + 1 < HAK_SUPERSLAB_ORDERS ? run_starts(ss->free, order + 1) : 0;
    uint32_t lone = starts & ~(larger | larger << (1u << order));
    if (lone != 0) starts = lone;
    uint32_t used = starts & ss->dirty;
    return hak_bits_lowest(used != 0 ? used : starts);
}

/* After a change of a superslab's free slabs. */
static void note_runs(struct group *group, unsigned i) HAK_REQUIRES(groups.lock) {
    hak_lock_assert_held(&groups.lock);
    hak_assert(i < GROUP_SIZE);
    uint64_t bit = (uint64_t)1 << i;
    for (unsigned order = 0; order < HAK_SUPERSLAB_ORDERS; order++) {
        if (run_starts(group->superslabs[i].free, order) == 0) {
            group->fits[order] &= ~bit;
            continue;
        }
        group->fits[order] |= bit;
        if (groups.hint[order] == NULL || groups.hint[order]->number > group->number) {
            groups.hint[order] = group;
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
static void take_slabs(struct group *group, unsigned i, uint32_t mask) HAK_REQUIRES(groups.lock) {
    struct superslab *ss = &group->superslabs[i];
    hak_assert(mask != 0);
    hak_assert((ss->free & mask) == mask);
    count_idle(mask & ss->resident, false);
    ss->free &= ~mask;
    ss->old &= ~mask;
    note_runs(group, i);
}

/* Taken for a span, which may write them. */
static void use_slabs(struct group *group, unsigned i, uint32_t mask) HAK_REQUIRES(groups.lock) {
    if (!hak_fault(HAK_FAULT_SPANS_TAKEN)) take_slabs(group, i, mask);
    group->superslabs[i].dirty |= mask;
    group->superslabs[i].resident |= mask;
    hak_assert((group->superslabs[i].free & mask) == 0);
}

static void free_slabs(struct group *group, unsigned i, uint32_t mask) HAK_REQUIRES(groups.lock) {
    struct superslab *ss = &group->superslabs[i];
    hak_assert(ss->base != NULL);
    hak_assert((ss->free & mask) == 0);
    count_idle(mask & ss->resident, true);
    ss->free |= mask;
    ss->freed_ms = hak_os_now_ms();
    note_runs(group, i);
}

/* A group with room for another superslab; NULL when metadata is out. */
static struct group *group_with_room(void) HAK_REQUIRES(groups.lock) {
    struct group *group = groups.first;
    while (group != NULL && ~group->mapped == 0)
        group = group->next;
    if (group != NULL) return group;
    group = hak_arena_alloc(sizeof *group);
    if (group == NULL) return NULL;
    group->number = groups.last == NULL ? 0 : groups.last->number + 1;
    atomic_signal_fence(memory_order_release);
    if (groups.last == NULL) {
        groups.first = group;
    } else {
        groups.last->next = group;
    }
    groups.last = group;
    return group;
}

static bool add_superslab(void) HAK_REQUIRES(groups.lock) {
    struct group *group = group_with_room();
    if (group == NULL) return false;
    char *base = hak_tagmap_map_window(HAK_SUPERSLAB_BYTES, HAK_SUPERSLAB_BYTES);
    if (base == NULL) return false;
    unsigned i = hak_bits_lowest(~group->mapped);
    hak_assert(((uintptr_t)base & (HAK_SUPERSLAB_BYTES - 1)) == 0);
    hak_assert(group->superslabs[i].base == NULL);
    group->superslabs[i] =
        (struct superslab){.base = base, .free = ALL_SLABS, .asked_ms = hak_os_now_ms()};
    atomic_signal_fence(memory_order_release);
    group->mapped |= (uint64_t)1 << i;
    groups.mapped++;
    note_runs(group, i);
    hak_idle_set(&hak_idle.growths, hak_idle_of(&hak_idle.growths) + 1);
    return true;
}

/* A superslab with a run of the order, of `group` at `*i`; NULL when there is none.
 */
static struct group *find(unsigned order, unsigned *i) HAK_REQUIRES(groups.lock) {
    struct group *group = groups.hint[order];
    hak_lock_assert_held(&groups.lock);
    hak_assert(order < HAK_SUPERSLAB_ORDERS);
    for (; group != NULL; group = group->next) {
        while (group->fits[order] != 0) {
            *i = hak_bits_lowest(group->fits[order]);
            groups.hint[order] = group;
            if (run_starts(group->superslabs[*i].free, order) != 0) return group;
            group->fits[order] &= group->fits[order] - 1;
        }
    }
    groups.hint[order] = NULL;
    return NULL;
}

/* Takes a run of `bytes` for the span; false when memory is out. */
static bool take_run(struct hak_span *span, size_t bytes, unsigned order) {
    unsigned i;
    hak_lock_take(&groups.lock);
    struct group *group = find(order, &i);
    if (group == NULL && add_superslab()) group = find(order, &i);
    if (group != NULL) {
        struct superslab *ss = &group->superslabs[i];
        unsigned index = best_run(ss, order);
        uint32_t mask = run_mask((unsigned)(bytes >> HAK_SLAB_SHIFT)) << index;
        span->base = ss->base + ((size_t)index << HAK_SLAB_SHIFT);
        span->zeroed = (ss->dirty & mask) == 0;
        span->source = group;
        use_slabs(group, i, mask);
    }
    hak_lock_give(&groups.lock);
    return group != NULL;
}

static struct hak_span *superslab_acquire(size_t bytes, size_t align, enum hak_owner owner) {
    hak_assert(bytes > 0);
    hak_assert(hak_is_pow2(align));
    hak_assert(owner != HAK_OWNER_NONE);
    if (bytes > HAK_SPAN_BYTES_MAX || align > HAK_SPAN_BYTES_MAX) return NULL;
    bytes = hak_round_up(bytes, HAK_SLAB_BYTES);
    size_t reach = bytes > align ? bytes : align; /* runs begin at multiples of their size */
    struct hak_span *span = hak_span_header_alloc();
    if (span == NULL) return NULL;
    if (!take_run(span, bytes, hak_log2_up(reach >> HAK_SLAB_SHIFT))) {
        hak_span_header_free(span);
        return NULL;
    }
    span->bytes = bytes;
    span->owner = (uint8_t)owner;
    hak_assert(((uintptr_t)span->base & (align - 1)) == 0);
    hak_assert(hak_tagmap_span(span->base) == NULL);
    hak_tagmap_enter(span);
    hak_assert(hak_tagmap_span(span->base + bytes - 1) == span);
    return span;
}

/* The superslab of a group that an address lies in. */
static unsigned superslab_of(const struct group *group, const char *address) {
    unsigned i = 0;
    while ((uintptr_t)address - (uintptr_t)group->superslabs[i].base >= HAK_SUPERSLAB_BYTES)
        i++;
    hak_assert(i < GROUP_SIZE);
    hak_assert((group->mapped >> i & 1) != 0);
    return i;
}

static void superslab_release(struct hak_span *span) {
    hak_assert(span->owner != HAK_OWNER_NONE);
    hak_assert(hak_tagmap_span(span->base) == span);
    hak_assert(hak_tagmap_span(span->base + span->bytes - 1) == span);
    struct group *group = span->source;
    const char *base = span->base;
    uint32_t mask = run_mask((unsigned)(span->bytes >> HAK_SLAB_SHIFT));
    if (!hak_fault(HAK_FAULT_SPANS_MAP)) hak_tagmap_clear(span);
    hak_assert(hak_tagmap_span(base) == NULL);
    hak_span_header_free(span);
    hak_lock_take(&groups.lock);
    unsigned i = superslab_of(group, base);
    struct superslab *ss = &group->superslabs[i];
    mask <<= (size_t)(base - ss->base) >> HAK_SLAB_SHIFT;
    free_slabs(group, i, mask);
    hak_lock_give(&groups.lock);
}

/* Grows over the free slabs that follow, or gives the last ones back. */
static bool superslab_resize(struct hak_span *span, size_t bytes) {
    hak_assert(bytes > 0);
    hak_assert(hak_tagmap_span(span->base) == span);
    struct group *group = span->source;
    unsigned have = (unsigned)(span->bytes >> HAK_SLAB_SHIFT);
    unsigned want = (unsigned)(hak_round_up(bytes, HAK_SLAB_BYTES) >> HAK_SLAB_SHIFT);
    if (bytes > HAK_SPAN_BYTES_MAX) return false;
    if (want < have) {
        struct hak_span tail = {.base = span->base + ((size_t)want << HAK_SLAB_SHIFT),
                                .bytes = (size_t)(have - want) << HAK_SLAB_SHIFT};
        hak_tagmap_clear(&tail);
    }
    hak_lock_take(&groups.lock);
    unsigned i = superslab_of(group, span->base);
    struct superslab *ss = &group->superslabs[i];
    unsigned index = (unsigned)((size_t)(span->base - ss->base) >> HAK_SLAB_SHIFT);
    uint32_t old_mask = run_mask(have) << index;
    uint32_t new_mask = run_mask(want) << index;
    uint32_t added = new_mask & ~old_mask;
    bool done = index + want <= HAK_SUPERSLAB_SLABS && (ss->free & added) == added;
    if (done && added != 0) {
        use_slabs(group, i, added);
        span->zeroed = false;
    } else if (done) {
        free_slabs(group, i, old_mask & ~new_mask);
    }
    hak_lock_give(&groups.lock);
    if (!done) return false;
    span->bytes = (size_t)want << HAK_SLAB_SHIFT;
    if (added != 0) hak_tagmap_enter(span);
    hak_tagmap_set_tag(span, 0);
    return true;
}

/* The longest run of set bits, as a mask; `bits` is not 0. */
static uint32_t longest_run(uint32_t bits) {
    uint32_t best = 0;
    while (bits != 0) {
        unsigned index = hak_bits_lowest(bits);
        uint32_t rest = ~(bits >> index);
        unsigned count = rest == 0 ? HAK_SUPERSLAB_SLABS - index : hak_bits_lowest(rest);
        uint32_t run = run_mask(count) << index;
        if (hak_bits_count(run) > hak_bits_count(best)) best = run;
        bits &= ~run;
    }
    return best;
}

/* Gives a run of slabs back that nobody has; false when the kernel refuses. */
static bool give_back(const struct superslab *ss, uint32_t run, bool *zeroed) {
    char *base = ss->base + ((size_t)hak_bits_lowest(run) << HAK_SLAB_SHIFT);
    return hak_os_purge(base, (size_t)hak_bits_count(run) << HAK_SLAB_SHIFT, zeroed);
}

/* Gives the longest run of these idle slabs back, not holding the lock meanwhile: while it is on
 * the way the run is nobody's. Returns its bytes. */
static size_t purge_run(struct group *group, unsigned i, uint32_t slabs) HAK_REQUIRES(groups.lock) {
    struct superslab *ss = &group->superslabs[i];
    uint32_t run = longest_run(slabs);
    bool zeroed = false;
    hak_lock_assert_held(&groups.lock);
    hak_assert((slabs & ~(ss->free & ss->resident)) == 0);
    take_slabs(group, i, run);
    hak_lock_give(&groups.lock);
    bool done = give_back(ss, run, &zeroed);
    hak_lock_take(&groups.lock);
    ss->resident &= ~run; /* even if refused, as locked pages are: it is not tried for ever */
    if (zeroed) ss->dirty &= ~run;
    uint64_t freed_ms = ss->freed_ms;
    free_slabs(group, i, run);
    ss->freed_ms = freed_ms;
    return done ? (size_t)hak_bits_count(run) << HAK_SLAB_SHIFT : 0;
}

/* Free slabs that were given back have pages again where the kernel made a huge page of the
 * superslab: zeros, which nothing says. They are given back once more, but not often. */
static void purge_again(struct group *group, unsigned i, uint64_t now_ms)
    HAK_REQUIRES(groups.lock) {
    struct superslab *ss = &group->superslabs[i];
    uint32_t slabs = ss->free & ~ss->resident;
    bool is_due = hak_purge_is_due(now_ms, ss->asked_ms, hak_purge_policy.again_ms);
    if (slabs == 0 || !is_due || !hak_os_may_use_huge_pages()) return;
    ss->asked_ms = now_ms;
    take_slabs(group, i, slabs);
    hak_lock_give(&groups.lock);
    for (uint32_t left = slabs; left != 0;) {
        bool zeroed;
        uint32_t run = longest_run(left);
        (void)give_back(ss, run, &zeroed);
        left &= ~run;
    }
    hak_lock_take(&groups.lock);
    uint64_t freed_ms = ss->freed_ms;
    free_slabs(group, i, slabs);
    ss->freed_ms = freed_ms;
}

/* Whether nothing of a superslab is in use, and nothing has been for so long. */
static bool is_unused(const struct group *group, unsigned i, uint64_t now_ms, uint64_t age_ms) {
    const struct superslab *ss = &group->superslabs[i];
    return (group->mapped >> i & 1) != 0 && ss->free == ALL_SLABS &&
           hak_purge_is_due(now_ms, ss->freed_ms, age_ms);
}

/* Gives `count` wholly free superslabs back that lie side by side. Returns the bytes that had
 * pages. */
static size_t unmap(struct group *group, unsigned i, unsigned count) HAK_REQUIRES(groups.lock) {
    char *base = group->superslabs[i].base;
    size_t bytes = 0;
    hak_lock_assert_held(&groups.lock);
    hak_assert(count >= 1 && count <= groups.mapped);
    for (unsigned at = i; at < i + count; at++) {
        struct superslab *ss = &group->superslabs[at];
        bytes += (size_t)hak_bits_count(ss->resident) << HAK_SLAB_SHIFT;
        hak_assert(ss->base == base + (at - i) * HAK_SUPERSLAB_BYTES);
        take_slabs(group, at, ALL_SLABS);
        group->mapped &= ~((uint64_t)1 << at);
        atomic_signal_fence(memory_order_release);
        ss->base = NULL;
    }
    groups.mapped -= count;
    hak_lock_give(&groups.lock);
    hak_tagmap_unmap_window(base, count * HAK_SUPERSLAB_BYTES);
    hak_lock_take(&groups.lock);
    return bytes;
}

/* The wholly free superslab and those behind it that may go with it. */
static size_t unmap_run(struct group *group, unsigned i, uint64_t now_ms, size_t bytes_max)
    HAK_REQUIRES(groups.lock) {
    const char *end = group->superslabs[i].base + HAK_SUPERSLAB_BYTES;
    size_t most = bytes_max / HAK_SUPERSLAB_BYTES;
    size_t spare = groups.mapped - HAK_EMPTY_SUPERSLABS_KEPT;
    unsigned count = 1;
    hak_assert(groups.mapped > HAK_EMPTY_SUPERSLABS_KEPT);
    hak_assert(group->superslabs[i].free == ALL_SLABS);
    if (most > spare) most = spare;
    while (count < most && i + count < GROUP_SIZE && group->superslabs[i + count].base == end &&
           is_unused(group, i + count, now_ms, hak_purge_policy.age_ms)) {
        count++;
        end += HAK_SUPERSLAB_BYTES;
    }
    return unmap(group, i, count);
}

static size_t purge_all(size_t bytes_max) HAK_REQUIRES(groups.lock) {
    uint64_t now_ms = hak_os_now_ms();
    size_t bytes = 0;
    for (struct group *group = groups.first; group != NULL; group = group->next) {
        for (uint64_t left = group->mapped; left != 0 && bytes < bytes_max; left &= left - 1) {
            unsigned i = hak_bits_lowest(left);
            struct superslab *ss = &group->superslabs[i];
            if (ss->base == NULL) continue; /* another thread's purge was faster */
            if (ss->free == ALL_SLABS) {
                bytes += unmap(group, i, 1);
                continue;
            }
            size_t given = 1;
            while ((ss->free & ss->resident) != 0 && given > 0) {
                given = purge_run(group, i, ss->free & ss->resident);
                bytes += given;
            }
            purge_again(group, i, now_ms);
        }
    }
    return bytes;
}

/* The idle slabs that have reached the age: all where none was freed for so long. Where slabs come
 * and go, those that were free at a look an age ago and have not been used since; when these have
 * gone, what is free now is noted for the next look. */
static uint32_t due_slabs(struct superslab *ss, uint64_t now_ms) {
    uint32_t idle = ss->free & ss->resident;
    uint64_t age_ms = hak_purge_policy.age_ms;
    if (idle == 0 || hak_purge_is_due(now_ms, ss->freed_ms, age_ms)) return idle;
    if (!hak_purge_is_due(now_ms, ss->aged_ms, age_ms)) return 0;
    uint32_t due = idle & ss->old;
    if (due == 0) {
        ss->old = ss->free;
        ss->aged_ms = now_ms;
    }
    return due;
}

/* One step: looks at a few groups, from where the last step ended, for one superslab with something
 * due. */
static size_t purge_some(size_t bytes_max) HAK_REQUIRES(groups.lock) {
    if (hak_spans_idle() <= hak_purge_policy.keep_bytes) return 0;
    uint64_t now_ms = hak_os_now_ms();
    for (unsigned looks = 0; looks < HAK_PURGE_GROUPS; looks++) {
        struct group *group = groups.purged == NULL ? groups.first : groups.purged;
        for (uint64_t left = group->mapped; left != 0; left &= left - 1) {
            unsigned i = hak_bits_lowest(left);
            struct superslab *ss = &group->superslabs[i];
            uint32_t due = due_slabs(ss, now_ms);
            if (due == 0) continue;
            if (is_unused(group, i, now_ms, hak_purge_policy.age_ms) &&
                groups.mapped > HAK_EMPTY_SUPERSLABS_KEPT) {
                return unmap_run(group, i, now_ms, bytes_max);
            }
            return purge_run(group, i, due);
        }
        groups.purged = group->next;
        if (groups.purged == NULL) break;
    }
    return 0;
}

/* Idle are slabs that are free and resident: the sum of all superslabs. */
static bool is_idle_right(void) HAK_REQUIRES(groups.lock) {
    size_t slabs = 0;
    for (const struct group *group = groups.first; group != NULL; group = group->next) {
        for (uint64_t left = group->mapped; left != 0; left &= left - 1) {
            const struct superslab *ss = &group->superslabs[hak_bits_lowest(left)];
            slabs += hak_bits_count(ss->free & ss->resident);
        }
    }
    return slabs << HAK_SLAB_SHIFT == hak_spans_idle();
}

static size_t superslab_purge(enum hak_purge how, size_t bytes_max) {
    hak_lock_take(&groups.lock);
    size_t bytes = how == HAK_PURGE_ALL ? purge_all(bytes_max) : purge_some(bytes_max);
    if (HAK_GUARDS >= 2) hak_assert(is_idle_right());
    hak_lock_give(&groups.lock);
    return bytes;
}

static void superslab_stats(struct hak_stats *out) {
    hak_lock_take(&groups.lock);
    out->mapped_bytes += groups.mapped * HAK_SUPERSLAB_BYTES;
    hak_lock_give(&groups.lock);
}

/* A slab that is not free lies in a span of this source, which ends where the tag map says. */
static bool is_in_place(const struct group *group, const char *slab, bool is_last) {
    const struct hak_span *span = hak_tagmap_span(slab);
    if (span == NULL || span->source != group || slab < span->base) return false;
    const char *next = slab + HAK_SLAB_BYTES;
    bool is_end = next == span->base + span->bytes;
    return is_end ? is_last || hak_tagmap_span(next) != span
                  : !is_last && hak_tagmap_span(next) == span;
}

/* Every slab is free and not in the tag map, or in place. */
static bool check_one(const struct group *group, unsigned at, hak_report_fn report, void *arg) {
    const struct superslab *ss = &group->superslabs[at];
    bool holds = true;
    for (unsigned i = 0; i < HAK_SUPERSLAB_SLABS; i++) {
        const char *slab = ss->base + ((size_t)i << HAK_SLAB_SHIFT);
        bool is_free = (ss->free >> i & 1) != 0;
        bool is_last = i + 1 == HAK_SUPERSLAB_SLABS;
        if (is_free ? hak_tagmap_span(slab) == NULL : is_in_place(group, slab, is_last)) continue;
        report(arg, "superslab: a slab is free, or in a span of the tag map", slab, is_free, 1);
        holds = false;
    }
    return holds;
}

static bool superslab_check(hak_report_fn report, void *arg) {
    bool holds = true;
    size_t mapped = 0;
    hak_lock_take(&groups.lock);
    for (struct group *group = groups.first; group != NULL; group = group->next) {
        for (uint64_t left = group->mapped; left != 0; left &= left - 1) {
            mapped++;
            if (!check_one(group, hak_bits_lowest(left), report, arg)) holds = false;
        }
    }
    if (mapped != groups.mapped) {
        report(arg, "superslab: number mapped", &groups, groups.mapped, mapped);
        holds = false;
    }
    hak_lock_give(&groups.lock);
    return holds;
}

/* A span ends where the tag map's entries for it do. Written only where that is news: the header's
 * page is shared with the parent. */
static void end_span(struct hak_span *span, const char *end) {
    size_t bytes = (size_t)(end - span->base);
    if (span->bytes != bytes) span->bytes = bytes;
}

/* The free slabs of a superslab. What a thread that is gone had just taken, or was purging, is in
 * no span. What it was entering, releasing or resizing is a span as far as the tag map holds it in
 * a row from its base: entries are written and cleared upwards. */
static uint32_t mend_spans(const struct superslab *ss) {
    uint32_t free = 0;
    struct hak_span *before = NULL;
    for (unsigned at = 0; at < HAK_SUPERSLAB_SLABS; at++) {
        char *slab = ss->base + ((size_t)at << HAK_SLAB_SHIFT);
        struct hak_span *span = hak_tagmap_span(slab);
        bool is_stray = span != NULL && span != before && span->base != slab;
        if (is_stray) {
            hak_tagmap_clear(&(struct hak_span){.base = slab, .bytes = HAK_SLAB_BYTES});
            span = NULL;
        }
        if (span == NULL) free |= (uint32_t)1 << at;
        if (before != NULL && span != before) end_span(before, slab);
        before = span;
    }
    if (before != NULL) end_span(before, ss->base + HAK_SUPERSLAB_BYTES);
    return free;
}

static void superslab_after_fork(bool in_disorder) {
    hak_lock_reset(&groups.lock);
    if (!in_disorder) return;
    hak_lock_take(&groups.lock);
    hak_idle_set(&hak_idle.spans, 0);
    groups.mapped = 0;
    for (struct group *group = groups.first; group != NULL; group = group->next) {
        for (uint64_t left = group->mapped; left != 0; left &= left - 1) {
            unsigned i = hak_bits_lowest(left);
            struct superslab *ss = &group->superslabs[i];
            groups.mapped++;
            ss->free = 0;
            free_slabs(group, i, mend_spans(ss));
        }
    }
    hak_lock_give(&groups.lock);
}

const struct hak_span_ops hak_spans_superslab = {
    .name = "superslab",
    .init = superslab_init,
    .acquire = superslab_acquire,
    .release = superslab_release,
    .resize = superslab_resize,
    .purge = superslab_purge,
    .stats = superslab_stats,
    .check = superslab_check,
    .after_fork = superslab_after_fork,
};
