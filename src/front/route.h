/* SPDX-License-Identifier: MIT */
/*
 * route.h: who serves a request. The one place that decides: malloc, calloc, realloc, the aligned
 * verbs and good_size ask here. The fast path of malloc (fast.h) is its short form for sizes that
 * have a bin: where the two differ, the bin stays empty.
 */
#ifndef HAK_FRONT_ROUTE_H
#define HAK_FRONT_ROUTE_H

#include "src/base/bits.h"
#include "src/contract/slots.h"
#include "src/os/os.h"

struct hak_route {
    enum hak_owner owner;
    hak_class_t cls;     /* of the bin that such blocks come from; 0: from the tier itself */
    size_t usable_bytes; /* of such a block; the big tier's may have more */
};

/* Blocks cut from slabs. */
HAK_INLINE bool hak_route_is_slab(const struct hak_route *route) {
    return route->owner == HAK_OWNER_TINY || route->owner == HAK_OWNER_MID;
}

/* `size` is 1 to PTRDIFF_MAX, `align` a power of two; after hak_init. A size without a class of
 * slabs that is aligned so is a whole span, if it is small enough and there is a tier for them; one
 * of a span class at a usual alignment is kept in the thread's bins. */
HAK_INLINE struct hak_route hak_route(size_t size, size_t align) {
    size_t slabs_max = hak_bins_size_max();
    bool is_usual = align <= HAK_ALIGN_BYTES;
    if (size <= slabs_max && align <= HAK_SLAB_BYTES) {
        hak_class_t cls = is_usual ? hak_sizeclass_of(size) : hak_sizeclass_aligned(size, align);
        size_t stride = hak_sizeclass_stride(cls);
        if (cls != 0 && stride <= slabs_max) {
            enum hak_owner owner = cls <= HAK_TINY_CLASSES ? HAK_OWNER_TINY : HAK_OWNER_MID;
            return (struct hak_route){owner, cls, stride};
        }
    }
    if (size <= hak_l25_size_max() && align <= HAK_SPAN_BYTES_MAX) {
        bool has_bin = size > HAK_MID_MAX && align <= HAK_SLAB_BYTES;
        hak_class_t cls = has_bin ? hak_sizeclass_of(size) : 0;
        size_t bytes = has_bin ? hak_sizeclass_stride(cls) : hak_round_up(size, HAK_SLAB_BYTES);
        return (struct hak_route){HAK_OWNER_L25, cls, bytes};
    }
    return (struct hak_route){HAK_OWNER_BIG, 0, hak_round_up(size, hak_os_page_bytes())};
}

#endif
