/* SPDX-License-Identifier: MIT */
/*
 * test_refill.c: the contract of src/contract/refill.h, for every class that has a bin: fill,
 * overflow and flush as one thread sees them.
 */
#include "tests/conform/calls.h"
#include "tests/conform/conform.h"

#include "src/supply/slabs.h"

#define WANT_MAX   HAK_REFILL_BLOCKS_MAX
#define BLOCKS_MAX ((size_t)4 * (HAK_BIN_BLOCKS_MAX + HAK_SLAB_BLOCKS_MAX))

static void *held[BLOCKS_MAX];

/* The largest power of two that divides the stride. */
static size_t natural_alignment(size_t stride) {
    return stride & (~stride + 1);
}

/* The bin may have room for what is wanted: the front asks for no more. */
static unsigned allowed_want(const struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    return smaller(want, tc->heap.classes[cls].capacity_max);
}

static void check_block(const void *block, hak_class_t cls) {
    const uint32_t stride = hak_sizeclass_stride(cls);
    assert_aligned(block, HAK_ALIGN_BYTES);
    assert_aligned(block, natural_alignment(stride));
    struct hak_span *span = hak_tagmap_span(block);
    assert_non_null(span);
    const char *first = block;
    assert_true(first >= span->base);
    assert_true(first + stride <= span->base + span->bytes);
    assert_int_equal(hak_slab_of_span(span)->cls, cls);
    assert_true(hak_slab_is_block(hak_slab_of_span(span), block));
}

/* Pops all blocks of the bin into held[from ...], each entered in the shadow; returns the end. */
static size_t pop_all(struct hak_tcache *tc, hak_class_t cls, size_t from) {
    void *block;
    while ((block = hak_bin_pop(&tc->bins[cls])) != NULL) {
        assert_true(from < BLOCKS_MAX);
        assert_true(shadow_add(block, hak_sizeclass_stride(cls)));
        held[from++] = block;
    }
    return from;
}

static void give_all(struct hak_tcache *tc, hak_class_t cls, size_t count) {
    for (size_t i = 0; i < count; i++) {
        assert_true(shadow_remove(held[i]));
        give_block(tc, cls, held[i]);
    }
    hak_bins_flush(tc, cls, 0);
}

static void fill_adds_between_one_block_and_what_is_wanted(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    for_each_class(cls) {
        struct hak_bin *bin = &tc->bins[cls];
        hak_bins_flush(tc, cls, 0);
        for (unsigned want = 1; want <= WANT_MAX; want++) {
            assert_int_equal(hak_bin_count(bin), 0);
            const unsigned count = hak_bins_fill(tc, cls, allowed_want(tc, cls, want));
            assert_in_range(count, 1, allowed_want(tc, cls, want));
            assert_int_equal(hak_bin_count(bin), count);
            hak_bins_flush(tc, cls, 0);
        }
    }
}

static void fill_adds_blocks_of_the_class_aligned_and_within_their_span(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    for_each_class(cls) {
        hak_bins_flush(tc, cls, 0);
        size_t count = 0;
        for (unsigned want = 1; want <= WANT_MAX; want += 7) {
            hak_bins_fill(tc, cls, allowed_want(tc, cls, want));
            count = pop_all(tc, cls, count);
        }
        for (size_t i = 0; i < count; i++) {
            check_block(held[i], cls);
        }
        give_all(tc, cls, count);
    }
}

static void fill_adds_blocks_that_overlap_no_live_one(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    for_each_class(cls) {
        hak_bins_flush(tc, cls, 0);
        const size_t enough = 2 * hak_slab_span_bytes(cls) / hak_sizeclass_stride(cls) + 1;
        size_t count = 0;
        while (count < enough) {
            hak_bins_fill(tc, cls, allowed_want(tc, cls, WANT_MAX));
            count = pop_all(tc, cls, count); /* asserts that none overlaps */
        }
        give_all(tc, cls, count);
    }
}

static void fill_keeps_errno(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    for_each_class(cls) {
        hak_bins_flush(tc, cls, 0);
        errno = 77;
        assert_true(hak_bins_fill(tc, cls, 1) >= 1);
        assert_int_equal(errno, 77);
    }
}

static void contents_survive_fills_overflows_and_flushes_of_others(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    static void *kept[HAK_SLAB_CLASSES][8];
    for_each_class(cls) {
        for (unsigned i = 0; i < 8; i++) {
            kept[cls][i] = take_block(tc, cls);
            pattern_write(kept[cls][i], hak_sizeclass_stride(cls), cls + i);
        }
    }
    for_each_class(cls) {
        for (unsigned i = 0; i < 4; i++) {
            give_block(tc, cls, kept[cls][2 * i]); /* every second one */
        }
        const size_t more = (size_t)tc->bins[cls].capacity + 8;
        for (size_t i = 0; i < more; i++) {
            held[i] = take_block(tc, cls);
            memset(held[i], 0xee, hak_sizeclass_stride(cls));
        }
        for (size_t i = 0; i < more; i++) {
            give_block(tc, cls, held[i]);
        }
        hak_bins_flush(tc, cls, 1);
    }
    for_each_class(cls) {
        for (unsigned i = 1; i < 8; i += 2) {
            assert_pattern(kept[cls][i], hak_sizeclass_stride(cls), cls + i);
            give_block(tc, cls, kept[cls][i]);
        }
    }
}

/* Fills the bin to the brim; returns one block more, which found no room. */
static void *brim(struct hak_tcache *tc, hak_class_t cls) {
    widen_bin(tc, cls);
    const size_t count = (size_t)tc->heap.classes[cls].capacity_max + 1;
    for (size_t i = 0; i < count; i++) {
        held[i] = take_block(tc, cls);
    }
    hak_bins_flush(tc, cls, 0);
    const unsigned capacity = tc->bins[cls].capacity; /* fills may have made it larger */
    for (size_t i = 0; i < capacity; i++) {
        assert_true(hak_bin_push(&tc->bins[cls], held[i]));
    }
    for (size_t i = capacity + 1; i < count; i++) {
        hak_supply_put(tc, held[i]);
    }
    return held[capacity];
}

static void a_full_bin_refuses_a_block_and_keeps_its_count(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    for_each_class(cls) {
        void *block = brim(tc, cls);
        assert_false(hak_bin_push(&tc->bins[cls], block));
        assert_int_equal(hak_bin_count(&tc->bins[cls]), tc->bins[cls].capacity);
        hak_bins_overflow(tc, cls, block);
        hak_bins_flush(tc, cls, 0);
    }
}

static void overflow_takes_one_block_and_leaves_the_bin_full(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    for_each_class(cls) {
        void *block = brim(tc, cls);
        const uint64_t mapped_bytes = stats_now().mapped_bytes;
        const unsigned long calls = calls_made();
        hak_bins_overflow(tc, cls, block);
        const bool is_gone = hak_tagmap_span(block) == NULL; /* with its slab, whose last it was */
        assert_true(is_gone || calls_made() == calls);
        assert_null(tc->heap.misused);
        assert_int_equal(hak_bin_count(&tc->bins[cls]), tc->bins[cls].capacity);
        assert_true(stats_now().mapped_bytes <= mapped_bytes);
        for (unsigned i = 0; i < tc->bins[cls].capacity; i++) {
            assert_ptr_not_equal(hak_bin_pop(&tc->bins[cls]), block);
        }
        for (unsigned i = 0; i < tc->bins[cls].capacity; i++) {
            give_block(tc, cls, held[i]);
        }
        hak_bins_flush(tc, cls, 0);
    }
}

static void a_block_taken_by_overflow_comes_again(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    for_each_class(cls) {
        void *block = brim(tc, cls);
        hak_bins_overflow(tc, cls, block);
        /* Whatever is taken first, memory that is there comes before a third slab. */
        const size_t enough = 3 * hak_slab_span_bytes(cls) / hak_sizeclass_stride(cls) +
                              2 * (size_t)tc->heap.classes[cls].capacity_max;
        size_t count = 0;
        do {
            assert_true(count < enough);
            held[count] = take_block(tc, cls);
        } while (held[count++] != block);
        for (size_t i = 0; i < count; i++) {
            give_block(tc, cls, held[i]);
        }
        hak_bins_flush(tc, cls, 0);
    }
}

static void overflow_names_a_block_that_is_free_already(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    for_each_class(cls) {
        void *block = brim(tc, cls);
        hak_bins_overflow(tc, cls, block);
        if (hak_tagmap_span(block) == NULL) continue; /* it was its slab's last: gone altogether */
        hak_bins_overflow(tc, cls, block);
        hak_bins_flush(tc, cls, 0); /* a module that holds blocks finds out here at the latest */
        assert_ptr_equal(tc->heap.misused, block);
        tc->heap.misused = NULL;
    }
}

static void flush_leaves_at_most_what_is_kept(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    for_each_class(cls) {
        const unsigned capacity = tc->bins[cls].capacity;
        const unsigned keeps[] = {capacity + 1, capacity, capacity / 2, 1, 0};
        for (size_t i = 0; i < COUNT_OF(keeps); i++) {
            give_block(tc, cls, brim(tc, cls));
            hak_bins_flush(tc, cls, keeps[i]);
            assert_true(hak_bin_count(&tc->bins[cls]) <= keeps[i]);
        }
    }
}

static void flush_of_an_empty_bin_does_nothing(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    for_each_class(cls) {
        hak_bins_flush(tc, cls, 0);
        hak_bins_flush(tc, cls, 0);
        assert_int_equal(hak_bin_count(&tc->bins[cls]), 0);
        assert_null(hak_bin_pop(&tc->bins[cls]));
    }
}

static void flush_leaves_no_block_with_the_module(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    for_each_class(cls) {
        hak_bins_overflow(tc, cls, brim(tc, cls));
        while (hak_bin_count(&tc->bins[cls]) > 0)
            hak_supply_put(tc, hak_bin_pop(&tc->bins[cls]));
        hak_bins_flush(tc, cls, 0);
        assert_int_equal(held_beside(tc, cls), 0);
    }
}

static uint64_t live_bytes_without_caches(void) {
    hak_purge();
    return stats_now().small_live_bytes;
}

static void live_bytes_are_what_was_taken_and_not_given(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    const uint64_t before = live_bytes_without_caches();
    for_each_class(cls) {
        uint64_t taken = before;
        size_t count = 0;
        for (; count < 100 && taken < before + MIB; count++) {
            held[count] = take_block(tc, cls);
            taken += hak_sizeclass_stride(cls);
        }
        assert_int_equal(live_bytes_without_caches(), taken);
        assert_true(hak_check());
        for (size_t i = 0; i < count; i++) {
            give_block(tc, cls, held[i]);
        }
        assert_int_equal(live_bytes_without_caches(), before);
    }
}

static void blocks_given_back_in_any_order_serve_again(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    uint64_t random = 4711;
    hak_purge();
    for_each_class(cls) {
        const size_t count = 2 * hak_slab_span_bytes(cls) / hak_sizeclass_stride(cls);
        uint64_t mapped_bytes = 0;
        for (unsigned round = 0; round < 4; round++) {
            for (size_t i = 0; i < count; i++) {
                held[i] = take_block(tc, cls);
                assert_true(shadow_add(held[i], hak_sizeclass_stride(cls)));
            }
            if (round == 1) mapped_bytes = stats_now().mapped_bytes;
            if (round >= 1) assert_true(stats_now().mapped_bytes <= mapped_bytes);
            for (size_t i = count; i > 0; i--) {
                const size_t at = (size_t)(random_next(&random) % i);
                assert_true(shadow_remove(held[at]));
                give_block(tc, cls, held[at]);
                held[at] = held[i - 1];
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scenario(fill_adds_between_one_block_and_what_is_wanted),
        scenario(fill_adds_blocks_of_the_class_aligned_and_within_their_span),
        scenario(fill_adds_blocks_that_overlap_no_live_one),
        scenario(fill_keeps_errno),
        scenario(contents_survive_fills_overflows_and_flushes_of_others),
        scenario(a_full_bin_refuses_a_block_and_keeps_its_count),
        scenario(overflow_takes_one_block_and_leaves_the_bin_full),
        scenario(a_block_taken_by_overflow_comes_again),
        scenario(overflow_names_a_block_that_is_free_already),
        scenario(flush_leaves_at_most_what_is_kept),
        scenario(flush_of_an_empty_bin_does_nothing),
        scenario(flush_leaves_no_block_with_the_module),
        scenario(live_bytes_are_what_was_taken_and_not_given),
        scenario(blocks_given_back_in_any_order_serve_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
