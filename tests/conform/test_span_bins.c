/* SPDX-License-Identifier: MIT */
/*
 * test_span_bins.c: what src/supply/span_bins.h says of whole spans in a thread's bins, seen
 * through the public functions: a block comes again to its thread, other threads' frees pass the
 * bins by, and the bins together hold no more than their bytes. Where the slot "l25" is empty, they
 * hold nothing.
 */
#include "tests/conform/large.h"

#define BLOCKS 64

static size_t first_size(void) {
    return HAK_MID_MAX + 1;
}

static bool has_span_bins(void) {
    return hak_l25_size_max() > HAK_MID_MAX;
}

/* A size of a whole span, any of the classes. */
static size_t random_size(uint64_t *random) {
    return first_size() + (size_t)(random_next(random) >> 16) % (HAK_BINNED_MAX - HAK_MID_MAX);
}

static struct hak_bin *span_bin(struct hak_tcache *tc, size_t at) {
    return &tc->bins[HAK_SLAB_CLASSES + at];
}

static unsigned count_in_bins(struct hak_tcache *tc) {
    unsigned count = 0;
    for (size_t i = 0; i < HAK_TABLE_SPANS; i++) {
        count += hak_bin_count(span_bin(tc, i));
    }
    return count;
}

/* Bytes of the spans in the bins, by their classes, and as large as they really are. */
static size_t bytes_in_bins(struct hak_tcache *tc, size_t *real_bytes) {
    size_t bytes = 0;
    *real_bytes = 0;
    for (size_t i = 0; i < HAK_TABLE_SPANS; i++) {
        struct hak_bin *bin = span_bin(tc, i);
        unsigned at = 0;
        for (void *b = hak_bin_next(bin, NULL, at); b != NULL; b = hak_bin_next(bin, b, ++at)) {
            *real_bytes += hak_tagmap_span(b)->bytes;
        }
        bytes += at * (size_t)hak_sizeclass_stride((hak_class_t)(HAK_SLAB_CLASSES + i));
    }
    return bytes;
}

static size_t capacity_bytes(struct hak_tcache *tc) {
    size_t bytes = 0;
    for (size_t i = 0; i < HAK_TABLE_SPANS; i++) {
        bytes += span_bin(tc, i)->capacity *
                 (size_t)hak_sizeclass_stride((hak_class_t)(HAK_SLAB_CLASSES + i));
    }
    return bytes;
}

static int begin(void **state) {
    (void)state;
    hak_purge();
    return count_in_bins(this_cache()) == 0 ? 0 : -1;
}
#define from_nothing(test) cmocka_unit_test_setup_teardown(test, begin, audit_holds)

static void a_freed_block_comes_again_to_its_thread(void **state) {
    (void)state;
    if (!has_span_bins()) return;
    for (size_t size = first_size(); size <= HAK_BINNED_MAX / 2; size += HAK_SLAB_BYTES) {
        void *block = hak_malloc(size);
        hak_free(block);
        void *again = hak_malloc(size);
        assert_ptr_equal(again, block);
        hak_free(again);
    }
}

static void the_bins_account_for_their_capacity(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    void *blocks[BLOCKS] = {NULL};
    uint64_t random = 7;
    for (unsigned turn = 0; turn < 3000; turn++) {
        void **block = &blocks[random_next(&random) % BLOCKS];
        hak_free(*block);
        *block = hak_malloc(random_size(&random));
        assert_non_null(*block);
        assert_int_equal(tc->span_bin_bytes, capacity_bytes(tc));
        assert_true(tc->span_bin_bytes <= HAK_SPAN_BIN_BYTES);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        hak_free(blocks[i]);
    }
}

static void the_bins_hold_no_more_than_their_bytes(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    void *blocks[BLOCKS] = {NULL};
    uint64_t random = 8;
    for (unsigned turn = 0; turn < 3000; turn++) {
        size_t real_bytes;
        void **block = &blocks[random_next(&random) % BLOCKS];
        hak_free(*block);
        assert_true(bytes_in_bins(tc, &real_bytes) <= HAK_SPAN_BIN_BYTES);
        *block = hak_malloc(random_size(&random));
        assert_non_null(*block);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        hak_free(blocks[i]);
    }
}

/* Realloc leaves spans of any number of slabs, which then serve classes that are not quite theirs.
 */
static void the_bins_hold_no_more_than_their_bytes_by_what_the_spans_have(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    void *blocks[BLOCKS] = {NULL};
    uint64_t random = 9;
    for (unsigned turn = 0; turn < 3000; turn++) {
        size_t real_bytes;
        void **block = &blocks[random_next(&random) % BLOCKS];
        hak_free(*block);
        bytes_in_bins(tc, &real_bytes);
        assert_true(real_bytes <= HAK_SPAN_BIN_BYTES);
        *block = hak_malloc(random_size(&random));
        if (turn % 2 == 0) *block = hak_realloc(*block, random_size(&random));
        assert_non_null(*block);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        hak_free(blocks[i]);
    }
}

static void a_class_that_overflows_gets_the_capacity_of_the_others(void **state) {
    (void)state;
    if (!has_span_bins()) return;
    struct hak_tcache *tc = this_cache();
    const size_t wanted[] = {first_size(), HAK_BINNED_MAX / 2, first_size()};
    for (size_t turn = 0; turn < COUNT_OF(wanted); turn++) {
        void *blocks[BLOCKS];
        const hak_class_t cls = hak_sizeclass_of(wanted[turn]);
        for (size_t i = 0; i < BLOCKS; i++) {
            blocks[i] = hak_malloc(wanted[turn]);
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            hak_free(blocks[i]);
        }
        const size_t most = HAK_SPAN_BIN_BYTES / hak_sizeclass_stride(cls);
        assert_int_equal(hak_bin_count(&tc->bins[cls]), most);
        assert_int_equal(count_in_bins(tc), most);
    }
}

static void *free_blocks(void *argument) {
    void **blocks = argument;
    for (size_t i = 0; i < BLOCKS; i++) {
        hak_free(blocks[i]);
    }
    require(count_in_bins(this_cache()) == 0);
    return NULL;
}

static void what_another_thread_frees_goes_into_no_bin(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    void *blocks[BLOCKS];
    const uint64_t before = stats_now().large_live_count;
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = hak_malloc(first_size() + i * 4096);
    }
    run_thread(free_blocks, blocks);
    assert_int_equal(count_in_bins(tc), 0);
    assert_int_equal(stats_now().large_live_count, before);
}

static struct hak_tcache *ended;

static void *fill_bins(void *unused) {
    void *blocks[BLOCKS];
    ended = this_cache();
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = hak_malloc(first_size() + i * 8192);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        hak_free(blocks[i]);
    }
    require(!has_span_bins() || count_in_bins(ended) > 0);
    return unused;
}

static void the_end_of_a_thread_empties_its_bins_of_whole_spans(void **state) {
    (void)state;
    const uint64_t before = stats_now().large_live_count;
    for (unsigned i = 0; i < 20; i++) {
        run_thread(fill_bins, NULL);
        assert_int_equal(count_in_bins(ended), 0);
        assert_int_equal(stats_now().large_live_count, before);
    }
}

static void flush_leaves_at_most_what_is_kept(void **state) {
    (void)state;
    if (!has_span_bins()) return;
    struct hak_tcache *tc = this_cache();
    const hak_class_t cls = hak_sizeclass_of(first_size());
    for (unsigned keep = 0; keep < 5; keep++) {
        fill_bins(NULL);
        hak_bins_flush(tc, cls, keep);
        assert_true(hak_bin_count(&tc->bins[cls]) <= keep);
    }
}

static void purge_empties_the_bins(void **state) {
    (void)state;
    fill_bins(NULL);
    hak_purge();
    assert_int_equal(count_in_bins(this_cache()), 0);
    assert_int_equal(hak_large_idle() + hak_spans_idle(), 0);
}

static void a_resized_block_leaves_its_class_and_is_freed_like_any(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    uint64_t random = 11;
    for (unsigned turn = 0; turn < 500; turn++) {
        size_t real_bytes;
        const size_t from = random_size(&random);
        const size_t to = random_size(&random);
        void *block = hak_malloc(from);
        large_stamp(block, from, turn);
        block = hak_realloc(block, to);
        assert_non_null(block);
        assert_true(large_has_stamp(block, from < to ? from : to, turn));
        assert_true(hak_usable_size(block) >= to);
        large_stamp(block, to, turn);
        hak_free(block);
        assert_true(bytes_in_bins(tc, &real_bytes) <= HAK_SPAN_BIN_BYTES);
        if (turn % 50 == 0) assert_true(hak_check());
    }
}

int main(void) {
    this_cache();
    const struct CMUnitTest tests[] = {
        from_nothing(a_freed_block_comes_again_to_its_thread),
        from_nothing(the_bins_account_for_their_capacity),
        from_nothing(the_bins_hold_no_more_than_their_bytes),
        from_nothing(the_bins_hold_no_more_than_their_bytes_by_what_the_spans_have),
        from_nothing(a_class_that_overflows_gets_the_capacity_of_the_others),
        from_nothing(what_another_thread_frees_goes_into_no_bin),
        from_nothing(the_end_of_a_thread_empties_its_bins_of_whole_spans),
        from_nothing(flush_leaves_at_most_what_is_kept),
        from_nothing(purge_empties_the_bins),
        from_nothing(a_resized_block_leaves_its_class_and_is_freed_like_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
