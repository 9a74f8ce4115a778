/* SPDX-License-Identifier: MIT */
/*
 * test_sizeclass.c: src/base/sizeclass.h, for every size and every class.
 */
#include "tests/api/suite.h"

#include "src/base/sizeclass.h"

/* Of a stride above the linear range, at most this part is waste: 1 / WASTE. */
#define WASTE 8

static void before_init_sizes_above_linear_have_class_0(void **state) {
    (void)state;
    for (size_t size = HAK_LINEAR_MAX + 1; size <= HAK_BINNED_MAX; size++) {
        assert_int_equal(hak_sizeclass_of(size), 0);
    }
    hak_sizeclass_init();
}

static void every_size_fits_its_class(void **state) {
    (void)state;
    for (size_t size = 1; size <= HAK_BINNED_MAX; size++) {
        const hak_class_t cls = hak_sizeclass_of(size);
        assert_in_range(cls, 1, HAK_CLASSES - 1);
        assert_true(hak_sizeclass_stride(cls) >= size);
    }
}

static void no_smaller_class_would_fit(void **state) {
    (void)state;
    for (size_t size = 1; size <= HAK_BINNED_MAX; size++) {
        const hak_class_t cls = hak_sizeclass_of(size);
        if (cls > 1) assert_true(hak_sizeclass_stride((hak_class_t)(cls - 1)) < size);
    }
}

static void waste_is_bounded(void **state) {
    (void)state;
    for (size_t size = 1; size <= HAK_BINNED_MAX; size++) {
        const size_t stride = hak_sizeclass_stride(hak_sizeclass_of(size));
        /* Whole spans waste address space first, and pages only when one is used again. */
        const size_t span_bound = stride <= 2 * HAK_SLAB_BYTES ? stride / 2 : stride / 3;
        const size_t slab_bound = size <= HAK_LINEAR_MAX ? HAK_ALIGN_BYTES - 1 : stride / WASTE;
        assert_true(stride - size <= (size <= HAK_MID_MAX ? slab_bound : span_bound));
    }
}

static void the_class_of_a_stride_is_itself(void **state) {
    (void)state;
    for (hak_class_t cls = 1; cls < HAK_CLASSES; cls++) {
        assert_int_equal(hak_sizeclass_of(hak_sizeclass_stride(cls)), cls);
    }
}

static void strides_rise_and_keep_the_alignment(void **state) {
    (void)state;
    assert_int_equal(hak_sizeclass_stride(0), 0);
    for (hak_class_t cls = 1; cls < HAK_CLASSES; cls++) {
        assert_true(hak_sizeclass_stride(cls) > hak_sizeclass_stride((hak_class_t)(cls - 1)));
        assert_int_equal(hak_sizeclass_stride(cls) % HAK_ALIGN_BYTES, 0);
    }
    assert_int_equal(hak_sizeclass_stride(HAK_CLASSES - 1), HAK_BINNED_MAX);
}

static void classes_that_do_not_exist_have_stride_0(void **state) {
    (void)state;
    for (size_t cls = HAK_CLASSES; cls < HAK_BINS; cls++) {
        assert_int_equal(hak_sizeclass_stride((hak_class_t)cls), 0);
    }
}

static void the_rounded_size_of_a_linear_class_is_its_bins_offset(void **state) {
    (void)state;
    for (size_t size = 1; size <= HAK_LINEAR_MAX; size++) {
        const size_t offset = (size + HAK_ALIGN_BYTES - 1) & ~(HAK_ALIGN_BYTES - 1);
        assert_int_equal((size_t)hak_sizeclass_of(size) << HAK_BIN_SHIFT, offset);
    }
}

/* By definition, without the tables of lookup. */
static size_t smallest_aligned(size_t size, size_t align) {
    for (size_t cls = 1; cls < HAK_CLASSES; cls++) {
        const size_t stride = hak_sizeclass_stride((hak_class_t)cls);
        if (stride >= size && stride % align == 0) return cls;
    }
    return 0;
}

static void an_aligned_class_is_the_smallest_that_fits(void **state) {
    (void)state;
    for (size_t align = 1; align <= HAK_SLAB_BYTES; align *= 2) {
        for (size_t size = 1; size <= HAK_BINNED_MAX; size += 15) {
            assert_int_equal(hak_sizeclass_aligned(size, align), smallest_aligned(size, align));
        }
    }
}

static void above_the_bins_there_is_no_aligned_class(void **state) {
    (void)state;
    for (size_t align = 1; align <= HAK_SLAB_BYTES; align *= 2) {
        assert_int_equal(hak_sizeclass_aligned(HAK_BINNED_MAX + 1, align), 0);
        assert_int_equal(hak_sizeclass_aligned(SIZE_MAX, align), 0);
    }
}

static void classes_of_slabs_end_at_64_kib_and_spans_are_whole_slabs(void **state) {
    (void)state;
    assert_int_equal(hak_sizeclass_stride(HAK_SLAB_CLASSES - 1), HAK_MID_MAX);
    for (hak_class_t cls = HAK_SLAB_CLASSES; cls < HAK_CLASSES; cls++) {
        assert_int_equal(hak_sizeclass_stride(cls) % HAK_SLAB_BYTES, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_init_sizes_above_linear_have_class_0), /* first: it calls init */
        cmocka_unit_test(every_size_fits_its_class),
        cmocka_unit_test(no_smaller_class_would_fit),
        cmocka_unit_test(waste_is_bounded),
        cmocka_unit_test(the_class_of_a_stride_is_itself),
        cmocka_unit_test(strides_rise_and_keep_the_alignment),
        cmocka_unit_test(classes_that_do_not_exist_have_stride_0),
        cmocka_unit_test(classes_of_slabs_end_at_64_kib_and_spans_are_whole_slabs),
        cmocka_unit_test(the_rounded_size_of_a_linear_class_is_its_bins_offset),
        cmocka_unit_test(an_aligned_class_is_the_smallest_that_fits),
        cmocka_unit_test(above_the_bins_there_is_no_aligned_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
