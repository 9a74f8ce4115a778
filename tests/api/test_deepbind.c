/* SPDX-License-Identifier: MIT */
/*
 * test_deepbind.c [kept]: a program that opens a library with RTLD_DEEPBIND, with hakmem preloaded.
 * By default the library's malloc is hakmem's all the same. With `kept` (and HAKMEM_DEEPBIND=1) it
 * is libc's, and this program hands the library's blocks to hakmem's free, realloc and
 * malloc_usable_size.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "suite.h"

#include "deepbind_plugin.h"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>

#define PLUGIN "libhak-deepbind-plugin.so"

/* Through volatile pointers: the compiler must not pair the two allocators' calls. */
static void *(*volatile resize)(void *block, size_t size) = realloc;
static void (*volatile release)(void *block) = free;
static size_t (*volatile usable_size)(void *block) = malloc_usable_size;

static struct {
    void *(*malloc_address)(void);
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*memalign)(size_t alignment, size_t size);
    size_t (*usable_size)(void *block);
    size_t (*live_bytes)(void);
    int (*frees_what_libc_gives)(void);
} plugin;

static void find(void *library, const char *name, void *out) {
    void *address = dlsym(library, name);
    assert_non_null(address);
    memcpy(out, &address, sizeof(address));
}

/* By its name alone, which only this program's own run path finds: dlopen must know its caller. */
static int open_plugin(void **state) {
    (void)state;
    void *library = dlopen(PLUGIN, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (library == NULL) fail_msg("%s", dlerror());
    find(library, "plugin_malloc_address", (void *)&plugin.malloc_address);
    find(library, "plugin_malloc", (void *)&plugin.malloc);
    find(library, "plugin_calloc", (void *)&plugin.calloc);
    find(library, "plugin_memalign", (void *)&plugin.memalign);
    find(library, "plugin_usable_size", (void *)&plugin.usable_size);
    find(library, "plugin_live_bytes", (void *)&plugin.live_bytes);
    find(library, "plugin_frees_what_libc_gives", (void *)&plugin.frees_what_libc_gives);
    return 0;
}

static bool is_served_here(void) {
    void *(*function)(size_t) = malloc;
    void *address = plugin.malloc_address();
    return memcmp((void *)&function, (void *)&address, sizeof(address)) == 0;
}

/* ---- by default */

static void the_librarys_malloc_is_this_one(void **state) {
    (void)state;
    assert_true(is_served_here());
}

static void the_library_frees_what_libc_gives(void **state) {
    (void)state;
    assert_true(plugin.frees_what_libc_gives());
}

static void dlopen_still_refuses_and_finds_the_program(void **state) {
    (void)state;
    assert_null(dlopen("no such library.so", RTLD_NOW | RTLD_DEEPBIND));
    const char *error = dlerror();
    assert_non_null(error);
    assert_non_null(strstr(error, "no such library.so"));
    void *program = dlopen(NULL, RTLD_NOW);
    assert_non_null(program);
    assert_non_null(dlsym(program, "malloc"));
    assert_int_equal(dlclose(program), 0);
}

/* ---- kept */

/* The last is a mapping of its own whatever libc has learnt from the blocks before. */
static const size_t sizes[] = {1,     24,     100,    1000,    1024,    4000,
                               60000, 100000, 131072, 1 * MIB, 5000000, 40 * MIB};

/* The plugin's blocks in each way to allocate, `way` from 0 on; NULL after the last. */
static void *plugin_block(unsigned way, size_t size) {
    switch (way) {
    case 0:
        return plugin.malloc(size);
    case 1:
        return plugin.calloc(1, size);
    case 2:
        return plugin.memalign(64, size);
    case 3:
        return plugin.memalign(64 * KIB, size);
    default:
        return NULL;
    }
}
#define WAYS 4

static void the_librarys_malloc_is_libcs(void **state) {
    (void)state;
    assert_false(is_served_here());
}

static void usable_size_is_libcs(void **state) {
    (void)state;
    for (unsigned at = 0; at < COUNT_OF(sizes) * WAYS; at++) {
        void *block = plugin_block(at % WAYS, sizes[at / WAYS]);
        assert_non_null(block);
        assert_int_equal(usable_size(block), plugin.usable_size(block));
        assert_true(usable_size(block) >= sizes[at / WAYS]);
        release(block);
    }
}

static void free_gives_the_block_back_to_libc(void **state) {
    (void)state;
    const size_t before = plugin.live_bytes();
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned at = 0; at < COUNT_OF(sizes) * WAYS; at++) {
            const size_t size = sizes[at / WAYS];
            if (size > 100000 && round > 0) continue;
            void *block = plugin_block(at % WAYS, size);
            assert_non_null(block);
            memset(block, 0xa5, size < MIB ? size : MIB);
            errno = 4321;
            release(block);
            assert_int_equal(errno, 4321);
        }
    }
    /* What libc's thread caches keep counts as live there; the first round alone is 190 MB. */
    assert_true(plugin.live_bytes() < before + 16 * MIB);
}

static void realloc_moves_the_block_over(void **state) {
    (void)state;
    const size_t before = plugin.live_bytes();
    for (unsigned at = 0; at < COUNT_OF(sizes) * COUNT_OF(sizes); at++) {
        const size_t size = sizes[at / COUNT_OF(sizes)], wanted = sizes[at % COUNT_OF(sizes)];
        if (size > 5 * MIB || wanted > 5 * MIB) continue;
        void *block = plugin.malloc(size);
        pattern_write(block, size, at);
        void *moved = resize(block, wanted);
        assert_aligned(moved, 16);
        assert_ptr_not_equal(moved, block);
        assert_pattern(moved, size < wanted ? size : wanted, at);
        void *again = resize(moved, 2 * wanted); /* this allocator's own now */
        assert_pattern(again, size < wanted ? size : wanted, at);
        release(again);
    }
    assert_true(plugin.live_bytes() < before + 4 * MIB);
}

static void realloc_to_nothing_frees(void **state) {
    (void)state;
    const size_t before = plugin.live_bytes();
    for (unsigned i = 0; i < 1000; i++) {
        assert_null(resize(plugin.malloc(64 * KIB), 0));
    }
    assert_true(plugin.live_bytes() < before + MIB);
}

static void a_refused_realloc_leaves_the_block(void **state) {
    (void)state;
    char *block = plugin.malloc(300);
    pattern_write(block, 300, 7);
    assert_refused(ENOMEM, resize(block, (size_t)PTRDIFF_MAX + 1));
    assert_refused(ENOMEM, resize(block, (size_t)1 << 60));
    assert_pattern(block, 300, 7);
    release(block);
}

/* More than one of libc's heaps of a thread holds, in sizes that are no mappings of their own. */
#define MANY 2000

static void *allocate_many(void *blocks) {
    for (size_t i = 0; i < MANY; i++) {
        ((void **)blocks)[i] = plugin.malloc(i % 2 == 0 ? 100000 : 40);
    }
    return NULL;
}

static void another_threads_blocks_are_known(void **state) {
    (void)state;
    static void *blocks[MANY];
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, allocate_many, blocks), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (size_t i = 0; i < MANY; i++) {
        assert_non_null(blocks[i]);
        assert_int_equal(usable_size(blocks[i]), plugin.usable_size(blocks[i]));
        if (i % 3 == 0) {
            blocks[i] = resize(blocks[i], 200);
            assert_non_null(blocks[i]);
        }
        release(blocks[i]);
    }
}

/* Threads that pass libc's blocks round: what a block is told by is read while others change the
 * chunks beside it. */
#define RING_THREADS 4
#define RING_TURNS   30000
#define RING_PLACES  64

static _Atomic(void *) ring[RING_PLACES];

static void *pass_round(void *seed) {
    uint64_t random = (uint64_t)(uintptr_t)seed * 7919 + 1;
    for (unsigned turn = 0; turn < RING_TURNS; turn++) {
        const uint64_t dice = random_next(&random);
        const size_t size = turn % 64 == 0 ? 300 * KIB : dice % 3000 + 1;
        char *block = plugin.malloc(size);
        if (block == NULL) return NULL;
        memset(block, (int)dice, size);
        release(atomic_exchange(&ring[dice % RING_PLACES], block));
    }
    return seed;
}

static void threads_free_each_others_blocks(void **state) {
    (void)state;
    pthread_t threads[RING_THREADS];
    for (uintptr_t i = 0; i < RING_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, pass_round, (void *)(i + 1)), 0);
    }
    for (unsigned i = 0; i < RING_THREADS; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
    for (unsigned i = 0; i < RING_PLACES; i++) {
        release(ring[i]);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest by_default[] = {
        cmocka_unit_test(the_librarys_malloc_is_this_one),
        cmocka_unit_test(the_library_frees_what_libc_gives),
        cmocka_unit_test(dlopen_still_refuses_and_finds_the_program),
    };
    const struct CMUnitTest kept[] = {
        cmocka_unit_test(the_librarys_malloc_is_libcs),
        cmocka_unit_test(usable_size_is_libcs),
        cmocka_unit_test(free_gives_the_block_back_to_libc),
        cmocka_unit_test(realloc_moves_the_block_over),
        cmocka_unit_test(realloc_to_nothing_frees),
        cmocka_unit_test(a_refused_realloc_leaves_the_block),
        cmocka_unit_test(another_threads_blocks_are_known),
        cmocka_unit_test(threads_free_each_others_blocks),
    };
    if (argc > 1 && strcmp(argv[1], "kept") == 0) {
        return cmocka_run_group_tests(kept, open_plugin, NULL);
    }
    return cmocka_run_group_tests(by_default, open_plugin, NULL);
}
