/* SPDX-License-Identifier: MIT */
/*
 * test_faults.c: ten faults planted in the allocator (src/base/fault.h), in a build with
 * guards=audit: each ends the process, with the assertion or the audit that names it, in the file
 * where it happens. Without the fault the same calls pass.
 */
#include "tests/unit/dies.h"

#include "include/hakmem.h"
#include "src/base/check.h"

#include <pthread.h>

enum hak_fault hak_fault_planted;

#define BLOCKS 4096u
static void *blocks[BLOCKS];

static void take_a_block(void) {
    blocks[0] = hak_malloc(64);
}

/* Several slabs of a class become empty, more than one of which is spare. */
static void empty_slabs(void) {
    for (unsigned i = 0; i < BLOCKS; i++)
        blocks[i] = hak_malloc(256);
    for (unsigned i = 0; i < BLOCKS; i++)
        hak_free(blocks[i]);
    hak_purge();
}

static void *free_a_block(void *block) {
    hak_free(block);
    return NULL; /* the end posts it */
}

static void free_by_another_thread(void) {
    pthread_t thread;
    take_a_block();
    if (pthread_create(&thread, NULL, free_a_block, blocks[0]) != 0) _exit(1);
    pthread_join(thread, NULL);
}

/* Three kept mappings, of which the second is used again: the newest is in no bucket. */
static void reuse_big_blocks(void) {
    for (unsigned i = 0; i < 3; i++)
        blocks[i] = hak_malloc(3 * MIB / 2);
    for (unsigned i = 0; i < 3; i++)
        hak_free(blocks[i]);
    for (unsigned i = 0; i < 2; i++)
        blocks[i] = hak_malloc(3 * MIB / 2);
}

static const struct {
    enum hak_fault fault;
    void (*body)(void);
    const char *file, *claim;
} faults[] = {
    {HAK_FAULT_HEAP_UNCOUNTED, take_a_block, "src/meta/heap.c:", "bytes of all slabs"},
    {HAK_FAULT_HEAP_LISTED, empty_slabs, "src/meta/slab.c:", "!slab->is_listed"},
    {HAK_FAULT_REMOTE_PUSH, free_by_another_thread,
     "src/meta/remote.c:", "atomic_load(&slab->pending) == 1"},
    {HAK_FAULT_REMOTE_BITS, free_by_another_thread,
     "src/meta/remote.c:", "!hak_remote_add(heap, block)"},
    {HAK_FAULT_SUPPLY_ROOM, take_a_block,
     "src/supply/room.c:", "audit: the room of the bins is summed up"},
    {HAK_FAULT_SUPPLY_EXTRA, take_a_block,
     "src/supply/slabs.c:", "audit: a block in a bin is in use in its slab"},
    {HAK_FAULT_SPANS_TAKEN, take_a_block, "tiers/superslab/groups.c:", "free & mask) == 0"},
    {HAK_FAULT_SPANS_MAP, empty_slabs,
     "tiers/superslab/superslab.c:", "hak_tagmap_span(base) == NULL"},
    {HAK_FAULT_BIGCACHE_BUCKET, reuse_big_blocks, "tiers/bigcache/kept.h:", "!kept->is_hashed"},
    {HAK_FAULT_BIGCACHE_BYTES, reuse_big_blocks,
     "tiers/bigcache/bigcache.c:", "bigcache: bytes kept"},
};

static void each_planted_fault_is_named_where_it_happens(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        hak_fault_planted = faults[i].fault;
        assert_dies(faults[i].body, faults[i].file);
        assert_dies(faults[i].body, faults[i].claim);
    }
    hak_fault_planted = HAK_FAULT_NONE;
}

static void without_a_fault_the_same_calls_pass(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        char text[512];
        const int status = status_of(faults[i].body, text, sizeof text);
        if (status != 0) fail_msg("%zu: %s", i, text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_fault_the_same_calls_pass),
        cmocka_unit_test(each_planted_fault_is_named_where_it_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
