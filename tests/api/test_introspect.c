/* SPDX-License-Identifier: MIT */
/*
 * test_introspect.c: what a program may ask the allocator about itself by libc's names: mallopt,
 * mallinfo, mallinfo2, malloc_info, malloc_stats and malloc_trim.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/api/names.h"
#include "tests/api/suite.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>

static size_t live_bytes(void) {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void mallopt_accepts_the_known_parameters(void **state) {
    (void)state;
    assert_int_equal(mallopt(M_MXFAST, 64), 1);
    assert_int_equal(mallopt(M_TRIM_THRESHOLD, 1 << 20), 1);
    assert_int_equal(mallopt(M_MMAP_THRESHOLD, 1 << 20), 1);
    assert_int_equal(mallopt(M_ARENA_MAX, 4), 1);
    assert_int_equal(mallopt(M_PERTURB, 0), 1);
}

static void mallopt_refuses_unknown_parameters(void **state) {
    (void)state;
    assert_int_equal(mallopt(123456, 1), 0);
    assert_int_equal(mallopt(-123456, 1), 0);
}

static void *grown[20000];

static void grow_small(void) {
    for (size_t i = 0; i < COUNT_OF(grown); i++) {
        grown[i] = mem.malloc(160);
        assert_non_null(grown[i]);
        memset(grown[i], 1, 160);
    }
}

static void shrink_small(void) {
    for (size_t i = 0; i < COUNT_OF(grown); i++) {
        mem.free(grown[i]);
        grown[i] = NULL;
    }
}

static void mallinfo2_counts_small_live_bytes(void **state) {
    (void)state;
    const size_t total = COUNT_OF(grown) * 160;
    const size_t before = mallinfo2().uordblks;
    grow_small();
    const size_t during = mallinfo2().uordblks;
    shrink_small();
    const size_t after = mallinfo2().uordblks;
    assert_true(during >= before + total - 64 * KIB);
    assert_true(during <= before + total + total / 2);
    assert_true(after <= during - total / 2);
}

/* With nothing in the thread's cache, nor kept. */
static struct mallinfo2 trimmed_mallinfo2(void) {
    malloc_trim(0);
    return mallinfo2();
}

static void mallinfo2_counts_free_blocks(void **state) {
    (void)state;
    const size_t freed = COUNT_OF(grown) / 2;
    grow_small();
    const struct mallinfo2 before = trimmed_mallinfo2();
    for (size_t i = 0; i < COUNT_OF(grown); i += 2) {
        mem.free(grown[i]);
        grown[i] = NULL;
    }
    const struct mallinfo2 during = trimmed_mallinfo2();
    shrink_small();
    assert_int_equal(during.ordblks, before.ordblks + freed);
    assert_int_equal(during.uordblks, before.uordblks - freed * 160);
    assert_true(during.fordblks >= freed * 160);
}

static void mallinfo2_sums_agree(void **state) {
    (void)state;
    grow_small();
    shrink_small();
    const struct mallinfo2 info = mallinfo2();
    assert_int_equal(info.arena, info.uordblks + info.fordblks);
    assert_true(info.ordblks >= 1);
    assert_true(info.keepcost > 0 && info.keepcost <= info.fordblks);
    assert_int_equal(info.smblks, 0); /* there are no fast bins */
    assert_int_equal(info.fsmblks, 0);
}

static void keepcost_is_what_malloc_trim_gives_back(void **state) {
    (void)state;
    grow_small();
    shrink_small();
    assert_true(mallinfo2().keepcost > 0);
    assert_int_equal(malloc_trim(0), 1);
    assert_int_equal(mallinfo2().keepcost, 0);
}

static void mallinfo2_counts_large_live_bytes(void **state) {
    (void)state;
    const size_t before = live_bytes();
    void *blocks[8];
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        blocks[i] = mem.malloc(3 * MIB);
        assert_non_null(blocks[i]);
    }
    const size_t during = live_bytes();
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        mem.free(blocks[i]);
    }
    assert_true(during >= before + 24 * MIB);
    assert_true(during <= before + 40 * MIB);
    assert_true(live_bytes() <= before + 8 * MIB);
}

static void mallinfo_saturates_instead_of_wrapping(void **state) {
    (void)state;
    struct mallinfo (*old_mallinfo)(void) = NULL;
    void *address = dlsym(RTLD_DEFAULT, "mallinfo");
    assert_non_null(address);
    memcpy((void *)&old_mallinfo, &address, sizeof(address));
    void *huge = mem.malloc(5 * GIB);
    if (huge == NULL) skip(); /* a machine with less address space than that */
    const struct mallinfo info = old_mallinfo();
    mem.free(huge);
    assert_true(info.arena >= 0);
    assert_true(info.hblkhd >= 0);
    assert_true(info.uordblks >= 0);
    assert_true(info.fordblks >= 0);
    assert_true(info.ordblks >= 0);
    assert_true(info.keepcost >= 0);
    assert_true(info.hblkhd == INT_MAX || info.uordblks == INT_MAX);
}

static void malloc_info_writes_xml(void **state) {
    (void)state;
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *file = open_memstream(&text, &text_bytes);
    assert_non_null(file);
    const int result = malloc_info(0, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(result, 0);
    assert_int_equal(strncmp(text, "<malloc", 7), 0);
    assert_non_null(strstr(text, "</malloc>"));
    mem.free(text);
}

/* The number behind `name="` in the element of this type; SIZE_MAX where there is none. */
static size_t xml_number(const char *xml, const char *type, const char *name) {
    const char *at = strstr(xml, type);
    if (at != NULL) at = strstr(at, name);
    return at == NULL ? SIZE_MAX : strtoul(at + strlen(name), NULL, 10);
}

static void malloc_info_says_what_mallinfo2_does(void **state) {
    (void)state;
    static char text[4096];
    FILE *file = fmemopen(text, sizeof text, "w");
    assert_non_null(file);
    grow_small();
    shrink_small();
    fputs("\n", file); /* the stream has what it allocates */
    const struct mallinfo2 info = mallinfo2();
    const int result = malloc_info(0, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(result, 0);
    assert_int_equal(xml_number(text, "type=\"rest\"", "count=\""), info.ordblks);
    assert_int_equal(xml_number(text, "type=\"rest\"", "size=\""), info.fordblks);
    assert_int_equal(xml_number(text, "type=\"mmap\"", "count=\""), info.hblks);
    assert_int_equal(xml_number(text, "type=\"mmap\"", "size=\""), info.hblkhd);
    assert_int_equal(xml_number(text, "type=\"fast\"", "count=\""), 0);
}

static void malloc_info_refuses_options(void **state) {
    (void)state;
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *file = open_memstream(&text, &text_bytes);
    assert_non_null(file);
    errno = 0;
    const int result = malloc_info(1, file);
    const int after = errno;
    assert_int_equal(fclose(file), 0);
    assert_true(result == EINVAL || (result == -1 && after == EINVAL));
    assert_int_equal(text_bytes, 0);
    mem.free(text);
}

static char stats_text[16 * KIB];

/* What `body` writes to stderr in a thread of its own, in stats_text. */
static void catch_stderr_of(void *(*body)(void *), void *argument) {
    int ends[2];
    pthread_t thread;
    assert_int_equal(pipe(ends), 0);
    const int kept = dup(2);
    assert_true(kept >= 0);
    assert_int_equal(dup2(ends[1], 2), 2);
    const int created = pthread_create(&thread, NULL, body, argument);
    if (created == 0) pthread_join(thread, NULL);
    fflush(stderr);
    assert_int_equal(dup2(kept, 2), 2);
    close(kept);
    close(ends[1]);
    const ssize_t got = read(ends[0], stats_text, sizeof(stats_text) - 1);
    close(ends[0]);
    assert_int_equal(created, 0);
    stats_text[got > 0 ? got : 0] = '\0';
}

static void *print_stats(void *unused) {
    malloc_stats();
    return unused;
}

static bool has_digits_only(const char *text) {
    return *text != '\0' && strspn(text, "0123456789") == strlen(text);
}

static void malloc_stats_writes_names_and_numbers_apart(void **state) {
    (void)state;
    catch_stderr_of(print_stats, NULL);
    unsigned numbers = 0;
    char *rest = NULL;
    (void)strtok_r(stats_text, "\n", &rest); /* the build's line */
    for (char *line; (line = strtok_r(NULL, "\n", &rest)) != NULL;) {
        char *value = strrchr(line, ' ');
        assert_non_null(value);
        *value++ = '\0';
        if (strncmp(line, "huge pages", 10) == 0) continue;
        assert_true(has_digits_only(value));
        numbers++;
    }
    assert_true(numbers >= 20);
}

/* Everything that a program may call, with a cancellation pending. */
static void *call_all_when_cancelled(void *returned) {
    static const size_t sizes[] = {1, 100, 5000, 100000, 700000, 3 * MIB, 20 * MIB};
    pthread_cancel(pthread_self());
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        void *block = mem.malloc(sizes[i]);
        block = mem.realloc(block, 2 * sizes[i]);
        (void)mem.usable_size(block);
        mem.free(block);
        mem.free(mem.calloc(2, sizes[i]));
        mem.free(mem.aligned_alloc(4096, sizes[i]));
        mem.free(mem.pvalloc(sizes[i]));
    }
    (void)mallinfo2();
    (void)malloc_trim(0);
    (void)mallopt(M_ARENA_MAX, 1);
    malloc_stats();
    *(volatile bool *)returned = true;
    return NULL;
}

static void no_call_is_a_cancellation_point(void **state) {
    (void)state;
    volatile bool returned = false;
    catch_stderr_of(call_all_when_cancelled, (void *)(uintptr_t)&returned);
    assert_true(returned);
    assert_non_null(strstr(stats_text, "refill="));
    assert_non_null(strstr(stats_text, "adopted slabs"));
    assert_int_equal(stats_text[strlen(stats_text) - 1], '\n');
}

/* Touches 64 MiB in small blocks, frees them, trims, and says what stayed resident. */
static size_t left_after_trim(int *result) {
    enum { BLOCKS = 64 * 1024 };
    static void *blocks[BLOCKS];
    const size_t before = statm_bytes(1);
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = mem.malloc(1000);
        assert_non_null(blocks[i]);
        memset(blocks[i], 1, 1000);
    }
    for (int i = 0; i < BLOCKS; i++) {
        mem.free(blocks[i]);
    }
    *result = malloc_trim(0);
    const size_t after = statm_bytes(1);
    return after > before ? after - before : 0;
}

static void malloc_trim_gives_free_memory_back(void **state) {
    (void)state;
    int result = -1;
    const size_t left = left_after_trim(&result);
    assert_true(left <= 8 * MIB);
    assert_true(result == 0 || result == 1);
}

static void malloc_trim_leaves_live_blocks_alone(void **state) {
    (void)state;
    enum { BLOCKS = 2000 };
    static void *blocks[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = mem.malloc(i * 10);
        assert_non_null(blocks[i]);
        pattern_write(blocks[i], i * 10, i);
    }
    for (unsigned i = 0; i < BLOCKS; i += 2) {
        mem.free(blocks[i]);
    }
    malloc_trim(0);
    for (unsigned i = 1; i < BLOCKS; i += 2) {
        assert_pattern(blocks[i], i * 10, i);
        mem.free(blocks[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mallinfo2_counts_small_live_bytes),
        cmocka_unit_test(mallinfo2_counts_free_blocks),
        cmocka_unit_test(mallinfo2_sums_agree),
        cmocka_unit_test(keepcost_is_what_malloc_trim_gives_back),
        cmocka_unit_test(mallinfo2_counts_large_live_bytes),
        cmocka_unit_test(mallinfo_saturates_instead_of_wrapping),
        cmocka_unit_test(malloc_info_writes_xml),
        cmocka_unit_test(malloc_info_refuses_options),
        cmocka_unit_test(malloc_info_says_what_mallinfo2_does),
        cmocka_unit_test(malloc_stats_writes_names_and_numbers_apart),
        cmocka_unit_test(no_call_is_a_cancellation_point),
        cmocka_unit_test(malloc_trim_gives_free_memory_back),
        cmocka_unit_test(malloc_trim_leaves_live_blocks_alone),
        cmocka_unit_test(mallopt_accepts_the_known_parameters),
        cmocka_unit_test(mallopt_refuses_unknown_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
