/* SPDX-License-Identifier: MIT */
/*
 * test_spans.c: the contract of src/contract/span_source.h: spans are where they were asked for,
 * the tag map knows them exactly while they live, and `zeroed` tells the truth.
 */
#include "tests/conform/spans.h"

static void a_span_is_aligned_and_as_large_as_asked(void **state) {
    (void)state;
    for_each_request(check_place);
}

static void the_tag_map_knows_every_slab_of_a_span_with_tag_0(void **state) {
    (void)state;
    for_each_request(check_found);
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
    assert_null(hak_spans_acquire(SIZE_MAX - HAK_SLAB_BYTES, HAK_SLAB_BYTES, HAK_OWNER_MID));
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

static void resize_keeps_place_and_contents_or_changes_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (size_t j = 0; j < COUNT_OF(sizes); j++) {
            check_resized(sizes[i], sizes[j]);
        }
    }
}

/* Slabs of the span whose tag is not 0. */
static size_t count_tags(const struct hak_span *span) {
    size_t count = 0;
    for (size_t at = 0; at < span->bytes; at += HAK_SLAB_BYTES) {
        count += hak_tagmap_tag(span->base + at) != 0;
    }
    return count;
}

static void check_tags(size_t to) {
    struct hak_span *span = acquire(4 * HAK_SLAB_BYTES, HAK_SLAB_BYTES);
    hak_tagmap_set_tag(span, TAG);
    bool resized;
    resize_to(span, to, &resized);
    const size_t tagged = count_tags(span);
    release(span);
    assert_int_equal(tagged, resized ? 0 : 4);
}

static void a_span_made_larger_has_tags_0(void **state) {
    (void)state;
    check_tags(5 * HAK_SLAB_BYTES);
    check_tags(8 * HAK_SLAB_BYTES);
}

static void a_span_made_smaller_has_tags_0(void **state) {
    (void)state;
    check_tags(3 * HAK_SLAB_BYTES);
    check_tags(1);
}

static void resize_to_an_impossible_size_changes_nothing(void **state) {
    (void)state;
    static const size_t impossible[] = {HAK_SUPERSLAB_BYTES + 1, SIZE_MAX / 4, PTRDIFF_MAX,
                                        SIZE_MAX - HAK_SLAB_BYTES};
    struct hak_span *span = acquire(3 * HAK_SLAB_BYTES, HAK_SLAB_BYTES);
    pattern_write(span->base, span->bytes, 4);
    errno = 77;
    for (size_t i = 0; i < COUNT_OF(impossible); i++) {
        assert_false(hak_spans_resize(span, impossible[i]));
        assert_int_equal(span->bytes, 3 * HAK_SLAB_BYTES);
        assert_mapped(span);
        assert_pattern(span->base, span->bytes, 4);
    }
    assert_int_equal(errno, 77);
    release(span);
}

static void resized_spans_never_overlap_others(void **state) {
    (void)state;
    struct hak_span *spans[SPANS];
    uint64_t random = 99;
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = acquire(sizes[i % COUNT_OF(sizes)], HAK_SLAB_BYTES);
    }
    for (unsigned turn = 0; turn < 2000; turn++) {
        const uint64_t dice = random_next(&random) >> 16;
        struct hak_span **span = &spans[dice % SPANS];
        bool resized;
        resize_to(*span, (size_t)(dice >> 8) % HAK_SPAN_BYTES_MAX + 1, &resized); /* asserts it */
        if (dice % 5 != 0) continue;
        release(*span);
        *span = acquire(sizes[(dice >> 20) % COUNT_OF(sizes)], HAK_SLAB_BYTES);
    }
    for (size_t i = 0; i < SPANS; i++) {
        assert_mapped(spans[i]);
        release(spans[i]);
    }
}

static void what_a_smaller_span_gave_up_is_called_zeroed_only_when_it_is(void **state) {
    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        struct hak_span *spans[8];
        bool resized;
        for (size_t i = 0; i < COUNT_OF(spans); i++) {
            spans[i] = acquire(8 * HAK_SLAB_BYTES, HAK_SLAB_BYTES);
            if (spans[i]->zeroed) assert_zeros(spans[i]->base, spans[i]->bytes);
            memset(spans[i]->base, 0xa5, spans[i]->bytes);
            resize_to(spans[i], (i + 1) * HAK_SLAB_BYTES, &resized);
        }
        if (round % 8 == 3) hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX);
        for (size_t i = 0; i < COUNT_OF(spans); i++) {
            check_zeroed(sizes[i % COUNT_OF(sizes)], HAK_SLAB_BYTES);
        }
        for (size_t i = 0; i < COUNT_OF(spans); i++) {
            release(spans[i]);
        }
    }
}

int main(void) {
    this_cache();
    age_ms = hak_purge_policy.age_ms;
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
        scenario(resize_keeps_place_and_contents_or_changes_nothing),
        scenario(a_span_made_larger_has_tags_0),
        scenario(a_span_made_smaller_has_tags_0),
        scenario(resize_to_an_impossible_size_changes_nothing),
        scenario(resized_spans_never_overlap_others),
        scenario(what_a_smaller_span_gave_up_is_called_zeroed_only_when_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
