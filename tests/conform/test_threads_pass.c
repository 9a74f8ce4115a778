/* SPDX-License-Identifier: MIT */
/*
 * test_threads_pass.c: blocks that pass from thread to thread, and threads that come and go.
 */
#include "tests/conform/enders.h"

static void an_adopter_never_gets_a_block_that_lives(void **state) {
    (void)state;
    for_each_class(cls) {
        plan(&batch, cls);
        plan(&other, cls);
        run_thread(take_batch, &batch);
        const size_t half = batch.count / 2;
        void *kept[BATCH_MAX];
        memcpy(kept, batch.blocks + half, (batch.count - half) * sizeof(void *));
        const size_t all = batch.count;
        batch.count = half;
        free_and_post_batch(&batch);
        run_thread(take_batch, &other); /* the shadow refuses what overlaps */
        const uint32_t stride = hak_sizeclass_stride(cls);
        for (size_t i = half; i < all; i++) {
            assert_pattern(kept[i - half], stride, (unsigned)i);
            assert_true(shadow_remove(kept[i - half]));
            hak_free(kept[i - half]);
        }
        free_and_post_batch(&other);
    }
}

static void threads_that_come_and_go_do_not_grow_the_heap(void **state) {
    (void)state;
    for_each_class(cls) {
        plan(&batch, cls);
        uint64_t mapped_bytes = 0;
        for (unsigned round = 0; round < 12; round++) {
            run_thread(take_batch, &batch);
            free_and_post_batch(&batch);
            if (round == 3) mapped_bytes = stats_now().mapped_bytes;
        }
        assert_int_equal(stats_now().mapped_bytes, mapped_bytes);
    }
}

static void what_others_free_returns_to_a_living_owner(void **state) {
    (void)state;
    for_each_class(cls) {
        plan(&batch, cls);
        take_batch(&batch);
        run_thread(free_batch, &batch);
        plan(&other, cls);
        size_t common = 0;
        void *held[4 * BATCH_MAX];
        size_t count = 0;
        /* The owner may have fresh memory left: a second slab's worth at most comes before. */
        for (unsigned slabs = 0; slabs < 4 && common == 0; slabs++) {
            take_batch(&other);
            common = count_common(&batch, &other);
            for (size_t i = 0; i < other.count; i++) {
                held[count++] = other.blocks[i];
            }
        }
        assert_true(common > 0);
        for (size_t i = 0; i < count; i++) {
            assert_true(shadow_remove(held[i]));
            hak_free(held[i]);
        }
    }
}

static void what_passes_from_a_maker_to_a_freer_does_not_grow_the_heap(void **state) {
    (void)state;
    for_each_class(cls) {
        plan(&batch, cls);
        uint64_t mapped_bytes = 0;
        for (unsigned round = 0; round < 12; round++) {
            take_batch(&batch);
            run_thread(free_batch, &batch);
            if (round == 3) mapped_bytes = stats_now().mapped_bytes;
        }
        assert_int_equal(stats_now().mapped_bytes, mapped_bytes);
    }
}

/* A key younger than the allocator's own: its last round comes after the cache has ended. */
static pthread_key_t late_key;
static unsigned late_rounds;
static void *late_blocks[PTHREAD_DESTRUCTOR_ITERATIONS];

static void allocate_late(void *value) {
    void *block = hak_malloc(100);
    require(block != NULL);
    pattern_write(block, 100, late_rounds);
    for (size_t size = 1; size <= 2 * HAK_BINNED_MAX; size *= 3) {
        unsigned char *passing = hak_calloc(1, size);
        require(passing != NULL && passing[0] == 0 && passing[size - 1] == 0);
        memset(passing, 0xdd, size);
        passing = hak_realloc(passing, size + 1);
        require(passing != NULL && passing[size - 1] == 0xdd);
        hak_free(passing);
    }
    late_blocks[late_rounds++] = block;
    if (late_rounds < PTHREAD_DESTRUCTOR_ITERATIONS) {
        require(pthread_setspecific(late_key, value) == 0);
    }
}

static void *arm_late_key(void *argument) {
    hak_free(hak_malloc(100));
    require(pthread_setspecific(late_key, argument) == 0);
    return NULL;
}

static void calls_after_a_threads_end_still_work(void **state) {
    (void)state;
    assert_int_equal(pthread_key_create(&late_key, allocate_late), 0);
    for (unsigned i = 0; i < 20; i++) {
        late_rounds = 0;
        run_thread(arm_late_key, &late_rounds);
        assert_int_equal(late_rounds, PTHREAD_DESTRUCTOR_ITERATIONS);
        for (unsigned round = 0; round < late_rounds; round++) {
            assert_pattern(late_blocks[round], 100, round);
            hak_free(late_blocks[round]);
        }
        assert_true(hak_check());
    }
    assert_int_equal(pthread_key_delete(late_key), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scenario(an_adopter_never_gets_a_block_that_lives),
        scenario(threads_that_come_and_go_do_not_grow_the_heap),
        scenario(what_others_free_returns_to_a_living_owner),
        scenario(what_passes_from_a_maker_to_a_freer_does_not_grow_the_heap),
        scenario(calls_after_a_threads_end_still_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
