/* SPDX-License-Identifier: MIT */
/*
 * test_spans.c: the contract of src/contract/span_source.h: spans are where they were asked for,
 * the tag map knows them exactly while they live, and `zeroed` tells the truth.
 */
#include "tests/conform/conform.h"

#define SPANS   48
#define THREADS 4

static const size_t sizes[] = {1,
                               HAK_SLAB_BYTES - 1,
                               HAK_SLAB_BYTES,
                               HAK_SLAB_BYTES + 1,
                               3 * HAK_SLAB_BYTES,
                               HAK_SPAN_BYTES_MAX / 2,
                               HAK_SPAN_BYTES_MAX};

static struct hak_span *acquire(size_t bytes, size_t align) {
    struct hak_span *span = hak_spans_acquire(bytes, align, HAK_OWNER_MID);
    require(span != NULL);
    require(shadow_add(span->base, span->bytes));
    return span;
}

static void release(struct hak_span *span) {
    require(shadow_remove(span->base));
    hak_spans_release(span);
}

static void for_each_request(void (*body)(size_t bytes, size_t align)) {
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (size_t align = 1; align <= HAK_SPAN_BYTES_MAX; align *= 2) {
            body(sizes[i], align);
        }
    }
}

static void check_place(size_t bytes, size_t align) {
    struct hak_span *span = acquire(bytes, align);
    assert_aligned(span->base, HAK_SLAB_BYTES);
    assert_aligned(span->base, align);
    assert_true(span->bytes >= bytes);
    assert_int_equal(span->bytes % HAK_SLAB_BYTES, 0);
    assert_int_equal(span->owner, HAK_OWNER_MID);
    release(span);
}

static void a_span_is_aligned_and_as_large_as_asked(void **state) {
    (void)state;
    for_each_request(check_place);
}

static void check_found(size_t bytes, size_t align) {
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

static void the_tag_map_knows_every_slab_of_a_span_with_tag_0(void **state) {
    (void)state;
    for_each_request(check_found);
}

static void check_forgotten(size_t bytes, size_t align) {
    struct hak_span *span = acquire(bytes, align);
    const char *base = span->base;
    const size_t size = span->bytes;
    release(span);
    for (size_t at = 0; at < size; at += HAK_SLAB_BYTES) {
        assert_null(hak_tagmap_span(base + at));
    }
}

static void the_tag_map_forgets_a_released_span(void **state) {
    (void)state;
    for_each_request(check_forgotten);
}

static void spans_that_live_at_once_never_overlap(void **state) {
    (void)state;
    struct hak_span *spans[SPANS];
    uint64_t random = 4711;
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = acquire(sizes[random_next(&random) % COUNT_OF(sizes)], HAK_SLAB_BYTES);
        memset(spans[i]->base, (int)i, spans[i]->bytes);
    }
    for (size_t i = 0; i < SPANS; i++) {
        for (size_t at = 0; at < spans[i]->bytes; at += 4096) {
            assert_int_equal((unsigned char)spans[i]->base[at], i);
        }
        release(spans[i]);
    }
}

static void check_zeroed(size_t bytes, size_t align) {
    struct hak_span *span = acquire(bytes, align);
    if (span->zeroed) assert_zeros(span->base, span->bytes);
    memset(span->base, 0xa5, span->bytes);
    release(span);
}

static void a_span_called_zeroed_reads_as_zeros(void **state) {
    (void)state;
    for_each_request(check_zeroed);
}

static void a_recycled_span_called_zeroed_reads_as_zeros(void **state) {
    (void)state;
    uint64_t random = 815;
    struct hak_span *spans[SPANS] = {NULL};
    for (unsigned turn = 0; turn < 2000; turn++) {
        const uint64_t dice = random_next(&random) >> 16;
        struct hak_span **span = &spans[dice % SPANS];
        if (dice / SPANS % 100 == 0) hak_spans_purge(HAK_PURGE_SOME, SIZE_MAX);
        if (dice / SPANS % 100 == 1) hak_spans_purge(HAK_PURGE_ALL, 3 * HAK_SLAB_BYTES);
        if (*span == NULL) {
            const size_t bytes = (dice >> 20) % 6 * HAK_SLAB_BYTES + 1;
            *span = acquire(bytes, HAK_SLAB_BYTES << (dice >> 30) % 3);
            if ((*span)->zeroed) assert_zeros((*span)->base, (*span)->bytes);
            memset((*span)->base, 0xa5, (*span)->bytes);
        } else {
            release(*span);
            *span = NULL;
        }
    }
    for (size_t i = 0; i < SPANS; i++) {
        if (spans[i] != NULL) release(spans[i]);
    }
}

static void an_impossible_size_gives_null_and_keeps_errno(void **state) {
    (void)state;
    errno = 77;
    assert_null(hak_spans_acquire(PTRDIFF_MAX, HAK_SLAB_BYTES, HAK_OWNER_MID));
    assert_null(hak_spans_acquire(SIZE_MAX / 4, HAK_SLAB_BYTES, HAK_OWNER_MID));
    assert_int_equal(errno, 77);
}

static void an_impossible_alignment_gives_null_and_keeps_errno(void **state) {
    (void)state;
    errno = 77;
    assert_null(hak_spans_acquire(1, (size_t)1 << 62, HAK_OWNER_MID));
    assert_int_equal(errno, 77);
}

static void acquire_release_and_purge_keep_errno(void **state) {
    (void)state;
    errno = 77;
    struct hak_span *spans[SPANS];
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = acquire(HAK_SPAN_BYTES_MAX, HAK_SLAB_BYTES);
    }
    for (size_t i = 0; i < SPANS; i++) {
        release(spans[i]);
    }
    hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX);
    assert_int_equal(errno, 77);
}

static void purge_leaves_live_spans_alone(void **state) {
    (void)state;
    struct hak_span *spans[SPANS];
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = acquire(sizes[i % COUNT_OF(sizes)], HAK_SLAB_BYTES);
        pattern_write(spans[i]->base, spans[i]->bytes, (unsigned)i);
    }
    for (size_t i = 0; i < SPANS; i += 2) {
        release(spans[i]);
    }
    hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX);
    for (size_t i = 1; i < SPANS; i += 2) {
        assert_pattern(spans[i]->base, spans[i]->bytes, (unsigned)i);
        release(spans[i]);
    }
}

static void purge_of_everything_gives_back_what_spans_took(void **state) {
    (void)state;
    hak_purge();
    const uint64_t before = stats_now().mapped_bytes;
    struct hak_span *spans[SPANS];
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = acquire(HAK_SPAN_BYTES_MAX, HAK_SLAB_BYTES);
    }
    assert_true(stats_now().mapped_bytes >= SPANS * HAK_SPAN_BYTES_MAX);
    for (size_t i = 0; i < SPANS; i++) {
        release(spans[i]);
    }
    hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX);
    assert_true(stats_now().mapped_bytes <= before);
}

static void *acquire_and_release(void *argument) {
    uint64_t random = (uintptr_t)argument * 7919 + 1;
    struct hak_span *spans[8] = {NULL};
    for (unsigned turn = 0; turn < 2000; turn++) {
        const uint64_t dice = random_next(&random) >> 16;
        struct hak_span **span = &spans[dice % COUNT_OF(spans)];
        if (*span == NULL) {
            *span = acquire((dice >> 10) % 8 * HAK_SLAB_BYTES + 1, HAK_SLAB_BYTES);
            require(hak_tagmap_span((*span)->base) == *span);
            memset((*span)->base, (int)(uintptr_t)argument, 64);
        } else {
            require((*span)->base[0] == (char)(uintptr_t)argument);
            release(*span);
            *span = NULL;
        }
    }
    for (size_t i = 0; i < COUNT_OF(spans); i++) {
        if (spans[i] != NULL) release(spans[i]);
    }
    return NULL;
}

static void spans_of_four_threads_never_overlap(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, acquire_and_release, (void *)(i + 1)),
                         0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(shadow_count(), 0);
}

int main(void) {
    this_cache();
    const struct CMUnitTest tests[] = {
        scenario(a_span_is_aligned_and_as_large_as_asked),
        scenario(the_tag_map_knows_every_slab_of_a_span_with_tag_0),
        scenario(the_tag_map_forgets_a_released_span),
        scenario(spans_that_live_at_once_never_overlap),
        scenario(a_span_called_zeroed_reads_as_zeros),
        scenario(a_recycled_span_called_zeroed_reads_as_zeros),
        scenario(an_impossible_size_gives_null_and_keeps_errno),
        scenario(an_impossible_alignment_gives_null_and_keeps_errno),
        scenario(acquire_release_and_purge_keep_errno),
        scenario(purge_leaves_live_spans_alone),
        scenario(purge_of_everything_gives_back_what_spans_took),
        scenario(spans_of_four_threads_never_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
