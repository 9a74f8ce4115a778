/* SPDX-License-Identifier: MIT */
/*
 * spans.h: spans as the tests of the span source ask for them, noted in the shadow.
 */
#ifndef HAK_TESTS_CONFORM_SPANS_H
#define HAK_TESTS_CONFORM_SPANS_H

#include "src/contract/purge.h"
#include "src/os/os.h"
#include "tests/conform/calls.h"
#include "tests/conform/conform.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define SPANS   48
#define THREADS 4
#define TRIES   50
#define TAG     0xabcdeU

static const size_t sizes[] = {1,
                               HAK_SLAB_BYTES - 1,
                               HAK_SLAB_BYTES,
                               HAK_SLAB_BYTES + 1,
                               3 * HAK_SLAB_BYTES,
                               HAK_SPAN_BYTES_MAX / 2,
                               HAK_SPAN_BYTES_MAX};

static inline struct hak_span *acquire(size_t bytes, size_t align) {
    struct hak_span *span = hak_spans_acquire(bytes, align, HAK_OWNER_MID);
    require(span != NULL);
    require(shadow_add(span->base, span->bytes));
    return span;
}

static inline void release(struct hak_span *span) {
    require(shadow_remove(span->base));
    hak_spans_release(span);
}

static inline void for_each_request(void (*body)(size_t bytes, size_t align)) {
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (size_t align = 1; align <= HAK_SPAN_BYTES_MAX; align *= 2) {
            body(sizes[i], align);
        }
    }
}

static inline void check_place(size_t bytes, size_t align) {
    struct hak_span *span = acquire(bytes, align);
    assert_aligned(span->base, HAK_SLAB_BYTES);
    assert_aligned(span->base, align);
    assert_true(span->bytes >= bytes);
    assert_int_equal(span->bytes % HAK_SLAB_BYTES, 0);
    assert_int_equal(span->owner, HAK_OWNER_MID);
    release(span);
}

static inline void check_found(size_t bytes, size_t align) {
    struct hak_span *span = acquire(bytes, align);
    for (size_t at = 0; at < span->bytes; at += HAK_SLAB_BYTES) {
        assert_ptr_equal(hak_tagmap_span(span->base + at), span);
        assert_ptr_equal(hak_tagmap_span(span->base + at + HAK_SLAB_BYTES - 1), span);
        const uintptr_t slot = hak_tagmap_slot(span->base + at);
        assert_int_equal(atomic_load(&hak_tagmap.entries[slot].tag), 0);
    }
    assert_ptr_not_equal(hak_tagmap_span(span->base - 1), span);
    assert_ptr_not_equal(hak_tagmap_span(span->base + span->bytes), span);
    release(span);
}

static inline void check_forgotten(size_t bytes, size_t align) {
    struct hak_span *span = acquire(bytes, align);
    const char *base = span->base;
    const size_t size = span->bytes;
    release(span);
    for (size_t at = 0; at < size; at += HAK_SLAB_BYTES) {
        assert_null(hak_tagmap_span(base + at));
    }
}

static inline void check_zeroed(size_t bytes, size_t align) {
    struct hak_span *span = acquire(bytes, align);
    if (span->zeroed) assert_zeros(span->base, span->bytes);
    memset(span->base, 0xa5, span->bytes);
    release(span);
}

static inline void resize_to(struct hak_span *span, size_t bytes, bool *resized) {
    require(shadow_remove(span->base));
    *resized = hak_spans_resize(span, bytes);
    require(shadow_add(span->base, span->bytes));
}

/* The map leads from every slab of the span to it, and from its neighbours elsewhere. */
static inline void assert_mapped(const struct hak_span *span) {
    for (size_t at = 0; at < span->bytes; at += HAK_SLAB_BYTES) {
        assert_ptr_equal(hak_tagmap_span(span->base + at), span);
    }
    assert_ptr_not_equal(hak_tagmap_span(span->base - 1), span);
    assert_ptr_not_equal(hak_tagmap_span(span->base + span->bytes), span);
}

static inline void check_resized(size_t from, size_t to) {
    bool resized;
    struct hak_span *span = acquire(from, HAK_SLAB_BYTES);
    char *const base = span->base;
    const size_t bytes = span->bytes;
    pattern_write(base, bytes, 3);
    resize_to(span, to, &resized);
    assert_ptr_equal(span->base, base);
    if (!resized) {
        assert_int_equal(span->bytes, bytes);
    } else {
        assert_true(span->bytes >= to && span->bytes < to + HAK_SLAB_BYTES);
        assert_int_equal(span->bytes % HAK_SLAB_BYTES, 0);
    }
    assert_int_equal(span->owner, HAK_OWNER_MID);
    assert_pattern(base, bytes < span->bytes ? bytes : span->bytes, 3);
    memset(base, 0xa5, span->bytes);
    assert_mapped(span);
    release(span);
    assert_null(hak_tagmap_span(base));
}

static uint64_t age_ms;

/* Nothing idle, and nothing that is kept however old. */
static inline int begin(void **state) {
    (void)state;
    hak_purge();
    hak_purge_policy.keep_bytes = 0;
    hak_purge_policy.age_ms = age_ms;
    return hak_spans_idle() == 0 ? 0 : -1;
}
#define from_nothing(test) cmocka_unit_test_setup_teardown(test, begin, audit_holds)

/* Spans of all sizes that were written to and are free again, between some that live. */
static inline void leave_idle(struct hak_span **live, size_t count) {
    struct hak_span *spans[SPANS];
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = acquire(sizes[i % COUNT_OF(sizes)], HAK_SLAB_BYTES);
        memset(spans[i]->base, 0xa5, spans[i]->bytes);
        if (i < count) live[i] = acquire(1, HAK_SLAB_BYTES);
    }
    for (size_t i = 0; i < SPANS; i++) {
        release(spans[i]);
    }
}

/* Takes slabs [from, from + count) of a span out of the tag map: what a fork sees of a thread that
 * was entering or clearing it. */
static inline void half_clear(const struct hak_span *span, size_t from, size_t count) {
    const struct hak_span part = {.base = span->base + from * HAK_SLAB_BYTES,
                                  .bytes = count * HAK_SLAB_BYTES};
    hak_tagmap_clear(&part);
}

#endif
