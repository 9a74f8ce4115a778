/* SPDX-License-Identifier: MIT */
/*
 * test_remote.c: remote frees, src/meta/remote.h: what is sent comes home.
 */
#include "tests/unit/heaps.h"

static void a_bound_slab_is_tagged_with_its_heap_and_class(void **state) {
    (void)state;
    const struct hak_slab *slab = make_full_slab(1);
    assert_int_equal(hak_tagmap_tag(slab->span.base), owner.tag | 1U << HAK_BIN_SHIFT);
    assert_ptr_equal(atomic_load(&slab->owner), &owner);
    assert_null(hak_heap_listed(&owner, 1));
    assert_null(hak_heap_fresh(&owner, 1));
}

static void what_was_sent_comes_home_at_the_owners_drain(void **state) {
    (void)state;
    struct hak_slab *slab = make_full_slab(2);
    for (unsigned i = 0; i < slab->capacity; i += 2) {
        send(&sender, slab, i);
    }
    hak_remote_flush(&sender);
    assert_int_equal(slab->nfree, 0);
    assert_int_equal(hak_heap_drain(&owner), (slab->capacity + 1) / 2);
    assert_int_equal(slab->nfree, (slab->capacity + 1) / 2);
    assert_ptr_equal(hak_heap_listed(&owner, 2), slab);
    assert_null(owner.misused);
}

static void what_is_in_the_senders_cache_is_not_home_yet(void **state) {
    (void)state;
    struct hak_slab *slab = make_full_slab(3);
    send(&sender, slab, 7);
    assert_int_equal(hak_heap_drain(&owner), 0);
    hak_remote_flush(&sender);
    assert_int_equal(hak_heap_drain(&owner), 1);
}

static void the_sender_knows_the_bytes_that_it_has_not_posted(void **state) {
    (void)state;
    struct hak_slab *slab = make_full_slab(1);
    assert_true(slab->capacity >= 100);
    hak_remote_flush(&sender);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(sender.sender_bytes, i * slab->stride);
        send(&sender, slab, i);
    }
    hak_remote_flush(&sender);
    assert_int_equal(sender.sender_bytes, 0);
    assert_int_equal(hak_heap_drain(&owner), 100);
}

static void an_empty_inbox_drains_nothing(void **state) {
    (void)state;
    hak_heap_drain(&owner);
    assert_int_equal(hak_heap_drain(&owner), 0);
}

static void a_block_sent_twice_in_a_row_is_noted_as_double(void **state) {
    (void)state;
    struct hak_slab *slab = make_full_slab(4);
    void *block = hak_slab_block(slab, 9);
    send(&sender, slab, 9);
    assert_false(hak_remote_add(&sender, block));
    hak_remote_free(&sender, slab, block);
    assert_ptr_equal(sender.misused, block);
    assert_int_equal(sender.verdict, HAK_FREE_DOUBLE);
}

static void a_block_posted_twice_is_noted_as_double(void **state) {
    (void)state;
    struct hak_slab *slab = make_full_slab(5);
    send(&sender, slab, 9);
    hak_remote_flush(&sender);
    assert_int_equal(hak_remote_post(slab, 0, 1U << 9), 1U << 9);
    send(&sender, slab, 9);
    hak_remote_flush(&sender);
    assert_ptr_equal(sender.misused, hak_slab_block(slab, 9));
    sender.misused = NULL;
    assert_int_equal(hak_heap_drain(&owner), 1);
}

static void a_block_that_was_free_at_home_is_noted_at_the_drain(void **state) {
    (void)state;
    struct hak_slab *slab = make_full_slab(6);
    hak_heap_put(&owner, slab, hak_slab_block(slab, 3));
    assert_null(owner.misused);
    send(&sender, slab, 3);
    hak_remote_flush(&sender);
    assert_int_equal(hak_heap_drain(&owner), 0);
    assert_ptr_equal(owner.misused, hak_slab_block(slab, 3));
    assert_int_equal(owner.verdict, HAK_FREE_DOUBLE);
    owner.misused = NULL;
}

static void an_address_inside_a_block_is_not_added(void **state) {
    (void)state;
    struct hak_slab *slab = make_full_slab(7);
    send(&sender, slab, 3);
    for (size_t in = 1; in < slab->stride; in++) {
        assert_false(hak_remote_add(&sender, (char *)hak_slab_block(slab, 4) + in));
    }
    hak_remote_flush(&sender);
    assert_int_equal(hak_heap_drain(&owner), 1);
}

/* What lies behind a slab is another's, whatever is missing from its last bitmap word. */
static void a_cached_word_ends_with_its_slabs_last_block(void **state) {
    (void)state;
    for (hak_class_t cls = 1; cls < HAK_SLAB_CLASSES; cls++) {
        struct hak_slab *slab = make_full_slab(cls);
        const char *end = (const char *)hak_slab_block(slab, slab->capacity);
        for (unsigned i = 0; i < slab->capacity; i++) {
            hak_remote_free(&sender, slab, hak_slab_block(slab, i));
            for (size_t at = 0; i % 8 == 0 && at < HAK_SLAB_BYTES; at += HAK_ALIGN_BYTES) {
                if (!hak_remote_add(&sender, end + at)) continue;
                fail_msg("stride %u: %zu bytes behind the last block are taken for a block",
                         slab->stride, at);
            }
        }
        tidy(NULL);
    }
}

static void a_late_senders_mark_for_no_word_is_harmless(void **state) {
    (void)state;
    struct hak_slab *slab = make_full_slab(8);
    send(&sender, slab, 1);
    atomic_fetch_or(&slab->summary, (uint64_t)1 << 63 | (uint64_t)1 << 62);
    hak_remote_flush(&sender);
    assert_int_equal(hak_heap_drain(&owner), 1);
    assert_int_equal(slab->nfree, 1);
    assert_int_equal(atomic_load(&slab->summary), 0);
}

static void a_late_senders_push_of_an_idle_slab_is_harmless(void **state) {
    (void)state;
    struct hak_slab *slab = make_full_slab(9);
    assert_int_equal(atomic_exchange(&slab->pending, 1), 0);
    slab->link = NULL;
    hak_remote_notify(slab);
    assert_int_equal(hak_heap_drain(&owner), 0);
    assert_int_equal(atomic_load(&slab->pending), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        remote_test(a_bound_slab_is_tagged_with_its_heap_and_class),
        remote_test(what_was_sent_comes_home_at_the_owners_drain),
        remote_test(what_is_in_the_senders_cache_is_not_home_yet),
        remote_test(the_sender_knows_the_bytes_that_it_has_not_posted),
        remote_test(an_empty_inbox_drains_nothing),
        remote_test(a_block_sent_twice_in_a_row_is_noted_as_double),
        remote_test(a_block_posted_twice_is_noted_as_double),
        remote_test(a_block_that_was_free_at_home_is_noted_at_the_drain),
        remote_test(an_address_inside_a_block_is_not_added),
        remote_test(a_late_senders_mark_for_no_word_is_harmless),
        remote_test(a_late_senders_push_of_an_idle_slab_is_harmless),
        remote_test(a_cached_word_ends_with_its_slabs_last_block), /* last: takes all classes */
    };
    return cmocka_run_group_tests(tests, make_heaps, NULL);
}
