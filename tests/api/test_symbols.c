/* SPDX-License-Identifier: MIT */
/*
 * test_symbols.c: the libc names as a preloaded program finds them: that the library under test
 * serves each of them, the names that no header of this libc declares (free_sized,
 * free_aligned_sized, cfree, __libc_*), and libc functions that hand out blocks of malloc. Where
 * LD_PRELOAD is empty the tests that need the library are skipped.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/api/names.h"
#include "tests/api/suite.h"

#include <dlfcn.h>

static const char *preloaded_file(void) {
    const char *path = getenv("LD_PRELOAD");
    if (path == NULL || path[0] == '\0') return NULL;
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* The last part of the name of the file that serves this symbol; NULL when nobody does. */
static const char *serving_file(const char *symbol) {
    void *address = dlsym(RTLD_DEFAULT, symbol);
    Dl_info info;
    if (address == NULL || dladdr(address, &info) == 0) return NULL;
    const char *slash = strrchr(info.dli_fname, '/');
    return slash == NULL ? info.dli_fname : slash + 1;
}

/* Stores the function of this name behind `out`, or skips the test when there is no library. */
static void find_function(const char *symbol, void *out) {
    void *address = dlsym(RTLD_DEFAULT, symbol);
    if (address == NULL && preloaded_file() == NULL) skip();
    assert_non_null(address);
    memcpy(out, &address, sizeof(address));
}

static const char *const served[] = {
    "malloc", "free", "calloc", "realloc", "aligned_alloc", "memalign", "posix_memalign", "valloc",
    "pvalloc", "malloc_usable_size", "free_sized", "free_aligned_sized", "cfree", "malloc_trim",
    "mallinfo", "mallinfo2", "malloc_stats", "malloc_info", "mallopt", "__libc_malloc",
    "__libc_free", "__libc_calloc", "__libc_realloc", "__libc_memalign", "__libc_valloc",
    "__libc_pvalloc", "__posix_memalign",
    /* operator new, new[]: plain, nothrow, aligned, aligned nothrow */
    "_Znwm", "_Znam", "_ZnwmRKSt9nothrow_t", "_ZnamRKSt9nothrow_t", "_ZnwmSt11align_val_t",
    "_ZnamSt11align_val_t", "_ZnwmSt11align_val_tRKSt9nothrow_t",
    "_ZnamSt11align_val_tRKSt9nothrow_t",
    /* operator delete, delete[]: plain, sized, nothrow, aligned, aligned nothrow, sized aligned */
    "_ZdlPv", "_ZdaPv", "_ZdlPvm", "_ZdaPvm", "_ZdlPvRKSt9nothrow_t", "_ZdaPvRKSt9nothrow_t",
    "_ZdlPvSt11align_val_t", "_ZdaPvSt11align_val_t", "_ZdlPvSt11align_val_tRKSt9nothrow_t",
    "_ZdaPvSt11align_val_tRKSt9nothrow_t", "_ZdlPvmSt11align_val_t", "_ZdaPvmSt11align_val_t"};

static void the_preloaded_library_serves_every_name(void **state) {
    (void)state;
    const char *wanted = preloaded_file();
    if (wanted == NULL) skip();
    for (size_t i = 0; i < COUNT_OF(served); i++) {
        const char *file = serving_file(served[i]);
        if (file == NULL || strcmp(file, wanted) != 0) {
            fail_msg("%s is served by %s, not by %s", served[i], file == NULL ? "nobody" : file,
                     wanted);
        }
    }
}

static void names_that_stay_with_libc_are_not_served(void **state) {
    (void)state;
    static const char *const left[] = {"reallocarray", "strdup", "strndup", "getline", "asprintf"};
    const char *wanted = preloaded_file();
    if (wanted == NULL) skip();
    for (size_t i = 0; i < COUNT_OF(left); i++) {
        const char *file = serving_file(left[i]);
        assert_non_null(file);
        assert_string_not_equal(file, wanted);
    }
}

static void free_sized_returns_blocks(void **state) {
    (void)state;
    void (*free_sized)(void *, size_t) = NULL;
    find_function("free_sized", (void *)&free_sized);
    const size_t before = statm_bytes(1);
    for (size_t i = 0; i < 60000; i++) {
        const size_t size = i % 5000;
        void *block = mem.malloc(size);
        assert_non_null(block);
        memset(block, 1, size);
        free_sized(block, size);
    }
    assert_true(statm_bytes(1) < before + 16 * MIB);
}

static void free_sized_takes_null_and_keeps_errno(void **state) {
    (void)state;
    void (*free_sized)(void *, size_t) = NULL;
    void (*free_aligned_sized)(void *, size_t, size_t) = NULL;
    find_function("free_sized", (void *)&free_sized);
    find_function("free_aligned_sized", (void *)&free_aligned_sized);
    void *small = mem.malloc(40);
    void *large = mem.aligned_alloc(64, 3000000);
    errno = 4321;
    free_sized(NULL, 0);
    free_sized(NULL, 100);
    free_aligned_sized(NULL, 64, 100);
    free_sized(small, 40);
    free_aligned_sized(large, 64, 3000000);
    const int after = errno;
    assert_int_equal(after, 4321);
}

static void free_aligned_sized_returns_blocks(void **state) {
    (void)state;
    void (*free_aligned_sized)(void *, size_t, size_t) = NULL;
    find_function("free_aligned_sized", (void *)&free_aligned_sized);
    for (size_t alignment = 8; alignment <= 64 * KIB; alignment *= 2) {
        for (size_t size = 0; size < 200000; size = size * 3 + 1) {
            void *block = mem.aligned_alloc(alignment, size);
            assert_aligned(block, alignment);
            free_aligned_sized(block, alignment, size);
        }
    }
}

static void free_sized_does_not_trust_the_size(void **state) {
    (void)state;
    enum { BLOCKS = 64 };
    static const size_t claims[] = {0, 1, 16, 1000, 70000, 5000000, SIZE_MAX};
    void (*free_sized)(void *, size_t) = NULL;
    void (*free_aligned_sized)(void *, size_t, size_t) = NULL;
    find_function("free_sized", (void *)&free_sized);
    find_function("free_aligned_sized", (void *)&free_aligned_sized);
    for (size_t claim = 0; claim < COUNT_OF(claims); claim++) {
        for (size_t size = 8; size < 200000; size = size * 5 + 3) {
            void *blocks[BLOCKS];
            free_sized(mem.malloc(size), claims[claim]);
            free_aligned_sized(mem.malloc(size), 4096, claims[claim]);
            for (unsigned i = 0; i < BLOCKS; i++) {
                blocks[i] = mem.malloc(size);
                assert_non_null(blocks[i]);
                pattern_write(blocks[i], size, i);
            }
            for (unsigned i = 0; i < BLOCKS; i++) {
                assert_pattern(blocks[i], size, i);
                mem.free(blocks[i]);
            }
        }
    }
}

static void cfree_returns_blocks(void **state) {
    (void)state;
    void (*cfree_function)(void *) = NULL;
    if (preloaded_file() == NULL) skip();
    find_function("cfree", (void *)&cfree_function);
    const size_t before = statm_bytes(1);
    for (int i = 0; i < 30000; i++) {
        void *block = mem.malloc(3000);
        assert_non_null(block);
        memset(block, 1, 3000);
        cfree_function(block);
    }
    cfree_function(NULL);
    assert_true(statm_bytes(1) < before + 16 * MIB);
}

static void libc_internal_names_mix_with_the_plain_ones(void **state) {
    (void)state;
    void *(*libc_malloc)(size_t) = NULL;
    void *(*libc_calloc)(size_t, size_t) = NULL;
    void *(*libc_realloc)(void *, size_t) = NULL;
    void *(*libc_memalign)(size_t, size_t) = NULL;
    void *(*libc_valloc)(size_t) = NULL;
    void *(*libc_pvalloc)(size_t) = NULL;
    void (*libc_free)(void *) = NULL;
    find_function("__libc_malloc", (void *)&libc_malloc);
    find_function("__libc_calloc", (void *)&libc_calloc);
    find_function("__libc_realloc", (void *)&libc_realloc);
    find_function("__libc_memalign", (void *)&libc_memalign);
    find_function("__libc_valloc", (void *)&libc_valloc);
    find_function("__libc_pvalloc", (void *)&libc_pvalloc);
    find_function("__libc_free", (void *)&libc_free);
    for (size_t size = 1; size < 300000; size = size * 2 + 1) {
        void *block = libc_malloc(size);
        assert_non_null(block);
        pattern_write(block, size, 2);
        block = mem.realloc(block, size * 2);
        assert_pattern(block, size, 2);
        libc_free(block);
        block = libc_realloc(mem.malloc(size), size + 100);
        assert_true(mem.usable_size(block) >= size + 100);
        mem.free(block);
        block = libc_calloc(size, 2);
        assert_zeros(block, size * 2);
        mem.free(block);
        block = libc_memalign(512, size);
        assert_aligned(block, 512);
        mem.free(block);
        mem.free(libc_valloc(size));
        mem.free(libc_pvalloc(size));
    }
}

static void internal_posix_memalign_obeys_the_same_rules(void **state) {
    (void)state;
    int (*internal)(void **, size_t, size_t) = NULL;
    if (preloaded_file() == NULL) skip();
    find_function("__posix_memalign", (void *)&internal);
    void *out = NULL;
    assert_int_equal(internal(&out, 3, 100), EINVAL);
    assert_null(out);
    assert_int_equal(internal(&out, 256, 100), 0);
    assert_aligned(out, 256);
    mem.free(out);
}

static void reallocarray_of_libc_refuses_products_that_wrap(void **state) {
    (void)state;
    void *(*volatile resize)(void *, size_t, size_t) = reallocarray;
    void *block = mem.malloc(100);
    assert_non_null(block);
    pattern_write(block, 100, 3);
    assert_refused(ENOMEM, resize(block, SIZE_MAX / 2, 3));
    assert_refused(ENOMEM, resize(block, (size_t)1 << 32, (size_t)1 << 32));
    assert_refused(ENOMEM, resize(block, (size_t)PTRDIFF_MAX, 1));
    assert_refused(ENOMEM, resize(NULL, SIZE_MAX, 16));
    assert_pattern(block, 100, 3);
    mem.free(block);
}

static void reallocarray_of_libc_resizes_our_blocks(void **state) {
    (void)state;
    void *(*volatile resize)(void *, size_t, size_t) = reallocarray;
    void *block = mem.malloc(1000);
    assert_non_null(block);
    pattern_write(block, 1000, 3);
    block = resize(block, 1000, 100);
    assert_non_null(block);
    assert_pattern(block, 1000, 3);
    assert_true(mem.usable_size(block) >= 100000);
    mem.free(block);
}

static void blocks_of_libc_functions_are_ours(void **state) {
    (void)state;
    static const char text[] = "a line of text that is longer than a tiny block would be";
    char *copy = strdup(text);
    assert_non_null(copy);
    assert_true(mem.usable_size(copy) >= sizeof(text));
    copy = mem.realloc(copy, 5000);
    assert_string_equal(copy, text);
    mem.free(copy);
    char *printed = NULL;
    assert_int_equal(asprintf(&printed, "%s/%0200d", text, 7), (int)sizeof(text) + 200);
    assert_true(mem.usable_size(printed) >= sizeof(text) + 200);
    mem.free(printed);
    FILE *file = tmpfile();
    assert_non_null(file);
    for (int i = 0; i < 30000; i++) {
        assert_int_equal(fputc('a' + i % 26, file), 'a' + i % 26);
    }
    rewind(file);
    char *line = mem.malloc(1);
    size_t line_bytes = 1;
    assert_int_equal(getline(&line, &line_bytes, file), 30000);
    assert_true(mem.usable_size(line) >= line_bytes);
    mem.free(line);
    assert_int_equal(fclose(file), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_preloaded_library_serves_every_name),
        cmocka_unit_test(names_that_stay_with_libc_are_not_served),
        cmocka_unit_test(free_sized_returns_blocks),
        cmocka_unit_test(free_sized_takes_null_and_keeps_errno),
        cmocka_unit_test(free_aligned_sized_returns_blocks),
        cmocka_unit_test(free_sized_does_not_trust_the_size),
        cmocka_unit_test(cfree_returns_blocks),
        cmocka_unit_test(libc_internal_names_mix_with_the_plain_ones),
        cmocka_unit_test(internal_posix_memalign_obeys_the_same_rules),
        cmocka_unit_test(reallocarray_of_libc_refuses_products_that_wrap),
        cmocka_unit_test(reallocarray_of_libc_resizes_our_blocks),
        cmocka_unit_test(blocks_of_libc_functions_are_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
