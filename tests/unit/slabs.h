/* SPDX-License-Identifier: MIT */
/*
 * slabs.h: a slab of the class that a test asks for.
 */
#ifndef HAK_TESTS_UNIT_SLABS_H
#define HAK_TESTS_UNIT_SLABS_H

#include "tests/api/suite.h"

#include "src/base/bits.h"
#include "src/meta/slab.h"
#include "src/os/os.h"

#define CLASS ((hak_class_t)5) /* 80 bytes: 819 blocks, the last word incomplete */

static struct hak_slab slab;

static inline void make_slab(hak_class_t cls) {
    memset(&slab, 0, sizeof slab);
    slab.span.base = (char *)((uintptr_t)1 << 36);
    slab.span.bytes = hak_slab_span_bytes(cls);
    slab.span.owner = HAK_OWNER_TINY;
    slab.span.zeroed = true;
    assert_true(hak_slab_bind(&slab, cls));
}

static inline int set_up(void **state) {
    (void)state;
    make_slab(CLASS);
    return 0;
}

static inline int tear_down(void **state) {
    (void)state;
    slab.nfree = slab.carved;
    hak_slab_unbind(&slab);
    return 0;
}

static inline void *block_at(unsigned index) {
    return hak_slab_block(&slab, index);
}

static inline void carve(unsigned count) {
    unsigned first;
    assert_int_equal(hak_slab_carve(&slab, count, &first), count);
}

static inline void put(unsigned index) {
    assert_int_equal(hak_slab_put(&slab, block_at(index)), HAK_FREE_OK);
}

/* From here on the slab has memory. */
static inline int set_up_memory(void **state) {
    (void)state;
    make_slab(CLASS);
    slab.span.base = hak_os_map_aligned(slab.span.bytes, HAK_SLAB_BYTES);
    assert_non_null(slab.span.base);
    slab.span.zeroed = false;
    memset(slab.span.base, 0x5a, slab.span.bytes);
    return 0;
}

static inline int tear_down_memory(void **state) {
    hak_os_unmap(slab.span.base, slab.span.bytes);
    return tear_down(state);
}

#define memory_test(test) cmocka_unit_test_setup_teardown(test, set_up_memory, tear_down_memory)
#define slab_test(test)   cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
