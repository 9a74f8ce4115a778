/* SPDX-License-Identifier: MIT */
/*
 * test_slab.c: the two bitmaps of a slab, src/meta/slab.h.
 */
#include "tests/unit/slabs.h"

static void post(unsigned index) {
    const unsigned word = index / HAK_WORD_BITS;
    atomic_fetch_or(hak_slab_remote_word(&slab, word), (uint64_t)1 << index % HAK_WORD_BITS);
    atomic_fetch_or(&slab.summary, (uint64_t)1 << word);
}

static unsigned count_free_bits(void) {
    unsigned count = 0;
    for (unsigned w = 0; w < slab.words; w++) {
        count += hak_bits_count(slab.free_bits[w]);
    }
    return count;
}

static void spans_of_all_classes_are_whole_slabs_and_hold_blocks(void **state) {
    (void)state;
    for (hak_class_t cls = 1; cls < HAK_SLAB_CLASSES; cls++) {
        const size_t bytes = hak_slab_span_bytes(cls);
        assert_int_equal(bytes % HAK_SLAB_BYTES, 0);
        assert_in_range(bytes, hak_sizeclass_stride(cls), HAK_SPAN_BYTES_MAX);
        assert_true(bytes / hak_sizeclass_stride(cls) <= HAK_SLAB_BLOCKS_MAX);
    }
}

static void the_index_of_every_offset_is_the_quotient(void **state) {
    (void)state;
    for (hak_class_t cls = 1; cls < HAK_SLAB_CLASSES; cls++) {
        tear_down(NULL);
        make_slab(cls);
        const size_t stride = hak_sizeclass_stride(cls);
        size_t offset = 0;
        for (size_t index = 0; offset < slab.span.bytes; index++) {
            for (size_t in = 0; in < stride && offset < slab.span.bytes; in++, offset++) {
                if (hak_slab_index(&slab, slab.span.base + offset) == index) continue;
                fail_msg("stride %zu, offset %zu", stride, offset);
            }
        }
    }
}

static void only_the_first_byte_of_a_block_is_one(void **state) {
    (void)state;
    for (unsigned i = 0; i < slab.capacity; i++) {
        assert_true(hak_slab_is_block(&slab, block_at(i)));
        assert_false(hak_slab_is_block(&slab, (char *)block_at(i) + 1));
        assert_false(hak_slab_is_block(&slab, (char *)block_at(i) + HAK_ALIGN_BYTES));
    }
    assert_false(hak_slab_is_block(&slab, block_at(slab.capacity)));
}

static void a_bound_slab_is_empty_and_uncarved(void **state) {
    (void)state;
    unsigned first;
    assert_int_equal(slab.capacity, HAK_SLAB_BYTES / 80);
    assert_int_equal(slab.carved, 0);
    assert_true(hak_slab_is_empty(&slab));
    assert_int_equal(hak_slab_take_word(&slab, 1, &first), 0);
}

static void carving_goes_on_in_a_row_to_the_capacity(void **state) {
    (void)state;
    unsigned first;
    unsigned next = 0;
    while (next < slab.capacity) {
        const unsigned count = hak_slab_carve(&slab, 50, &first);
        assert_int_equal(first, next);
        assert_int_equal(count, slab.capacity - next < 50 ? slab.capacity - next : 50);
        next += count;
    }
    assert_int_equal(hak_slab_carve(&slab, 50, &first), 0);
    assert_int_equal(slab.carved, slab.capacity);
}

static void a_block_that_comes_back_is_taken_again(void **state) {
    (void)state;
    unsigned first;
    carve(slab.capacity);
    for (unsigned i = 0; i < slab.capacity; i++) {
        put(i);
        assert_int_equal(slab.nfree, 1);
        assert_int_equal(hak_slab_take_word(&slab, 64, &first), (uint64_t)1 << i % 64);
        assert_int_equal(first, i / 64 * 64);
        assert_int_equal(slab.nfree, 0);
    }
}

static void the_lowest_blocks_are_taken_first(void **state) {
    (void)state;
    unsigned first;
    carve(slab.capacity);
    put(500);
    put(70);
    put(69);
    put(3);
    assert_int_equal(hak_slab_take_word(&slab, 64, &first), 1U << 3);
    assert_int_equal(first, 0);
    assert_int_equal(hak_slab_take_word(&slab, 1, &first), 1U << 5);
    assert_int_equal(first, 64);
    assert_int_equal(hak_slab_take_word(&slab, 64, &first), 1U << 6);
    assert_int_equal(first, 64);
    assert_int_equal(hak_slab_take_word(&slab, 64, &first), (uint64_t)1 << (500 - 448));
    assert_int_equal(first, 448);
    assert_int_equal(slab.nfree, 0);
}

static void no_more_than_wanted_is_taken(void **state) {
    (void)state;
    carve(64);
    for (unsigned want = 1; want <= 64; want++) {
        unsigned first;
        for (unsigned i = 0; i < 64; i++) {
            if ((slab.free_bits[0] >> i & 1) == 0) put(i);
        }
        const uint64_t bits = hak_slab_take_word(&slab, want, &first);
        assert_int_equal(hak_bits_count(bits), want);
        assert_int_equal(bits, UINT64_MAX >> (64 - want));
        assert_int_equal(slab.nfree, 64 - want);
    }
}

static void low_word_follows_a_block_into_a_lower_word(void **state) {
    (void)state;
    unsigned first;
    carve(slab.capacity);
    put(700);
    hak_slab_take_word(&slab, 64, &first);
    put(10);
    put(700);
    assert_int_equal(slab.low_word, 0);
    hak_slab_take_word(&slab, 64, &first);
    assert_int_equal(first, 0);
    hak_slab_take_word(&slab, 64, &first);
    assert_int_equal(first, 640);
}

static void low_word_follows_a_collected_block_into_a_lower_word(void **state) {
    (void)state;
    unsigned first;
    void *doubled = NULL;
    carve(slab.capacity);
    put(700);
    hak_slab_take_word(&slab, 64, &first);
    post(70);
    assert_int_equal(hak_slab_collect(&slab, &doubled), 1);
    assert_true(slab.low_word <= 1);
    assert_int_equal(hak_slab_take_word(&slab, 64, &first), 1U << 6);
    assert_int_equal(first, 64);
}

static void a_block_put_twice_is_double(void **state) {
    (void)state;
    carve(100);
    put(99);
    assert_int_equal(hak_slab_put(&slab, block_at(99)), HAK_FREE_DOUBLE);
    assert_int_equal(slab.nfree, 1);
}

static void a_block_that_was_never_carved_is_double(void **state) {
    (void)state;
    carve(100);
    assert_int_equal(hak_slab_put(&slab, block_at(100)), HAK_FREE_DOUBLE);
    assert_int_equal(hak_slab_put(&slab, block_at(slab.capacity - 1U)), HAK_FREE_DOUBLE);
    assert_int_equal(slab.nfree, 0);
}

static void an_address_inside_a_block_is_told_from_a_double_free(void **state) {
    (void)state;
    carve(100);
    put(50);
    for (size_t in = 1; in < slab.stride; in++) {
        assert_int_equal(hak_slab_put(&slab, (char *)block_at(50) + in), HAK_FREE_INSIDE);
        assert_int_equal(hak_slab_put(&slab, (char *)block_at(51) + in), HAK_FREE_INSIDE);
    }
    assert_int_equal(slab.nfree, 1);
}

static void collect_takes_in_all_remote_blocks(void **state) {
    (void)state;
    void *doubled = NULL;
    carve(slab.capacity);
    for (unsigned i = 0; i < slab.capacity; i += 3) {
        post(i);
    }
    const unsigned posted = (slab.capacity + 2U) / 3;
    assert_int_equal(hak_slab_collect(&slab, &doubled), posted);
    assert_null(doubled);
    assert_int_equal(slab.nfree, posted);
    assert_int_equal(count_free_bits(), posted);
    assert_int_equal(atomic_load(&slab.summary), 0);
    for (unsigned i = 0; i < slab.capacity; i++) {
        assert_int_equal(slab.free_bits[i / 64] >> i % 64 & 1, i % 3 == 0);
    }
    assert_int_equal(hak_slab_collect(&slab, &doubled), 0);
}

static void collect_names_a_block_that_was_free_and_does_not_count_it(void **state) {
    (void)state;
    void *doubled = NULL;
    carve(200);
    put(130);
    post(130);
    post(131);
    assert_int_equal(hak_slab_collect(&slab, &doubled), 1);
    assert_ptr_equal(doubled, block_at(130));
    assert_int_equal(slab.nfree, 2);
    assert_int_equal(count_free_bits(), 2);
}

static void collect_names_a_block_that_was_never_carved(void **state) {
    (void)state;
    void *doubled = NULL;
    carve(100);
    post(100);
    assert_int_equal(hak_slab_collect(&slab, &doubled), 0);
    assert_ptr_equal(doubled, block_at(100));
    assert_int_equal(slab.nfree, 0);
    assert_int_equal(count_free_bits(), 0);
}

static void collect_skips_marks_of_words_that_hold_nothing_or_do_not_exist(void **state) {
    (void)state;
    void *doubled = NULL;
    carve(slab.capacity);
    post(5);
    atomic_store(&slab.summary, UINT64_MAX); /* slabs of this class have 13 words of blocks */
    assert_int_equal(hak_slab_collect(&slab, &doubled), 1);
    assert_null(doubled);
    assert_int_equal(atomic_load(&slab.summary), 0);
    assert_int_equal(slab.nfree, 1);
}

static void a_reset_slab_is_uncarved_and_no_longer_zeroed(void **state) {
    (void)state;
    unsigned first;
    carve(slab.capacity);
    for (unsigned i = 0; i < slab.capacity; i++) {
        put(i);
    }
    assert_true(hak_slab_is_empty(&slab));
    hak_slab_reset(&slab);
    assert_int_equal(slab.carved, 0);
    assert_int_equal(slab.nfree, 0);
    assert_int_equal(count_free_bits(), 0);
    assert_false(slab.span.zeroed);
    assert_int_equal(hak_slab_take_word(&slab, 64, &first), 0);
    assert_int_equal(hak_slab_carve(&slab, 64, &first), 64);
    assert_int_equal(first, 0);
}

enum place { RAW, LIVE, FREE, REMOTE };
static uint8_t places[HAK_SLAB_BLOCKS_MAX];

static unsigned count_in(enum place place) {
    unsigned count = 0;
    for (unsigned i = 0; i < slab.capacity; i++) {
        count += places[i] == place;
    }
    return count;
}

static void step(uint64_t dice) {
    unsigned first = 0;
    void *doubled = NULL;
    const unsigned index = (unsigned)(dice >> 8) % slab.capacity;
    if (dice % 16 == 0) {
        const unsigned count = hak_slab_carve(&slab, 1 + (unsigned)(dice >> 4) % 9, &first);
        memset(places + first, LIVE, count);
    } else if (dice % 16 < 4) {
        uint64_t bits = hak_slab_take_word(&slab, 1 + (unsigned)(dice >> 4) % 64, &first);
        for (; bits != 0; bits &= bits - 1) {
            assert_int_equal(places[first + hak_bits_lowest(bits)], FREE);
            places[first + hak_bits_lowest(bits)] = LIVE;
        }
    } else if (dice % 64 == 4) {
        assert_int_equal(hak_slab_collect(&slab, &doubled), count_in(REMOTE));
        for (unsigned i = 0; i < slab.capacity; i++) {
            if (places[i] == REMOTE) places[i] = FREE;
        }
    } else if (places[index] == LIVE && dice % 16 < 8) {
        post(index);
        places[index] = REMOTE;
    } else if (places[index] == LIVE) {
        put(index);
        places[index] = FREE;
    } else if (places[index] != REMOTE) {
        assert_int_equal(hak_slab_put(&slab, block_at(index)), HAK_FREE_DOUBLE);
    }
    assert_null(doubled);
}

static void counts_and_bits_agree_through_random_steps(void **state) {
    (void)state;
    uint64_t random = 4711;
    printf("seed %d\n", 4711);
    memset(places, RAW, sizeof places);
    for (unsigned i = 0; i < 30000; i++) {
        step(random_next(&random) >> 8);
        if (i % 50 != 0) continue;
        assert_int_equal(slab.nfree, count_in(FREE));
        assert_int_equal(count_free_bits(), count_in(FREE));
        assert_int_equal(slab.carved, slab.capacity - count_in(RAW));
        for (unsigned w = 0; w < slab.low_word; w++) {
            assert_int_equal(slab.free_bits[w], 0);
        }
    }
}

int main(void) {
    hak_sizeclass_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_of_all_classes_are_whole_slabs_and_hold_blocks),
        slab_test(the_index_of_every_offset_is_the_quotient),
        slab_test(only_the_first_byte_of_a_block_is_one),
        slab_test(a_bound_slab_is_empty_and_uncarved),
        slab_test(carving_goes_on_in_a_row_to_the_capacity),
        slab_test(a_block_that_comes_back_is_taken_again),
        slab_test(the_lowest_blocks_are_taken_first),
        slab_test(no_more_than_wanted_is_taken),
        slab_test(low_word_follows_a_block_into_a_lower_word),
        slab_test(low_word_follows_a_collected_block_into_a_lower_word),
        slab_test(a_block_put_twice_is_double),
        slab_test(a_block_that_was_never_carved_is_double),
        slab_test(an_address_inside_a_block_is_told_from_a_double_free),
        slab_test(collect_takes_in_all_remote_blocks),
        slab_test(collect_names_a_block_that_was_free_and_does_not_count_it),
        slab_test(collect_names_a_block_that_was_never_carved),
        slab_test(collect_skips_marks_of_words_that_hold_nothing_or_do_not_exist),
        slab_test(a_reset_slab_is_uncarved_and_no_longer_zeroed),
        slab_test(counts_and_bits_agree_through_random_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
