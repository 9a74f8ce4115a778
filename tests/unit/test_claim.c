/* SPDX-License-Identifier: MIT */
/*
 * test_claim.c: claims of a heap whose thread is away, and lists made anew after a fork in the
 * middle of one, src/meta/heap.h.
 */
#include "tests/api/suite.h"

#include "src/contract/slots.h"
#include "src/front/init.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define CLS 20

static struct hak_heap heap;

static int make_heap(void **state) {
    (void)state;
    if (!hak_init()) return -1;
    hak_heap_init(&heap, HAK_HEAP_ID_ORPHAN - 1);
    return 0;
}

/* A slab of the heap with so many blocks carved, and every second of them free. */
static struct hak_slab *make_slab(unsigned carved) {
    unsigned first;
    struct hak_span *span =
        hak_spans_acquire(hak_slab_span_bytes(CLS), HAK_SLAB_BYTES, HAK_OWNER_TINY);
    assert_non_null(span);
    assert_true(hak_heap_bind(&heap, span, CLS));
    struct hak_slab *slab = hak_slab_of_span(span);
    assert_int_equal(hak_heap_carve(&heap, slab, carved, &first), carved);
    for (unsigned i = 0; i < carved; i += 2) {
        hak_heap_put(&heap, slab, hak_slab_block(slab, i));
    }
    return slab;
}

static void a_heap_at_rest_can_be_claimed_by_one(void **state) {
    (void)state;
    if (!hak_os_barrier()) skip();
    assert_true(hak_heap_claim(&heap));
    assert_false(hak_heap_claim(&heap));
    hak_heap_unclaim(&heap);
    assert_true(hak_heap_claim(&heap));
    hak_heap_unclaim(&heap);
}

static void a_heap_in_a_step_is_not_claimed(void **state) {
    (void)state;
    hak_heap_enter(&heap);
    hak_heap_enter(&heap);
    hak_heap_leave(&heap);
    assert_false(hak_heap_claim(&heap));
    assert_false(hak_heap_is_claimed(&heap));
    hak_heap_leave(&heap);
    hak_heap_begin_put(&heap);
    assert_false(hak_heap_claim(&heap));
    hak_heap_end_put(&heap);
}

static atomic_bool has_entered;

static void *enter_and_leave(void *unused) {
    hak_heap_enter(&heap);
    atomic_store(&has_entered, true);
    hak_heap_leave(&heap);
    hak_heap_begin_put(&heap);
    hak_heap_end_put(&heap);
    return unused;
}

static void a_step_waits_for_the_end_of_a_claim(void **state) {
    (void)state;
    pthread_t thread;
    if (!hak_os_barrier()) skip();
    assert_true(hak_heap_claim(&heap));
    assert_int_equal(pthread_create(&thread, NULL, enter_and_leave, NULL), 0);
    while (atomic_load(&heap.claim.state) != HAK_LOCK_WAITED)
        sched_yield();
    assert_false(atomic_load(&has_entered));
    hak_heap_unclaim(&heap);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(hak_heap_is_busy(&heap));
}

static void lists_and_counts_are_made_anew(void **state) {
    (void)state;
    struct hak_slab *full = make_slab(1), *half = make_slab(40);
    const struct hak_slab_sums before = hak_heap_sums(&heap);
    assert_true(before.free_blocks > 0 && before.carved_bytes > before.active_bytes);
    atomic_store(&heap.claim.state,
                 HAK_LOCK_HELD); /* as a vanished thread left it, in the middle */
    heap.classes[CLS].listed = NULL;
    heap.classes[CLS].fresh = NULL;
    full->all_next = NULL;
    half->all_next = NULL;
    half->nfree = 7;
    atomic_store(&heap.counts.slab_bytes, 1);
    atomic_store(&heap.counts.active_bytes, 2);
    atomic_store(&heap.counts.carved_bytes, 3);
    atomic_store(&heap.counts.arrived_blocks, 4);
    hak_heap_mend_claimed(&heap);
    assert_false(hak_heap_is_claimed(&heap));
    const struct hak_slab_sums after = hak_heap_sums(&heap);
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(half->nfree, 20);
    assert_true(half->is_listed);
    unsigned slabs = 0;
    for (struct hak_slab *slab = heap.classes[CLS].all; slab != NULL; slab = slab->all_next) {
        slabs++;
    }
    assert_int_equal(slabs, 2);
    assert_non_null(hak_heap_fresh(&heap, CLS));
}

static void a_heap_that_nobody_claimed_is_left_as_it_is(void **state) {
    (void)state;
    struct hak_slab *const listed = heap.classes[CLS].listed;
    heap.classes[CLS].listed = NULL;
    hak_heap_mend_claimed(&heap);
    assert_null(heap.classes[CLS].listed);
    heap.classes[CLS].listed = listed;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_heap_at_rest_can_be_claimed_by_one),
        cmocka_unit_test(a_heap_in_a_step_is_not_claimed),
        cmocka_unit_test(a_step_waits_for_the_end_of_a_claim),
        cmocka_unit_test(lists_and_counts_are_made_anew),
        cmocka_unit_test(a_heap_that_nobody_claimed_is_left_as_it_is),
    };
    return cmocka_run_group_tests(tests, make_heap, NULL);
}
