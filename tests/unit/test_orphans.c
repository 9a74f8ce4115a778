/* SPDX-License-Identifier: MIT */
/*
 * test_orphans.c: slabs whose owner has ended, or that change owners, src/meta/heap.h.
 */
#include "tests/unit/heaps.h"

static bool is_orphan(const struct hak_slab *slab) {
    return atomic_load(&slab->owner) == hak_heap_orphans();
}

static void an_orphan_takes_in_what_is_posted_to_it(void **state) {
    (void)state;
    struct hak_slab *slab = make_full_slab(10);
    hak_heap_orphan_all(&owner);
    assert_true(is_orphan(slab));
    assert_false(hak_heap_adopt(&adopter, 10));
    send(&sender, slab, 5);
    hak_remote_flush(&sender);
    assert_int_equal(slab->nfree, 1);
    assert_int_equal(atomic_load(&slab->pending), 0);
    assert_true(hak_heap_adopt(&adopter, 10));
    assert_ptr_equal(atomic_load(&slab->owner), &adopter);
    assert_int_equal(slab->nfree, 1);
    assert_int_equal(hak_tagmap_tag(slab->span.base), adopter.tag | 10U << HAK_BIN_SHIFT);
}

static void who_empties_an_orphan_has_to_release_it(void **state) {
    (void)state;
    struct hak_slab *slab = make_full_slab(10);
    hak_heap_orphan_all(&owner);
    send_all(&sender, slab);
    assert_ptr_equal(hak_heap_pop_emptied(&sender), slab);
    assert_null(atomic_load(&slab->owner));
    assert_false(hak_heap_adopt(&adopter, 10));
    hak_spans_release(&slab->span);
}

static void an_orphan_that_a_thread_without_a_heap_empties_waits_for_its_release(void **state) {
    (void)state;
    struct hak_slab *slab = make_full_slab(10);
    hak_heap_orphan_all(&owner);
    for (unsigned word = 0; word < slab->words; word++) {
        const uint64_t bits = hak_slab_carved_bits(slab, word);
        if (bits != 0) assert_int_equal(hak_remote_post(slab, word, bits), 0);
    }
    hak_heap_drain_orphans(NULL);
    assert_ptr_equal(hak_heap_pop_emptied_orphan(), slab);
    assert_null(hak_heap_pop_emptied_orphan());
    hak_spans_release(&slab->span);
}

static void an_orphan_with_blocks_never_carved_may_be_adopted(void **state) {
    (void)state;
    unsigned first;
    struct hak_slab *slab = make_full_slab(11);
    slab->carved--; /* as if one had never been */
    hak_count_down(&owner.counts.active_bytes, slab->stride);
    hak_heap_orphan_all(&owner);
    assert_true(hak_heap_adopt(&adopter, 11));
    assert_ptr_equal(hak_heap_fresh(&adopter, 11), slab);
    assert_int_equal(hak_heap_carve(&adopter, slab, 5, &first), 1);
}

static void an_orphan_without_anything_to_give_is_not_adopted(void **state) {
    (void)state;
    struct hak_slab *slab = make_full_slab(11);
    hak_heap_orphan_all(&owner);
    assert_false(hak_heap_adopt(&adopter, 11));
    assert_true(is_orphan(slab));
}

static void an_orphan_that_is_notified_after_its_adoption_reaches_the_adopter(void **state) {
    (void)state;
    struct hak_slab *slab = make_full_slab(12);
    send(&sender, slab, 0);
    hak_remote_flush(&sender);
    assert_ptr_equal(atomic_exchange(&owner.inbox, NULL), slab); /* a sender's hand, stopped */
    hak_heap_orphan_all(&owner);
    assert_true(hak_heap_adopt(&adopter, 12));
    assert_int_equal(hak_remote_post(slab, 0, 2), 0); /* pending is held: nobody is told */
    slab->link = NULL;
    hak_remote_notify(slab);
    assert_int_equal(hak_heap_drain(&adopter), 1);
    assert_int_equal(slab->nfree, 2);
}

static void a_slab_in_the_inbox_of_a_former_owner_is_handed_on(void **state) {
    (void)state;
    struct hak_slab *slab = make_full_slab(13);
    send(&sender, slab, 0);
    hak_remote_flush(&sender);
    atomic_exchange(&owner.inbox, NULL);
    hak_heap_orphan_all(&owner);
    assert_true(hak_heap_adopt(&adopter, 13));
    assert_int_equal(hak_remote_post(slab, 0, 2), 0);
    slab->link = NULL;
    atomic_store(&owner.inbox, slab);
    assert_int_equal(hak_heap_drain(&owner), 0);
    assert_int_equal(hak_heap_drain(&adopter), 1);
    assert_int_equal(slab->nfree, 2);
}

static void an_ended_heap_has_no_slabs_and_an_empty_inbox(void **state) {
    (void)state;
    struct hak_slab *slab = make_full_slab(14);
    send(&sender, slab, 0);
    hak_remote_flush(&sender);
    hak_heap_orphan_all(&owner);
    assert_null(atomic_load(&owner.inbox));
    for (size_t cls = 0; cls < HAK_SLAB_CLASSES; cls++) {
        assert_null(owner.classes[cls].all);
        assert_null(owner.classes[cls].listed);
        assert_null(owner.classes[cls].fresh);
    }
    assert_int_equal(slab->nfree, 1);
}

static void one_empty_slab_is_kept_and_the_next_is_emptied(void **state) {
    (void)state;
    struct hak_slab *kept = make_full_slab(15);
    struct hak_slab *next = make_full_slab(15);
    send_all(&sender, kept);
    hak_heap_drain(&owner);
    assert_ptr_equal(hak_heap_fresh(&owner, 15), kept);
    assert_null(hak_heap_pop_emptied(&owner));
    send_all(&sender, next);
    hak_heap_drain(&owner);
    assert_ptr_equal(hak_heap_pop_emptied(&owner), next);
    assert_null(hak_heap_pop_emptied(&owner));
    assert_null(atomic_load(&next->owner));
    hak_spans_release(&next->span);
}

struct share {
    struct hak_heap *heap;
    struct hak_slab *slab;
    unsigned first;
};

static void *send_share(void *argument) {
    const struct share *share = argument;
    for (unsigned i = share->first; i < share->slab->capacity; i += SENDERS) {
        const void *block = hak_slab_block(share->slab, i);
        if (!hak_remote_add(share->heap, block)) {
            hak_remote_free(share->heap, share->slab, block);
        }
        if (i % 7 == 0) hak_remote_flush(share->heap);
    }
    hak_remote_flush(share->heap);
    return NULL;
}

static void every_block_of_four_senders_comes_home_once(void **state) {
    (void)state;
    for (unsigned round = 0; round < 100; round++) {
        struct hak_slab *slab = make_full_slab(16);
        const unsigned capacity = slab->capacity;
        pthread_t threads[SENDERS];
        struct share shares[SENDERS];
        for (unsigned i = 0; i < SENDERS; i++) {
            shares[i] = (struct share){.heap = &senders[i], .slab = slab, .first = i};
            assert_int_equal(pthread_create(&threads[i], NULL, send_share, &shares[i]), 0);
        }
        size_t home = 0;
        while (home < capacity) {
            home += hak_heap_drain(&owner);
        }
        for (unsigned i = 0; i < SENDERS; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        }
        assert_int_equal(home, capacity);
        assert_int_equal(hak_heap_drain(&owner), 0);
        assert_null(owner.misused);
        struct hak_slab *fresh = hak_heap_fresh(&owner, 16);
        unsigned first;
        if (fresh != NULL) hak_heap_carve(&owner, fresh, fresh->capacity, &first);
        while ((slab = hak_heap_pop_emptied(&owner)) != NULL) {
            hak_spans_release(&slab->span);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        remote_test(an_orphan_takes_in_what_is_posted_to_it),
        remote_test(who_empties_an_orphan_has_to_release_it),
        remote_test(an_orphan_that_a_thread_without_a_heap_empties_waits_for_its_release),
        remote_test(an_orphan_with_blocks_never_carved_may_be_adopted),
        remote_test(an_orphan_without_anything_to_give_is_not_adopted),
        remote_test(an_orphan_that_is_notified_after_its_adoption_reaches_the_adopter),
        remote_test(a_slab_in_the_inbox_of_a_former_owner_is_handed_on),
        remote_test(an_ended_heap_has_no_slabs_and_an_empty_inbox),
        remote_test(one_empty_slab_is_kept_and_the_next_is_emptied),
        remote_test(every_block_of_four_senders_comes_home_once),
    };
    return cmocka_run_group_tests(tests, make_heaps, NULL);
}
