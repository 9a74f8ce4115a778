/* SPDX-License-Identifier: MIT */
/*
 * test_audit_large.c: the audit bites above the slabs too: each breach planted by hand in the bins
 * of whole spans and in the spans that a tier keeps makes hak_check() false, and its repair makes
 * it true again. What a tier keeps is reached by hak_large_find_around, whichever module it is.
 */
#include "src/supply/span_bins.h"
#include "tests/conform/large.h"

#define BLOCKS 3

/* A thread's bin with whole spans in it; without bins of whole spans, `cls` is 0. */
static struct {
    struct hak_tcache *tc;
    hak_class_t cls;
    struct hak_bin *bin;
} scene;

static int set_bin_scene(void **state) {
    (void)state;
    hak_purge();
    scene.tc = this_cache();
    scene.cls = hak_l25_size_max() > HAK_MID_MAX ? hak_sizeclass_of(HAK_MID_MAX + 1) : 0;
    scene.bin = &scene.tc->bins[scene.cls];
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = hak_malloc(HAK_MID_MAX + 1);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        hak_free(blocks[i]);
    }
    const bool is_set = scene.cls == 0 || hak_bin_count(scene.bin) == BLOCKS;
    return is_set && hak_check() ? 0 : -1;
}

static int clear_scene(void **state) {
    hak_purge();
    return audit_holds(state);
}

#define planted_in_bin(test) cmocka_unit_test_setup_teardown(test, set_bin_scene, clear_scene)

static void a_kept_span_without_the_tag_of_its_bin_is_found(void **state) {
    (void)state;
    if (scene.cls == 0) return;
    const void *block = hak_bin_next(scene.bin, NULL, 0);
    hak_tagmap_tag_first(hak_tagmap_span(block), 0);
    const bool holds = hak_check();
    hak_supply_mark_span(scene.tc, scene.cls, block);
    assert_false(holds);
    assert_true(hak_check());
}

static void a_span_in_a_bin_of_larger_ones_is_found(void **state) {
    (void)state;
    if (scene.cls == 0) return;
    struct hak_bin *wrong = &scene.tc->bins[scene.cls + 1];
    void *block = hak_bin_pop(scene.bin);
    const unsigned capacity = wrong->capacity;
    if (!hak_bin_has_memory(wrong)) {
        hak_bin_give_memory(wrong, scene.tc->bin_memory, scene.tc->bins_given++);
    }
    hak_bin_set_capacity(wrong, capacity + 1);
    hak_supply_mark_span(scene.tc, (hak_class_t)(scene.cls + 1), block);
    assert_true(hak_bin_push(wrong, block));
    const bool holds = hak_check();
    assert_ptr_equal(hak_bin_pop(wrong), block);
    hak_bin_set_capacity(wrong, capacity);
    hak_supply_mark_span(scene.tc, scene.cls, block);
    assert_true(hak_bin_push(scene.bin, block));
    assert_false(holds);
    assert_true(hak_check());
}

static void a_span_twice_in_a_bin_is_found(void **state) {
    (void)state;
    if (scene.cls == 0) return;
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

static void a_span_in_a_bin_that_its_tier_has_back_is_found(void **state) {
    (void)state;
    if (scene.cls == 0) return;
    void *block = hak_bin_next(scene.bin, NULL, 0);
    struct hak_span *span = hak_tagmap_span(block);
    char contents[HAK_ALIGN_BYTES];
    memcpy(contents, block, sizeof contents);
    assert_true(hak_large_free(block, span));
    const bool holds = hak_check();
    bool zeroed;
    assert_ptr_equal(large_alloc(span->bytes, HAK_ALIGN_BYTES, &zeroed), block);
    memcpy(block, contents, sizeof contents);
    hak_supply_mark_span(scene.tc, scene.cls, block);
    assert_false(holds);
    assert_true(hak_check());
}

static void a_wrong_account_of_the_bins_of_spans_is_found(void **state) {
    (void)state;
    if (scene.cls == 0) return;
    scene.tc->span_bin_bytes += (uint32_t)HAK_SLAB_BYTES;
    const bool holds = hak_check();
    scene.tc->span_bin_bytes -= (uint32_t)HAK_SLAB_BYTES;
    assert_false(holds);
    assert_true(hak_check());
}

static size_t sizes[LARGE_SIZES];
static size_t size_count;

/* The span of a block of the size that was freed and is kept by its tier; NULL when none is. */
static struct hak_span *kept_span(size_t size) {
    hak_purge();
    char *block = take_large(size, HAK_ALIGN_BYTES);
    give_large(block);
    return hak_large_idle() == 0 ? NULL : hak_large_find_around(block);
}

static void a_kept_span_of_another_size_is_found(void **state) {
    (void)state;
    for (size_t i = 0; i < size_count; i++) {
        struct hak_span *span = kept_span(sizes[i]);
        if (span == NULL) continue;
        span->bytes += HAK_SLAB_BYTES;
        const bool holds = hak_check();
        span->bytes -= HAK_SLAB_BYTES;
        assert_false(holds);
        assert_true(hak_check());
    }
}

static void a_kept_span_at_another_place_is_found(void **state) {
    (void)state;
    for (size_t i = 0; i < size_count; i++) {
        struct hak_span *span = kept_span(sizes[i]);
        if (span == NULL) continue;
        span->base += HAK_SLAB_BYTES;
        const bool holds = hak_check();
        span->base -= HAK_SLAB_BYTES;
        assert_false(holds);
        assert_true(hak_check());
    }
}

static void a_live_span_of_another_size_is_found(void **state) {
    (void)state;
    for (size_t i = 0; i < size_count; i++) {
        void *block = take_large(sizes[i], HAK_ALIGN_BYTES);
        struct hak_span *span = large_span(block);
        span->bytes += HAK_SLAB_BYTES;
        const bool holds = hak_check();
        span->bytes -= HAK_SLAB_BYTES;
        give_large(block);
        assert_false(holds);
        assert_true(hak_check());
    }
}

static void a_span_that_the_tag_map_has_lost_is_found(void **state) {
    (void)state;
    for (size_t i = 0; i < size_count; i++) {
        void *block = take_large(sizes[i], HAK_ALIGN_BYTES);
        if (hak_tagmap_span(block) != NULL) {
            struct hak_tag_entry *entry = &hak_tagmap.entries[hak_tagmap_slot(block)];
            const uint32_t number = atomic_exchange(&entry->span, 0);
            const bool holds = hak_check();
            atomic_store(&entry->span, number);
            assert_false(holds);
            assert_true(hak_check());
        }
        give_large(block);
    }
}

int main(void) {
    this_cache();
    size_count = large_sizes(sizes);
    const struct CMUnitTest tests[] = {
        planted_in_bin(a_kept_span_without_the_tag_of_its_bin_is_found),
        planted_in_bin(a_span_in_a_bin_of_larger_ones_is_found),
        planted_in_bin(a_span_twice_in_a_bin_is_found),
        planted_in_bin(a_span_in_a_bin_that_its_tier_has_back_is_found),
        planted_in_bin(a_wrong_account_of_the_bins_of_spans_is_found),
        scenario(a_kept_span_of_another_size_is_found),
        scenario(a_kept_span_at_another_place_is_found),
        scenario(a_live_span_of_another_size_is_found),
        scenario(a_span_that_the_tag_map_has_lost_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
