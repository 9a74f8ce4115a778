/* SPDX-License-Identifier: MIT */
/*
 * test_tagmap.c: src/meta/tagmap.h: the window, entering and clearing spans, and what lookups say
 * of addresses that no span holds.
 */
#include "tests/api/suite.h"

#include "src/meta/tagmap.h"

#include <sys/mman.h>

#define SPAN_SLABS ((size_t)5)
#define SPAN_BYTES (SPAN_SLABS * HAK_SLAB_BYTES)

static struct hak_span *make_span(void) {
    struct hak_span *span = hak_span_header_alloc();
    assert_non_null(span);
    span->base = hak_tagmap_map_window(SPAN_BYTES, HAK_SLAB_BYTES);
    span->bytes = SPAN_BYTES;
    span->owner = HAK_OWNER_MID;
    assert_non_null(span->base);
    return span;
}

static void drop_span(struct hak_span *span) {
    hak_tagmap_unmap_window(span->base, span->bytes);
    hak_span_header_free(span);
}

static uint32_t tag_of(const char *address) {
    return atomic_load(&hak_tagmap.entries[hak_tagmap_slot(address)].tag);
}

static void before_init_nothing_is_found(void **state) {
    (void)state;
    int local = 0;
    assert_null(hak_tagmap_span(NULL));
    assert_null(hak_tagmap_span(&local));
    assert_null(hak_tagmap_span((void *)(HAK_WINDOW_BASE + HAK_SLAB_BYTES)));
    assert_true(hak_tagmap_init());
}

static void addresses_outside_the_window_are_no_spans(void **state) {
    (void)state;
    int local = 0;
    static int fixed;
    void *foreign = malloc(100);
    const uintptr_t end = HAK_WINDOW_BASE + (hak_tagmap_slots() << HAK_SLAB_SHIFT);
    assert_null(hak_tagmap_span(&local));
    assert_null(hak_tagmap_span(&fixed));
    assert_null(hak_tagmap_span(foreign));
    assert_null(hak_tagmap_span((void *)end));
    assert_null(hak_tagmap_span((void *)(end - 1)));
    assert_null(hak_tagmap_span((void *)(HAK_WINDOW_BASE - 1)));
    assert_null(hak_tagmap_span(NULL));
    free(foreign);
}

static void addresses_that_no_pointer_can_have_are_no_spans(void **state) {
    (void)state;
    static const uintptr_t addresses[] = {
        (uintptr_t)1 << 47, (uintptr_t)1 << 48,  (uintptr_t)1 << 63,  UINTPTR_MAX,
        UINTPTR_MAX / 2,    0xdeadbeefdeadbeefU, 0xa5a5a5a5a5a5a5a5U, UINTPTR_MAX << 47,
    };
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        assert_true(hak_tagmap_slot((void *)addresses[i]) >= hak_tagmap_slots());
        assert_null(hak_tagmap_span((void *)addresses[i]));
    }
}

static void an_entered_span_is_found_at_every_address_with_tag_0(void **state) {
    (void)state;
    struct hak_span *span = make_span();
    assert_null(hak_tagmap_span(span->base));
    hak_tagmap_enter(span);
    for (size_t at = 0; at < SPAN_BYTES; at += HAK_ALIGN_BYTES) {
        assert_ptr_equal(hak_tagmap_span(span->base + at), span);
    }
    assert_ptr_equal(hak_tagmap_span(span->base + SPAN_BYTES - 1), span);
    for (size_t i = 0; i < SPAN_SLABS; i++) {
        assert_int_equal(tag_of(span->base + i * HAK_SLAB_BYTES), 0);
    }
    hak_tagmap_clear(span);
    drop_span(span);
}

static void entering_a_span_leaves_its_neighbours_alone(void **state) {
    (void)state;
    struct hak_span *span = make_span();
    hak_tagmap_enter(span);
    assert_null(hak_tagmap_span(span->base - 1));
    assert_null(hak_tagmap_span(span->base + SPAN_BYTES));
    hak_tagmap_clear(span);
    drop_span(span);
}

static void a_cleared_span_is_found_no_more(void **state) {
    (void)state;
    struct hak_span *span = make_span();
    hak_tagmap_enter(span);
    hak_tagmap_set_tag(span, 4711);
    hak_tagmap_clear(span);
    for (size_t i = 0; i < SPAN_SLABS; i++) {
        assert_null(hak_tagmap_span(span->base + i * HAK_SLAB_BYTES));
        assert_int_equal(tag_of(span->base + i * HAK_SLAB_BYTES), 0);
    }
    drop_span(span);
}

static void a_tag_is_set_for_all_of_a_span_and_for_no_other(void **state) {
    (void)state;
    struct hak_span *span = make_span();
    hak_tagmap_enter(span);
    hak_tagmap_set_tag(span, 4711);
    for (size_t i = 0; i < SPAN_SLABS; i++) {
        assert_int_equal(tag_of(span->base + i * HAK_SLAB_BYTES), 4711);
        assert_ptr_equal(hak_tagmap_span(span->base + i * HAK_SLAB_BYTES), span);
    }
    assert_int_equal(tag_of(span->base - 1), 0);
    assert_int_equal(tag_of(span->base + SPAN_BYTES), 0);
    hak_tagmap_clear(span);
    drop_span(span);
}

static void window_memory_is_aligned_zeroed_and_inside(void **state) {
    (void)state;
    for (size_t align = HAK_SLAB_BYTES; align <= 4 * HAK_SUPERSLAB_BYTES; align *= 2) {
        char *base = hak_tagmap_map_window(SPAN_BYTES, align);
        assert_aligned(base, align);
        assert_true(hak_tagmap_slot(base) < hak_tagmap_slots());
        assert_true(hak_tagmap_slot(base + SPAN_BYTES - 1) < hak_tagmap_slots());
        assert_zeros(base, SPAN_BYTES);
        memset(base, 0xa5, SPAN_BYTES);
        hak_tagmap_unmap_window(base, SPAN_BYTES);
    }
}

static void the_window_keeps_clear_of_what_is_mapped_already(void **state) {
    (void)state;
    char *pieces[64];
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        pieces[i] = hak_tagmap_map_window(SPAN_BYTES, HAK_SLAB_BYTES);
        assert_non_null(pieces[i]);
        memset(pieces[i], (int)i, SPAN_BYTES);
    }
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        for (size_t at = 0; at < SPAN_BYTES; at += 4096) {
            assert_int_equal(pieces[i][at], i);
        }
        hak_tagmap_unmap_window(pieces[i], SPAN_BYTES);
    }
}

static void more_than_the_window_gives_null_and_keeps_errno(void **state) {
    (void)state;
    errno = 77;
    assert_null(hak_tagmap_map_window((size_t)1 << HAK_WINDOW_SHIFT_MAX, HAK_SLAB_BYTES));
    assert_int_equal(errno, 77);
}

static void the_map_is_small_and_grows_in_place_where_spans_are(void **state) {
    (void)state;
    const struct hak_tag_entry *entries = hak_tagmap.entries;
    const uintptr_t before = hak_tagmap_slots();
    assert_true(hak_tagmap_bytes() <= 2 * MIB);
    const size_t bytes = (size_t)16 << 30; /* address space only */
    struct hak_span span = {.bytes = bytes, .owner = HAK_OWNER_MID};
    span.base = hak_tagmap_map_window(bytes, HAK_SLAB_BYTES);
    assert_non_null(span.base);
    assert_true(hak_tagmap_slots() > before);
    assert_ptr_equal(hak_tagmap.entries, entries);
    assert_true(hak_tagmap_slot(span.base + bytes - 1) < hak_tagmap_slots());
    assert_null(hak_tagmap_span(span.base + bytes - 1));
    hak_tagmap_unmap_window(span.base, bytes);
}

static void the_window_passes_a_large_neighbour(void **state) {
    (void)state;
    char *first = hak_tagmap_map_window(SPAN_BYTES, HAK_SLAB_BYTES);
    assert_non_null(first);
    const size_t bytes = (size_t)100 << 30;
    char *neighbour =
        mmap(first + SPAN_BYTES, bytes, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    assert_ptr_equal(neighbour, first + SPAN_BYTES);
    char *second = hak_tagmap_map_window(SPAN_BYTES, HAK_SLAB_BYTES);
    assert_true(second >= neighbour + bytes || second < first);
    memset(second, 1, SPAN_BYTES);
    hak_tagmap_unmap_window(second, SPAN_BYTES);
    assert_int_equal(munmap(neighbour, bytes), 0);
    hak_tagmap_unmap_window(first, SPAN_BYTES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_init_nothing_is_found), /* first: it calls init */
        cmocka_unit_test(addresses_outside_the_window_are_no_spans),
        cmocka_unit_test(addresses_that_no_pointer_can_have_are_no_spans),
        cmocka_unit_test(an_entered_span_is_found_at_every_address_with_tag_0),
        cmocka_unit_test(entering_a_span_leaves_its_neighbours_alone),
        cmocka_unit_test(a_cleared_span_is_found_no_more),
        cmocka_unit_test(a_tag_is_set_for_all_of_a_span_and_for_no_other),
        cmocka_unit_test(window_memory_is_aligned_zeroed_and_inside),
        cmocka_unit_test(the_window_keeps_clear_of_what_is_mapped_already),
        cmocka_unit_test(more_than_the_window_gives_null_and_keeps_errno),
        cmocka_unit_test(the_map_is_small_and_grows_in_place_where_spans_are),
        cmocka_unit_test(the_window_passes_a_large_neighbour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
