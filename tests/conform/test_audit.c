/* SPDX-License-Identifier: MIT */
/*
 * test_audit.c: the audit bites: each breach of the conservation of blocks (src/meta/slab.h),
 * planted by hand in the metadata, makes hak_check() false, and its repair makes it true again.
 */
#include "tests/conform/conform.h"

#include "src/meta/remote.h"

#define CLASS   ((hak_class_t)5) /* 80 bytes: 819 blocks a slab, the last word incomplete */
#define BLOCKS  200U
#define IN_BIN  4U
#define WORD(i) ((i) >> HAK_WORD_SHIFT)
#define BIT(i)  ((uint64_t)1 << ((i) & (HAK_WORD_BITS - 1)))

/* A slab with live blocks, free ones, never carved ones, and some in the bin. */
static struct {
    struct hak_tcache *tc;
    struct hak_bin *bin;
    struct hak_slab *slab;
    void *blocks[BLOCKS];
    unsigned live; /* index in the slab of a block that lives */
    unsigned idle; /* ... of one that is free */
    unsigned raw;  /* ... of one that was never carved */
} scene;

static int set_scene(void **state) {
    (void)state;
    struct hak_tcache *tc = scene.tc = this_cache();
    hak_purge();
    for (unsigned i = 0; i < BLOCKS; i++) {
        scene.blocks[i] = take_block(tc, CLASS);
    }
    hak_bins_flush(tc, CLASS, 0);
    struct hak_slab *slab = scene.slab = hak_slab_of_span(hak_tagmap_span(scene.blocks[0]));
    scene.bin = &tc->bins[CLASS];
    for (unsigned i = BLOCKS / 2; i < BLOCKS; i++) {
        give_block(tc, CLASS, scene.blocks[i]);
    }
    hak_bins_flush(tc, CLASS, IN_BIN);
    scene.live = hak_slab_index(slab, scene.blocks[0]);
    scene.raw = slab->carved;
    scene.idle = 0;
    while (scene.idle < slab->carved && (slab->free_bits[WORD(scene.idle)] & BIT(scene.idle)) == 0)
        scene.idle++;
    const bool is_set = scene.idle < slab->carved && scene.raw < slab->capacity &&
                        hak_bin_count(scene.bin) == IN_BIN;
    return is_set && hak_check() ? 0 : -1;
}

static int clear_scene(void **state) {
    for (unsigned i = 0; i < BLOCKS / 2; i++) {
        give_block(scene.tc, CLASS, scene.blocks[i]);
    }
    hak_bins_flush(scene.tc, CLASS, 0);
    return audit_holds(state);
}

#define planted(test) cmocka_unit_test_setup_teardown(test, set_scene, clear_scene)

static void a_free_bit_of_a_live_block_is_found(void **state) {
    (void)state;
    scene.slab->free_bits[WORD(scene.live)] ^= BIT(scene.live);
    const bool holds = hak_check();
    scene.slab->free_bits[WORD(scene.live)] ^= BIT(scene.live);
    assert_false(holds);
    assert_true(hak_check());
}

static void a_lost_free_bit_is_found(void **state) {
    (void)state;
    scene.slab->free_bits[WORD(scene.idle)] ^= BIT(scene.idle);
    const bool holds = hak_check();
    scene.slab->free_bits[WORD(scene.idle)] ^= BIT(scene.idle);
    assert_false(holds);
    assert_true(hak_check());
}

static void a_free_count_one_too_high_is_found(void **state) {
    (void)state;
    scene.slab->nfree++;
    const bool holds = hak_check();
    scene.slab->nfree--;
    assert_false(holds);
    assert_true(hak_check());
}

static void a_free_count_one_too_low_is_found(void **state) {
    (void)state;
    scene.slab->nfree--;
    const bool holds = hak_check();
    scene.slab->nfree++;
    assert_false(holds);
    assert_true(hak_check());
}

static void a_block_that_is_free_and_never_carved_is_found(void **state) {
    (void)state;
    scene.slab->free_bits[WORD(scene.raw)] ^= BIT(scene.raw);
    scene.slab->nfree++;
    const bool holds = hak_check();
    scene.slab->free_bits[WORD(scene.raw)] ^= BIT(scene.raw);
    scene.slab->nfree--;
    assert_false(holds);
    assert_true(hak_check());
}

static void a_block_that_is_free_and_remote_is_found(void **state) {
    (void)state;
    _Atomic uint64_t *word = hak_slab_remote_word(scene.slab, WORD(scene.idle));
    const uint64_t summary = atomic_fetch_or(&scene.slab->summary, BIT(WORD(scene.idle)));
    atomic_fetch_xor(word, BIT(scene.idle));
    const bool holds = hak_check();
    atomic_fetch_xor(word, BIT(scene.idle));
    atomic_store(&scene.slab->summary, summary);
    assert_false(holds);
    assert_true(hak_check());
}

static void a_block_that_is_remote_and_never_carved_is_found(void **state) {
    (void)state;
    _Atomic uint64_t *word = hak_slab_remote_word(scene.slab, WORD(scene.raw));
    const uint64_t summary = atomic_fetch_or(&scene.slab->summary, BIT(WORD(scene.raw)));
    atomic_fetch_xor(word, BIT(scene.raw));
    const bool holds = hak_check();
    atomic_fetch_xor(word, BIT(scene.raw));
    atomic_store(&scene.slab->summary, summary);
    assert_false(holds);
    assert_true(hak_check());
}

static void a_remote_bit_that_the_summary_does_not_know_is_found(void **state) {
    (void)state;
    _Atomic uint64_t *word = hak_slab_remote_word(scene.slab, WORD(scene.live));
    const uint64_t summary = atomic_exchange(&scene.slab->summary, 0);
    atomic_fetch_xor(word, BIT(scene.live));
    const bool holds = hak_check();
    atomic_fetch_xor(word, BIT(scene.live));
    atomic_store(&scene.slab->summary, summary);
    assert_false(holds);
    assert_true(hak_check());
}

static void a_block_in_a_bin_that_is_free_too_is_found(void **state) {
    (void)state;
    const unsigned index = hak_slab_index(scene.slab, hak_bin_next(scene.bin, NULL, 0));
    scene.slab->free_bits[WORD(index)] ^= BIT(index);
    scene.slab->nfree++;
    const bool holds = hak_check();
    scene.slab->free_bits[WORD(index)] ^= BIT(index);
    scene.slab->nfree--;
    assert_false(holds);
    assert_true(hak_check());
}

static void a_block_twice_in_a_bin_is_found(void **state) {
    (void)state;
    void *removed = hak_bin_pop(scene.bin);
    void *twice = hak_bin_next(scene.bin, NULL, 0);
    const struct hak_bin bin = *scene.bin;
    char contents[HAK_ALIGN_BYTES];
    memcpy(contents, twice, sizeof contents);
    assert_true(hak_bin_push(scene.bin, twice));
    const bool holds = hak_check();
    memcpy(twice, contents, sizeof contents);
    *scene.bin = bin;
    assert_true(hak_bin_push(scene.bin, removed));
    assert_false(holds);
    assert_true(hak_check());
}

static void a_block_in_a_bin_of_another_class_is_found(void **state) {
    (void)state;
    struct hak_bin *wrong = &scene.tc->bins[CLASS + 1];
    void *live = take_block(scene.tc, CLASS + 1); /* the class's count alone does not tell */
    hak_bins_flush(scene.tc, CLASS + 1, 0);
    void *block = hak_bin_pop(scene.bin);
    assert_true(hak_bin_push(wrong, block));
    const bool holds = hak_check();
    assert_ptr_equal(hak_bin_pop(wrong), block);
    assert_true(hak_bin_push(scene.bin, block));
    give_block(scene.tc, CLASS + 1, live);
    assert_false(holds);
    assert_true(hak_check());
}

/* Whether the audit holds while the sender's cache has a block that is elsewhere too. */
static bool holds_with_sender_of(unsigned index) {
    struct hak_heap *heap = &scene.tc->heap;
    struct hak_sender_entry saved[HAK_SENDER_ENTRIES];
    memcpy(saved, heap->senders, sizeof saved);
    const uint32_t bytes = heap->sender_bytes;
    atomic_store(&scene.slab->owner, NULL); /* hak_remote_free is for slabs of others */
    hak_remote_free(heap, scene.slab, hak_slab_block(scene.slab, index));
    atomic_store(&scene.slab->owner, heap);
    const bool holds = hak_check();
    memcpy(heap->senders, saved, sizeof saved);
    heap->sender_bytes = bytes;
    return holds;
}

static void a_block_in_a_bin_and_in_a_senders_cache_is_found(void **state) {
    (void)state;
    assert_false(
        holds_with_sender_of(hak_slab_index(scene.slab, hak_bin_next(scene.bin, NULL, 0))));
    assert_true(hak_check());
}

static void a_free_block_in_a_senders_cache_is_found(void **state) {
    (void)state;
    assert_false(holds_with_sender_of(scene.idle));
    assert_true(hak_check());
}

static void a_never_carved_block_in_a_senders_cache_is_found(void **state) {
    (void)state;
    assert_false(holds_with_sender_of(scene.raw));
    assert_true(hak_check());
}

static void a_low_word_that_hides_free_bits_is_found(void **state) {
    (void)state;
    const uint8_t low_word = scene.slab->low_word;
    scene.slab->low_word = (uint8_t)(WORD(scene.idle) + 1);
    const bool holds = hak_check();
    scene.slab->low_word = low_word;
    assert_false(holds);
    assert_true(hak_check());
}

static void more_carved_than_there_is_room_for_is_found(void **state) {
    (void)state;
    const uint16_t carved = scene.slab->carved;
    scene.slab->carved = (uint16_t)(scene.slab->capacity + 1);
    const bool holds = hak_check();
    scene.slab->carved = carved;
    assert_false(holds);
    assert_true(hak_check());
}

static void a_carved_count_one_too_high_is_found(void **state) {
    (void)state;
    scene.slab->carved++;
    const bool holds = hak_check();
    scene.slab->carved--;
    assert_false(holds);
    assert_true(hak_check());
}

/* Whether the audit holds while a counter of the heap is off by one. */
static bool holds_with_one_more(_Atomic uint64_t *counter) {
    hak_count_up(counter, 1);
    const bool holds = hak_check();
    hak_count_down(counter, 1);
    return holds;
}

static void a_wrong_account_of_the_bins_is_found(void **state) {
    (void)state;
    scene.tc->bin_bytes += hak_sizeclass_stride(CLASS);
    const bool holds = hak_check();
    scene.tc->bin_bytes -= hak_sizeclass_stride(CLASS);
    assert_false(holds);
    assert_true(hak_check());
}

static void a_wrong_sum_of_slabs_is_found(void **state) {
    (void)state;
    assert_false(holds_with_one_more(&scene.tc->heap.counts.slab_bytes));
    assert_true(hak_check());
}

static void a_wrong_sum_of_active_blocks_is_found(void **state) {
    (void)state;
    assert_false(holds_with_one_more(&scene.tc->heap.counts.active_bytes));
    assert_true(hak_check());
}

static void a_wrong_count_of_blocks_that_move_is_found(void **state) {
    (void)state;
    struct hak_heap_counts *counts = &scene.tc->heap.counts;
    assert_false(holds_with_one_more(&counts->returned_blocks));
    assert_false(holds_with_one_more(&counts->drained_blocks));
    assert_false(holds_with_one_more(&counts->arrived_blocks));
    assert_false(holds_with_one_more(&counts->taken_blocks));
    assert_true(hak_check());
}

static void *leave_a_block(void *block) {
    *(void **)block = take_block(this_cache(), CLASS + 2);
    return NULL;
}

static void a_wrong_sum_of_orphans_is_found(void **state) {
    (void)state;
    void *block = NULL;
    run_thread(leave_a_block, &block);
    struct hak_slab *orphan = hak_slab_of_span(hak_tagmap_span(block));
    assert_ptr_equal(atomic_load(&orphan->owner), hak_heap_orphans());
    assert_true(orphan->carved < orphan->capacity);
    orphan->carved++;
    const bool holds = hak_check();
    orphan->carved--;
    hak_free(block);
    hak_thread_flush(scene.tc);
    assert_false(holds);
    assert_true(hak_check());
}

static void a_page_given_back_under_a_live_block_is_found(void **state) {
    (void)state;
    uint64_t *purged = scene.slab->free_bits + 2 * (size_t)scene.slab->words;
    const size_t page = scene.live * (size_t)scene.slab->stride / hak_os_page_bytes();
    const bool had_purged = scene.slab->has_purged;
    const uint64_t before = purged[page / HAK_WORD_BITS];
    scene.slab->has_purged = true;
    purged[page / HAK_WORD_BITS] |= (uint64_t)1 << page % HAK_WORD_BITS;
    const bool holds = hak_check();
    scene.slab->has_purged = had_purged;
    purged[page / HAK_WORD_BITS] = before;
    assert_false(holds);
    assert_true(hak_check());
}

static void a_slab_with_another_owner_than_its_list_is_found(void **state) {
    (void)state;
    atomic_store(&scene.slab->owner, NULL);
    const bool holds = hak_check();
    atomic_store(&scene.slab->owner, &scene.tc->heap);
    assert_false(holds);
    assert_true(hak_check());
}

static void a_slab_that_the_tag_map_has_lost_is_found(void **state) {
    (void)state;
    struct hak_tag_entry *entry = &hak_tagmap.entries[hak_tagmap_slot(scene.slab->span.base)];
    const uint32_t number = atomic_exchange(&entry->span, 0);
    const bool holds = hak_check();
    atomic_store(&entry->span, number);
    assert_false(holds);
    assert_true(hak_check());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        planted(a_free_bit_of_a_live_block_is_found),
        planted(a_lost_free_bit_is_found),
        planted(a_free_count_one_too_high_is_found),
        planted(a_free_count_one_too_low_is_found),
        planted(a_block_that_is_free_and_never_carved_is_found),
        planted(a_block_that_is_free_and_remote_is_found),
        planted(a_block_that_is_remote_and_never_carved_is_found),
        planted(a_remote_bit_that_the_summary_does_not_know_is_found),
        planted(a_block_in_a_bin_that_is_free_too_is_found),
        planted(a_block_twice_in_a_bin_is_found),
        planted(a_block_in_a_bin_of_another_class_is_found),
        planted(a_block_in_a_bin_and_in_a_senders_cache_is_found),
        planted(a_free_block_in_a_senders_cache_is_found),
        planted(a_never_carved_block_in_a_senders_cache_is_found),
        planted(a_low_word_that_hides_free_bits_is_found),
        planted(more_carved_than_there_is_room_for_is_found),
        planted(a_carved_count_one_too_high_is_found),
        planted(a_wrong_account_of_the_bins_is_found),
        planted(a_wrong_sum_of_slabs_is_found),
        planted(a_wrong_sum_of_active_blocks_is_found),
        planted(a_wrong_count_of_blocks_that_move_is_found),
        planted(a_wrong_sum_of_orphans_is_found),
        planted(a_page_given_back_under_a_live_block_is_found),
        planted(a_slab_with_another_owner_than_its_list_is_found),
        planted(a_slab_that_the_tag_map_has_lost_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
