/* SPDX-License-Identifier: MIT */
/*
 * test_remote.c: remote frees and changes of owner, src/meta/heap.h, between heaps that no thread
 * has. Each test takes classes of its own, so that no other's orphans are in its way.
 */
#include "tests/api/suite.h"

#include "src/contract/slots.h"
#include "src/front/init.h"
#include "src/meta/remote.h"

#include <pthread.h>

#define SENDERS 4U

static struct hak_heap owner, sender, adopter, senders[SENDERS];

static int make_heaps(void **state) {
    (void)state;
    if (!hak_init()) return -1;
    struct hak_heap *const heaps[] = {&owner,      &sender,     &adopter,   &senders[0],
                                      &senders[1], &senders[2], &senders[3]};
    for (size_t i = 0; i < COUNT_OF(heaps); i++) {
        hak_heap_init(heaps[i], HAK_HEAP_ID_ORPHAN - 1 - (uint32_t)i);
    }
    return 0;
}

/* A slab of the owner, all of whose blocks are live. */
static struct hak_slab *make_full_slab(hak_class_t cls) {
    unsigned first;
    struct hak_span *span =
        hak_spans_acquire(hak_slab_span_bytes(cls), HAK_SLAB_BYTES, HAK_OWNER_TINY);
    assert_non_null(span);
    struct hak_slab *fresh = hak_heap_fresh(&owner, cls);
    if (fresh != NULL) hak_heap_carve(&owner, fresh, fresh->capacity, &first);
    assert_true(hak_heap_bind(&owner, span, cls)); /* a second empty one would be emptied */
    struct hak_slab *slab = hak_slab_of_span(span);
    assert_int_equal(hak_heap_carve(&owner, slab, slab->capacity, &first), slab->capacity);
    return slab;
}

/* What a test left behind is not the next one's. */
static int tidy(void **state) {
    (void)state;
    struct hak_heap *const heaps[] = {&owner, &sender, &adopter};
    for (size_t i = 0; i < COUNT_OF(heaps); i++) {
        memset(heaps[i]->senders, 0, sizeof heaps[i]->senders);
        hak_heap_drain(heaps[i]);
        heaps[i]->misused = NULL;
        struct hak_slab *slab;
        while ((slab = hak_heap_pop_emptied(heaps[i])) != NULL) {
            hak_spans_release(&slab->span);
        }
    }
    return 0;
}

static void send(struct hak_heap *from, struct hak_slab *slab, unsigned index) {
    const void *block = hak_slab_block(slab, index);
    if (!hak_remote_add(from, block)) hak_remote_free(from, slab, block);
    assert_null(from->misused);
}

static void send_all(struct hak_heap *from, struct hak_slab *slab) {
    for (unsigned i = 0; i < slab->capacity; i++) {
        send(from, slab, i);
    }
    hak_remote_flush(from);
}

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

#define remote_test(test) cmocka_unit_test_teardown(test, tidy)

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
        remote_test(a_cached_word_ends_with_its_slabs_last_block), /* last: takes all classes */
    };
    return cmocka_run_group_tests(tests, make_heaps, NULL);
}
