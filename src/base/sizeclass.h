/* SPDX-License-Identifier: MIT */
/*
 * sizeclass.h: request size -> size class -> stride.
 *
 * Classes 1..68 are linear by 16 bytes up to 1088, so that a class's bin offset is the rounded size
 * itself. Above come 54 strides, 8 a doubling and one a little above each power of two: requests
 * cluster there, because programs put a header before a page (4104 and 1032 bytes are over half of
 * sqlite's). Above 64 KiB a block is a whole span and the strides are multiples of a slab. Class 0
 * is never served: its bin is always empty, which sends malloc(0) to the slow path. Nothing is
 * added to a size here or elsewhere: blocks carry no header.
 */
#ifndef HAK_BASE_SIZECLASS_H
#define HAK_BASE_SIZECLASS_H

#include "src/base/attrs.h"
#include "src/base/geometry.h"

typedef uint8_t hak_class_t;

struct hak_sizeclass_tables {
    uint8_t fine[HAK_FINE_SLOTS];     /* (size - 1) >> FINE_SHIFT, up to FINE_MAX */
    uint8_t coarse[HAK_COARSE_SLOTS]; /* (size - 1) >> COARSE_SHIFT, up to BINNED_MAX */
    uint32_t stride[HAK_BINS];        /* 0 for classes that do not exist */
};

/* Constant after hak_sizeclass_init; all zero (class 0) before. */
extern struct hak_sizeclass_tables hak_sizeclasses;

void hak_sizeclass_init(void);

/* The class of a size above LINEAR_MAX and up to BINNED_MAX. */
HAK_INLINE hak_class_t hak_sizeclass_above_linear(size_t size) {
    return size <= HAK_FINE_MAX ? hak_sizeclasses.fine[(size - 1) >> HAK_FINE_SHIFT]
                                : hak_sizeclasses.coarse[(size - 1) >> HAK_COARSE_SHIFT];
}

/* The class of a size from 1 to BINNED_MAX. */
HAK_INLINE hak_class_t hak_sizeclass_of(size_t size) {
    return size <= HAK_LINEAR_MAX ? (hak_class_t)((size + HAK_ALIGN_BYTES - 1) >> HAK_ALIGN_SHIFT)
                                  : hak_sizeclass_above_linear(size);
}

HAK_INLINE uint32_t hak_sizeclass_stride(hak_class_t cls) {
    return hak_sizeclasses.stride[cls];
}

/* The smallest class of at least `size` bytes whose blocks are all aligned to `align`, a power of
 * two up to a slab; 0 when there is none. */
hak_class_t hak_sizeclass_aligned(size_t size, size_t align);

#endif
