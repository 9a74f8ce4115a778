/* SPDX-License-Identifier: MIT */
/*
 * test_route.c: hak_route, hak_good_size, the block that a request gets and its usable size say the
 * same, for every size up to 2 MiB at twelve alignments. Blocks are taken of every small size, of
 * the first and the last size of each stretch that one answer is given for, and of some in between.
 */
#include "src/front/front.h"
#include "tests/conform/large.h"

#define SIZE_MOST   (2 * MIB)
#define SMALL_MOST  ((size_t)4096)
#define SOME        1021U
#define ALIGN_SHIFT 4
#define ALIGNMENTS  12U

static bool is_same(const struct hak_route *one, const struct hak_route *other) {
    return one->owner == other->owner && one->cls == other->cls &&
           one->usable_bytes == other->usable_bytes;
}

static void require_block_of(const struct hak_route *route, size_t size, size_t align) {
    char *block = align == HAK_ALIGN_BYTES ? hak_malloc(size) : hak_memalign(align, size);
    require(block != NULL && (uintptr_t)block % align == 0);
    struct hak_span *span = large_span(block);
    require(span != NULL && span->owner == route->owner);
    require(!hak_route_is_slab(route) || hak_slab_of_span(span)->cls == route->cls);
    const size_t usable = hak_usable_size(block);
    if (route->owner == HAK_OWNER_BIG) {
        require(usable >= route->usable_bytes);
    } else {
        require(usable == route->usable_bytes);
    }
    hak_free(block);
}

static void all_say_the_same(void **state) {
    (void)state;
    for (unsigned shift = ALIGN_SHIFT; shift < ALIGN_SHIFT + ALIGNMENTS; shift++) {
        const size_t align = (size_t)1 << shift;
        struct hak_route before = {0};
        for (size_t size = 1; size <= SIZE_MOST; size++) {
            const struct hak_route route = hak_route(size, align);
            require(route.usable_bytes >= size);
            if (shift == ALIGN_SHIFT) require(hak_good_size(size) == route.usable_bytes);
            const bool is_first = !is_same(&route, &before);
            if (is_first && size > 1) require_block_of(&before, size - 1, align);
            if (is_first || size <= SMALL_MOST || size % SOME == 0) {
                require_block_of(&route, size, align);
            }
            before = route;
        }
    }
}

/* The short form in fast.h: sizes that have a bin, at a usual alignment. */
static void the_fast_path_takes_the_bin_of_the_route(void **state) {
    (void)state;
    struct hak_tcache *tc = hak_thread_cache();
    for (size_t size = 1; size <= HAK_BINNED_MAX; size++) {
        const struct hak_route route = hak_route(size, HAK_ALIGN_BYTES);
        const hak_class_t cls = hak_sizeclass_of(size);
        if (route.cls != 0) {
            require(cls == route.cls);
        } else {
            require(hak_bin_count(&tc->bins[cls]) == 0);
        }
    }
}

static void what_is_aligned_beyond_spans_is_of_the_big_tier(void **state) {
    (void)state;
    for (size_t align = 2 * HAK_SPAN_BYTES_MAX; align <= GIB; align *= 2) {
        require(hak_route(1, align).owner == HAK_OWNER_BIG);
        require(hak_route(SIZE_MOST, align).owner == HAK_OWNER_BIG);
    }
    require(hak_route(PTRDIFF_MAX, HAK_ALIGN_BYTES).owner == HAK_OWNER_BIG);
}

int main(void) {
    this_cache();
    const struct CMUnitTest tests[] = {
        scenario(all_say_the_same),
        scenario(the_fast_path_takes_the_bin_of_the_route),
        scenario(what_is_aligned_beyond_spans_is_of_the_big_tier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
