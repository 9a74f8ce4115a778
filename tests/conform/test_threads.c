/* SPDX-License-Identifier: MIT */
/*
 * test_threads.c: blocks and slabs of threads that end, and what is counted of them.
 */
#include "tests/conform/enders.h"

static void blocks_outlive_their_thread_with_their_contents(void **state) {
    (void)state;
    for_each_class(cls) {
        plan(&batch, cls);
        run_thread(take_batch, &batch);
        free_and_post_batch(&batch);
    }
}

static void the_end_of_a_thread_empties_its_bins_and_its_heap(void **state) {
    (void)state;
    for_each_class(cls) {
        plan(&batch, cls);
        run_thread(take_batch, &batch);
        for (size_t other_class = 1; is_binned_class(other_class); other_class++) {
            assert_int_equal(hak_bin_count(&batch.taker->bins[other_class]), 0);
            assert_null(batch.taker->heap.classes[other_class].all);
            assert_null(batch.taker->heap.classes[other_class].listed);
            assert_null(batch.taker->heap.classes[other_class].fresh);
        }
        free_and_post_batch(&batch);
    }
}

/* Overflows and then empties the bin: a module may hold blocks meanwhile. */
static void *take_give_and_empty_the_bin(void *argument) {
    struct batch *in = argument;
    struct hak_tcache *tc = this_cache();
    void *block;
    in->taker = tc;
    const size_t count = in->count;
    for (in->count = 0; in->count < count; in->count++)
        in->blocks[in->count] = take_block(tc, in->cls);
    while (in->count > 0)
        give_block(tc, in->cls, in->blocks[--in->count]);
    while (in->count < BATCH_MAX && (block = hak_bin_pop(&tc->bins[in->cls])) != NULL)
        in->blocks[in->count++] = block;
    require(hak_bin_count(&tc->bins[in->cls]) == 0);
    return NULL;
}

static void the_end_of_a_thread_with_an_empty_bin_leaves_no_block_with_the_module(void **state) {
    (void)state;
    for_each_class(cls) {
        plan(&batch, cls);
        run_thread(take_give_and_empty_the_bin, &batch);
        assert_int_equal(held_beside(batch.taker, cls), 0);
        assert_true(hak_check());
        for (size_t i = 0; i < batch.count; i++)
            hak_free(batch.blocks[i]);
    }
}

static void the_next_thread_takes_over_the_ended_ones_cache(void **state) {
    (void)state;
    plan(&batch, 1);
    run_thread(take_batch, &batch);
    free_and_post_batch(&batch);
    const uint32_t heaps = stats_now().heaps;
    for (unsigned i = 0; i < 100; i++) {
        run_thread(take_batch, &batch);
        free_and_post_batch(&batch);
    }
    assert_int_equal(stats_now().heaps, heaps);
}

static void blocks_freed_after_their_owners_end_serve_an_adopter(void **state) {
    (void)state;
    for_each_class(cls) {
        plan(&batch, cls);
        plan(&other, cls);
        run_thread(take_batch, &batch);
        void *last = batch.blocks[--batch.count]; /* its slab stays */
        free_and_post_batch(&batch);
        const uint64_t adopted_slabs = stats_now().adopted_slabs;
        run_thread(take_batch, &other);
        assert_true(stats_now().adopted_slabs > adopted_slabs);
        assert_true(count_common(&batch, &other) > 0);
        free_and_post_batch(&other);
        assert_true(shadow_remove(last));
        hak_free(last);
    }
}

static void an_ended_threads_memory_goes_with_its_last_block(void **state) {
    (void)state;
    hak_thread_flush(this_cache());
    for_each_class(cls) {
        plan(&batch, cls);
        const uint64_t before = stats_now().small_slab_bytes;
        run_thread(take_batch, &batch);
        assert_true(stats_now().small_slab_bytes > before);
        free_and_post_batch(&batch);
        assert_int_equal(stats_now().small_slab_bytes, before);
    }
}

/* This thread becomes the owner of all orphans of the class, and keeps nothing that is free. */
static void adopt_all(hak_class_t cls) {
    while (hak_heap_adopt(&this_cache()->heap, cls)) {
    }
    hak_purge();
}

static void the_sums_follow_blocks_and_slabs_between_threads(void **state) {
    (void)state;
    for_each_class(cls) {
        plan(&batch, cls);
        const uint64_t bytes = (uint64_t)batch.count * hak_sizeclass_stride(cls);
        adopt_all(cls);
        const struct hak_stats before = stats_now();
        run_thread(take_batch, &batch); /* its slabs are orphans afterwards */
        const struct hak_stats orphaned = stats_now();
        adopt_all(cls);
        const struct hak_stats adopted = stats_now();
        run_thread(free_and_post_batch, &batch);
        adopt_all(cls);
        const struct hak_stats after = stats_now();
        assert_int_equal(orphaned.small_live_bytes, before.small_live_bytes + bytes);
        assert_true(orphaned.small_slab_bytes >= before.small_slab_bytes + bytes);
        assert_int_equal(adopted.small_live_bytes, orphaned.small_live_bytes);
        assert_int_equal(adopted.small_slab_bytes, orphaned.small_slab_bytes);
        assert_int_equal(adopted.small_free_count, orphaned.small_free_count);
        assert_int_equal(after.small_live_bytes, before.small_live_bytes);
        assert_int_equal(after.small_slab_bytes, before.small_slab_bytes);
        assert_int_equal(after.small_free_count, before.small_free_count);
    }
}

/* Gives blocks of the batch from `from` to `to` through the bin. */
static void give_some(struct hak_tcache *tc, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        assert_true(shadow_remove(batch.blocks[i]));
        give_block(tc, batch.cls, batch.blocks[i]);
    }
}

static void full_bins_and_flushes_are_told_apart(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    hak_purge();
    plan(&batch, 1);
    take_batch(&batch);
    hak_bins_flush(tc, batch.cls, 0);
    const struct hak_bin *bin = &tc->bins[batch.cls];
    const uint64_t before = stats_now().overflow_blocks;
    const size_t some = bin->capacity + 5u;
    assert_true(some < batch.count);
    give_some(tc, 0, some);
    const unsigned kept = hak_bin_count(bin);
    assert_true(kept > 0 && kept < some);
    assert_int_equal(stats_now().overflow_blocks,
                     before + some - kept - held_beside(tc, batch.cls));
    hak_bins_flush(tc, batch.cls, 0);
    assert_int_equal(stats_now().overflow_blocks, before + some - kept);
    give_some(tc, some, batch.count);
}

static void the_child_of_a_fork_counts_what_its_parent_did(void **state) {
    (void)state;
    plan(&batch, 2);
    plan(&other, 3);
    run_thread(take_batch, &batch);
    take_batch(&other);
    const struct hak_stats before = stats_now();
    const pid_t child = fork();
    if (child == 0) {
        const struct hak_stats now = stats_now();
        const bool is_same = now.small_live_bytes == before.small_live_bytes &&
                             now.small_slab_bytes == before.small_slab_bytes &&
                             now.small_free_count == before.small_free_count;
        _exit(is_same && hak_check() ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    free_and_post_batch(&batch);
    free_and_post_batch(&other);
}

static void *take_then_let_main_free(void *argument) {
    struct batch *own = argument;
    take_batch(own);
    pthread_t freer;
    require(pthread_create(&freer, NULL, free_batch, own) == 0);
    require(pthread_join(freer, NULL) == 0);
    return NULL; /* ends with its inbox full */
}

static void remote_frees_that_the_owner_never_drained_are_not_lost(void **state) {
    (void)state;
    for_each_class(cls) {
        hak_purge();
        const uint64_t before = stats_now().small_live_bytes;
        plan(&batch, cls);
        run_thread(take_then_let_main_free, &batch);
        assert_int_equal(stats_now().small_live_bytes, before);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scenario(
            remote_frees_that_the_owner_never_drained_are_not_lost), /* before there are orphans */
        scenario(blocks_outlive_their_thread_with_their_contents),
        scenario(the_end_of_a_thread_empties_its_bins_and_its_heap),
        scenario(the_end_of_a_thread_with_an_empty_bin_leaves_no_block_with_the_module),
        scenario(the_next_thread_takes_over_the_ended_ones_cache),
        scenario(blocks_freed_after_their_owners_end_serve_an_adopter),
        scenario(an_ended_threads_memory_goes_with_its_last_block),
        scenario(an_ended_threads_memory_goes_with_its_last_block),
        scenario(the_sums_follow_blocks_and_slabs_between_threads),
        scenario(full_bins_and_flushes_are_told_apart),
        scenario(the_child_of_a_fork_counts_what_its_parent_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
