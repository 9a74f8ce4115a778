/* SPDX-License-Identifier: MIT */
/*
 * purge.c: free slabs and superslabs go back to the kernel, at once or a step at a time.
 *
 * No system call is made under the lock: what is purged is taken meanwhile.
 */
#include "src/base/bits.h"
#include "src/meta/tagmap.h"
#include "src/os/os.h"
#include "tiers/superslab/groups.h"
#include "tiers/superslab/superslab.h"

/* The longest run of set bits, as a mask; `bits` is not 0. */
static uint32_t longest_run(uint32_t bits) {
    uint32_t best = 0;
    while (bits != 0) {
        unsigned index = hak_bits_lowest(bits);
        uint32_t rest = ~(bits >> index);
        unsigned count = rest == 0 ? HAK_SUPERSLAB_SLABS - index : hak_bits_lowest(rest);
        uint32_t run = hak_run_mask(count) << index;
        if (hak_bits_count(run) > hak_bits_count(best)) best = run;
        bits &= ~run;
    }
    return best;
}

/* Gives a run of slabs back that nobody has; false when the kernel refuses. */
static bool give_back(const struct hak_superslab *ss, uint32_t run, bool *zeroed) {
    char *base = ss->base + ((size_t)hak_bits_lowest(run) << HAK_SLAB_SHIFT);
    return hak_os_purge(base, (size_t)hak_bits_count(run) << HAK_SLAB_SHIFT, zeroed);
}

/* Gives the longest run of these idle slabs back, not holding the lock meanwhile: while it is on
 * the way the run is nobody's. Returns its bytes. */
static size_t purge_run(struct hak_group *group, unsigned i, uint32_t slabs)
    HAK_REQUIRES(hak_superslabs.lock) {
    struct hak_superslab *ss = &group->superslabs[i];
    uint32_t run = longest_run(slabs);
    bool zeroed = false;
    hak_lock_assert_held(&hak_superslabs.lock);
    hak_assert((slabs & ~(ss->free & ss->resident)) == 0);
    hak_group_take(group, i, run);
    hak_lock_give(&hak_superslabs.lock);
    bool done = give_back(ss, run, &zeroed);
    hak_lock_take(&hak_superslabs.lock);
    ss->resident &= ~run; /* even if refused, as locked pages are: it is not tried for ever */
    if (zeroed) ss->dirty &= ~run;
    uint64_t freed_ms = ss->freed_ms;
    hak_group_free(group, i, run);
    ss->freed_ms = freed_ms;
    return done ? (size_t)hak_bits_count(run) << HAK_SLAB_SHIFT : 0;
}

/* Free slabs that were given back have pages again where the kernel made a huge page of the
 * superslab: zeros, which nothing says. They are given back once more, but not often. */
static void purge_again(struct hak_group *group, unsigned i, uint64_t now_ms)
    HAK_REQUIRES(hak_superslabs.lock) {
    struct hak_superslab *ss = &group->superslabs[i];
    uint32_t slabs = ss->free & ~ss->resident;
    bool is_due = hak_purge_is_due(now_ms, ss->asked_ms, hak_purge_policy.again_ms);
    if (slabs == 0 || !is_due || !hak_os_may_use_huge_pages()) return;
    ss->asked_ms = now_ms;
    hak_group_take(group, i, slabs);
    hak_lock_give(&hak_superslabs.lock);
    for (uint32_t left = slabs; left != 0;) {
        bool zeroed;
        uint32_t run = longest_run(left);
        (void)give_back(ss, run, &zeroed);
        left &= ~run;
    }
    hak_lock_take(&hak_superslabs.lock);
    uint64_t freed_ms = ss->freed_ms;
    hak_group_free(group, i, slabs);
    ss->freed_ms = freed_ms;
}

/* Whether nothing of a superslab is in use, and nothing has been for so long. */
static bool is_unused(const struct hak_group *group, unsigned i, uint64_t now_ms, uint64_t age_ms) {
    const struct hak_superslab *ss = &group->superslabs[i];
    return (group->mapped >> i & 1) != 0 && ss->free == HAK_SLABS_ALL &&
           hak_purge_is_due(now_ms, ss->freed_ms, age_ms);
}

/* Gives `count` wholly free superslabs back that lie side by side. Returns the bytes that had
 * pages. */
static size_t unmap(struct hak_group *group, unsigned i, unsigned count)
    HAK_REQUIRES(hak_superslabs.lock) {
    char *base = group->superslabs[i].base;
    size_t bytes = 0;
    hak_lock_assert_held(&hak_superslabs.lock);
    hak_assert(count >= 1 && count <= hak_superslabs.mapped);
    for (unsigned at = i; at < i + count; at++) {
        struct hak_superslab *ss = &group->superslabs[at];
        bytes += (size_t)hak_bits_count(ss->resident) << HAK_SLAB_SHIFT;
        hak_assert(ss->base == base + (at - i) * HAK_SUPERSLAB_BYTES);
        hak_group_take(group, at, HAK_SLABS_ALL);
        group->mapped &= ~((uint64_t)1 << at);
        atomic_signal_fence(memory_order_release);
        ss->base = NULL;
    }
    hak_superslabs.mapped -= count;
    hak_lock_give(&hak_superslabs.lock);
    hak_tagmap_unmap_window(base, count * HAK_SUPERSLAB_BYTES);
    hak_lock_take(&hak_superslabs.lock);
    return bytes;
}

/* The wholly free superslab and those behind it that may go with it. */
static size_t unmap_run(struct hak_group *group, unsigned i, uint64_t now_ms, size_t bytes_max)
    HAK_REQUIRES(hak_superslabs.lock) {
    const char *end = group->superslabs[i].base + HAK_SUPERSLAB_BYTES;
    size_t most = bytes_max / HAK_SUPERSLAB_BYTES;
    size_t spare = hak_superslabs.mapped - HAK_EMPTY_SUPERSLABS_KEPT;
    unsigned count = 1;
    hak_assert(hak_superslabs.mapped > HAK_EMPTY_SUPERSLABS_KEPT);
    hak_assert(group->superslabs[i].free == HAK_SLABS_ALL);
    if (most > spare) most = spare;
    while (count < most && i + count < HAK_GROUP_SIZE && group->superslabs[i + count].base == end &&
           is_unused(group, i + count, now_ms, hak_purge_policy.age_ms)) {
        count++;
        end += HAK_SUPERSLAB_BYTES;
    }
    return unmap(group, i, count);
}

static size_t purge_all(size_t bytes_max) HAK_REQUIRES(hak_superslabs.lock) {
    uint64_t now_ms = hak_os_now_ms();
    size_t bytes = 0;
    for (struct hak_group *group = hak_superslabs.first; group != NULL; group = group->next) {
        for (uint64_t left = group->mapped; left != 0 && bytes < bytes_max; left &= left - 1) {
            unsigned i = hak_bits_lowest(left);
            struct hak_superslab *ss = &group->superslabs[i];
            if (ss->base == NULL) continue; /* another thread's purge was faster */
            if (ss->free == HAK_SLABS_ALL) {
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
static uint32_t due_slabs(struct hak_superslab *ss, uint64_t now_ms) {
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
static size_t purge_some(size_t bytes_max) HAK_REQUIRES(hak_superslabs.lock) {
    if (hak_spans_idle() <= hak_purge_policy.keep_bytes) return 0;
    uint64_t now_ms = hak_os_now_ms();
    for (unsigned looks = 0; looks < HAK_PURGE_GROUPS; looks++) {
        struct hak_group *group =
            hak_superslabs.purged == NULL ? hak_superslabs.first : hak_superslabs.purged;
        for (uint64_t left = group->mapped; left != 0; left &= left - 1) {
            unsigned i = hak_bits_lowest(left);
            struct hak_superslab *ss = &group->superslabs[i];
            uint32_t due = due_slabs(ss, now_ms);
            if (due == 0) continue;
            if (is_unused(group, i, now_ms, hak_purge_policy.age_ms) &&
                hak_superslabs.mapped > HAK_EMPTY_SUPERSLABS_KEPT) {
                return unmap_run(group, i, now_ms, bytes_max);
            }
            return purge_run(group, i, due);
        }
        hak_superslabs.purged = group->next;
        if (hak_superslabs.purged == NULL) break;
    }
    return 0;
}

/* Idle are slabs that are free and resident: the sum of all superslabs. */
static bool is_idle_right(void) HAK_REQUIRES(hak_superslabs.lock) {
    size_t slabs = 0;
    for (const struct hak_group *group = hak_superslabs.first; group != NULL; group = group->next) {
        for (uint64_t left = group->mapped; left != 0; left &= left - 1) {
            const struct hak_superslab *ss = &group->superslabs[hak_bits_lowest(left)];
            slabs += hak_bits_count(ss->free & ss->resident);
        }
    }
    return slabs << HAK_SLAB_SHIFT == hak_spans_idle();
}

size_t hak_superslab_purge(enum hak_purge how, size_t bytes_max) {
    hak_lock_take(&hak_superslabs.lock);
    size_t bytes = how == HAK_PURGE_ALL ? purge_all(bytes_max) : purge_some(bytes_max);
    if (HAK_GUARDS >= 2) hak_assert(is_idle_right());
    hak_lock_give(&hak_superslabs.lock);
    return bytes;
}
