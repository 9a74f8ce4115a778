/* SPDX-License-Identifier: MIT */
/*
 * test_slab.c: the bitmaps of a slab, src/meta/slab.h. Blocks are never written, so the spans here
 * are addresses without memory, but where pages are given back.
 */
#include "tests/api/suite.h"

#include "src/base/bits.h"
#include "src/meta/slab.h"
#include "src/os/os.h"

#define CLASS ((hak_class_t)5) /* 80 bytes: 819 blocks, the last word incomplete */

static struct hak_slab slab;

static void make_slab(hak_class_t cls) {
    memset(&slab, 0, sizeof slab);
    slab.span.base = (char *)((uintptr_t)1 << 36);
    slab.span.bytes = hak_slab_span_bytes(cls);
    slab.span.owner = HAK_OWNER_TINY;
    slab.span.zeroed = true;
    assert_true(hak_slab_bind(&slab, cls));
}

static int set_up(void **state) {
    (void)state;
    make_slab(CLASS);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    slab.nfree = slab.carved;
    hak_slab_unbind(&slab);
    return 0;
}

static void *block_at(unsigned index) {
    return hak_slab_block(&slab, index);
}

static void carve(unsigned count) {
    unsigned first;
    assert_int_equal(hak_slab_carve(&slab, count, &first), count);
}

static void put(unsigned index) {
    assert_int_equal(hak_slab_put(&slab, block_at(index)), HAK_FREE_OK);
}

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

/* From here on the slab has memory. */
static int set_up_memory(void **state) {
    (void)state;
    make_slab(CLASS);
    slab.span.base = hak_os_map_aligned(slab.span.bytes, HAK_SLAB_BYTES);
    assert_non_null(slab.span.base);
    slab.span.zeroed = false;
    memset(slab.span.base, 0x5a, slab.span.bytes);
    return 0;
}

static int tear_down_memory(void **state) {
    hak_os_unmap(slab.span.base, slab.span.bytes);
    return tear_down(state);
}

static unsigned first_on_page(size_t page) {
    const size_t offset = page * hak_os_page_bytes();
    return (unsigned)((offset + slab.stride - 1) / slab.stride);
}

static void the_pages_between_live_blocks_are_given_back(void **state) {
    (void)state;
    const size_t page_bytes = hak_os_page_bytes();
    carve(slab.capacity);
    assert_int_equal(hak_slab_purge(&slab), 0);
    for (unsigned i = 0; i < slab.capacity; i++) {
        if (i != first_on_page(3)) put(i);
    }
    assert_int_equal(hak_slab_purge(&slab), slab.span.bytes - page_bytes);
    const char *base = slab.span.base;
    assert_int_equal(base[0], 0);
    assert_int_equal(base[slab.span.bytes - 1], 0);
    assert_int_equal(*(char *)block_at(first_on_page(3)), 0x5a);
}

static void a_block_over_two_pages_keeps_both(void **state) {
    (void)state;
    const unsigned across = first_on_page(1) - 1;
    assert_true((across + 1) * slab.stride > hak_os_page_bytes());
    carve(slab.capacity);
    for (unsigned i = 0; i < slab.capacity; i++) {
        if (i != across) put(i);
    }
    assert_int_equal(hak_slab_purge(&slab), slab.span.bytes - 2 * hak_os_page_bytes());
    assert_int_equal(((char *)block_at(across))[slab.stride - 1], 0x5a);
}

static void a_page_is_given_back_once_until_it_is_used(void **state) {
    (void)state;
    unsigned first;
    carve(slab.capacity);
    for (unsigned i = 0; i < slab.capacity - 1U; i++) {
        put(i);
    }
    assert_true(hak_slab_purge(&slab) > 0);
    assert_int_equal(hak_slab_purge(&slab), 0);
    assert_int_equal(hak_slab_take_word(&slab, 1, &first), 1);
    assert_int_equal(hak_slab_purge(&slab), 0);
    put(0);
    assert_int_equal(hak_slab_purge(&slab), hak_os_page_bytes());
}

static void a_slab_has_to_settle_before_its_pages_go(void **state) {
    (void)state;
    carve(slab.capacity);
    assert_int_equal(hak_slab_purge_settled(&slab), 0);
    assert_int_equal(hak_slab_purge_settled(&slab), 0); /* nothing is free */
    for (unsigned i = 2; i < slab.capacity; i++) {
        put(i);
    }
    assert_int_equal(hak_slab_purge_settled(&slab), 0); /* the first look */
    put(1);
    assert_int_equal(hak_slab_purge_settled(&slab), 0); /* it has changed */
    assert_true(hak_slab_purge_settled(&slab) > 0);
    assert_int_equal(hak_slab_purge_settled(&slab), 0);
}

static void what_was_never_carved_goes_unless_it_was_never_touched(void **state) {
    (void)state;
    const size_t page_bytes = hak_os_page_bytes();
    carve(1);
    assert_int_equal(hak_slab_purge(&slab), slab.span.bytes - page_bytes);
}

static void untouched_memory_is_not_given_back(void **state) {
    (void)state;
    slab.span.zeroed = true;
    carve(1);
    assert_int_equal(hak_slab_purge(&slab), 0);
}

static void blocks_in_use_keep_their_contents_through_purges(void **state) {
    (void)state;
    static bool is_live[HAK_SLAB_BLOCKS_MAX];
    uint64_t random = 20261126;
    memset(is_live, 0, sizeof is_live);
    for (unsigned i = 0; i < 20000; i++) {
        const uint64_t dice = random_next(&random) >> 8;
        const unsigned at = (unsigned)(dice >> 8) % slab.capacity;
        unsigned first = 0;
        if (dice % 4 < 2 && is_live[at]) {
            assert_int_equal(((unsigned char *)block_at(at))[slab.stride - 1], at % 251);
            put(at);
            is_live[at] = false;
        } else if (dice % 4 == 2) {
            uint64_t bits = hak_slab_take_word(&slab, 1 + (unsigned)(dice >> 40) % 8, &first);
            if (bits == 0) {
                const unsigned count = hak_slab_carve(&slab, 8, &first);
                bits = ((uint64_t)1 << count) - 1;
            }
            for (; bits != 0; bits &= bits - 1) {
                const unsigned index = first + hak_bits_lowest(bits);
                memset(block_at(index), (int)(index % 251), slab.stride);
                is_live[index] = true;
            }
        } else if (i % 16 == 0) {
            (void)hak_slab_purge(&slab);
        }
    }
    for (unsigned i = 0; i < slab.capacity; i++) {
        if (!is_live[i]) continue;
        assert_int_equal(*(unsigned char *)block_at(i), i % 251);
        assert_int_equal(((unsigned char *)block_at(i))[slab.stride - 1], i % 251);
    }
}

#define memory_test(test) cmocka_unit_test_setup_teardown(test, set_up_memory, tear_down_memory)
#define slab_test(test)   cmocka_unit_test_setup_teardown(test, set_up, tear_down)

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
        memory_test(the_pages_between_live_blocks_are_given_back),
        memory_test(a_block_over_two_pages_keeps_both),
        memory_test(a_page_is_given_back_once_until_it_is_used),
        memory_test(a_slab_has_to_settle_before_its_pages_go),
        memory_test(what_was_never_carved_goes_unless_it_was_never_touched),
        memory_test(untouched_memory_is_not_given_back),
        memory_test(blocks_in_use_keep_their_contents_through_purges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
