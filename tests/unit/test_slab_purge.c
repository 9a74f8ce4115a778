/* SPDX-License-Identifier: MIT */
/*
 * test_slab_purge.c: the pages of a slab that go back, src/meta/slab.h.
 */
#include "tests/unit/slabs.h"

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

int main(void) {
    hak_sizeclass_init();
    const struct CMUnitTest tests[] = {
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
