/* SPDX-License-Identifier: MIT */
/*
 * sizeclass.c: the strides above the linear range, and the two lookup tables made from them.
 *
 * The list is chosen from request sizes of real programs; each stride is a multiple of the
 * granularity of the table that finds it.
 */
#include "src/base/sizeclass.h"

struct hak_sizeclass_tables hak_sizeclasses;

#define SLAB HAK_SLAB_BYTES

static const uint32_t table_strides[HAK_TABLE_BINS] = {
    1152,        1280,      1408,      1536,      1664,     1792,     1920,     2048, /* to 2 KiB */
    2112,        2304,      2560,      2816,      3072,     3328,     3584,     3840,
    4096, /* to 4 KiB */
    4160,        4416,      4608,      5120,      5632,     6144,     6656,     6848,
    7680,        8192, /* to 8 KiB */
    8704,        9216,      10240,     11264,     12288,    13312,    14336,    15360,
    16384, /* to 16 KiB */
    16896,       18432,     20480,     22528,     24576,    26624,    28672,    30720,
    32768, /* to 32 KiB */
    33280,       36864,     40960,     45056,     49152,    53248,    57344,    61440,
    HAK_MID_MAX,                                                                /* to 64 KiB */
    2 * SLAB,    3 * SLAB,  4 * SLAB,  5 * SLAB,  6 * SLAB, 7 * SLAB, 8 * SLAB, /* whole spans */
    10 * SLAB,   12 * SLAB, 14 * SLAB, 16 * SLAB,                               /* to 1 MiB */
};

void hak_sizeclass_init(void) {
    for (size_t i = 1; i <= HAK_LINEAR_BINS; i++) {
        hak_sizeclasses.stride[i] = (uint32_t)(i * HAK_ALIGN_BYTES);
    }
    size_t size = HAK_LINEAR_MAX + 1;
    for (size_t i = 0; i < HAK_TABLE_BINS; i++) {
        hak_class_t cls = (hak_class_t)(1 + HAK_LINEAR_BINS + i);
        hak_sizeclasses.stride[cls] = table_strides[i];
        for (; size <= table_strides[i]; size++) {
            if (size <= HAK_FINE_MAX) {
                hak_sizeclasses.fine[(size - 1) >> HAK_FINE_SHIFT] = cls;
            } else {
                hak_sizeclasses.coarse[(size - 1) >> HAK_COARSE_SHIFT] = cls;
                size += ((size_t)1 << HAK_COARSE_SHIFT) - 1;
            }
        }
    }
}

hak_class_t hak_sizeclass_aligned(size_t size, size_t align) {
    if (size > HAK_BINNED_MAX) return 0;
    for (size_t cls = hak_sizeclass_of(size); cls < HAK_CLASSES; cls++) {
        if ((hak_sizeclasses.stride[cls] & (align - 1)) == 0) return (hak_class_t)cls;
    }
    return 0;
}
