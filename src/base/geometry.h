/* SPDX-License-Identifier: MIT */
/*
 * geometry.h: every size and count that the layout of memory depends on; the only place for them.
 *
 * Included by all tiers. A relation between two constants stands beside them as a static assertion
 * whose message says what would go wrong. What may be tuned without touching the layout is in
 * tunables.h.
 */
#ifndef HAK_BASE_GEOMETRY_H
#define HAK_BASE_GEOMETRY_H

#include "src/base/attrs.h"

#include <stddef.h>
#include <stdint.h>

/* Alignment of every block, whatever its size. */
#define HAK_ALIGN_SHIFT 4
#define HAK_ALIGN_BYTES ((size_t)1 << HAK_ALIGN_SHIFT)

/* A slab is the unit of the tag map: one entry a slab-sized piece of the address window. */
#define HAK_SLAB_SHIFT 16
#define HAK_SLAB_BYTES ((size_t)1 << HAK_SLAB_SHIFT)

/* A superslab is an aligned region of slabs. All of them hold data: metadata lies elsewhere, so
 * that slab 0 has the same offset (0), stride and capacity as every other. */
#define HAK_SUPERSLAB_SHIFT 21
#define HAK_SUPERSLAB_BYTES ((size_t)1 << HAK_SUPERSLAB_SHIFT)
#define HAK_SUPERSLAB_SLABS (HAK_SUPERSLAB_BYTES / HAK_SLAB_BYTES)
_Static_assert(HAK_SUPERSLAB_SLABS == 32, "a superslab's free slabs are the bits of one uint32_t");

/* Runs of slabs are found by order: 2^0 .. 2^5 slabs. */
#define HAK_SUPERSLAB_ORDERS 6
_Static_assert((size_t)1 << (HAK_SUPERSLAB_ORDERS - 1) == HAK_SUPERSLAB_SLABS,
               "the highest order is a whole superslab");

/* The largest span that a superslab serves; larger ones get mappings of their own. */
#define HAK_SPAN_BYTES_MAX ((size_t)1 << 20)
#define HAK_SPAN_SLABS_MAX (HAK_SPAN_BYTES_MAX / HAK_SLAB_BYTES)
_Static_assert(HAK_SPAN_BYTES_MAX <= HAK_SUPERSLAB_BYTES, "a span lies within one superslab");

/* Blocks of one slab, at the smallest stride; and the words of its bitmaps. */
#define HAK_SLAB_BLOCKS_MAX ((size_t)1 << 12)
#define HAK_WORD_BITS       64
#define HAK_WORD_SHIFT      6
#define HAK_SLAB_WORDS_MAX  (HAK_SLAB_BLOCKS_MAX / HAK_WORD_BITS)
_Static_assert(HAK_SLAB_BLOCKS_MAX == HAK_SLAB_BYTES / HAK_ALIGN_BYTES, "bitmaps cover a slab");
_Static_assert(HAK_SLAB_WORDS_MAX <= 64, "a slab's summary of remote words is one uint64_t");

/* Size classes (sizeclass.h): linear by 16 up to LINEAR_MAX, then a table of strides. Blocks up to
 * MID_MAX are cut from slabs; above, a block is a whole span. */
#define HAK_TINY_MAX     ((size_t)1024)
#define HAK_LINEAR_MAX   ((size_t)1088)
#define HAK_MID_MAX      ((size_t)1 << 16)
#define HAK_BINNED_MAX   ((size_t)1 << 20)
#define HAK_LINEAR_BINS  (HAK_LINEAR_MAX / HAK_ALIGN_BYTES)
#define HAK_TABLE_SLABS  54
#define HAK_TABLE_SPANS  11
#define HAK_TABLE_BINS   (HAK_TABLE_SLABS + HAK_TABLE_SPANS)
#define HAK_TINY_CLASSES (HAK_TINY_MAX / HAK_ALIGN_BYTES)
#define HAK_SLAB_CLASSES (1 + HAK_LINEAR_BINS + HAK_TABLE_SLABS) /* classes below it have slabs */
#define HAK_CLASSES      (HAK_SLAB_CLASSES + HAK_TABLE_SPANS)

/* The table of strides is looked up by 64 bytes up to FINE_MAX, by 512 above. */
#define HAK_FINE_SHIFT   6
#define HAK_FINE_MAX     ((size_t)8192)
#define HAK_FINE_SLOTS   (HAK_FINE_MAX >> HAK_FINE_SHIFT)
#define HAK_COARSE_SHIFT 9
#define HAK_COARSE_SLOTS (HAK_BINNED_MAX >> HAK_COARSE_SHIFT)
_Static_assert(HAK_BINNED_MAX <= HAK_SPAN_BYTES_MAX, "the largest block in a bin is a span");
_Static_assert(HAK_LINEAR_MAX % ((size_t)1 << HAK_FINE_SHIFT) == 0, "no slot straddles the ranges");

/* Tiny classes up to HOT_MAX are the hot ones (the first four of an eight-class layout). */
#define HAK_HOT_MAX ((size_t)128)

/* A bin is 16 bytes in every refill module, so that a tag holds the bin's byte offset. */
#define HAK_BIN_SHIFT 4
#define HAK_BIN_BYTES ((size_t)1 << HAK_BIN_SHIFT)

/* Tag: heap id << TAG_SHIFT | bin offset. 0 is "no small block here". */
#define HAK_TAG_SHIFT      12
#define HAK_TAG_OFFSETS    ((uint32_t)1 << HAK_TAG_SHIFT)
#define HAK_BINS           (HAK_TAG_OFFSETS >> HAK_BIN_SHIFT)
#define HAK_BIN_OFFSET_MAX ((uint32_t)((HAK_CLASSES - 1) * HAK_BIN_BYTES))
_Static_assert(HAK_CLASSES <= HAK_BINS, "a bin's offset would run into the heap id of its tag");
_Static_assert(HAK_BIN_BYTES == HAK_ALIGN_BYTES, "linear classes: a rounded size is a bin offset");
#define HAK_HEAP_ID_MAX    (UINT32_MAX >> HAK_TAG_SHIFT)
#define HAK_HEAP_ID_NONE   HAK_HEAP_ID_MAX       /* of threads without a heap: matches no tag */
#define HAK_HEAP_ID_ORPHAN (HAK_HEAP_ID_MAX - 1) /* of slabs without a heap */

/* The address window that spans are placed in (meta/tagmap.h): from WINDOW_BASE up, 2^44 bytes at
 * most, and a quarter of the address space where that is small. Its first part is left alone:
 * non-PIE programs and MAP_32BIT want it. The first span lies at random in the START_BYTES behind
 * it: the map begins at the window's base, so a larger range would cost each process a larger map.
 * Under ASan and TSan everything lies in the memory that they leave to the program. */
#define HAK_WINDOW_BASE        (HAK_UNDER_ASAN ? (uintptr_t)1 << 45 : (uintptr_t)0)
#define HAK_WINDOW_SHIFT_MAX   (HAK_UNDER_TSAN ? 38 : 44)
#define HAK_WINDOW_SHIFT_MIN   34
#define HAK_WINDOW_SKIP_BYTES  ((uintptr_t)1 << 32)
#define HAK_WINDOW_START_BYTES ((uintptr_t)1 << 32)
_Static_assert(((uintptr_t)1 << HAK_WINDOW_SHIFT_MIN) >
                   HAK_WINDOW_SKIP_BYTES + HAK_WINDOW_START_BYTES,
               "the smallest window has room behind its first span");

/* The tag map and the table of span headers grow in place, at an address chosen at random where
 * nothing else is placed: the second quarter of the address space. */
#define HAK_REGION_BASE(address_shift)                                                             \
    (HAK_UNDER_ASAN   ? ((uintptr_t)1 << 45) + ((uintptr_t)1 << 44)                                \
     : HAK_UNDER_TSAN ? (uintptr_t)1 << 38                                                         \
                      : (uintptr_t)1 << ((address_shift)-2))
#define HAK_REGION_BYTES(address_shift)                                                            \
    ((uintptr_t)1 << (HAK_UNDER_ASAN ? 44 : HAK_UNDER_TSAN ? 38 : (address_shift)-2))
#define HAK_REGION_STEP_BYTES ((size_t)1 << 16) /* the least that one grows by */

/* Metadata: every span has a header of this size, recycled only as a span header, so that a late
 * reader of a released span finds the fields of another span, never other data. */
#define HAK_SPAN_META_BYTES ((size_t)128)
/* Where late senders of a slab still write (meta/remote.c): whatever a header is used for, this
 * part of it belongs to them. */
#define HAK_SPAN_LATE_OFFSET ((size_t)64)
#define HAK_SPAN_LATE_BYTES  ((size_t)32)
#define HAK_META_UNIT_SHIFT  6
#define HAK_META_UNIT_BYTES  ((size_t)1 << HAK_META_UNIT_SHIFT)
#define HAK_META_CHUNK_BYTES                                                                       \
    ((size_t)1 << 18) /* address space taken at a time; pages on demand                            \
                       */

/* Page size assumed where the kernel gives none; never used for a decision that must be right. */
#define HAK_PAGE_BYTES_DEFAULT ((size_t)1 << 12)

/* Cache line: owner-only and shared data of one object never share one. */
#define HAK_LINE_SHIFT 6
#define HAK_LINE_BYTES ((size_t)1 << HAK_LINE_SHIFT)

#endif
