/* SPDX-License-Identifier: MIT */
/*
 * bind.c: the composition root, the one file that names modules.
 *
 * The build passes the chosen ones as HAK_BIND_REFILL=p0 and so on. Each slot function is one call
 * through a constant table, which link-time optimisation turns into a direct, inlined call; a table
 * indexed by owner would stay indirect. For an entry that a table leaves out stands the contract's
 * default: which of the two it is, is known when the library is linked.
 */
#include "hak_config.h"
#include "hak_rev.h"
#include "src/base/bits.h"
#include "src/contract/slots.h"
#include "src/supply/span_bins.h"
#include "src/supply/supply.h"

#include <errno.h>

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#define TEXT_(a)    #a
#define TEXT(a)     TEXT_(a)

#define SPANS  JOIN(hak_spans_, HAK_BIND_SPANS)
#define REFILL JOIN(hak_refill_, HAK_BIND_REFILL)
#define MID    JOIN(hak_mid_, HAK_BIND_MID)
#define L25    JOIN(hak_l25_, HAK_BIND_L25)
#define BIG    JOIN(hak_big_, HAK_BIND_BIG)

extern const struct hak_span_ops SPANS;
extern const struct hak_refill_ops REFILL;
extern const struct hak_mid_ops MID;
extern const struct hak_tier_ops L25;
extern const struct hak_tier_ops BIG;

int hak_spans_init(void) {
    return SPANS.init != NULL ? SPANS.init() : 0;
}

struct hak_span *hak_spans_acquire(size_t bytes, size_t align, enum hak_owner owner) {
    hak_lock_assert_below(HAK_RANK_TIER); /* a tier calls another slot without its lock */
    return SPANS.acquire(bytes, align, owner);
}

void hak_spans_release(struct hak_span *span) {
    hak_lock_assert_below(HAK_RANK_TIER);
    SPANS.release(span);
}

size_t hak_spans_purge(enum hak_purge how, size_t bytes_max) {
    hak_lock_assert_below(HAK_RANK_TIER);
    return SPANS.purge != NULL ? SPANS.purge(how, bytes_max) : 0;
}

bool hak_spans_resize(struct hak_span *span, size_t bytes) {
    hak_lock_assert_below(HAK_RANK_TIER);
    if (SPANS.resize != NULL) return SPANS.resize(span, bytes);
    return hak_round_up(bytes, HAK_SLAB_BYTES) == span->bytes;
}

void hak_spans_stats(struct hak_stats *out) {
    SPANS.stats(out);
}

bool hak_spans_check(hak_report_fn report, void *arg) {
    return SPANS.check == NULL || SPANS.check(report, arg);
}

void hak_spans_after_fork(bool in_disorder) {
    if (SPANS.after_fork != NULL) SPANS.after_fork(in_disorder);
}

/* -Drefill_delay: a slowdown of known size, to see whether a comparison finds it. */
static void delay_refill(void) {
    for (unsigned left = HAK_REFILL_DELAY; left > 0; left--)
        __asm__ volatile("" ::: "memory");
}

static unsigned batch_max(void) {
    return REFILL.batch_max > 0 ? REFILL.batch_max : HAK_REFILL_BLOCKS_MAX;
}

unsigned hak_bins_fill(struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    hak_assert(cls >= 1 && cls < HAK_SLAB_CLASSES);
    hak_assert(want >= 1);
    hak_assert(hak_bin_count(&tc->bins[cls]) == 0);
    delay_refill();
    if (cls > HAK_TINY_CLASSES) return MID.fill != NULL ? MID.fill(tc, cls, want) : 0;
    unsigned count = REFILL.fill(tc, cls, want < batch_max() ? want : batch_max());
    hak_assert(count <= want && count <= batch_max());
    return count;
}

/* Classes of slabs above tiny are the mid tier's; the last ones are of whole spans. */
static bool is_of_slabs(hak_class_t cls) {
    return cls < HAK_SLAB_CLASSES;
}

void hak_bins_overflow(struct hak_tcache *tc, hak_class_t cls, struct hak_block *block) {
    hak_assert(block != NULL);
    if (!is_of_slabs(cls)) {
        hak_supply_keep_span(tc, cls, block);
    } else if (cls <= HAK_TINY_CLASSES && REFILL.overflow != NULL) {
        REFILL.overflow(tc, cls, block);
    } else if (cls > HAK_TINY_CLASSES && MID.overflow != NULL) {
        MID.overflow(tc, cls, block);
    } else {
        hak_supply_overflow(tc, cls, block);
    }
}

bool hak_bins_may_hold(hak_class_t cls) {
    if (cls <= HAK_TINY_CLASSES) return REFILL.each_block != NULL;
    return is_of_slabs(cls) && MID.each_block != NULL;
}

void hak_bins_flush(struct hak_tcache *tc, hak_class_t cls, unsigned keep) {
    if (!is_of_slabs(cls)) {
        hak_supply_flush_spans(tc, cls, keep);
    } else if (cls <= HAK_TINY_CLASSES && REFILL.flush != NULL) {
        REFILL.flush(tc, cls, keep);
    } else if (cls > HAK_TINY_CLASSES && MID.flush != NULL) {
        MID.flush(tc, cls, keep);
    } else {
        hak_supply_flush(tc, cls, keep);
    }
}

void hak_bins_each_block(const struct hak_tcache *tc, hak_class_t cls, hak_block_fn *visit,
                         void *arg) {
    if (cls <= HAK_TINY_CLASSES) {
        if (REFILL.each_block != NULL) REFILL.each_block(tc, cls, visit, arg);
    } else if (is_of_slabs(cls)) {
        if (MID.each_block != NULL) MID.each_block(tc, cls, visit, arg);
    }
}

int hak_refill_init(void) {
    return REFILL.init != NULL ? REFILL.init() : 0;
}

const char *hak_refill_verdict(void) {
    return REFILL.verdict != NULL ? REFILL.verdict() : NULL;
}

void hak_refill_counters(hak_counter_fn *visit, void *arg) {
    if (REFILL.counters != NULL) REFILL.counters(visit, arg);
}

bool hak_refill_check(hak_report_fn report, void *arg) {
    return REFILL.check == NULL || REFILL.check(report, arg);
}

size_t hak_bins_size_max(void) {
    return MID.size_max > HAK_TINY_MAX ? MID.size_max : HAK_TINY_MAX;
}

size_t hak_l25_size_max(void) {
    return L25.size_max;
}

int hak_large_init(void) {
    int failed = L25.init != NULL ? L25.init() : 0;
    if (failed != 0) return failed;
    return BIG.init != NULL ? BIG.init() : 0;
}

void *hak_large_alloc(enum hak_owner owner, size_t size, size_t align, bool *zeroed) {
    hak_lock_assert_below(HAK_RANK_TIER);
    if (owner == HAK_OWNER_L25) return L25.alloc(size, align, zeroed);
    return BIG.alloc(size, align, zeroed);
}

bool hak_large_free(void *block, struct hak_span *span) {
    hak_lock_assert_below(HAK_RANK_TIER);
    if (span->owner == HAK_OWNER_L25) return L25.free(block, span);
    return BIG.free(block, span);
}

size_t hak_large_usable_size(const void *block, const struct hak_span *span) {
    const bool is_l25 = span->owner == HAK_OWNER_L25;
    if (is_l25 && L25.usable_size != NULL) return L25.usable_size(block, span);
    if (!is_l25 && BIG.usable_size != NULL) return BIG.usable_size(block, span);
    return span->bytes;
}

void *hak_large_resize(void *block, size_t new_size, struct hak_span *span) {
    hak_lock_assert_below(HAK_RANK_TIER);
    if (span->owner == HAK_OWNER_L25) {
        return L25.resize != NULL ? L25.resize(block, new_size, span) : NULL;
    }
    return BIG.resize != NULL ? BIG.resize(block, new_size, span) : NULL;
}

struct hak_span *hak_large_find(const void *block) {
    struct hak_span *span = L25.find != NULL ? L25.find(block) : NULL;
    if (span != NULL) return span;
    return BIG.find != NULL ? BIG.find(block) : NULL;
}

bool hak_large_free_at(void *block) {
    return BIG.free_at != NULL && BIG.free_at(block); /* the tag map knows the blocks of l25 */
}

/* The span of an owner that the tag map has at the address; NULL when there is none. */
static struct hak_span *mapped_around(const void *address, enum hak_owner owner) {
    struct hak_span *span = hak_tagmap_span(address);
    return span != NULL && span->owner == owner ? span : NULL;
}

struct hak_span *hak_large_find_around(const void *address) {
    struct hak_span *span =
        L25.find_around != NULL ? L25.find_around(address) : mapped_around(address, L25.owner);
    if (span != NULL) return span;
    return BIG.find_around != NULL ? BIG.find_around(address) : mapped_around(address, BIG.owner);
}

size_t hak_large_purge(enum hak_purge how, size_t bytes_max) {
    hak_lock_assert_below(HAK_RANK_TIER);
    size_t bytes = L25.purge != NULL ? L25.purge(how, bytes_max) : 0;
    if ((how == HAK_PURGE_SOME && bytes > 0) || BIG.purge == NULL) return bytes;
    return bytes + BIG.purge(how, bytes_max - (bytes < bytes_max ? bytes : bytes_max));
}

void hak_large_stats(struct hak_stats *out) {
    if (L25.stats != NULL) L25.stats(out);
    if (BIG.stats != NULL) BIG.stats(out);
}

bool hak_large_check(hak_report_fn report, void *arg) {
    bool l25_holds = L25.check == NULL || L25.check(report, arg);
    return (BIG.check == NULL || BIG.check(report, arg)) && l25_holds;
}

void hak_large_after_fork(bool in_disorder) {
    if (L25.after_fork != NULL) L25.after_fork(in_disorder);
    if (BIG.after_fork != NULL) BIG.after_fork(in_disorder);
}

static bool is_whole(const struct hak_tier_ops *tier) {
    return tier->size_max == 0 || (tier->alloc != NULL && tier->free != NULL);
}

/* Whether every module has the entries that have no default. */
static bool are_whole(void) {
    return SPANS.acquire != NULL && SPANS.release != NULL && SPANS.stats != NULL &&
           REFILL.fill != NULL && (MID.size_max == 0 || MID.fill != NULL) && is_whole(&L25) &&
           is_whole(&BIG);
}

int hak_bind_check(void) {
    bool ranges_rise = (L25.size_max == 0 || L25.size_max > hak_bins_size_max()) &&
                       BIG.size_max > L25.size_max && BIG.size_max >= PTRDIFF_MAX;
    bool bins_fit = hak_bins_size_max() <= HAK_MID_MAX;
    bool batches_fit = batch_max() <= HAK_BIN_BLOCKS_MAX;
    bool owners_differ = L25.owner != BIG.owner;
    bool fits = ranges_rise && bins_fit && batches_fit && owners_differ;
    return fits && are_whole() ? 0 : -EINVAL;
}

void hak_bind_counters(hak_counter_fn *visit, void *arg) {
    hak_refill_counters(visit, arg);
    if (L25.counters != NULL) L25.counters(visit, arg);
    if (BIG.counters != NULL) BIG.counters(visit, arg);
    if (SPANS.counters != NULL) SPANS.counters(visit, arg);
}

void hak_bind_switches(void (*visit)(void *arg, const struct hak_switch *named), void *arg) {
    const struct hak_switch *tables[] = {REFILL.switches, L25.switches, BIG.switches,
                                         SPANS.switches};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        for (const struct hak_switch *at = tables[i]; at != NULL && at->name != NULL; at++)
            visit(arg, at);
    }
}

const char *hak_bind_info(void) {
    return "hakmem " HAK_VERSION " (" HAK_REVISION ") refill=" TEXT(HAK_BIND_REFILL)            //
        " spans=" TEXT(HAK_BIND_SPANS) " mid=" TEXT(HAK_BIND_MID) " l25=" TEXT(HAK_BIND_L25)    //
        " big=" TEXT(HAK_BIND_BIG) " class_lookup=" HAK_CLASS_LOOKUP " guards=" HAK_GUARDS_NAME //
            HAK_REFILL_DELAY_NAME;
}
