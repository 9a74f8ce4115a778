/* SPDX-License-Identifier: MIT */
/*
 * test_bin.c: what every bin.h promises: a bin is a stack of at most `capacity` blocks, and keeps
 * its blocks when its capacity changes.
 */
#include "tests/api/suite.h"

#include "src/base/geometry.h"

#include "bin.h"

#include <sys/mman.h>

#define STRIDE 64U
#define CLASS  3U

/* Memory that a bin may link blocks through, and that of the bins themselves. */
/* Of capacities that are tried in all combinations. */
#define MANY (HAK_BIN_BLOCKS_MAX < 128 ? HAK_BIN_BLOCKS_MAX : 128)

static _Alignas(64) char blocks[2 * HAK_BIN_BLOCKS_MAX][STRIDE];
static struct hak_bin bin;
static void *bin_memory;

static int set_up(void **state) {
    (void)state;
    if (HAK_BIN_MEMORY_BYTES == 0) return 0;
    bin_memory = mmap(NULL, HAK_BIN_MEMORY_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return bin_memory == MAP_FAILED ? -1 : 0;
}

static void begin(unsigned capacity) {
    if (HAK_BIN_MEMORY_BYTES > 0) memset(bin_memory, 0, HAK_BIN_MEMORY_BYTES);
    hak_bin_init(&bin);
    if (!hak_bin_has_memory(&bin)) hak_bin_give_memory(&bin, bin_memory, CLASS);
    hak_bin_set_capacity(&bin, capacity);
}

static void push_all(unsigned from, unsigned count) {
    for (unsigned i = from; i < from + count; i++) {
        assert_true(hak_bin_push(&bin, blocks[i]));
    }
}

/* Blocks come out from `count - 1` down to 0, and then nothing. */
static void assert_holds_first(unsigned count) {
    assert_int_equal(hak_bin_count(&bin), count);
    unsigned seen = 0;
    for (const void *block = hak_bin_next(&bin, NULL, 0); block != NULL;) {
        assert_true(seen < count);
        assert_ptr_equal(block, blocks[count - 1 - seen]);
        seen++;
        block = hak_bin_next(&bin, (void *)(uintptr_t)block, seen);
    }
    assert_int_equal(seen, count);
    for (unsigned i = count; i > 0; i--) {
        assert_ptr_equal(hak_bin_pop(&bin), blocks[i - 1]);
    }
    assert_null(hak_bin_pop(&bin));
    assert_null(hak_bin_pop(&bin));
    assert_int_equal(hak_bin_count(&bin), 0);
}

static void a_bin_of_no_thread_is_empty(void **state) {
    (void)state;
    struct hak_bin empty = HAK_BIN_EMPTY;
    assert_null(hak_bin_pop(&empty));
    assert_null(hak_bin_pop(&empty));
}

static void a_new_bin_is_empty_whatever_its_capacity(void **state) {
    (void)state;
    for (unsigned capacity = 0; capacity <= MANY; capacity++) {
        begin(capacity);
        assert_int_equal(bin.capacity, capacity);
        assert_holds_first(0);
    }
}

static void blocks_come_out_last_in_first(void **state) {
    (void)state;
    for (unsigned capacity = 1; capacity <= MANY; capacity += 7) {
        begin(capacity);
        for (unsigned count = 0; count <= capacity; count++) {
            push_all(0, count);
            assert_holds_first(count);
        }
    }
}

static void a_full_bin_refuses_a_block_and_keeps_the_others(void **state) {
    (void)state;
    for (unsigned capacity = 0; capacity <= MANY; capacity++) {
        begin(capacity);
        push_all(0, capacity);
        assert_false(hak_bin_push(&bin, blocks[capacity]));
        assert_false(hak_bin_push(&bin, blocks[capacity]));
        assert_holds_first(capacity);
    }
}

static void a_word_of_blocks_goes_in_with_the_lowest_on_top(void **state) {
    (void)state;
    const uint64_t bits = 0x5005; /* 0, 2, 12, 14 */
    begin(8);
    push_all(100, 1);
    hak_bin_put_word(&bin, blocks[0], STRIDE, bits);
    assert_int_equal(hak_bin_count(&bin), 5);
    static const unsigned expected[] = {0, 2, 12, 14, 100};
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_ptr_equal(hak_bin_pop(&bin), blocks[expected[i]]);
    }
    assert_null(hak_bin_pop(&bin));
}

static void a_change_of_capacity_keeps_the_blocks_in_order(void **state) {
    (void)state;
    for (unsigned from = 0; from <= MANY; from += 3) {
        for (unsigned count = 0; count <= from; count += 4) {
            for (unsigned to = count; to <= MANY; to += 5) {
                begin(from);
                push_all(0, count);
                hak_bin_set_capacity(&bin, to);
                assert_int_equal(bin.capacity, to);
                assert_holds_first(count);
            }
        }
    }
}

static void a_bin_made_larger_has_room_for_more_and_no_more(void **state) {
    (void)state;
    begin(4);
    push_all(0, 4);
    hak_bin_set_capacity(&bin, 9);
    push_all(4, 5);
    assert_false(hak_bin_push(&bin, blocks[9]));
    assert_holds_first(9);
}

static void a_bin_made_as_small_as_its_contents_is_full(void **state) {
    (void)state;
    begin(20);
    push_all(0, 7);
    hak_bin_set_capacity(&bin, 7);
    assert_false(hak_bin_push(&bin, blocks[7]));
    assert_holds_first(7);
    push_all(0, 7);
    assert_false(hak_bin_push(&bin, blocks[7]));
}

static void a_bin_of_capacity_0_takes_and_gives_nothing(void **state) {
    (void)state;
    begin(HAK_BIN_BLOCKS_MAX);
    push_all(0, HAK_BIN_BLOCKS_MAX);
    assert_holds_first(HAK_BIN_BLOCKS_MAX);
    hak_bin_set_capacity(&bin, 0);
    assert_false(hak_bin_push(&bin, blocks[0]));
    assert_holds_first(0);
    hak_bin_set_capacity(&bin, 1);
    assert_holds_first(0);
    push_all(0, 1);
    assert_false(hak_bin_push(&bin, blocks[1]));
    assert_holds_first(1);
}

static void a_bin_begun_anew_with_its_capacity_is_empty(void **state) {
    (void)state;
    begin(HAK_BIN_BLOCKS_MAX);
    push_all(0, HAK_BIN_BLOCKS_MAX);
    hak_bin_clear(&bin);
    assert_holds_first(0);
    push_all(0, 20);
    hak_bin_set_capacity(&bin, 20);
    hak_bin_clear(&bin);
    assert_holds_first(0);
    push_all(0, 20);
    assert_false(hak_bin_push(&bin, blocks[20]));
    assert_holds_first(20);
}

static void a_bin_that_changes_again_and_again_agrees_with_an_array(void **state) {
    (void)state;
    const void *shadow[HAK_BIN_BLOCKS_MAX];
    unsigned count = 0;
    unsigned capacity = 8;
    uint64_t random = 4711;
    begin(capacity);
    for (unsigned turn = 0; turn < 100000; turn++) {
        const uint64_t dice = random_next(&random) >> 16;
        if (dice % 16 == 0) {
            capacity = count + (unsigned)(dice >> 8) % (HAK_BIN_BLOCKS_MAX - count + 1);
            hak_bin_set_capacity(&bin, capacity);
        } else if (dice % 2 == 0) {
            void *block = blocks[turn % COUNT_OF(blocks)];
            bool is_in = false;
            for (unsigned i = 0; i < count; i++) {
                is_in = is_in || shadow[i] == block;
            }
            if (is_in) continue;
            assert_int_equal(hak_bin_push(&bin, block), count < capacity);
            if (count < capacity) shadow[count++] = block;
        } else {
            assert_ptr_equal(hak_bin_pop(&bin), count > 0 ? shadow[count - 1] : NULL);
            if (count > 0) count--;
        }
        assert_int_equal(hak_bin_count(&bin), count);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bin_of_no_thread_is_empty),
        cmocka_unit_test(a_new_bin_is_empty_whatever_its_capacity),
        cmocka_unit_test(blocks_come_out_last_in_first),
        cmocka_unit_test(a_full_bin_refuses_a_block_and_keeps_the_others),
        cmocka_unit_test(a_word_of_blocks_goes_in_with_the_lowest_on_top),
        cmocka_unit_test(a_change_of_capacity_keeps_the_blocks_in_order),
        cmocka_unit_test(a_bin_made_larger_has_room_for_more_and_no_more),
        cmocka_unit_test(a_bin_made_as_small_as_its_contents_is_full),
        cmocka_unit_test(a_bin_of_capacity_0_takes_and_gives_nothing),
        cmocka_unit_test(a_bin_begun_anew_with_its_capacity_is_empty),
        cmocka_unit_test(a_bin_that_changes_again_and_again_agrees_with_an_array),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
