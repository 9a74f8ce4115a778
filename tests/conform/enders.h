/* SPDX-License-Identifier: MIT */
/*
 * enders.h: threads that end, for the tests of what they leave.
 */
#ifndef HAK_TESTS_CONFORM_ENDERS_H
#define HAK_TESTS_CONFORM_ENDERS_H

#include "tests/conform/conform.h"

#include <limits.h>
#include <sys/wait.h>

#define BATCH_MAX ((size_t)4096)

/* Blocks of one class on their way between threads. */
struct batch {
    hak_class_t cls;
    size_t count;
    void *blocks[BATCH_MAX];
    struct hak_tcache *taker; /* the cache that they were taken from */
};

static struct batch batch, other;

/* As many as fill a slab and begin another. */
static inline void plan(struct batch *out, hak_class_t cls) {
    const size_t whole = hak_slab_span_bytes(cls) / hak_sizeclass_stride(cls) + 3;
    out->cls = cls;
    out->count = whole < BATCH_MAX ? whole : BATCH_MAX;
}

static inline void *take_batch(void *argument) {
    struct batch *own = argument;
    own->taker = this_cache();
    for (size_t i = 0; i < own->count; i++) {
        own->blocks[i] = take_block(own->taker, own->cls);
        require(own->blocks[i] != NULL);
        require(shadow_add(own->blocks[i], hak_sizeclass_stride(own->cls)));
        pattern_write(own->blocks[i], hak_sizeclass_stride(own->cls), (unsigned)i);
    }
    return NULL;
}

static inline void *free_batch(void *argument) {
    struct batch *own = argument;
    const uint32_t stride = hak_sizeclass_stride(own->cls);
    for (size_t i = 0; i < own->count; i++) {
        require(pattern_find_damage(own->blocks[i], stride, (unsigned)i) == stride);
        require(shadow_remove(own->blocks[i]));
        hak_free(own->blocks[i]);
    }
    return NULL;
}

static inline void *free_and_post_batch(void *argument) {
    free_batch(argument);
    hak_thread_flush(this_cache());
    return NULL;
}

static inline bool holds_block(const struct batch *in, const void *block) {
    for (size_t i = 0; i < in->count; i++) {
        if (in->blocks[i] == block) return true;
    }
    return false;
}

static inline size_t count_common(const struct batch *a, const struct batch *b) {
    size_t count = 0;
    for (size_t i = 0; i < b->count; i++) {
        if (holds_block(a, b->blocks[i])) count++;
    }
    return count;
}

#endif
