/* SPDX-License-Identifier: MIT */
/*
 * heaps.h: heaps with slabs of their own, as the tests of remote frees need them.
 */
#ifndef HAK_TESTS_UNIT_HEAPS_H
#define HAK_TESTS_UNIT_HEAPS_H

#include "tests/api/suite.h"

#include "src/contract/slots.h"
#include "src/front/init.h"
#include "src/meta/remote.h"

#include <pthread.h>

#define SENDERS 4U

static struct hak_heap owner, sender, adopter, senders[SENDERS];

static inline int make_heaps(void **state) {
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
static inline struct hak_slab *make_full_slab(hak_class_t cls) {
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
static inline int tidy(void **state) {
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

static inline void send(struct hak_heap *from, struct hak_slab *slab, unsigned index) {
    const void *block = hak_slab_block(slab, index);
    if (!hak_remote_add(from, block)) hak_remote_free(from, slab, block);
    assert_null(from->misused);
}

static inline void send_all(struct hak_heap *from, struct hak_slab *slab) {
    for (unsigned i = 0; i < slab->capacity; i++) {
        send(from, slab, i);
    }
    hak_remote_flush(from);
}

#define remote_test(test) cmocka_unit_test_teardown(test, tidy)

#endif
