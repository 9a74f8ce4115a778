/* SPDX-License-Identifier: MIT */
/*
 * test_page_size.c: the allocator on a kernel whose pages are of 16 or 64 KiB (MOCK_PAGE_KIB in the
 * environment, else 16), built on one where they are not. The linker gives the library's calls of
 * getauxval, mmap and the like to the functions here (--wrap), which round as such a kernel does,
 * return addresses that are multiples of the mocked page, and count those passed in that are not:
 * such a kernel would refuse them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "include/hakmem.h"
#include "src/os/os.h"
#include "tests/api/suite.h"

#include <sys/auxv.h>
#include <sys/mman.h>

static unsigned refused_by_kernel; /* addresses that were no multiples of the page */

unsigned long __real_getauxval(unsigned long type);
void *__real_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__real_mremap(void *at, size_t bytes, size_t new_bytes, int flags, ...);
int __real_munmap(void *at, size_t bytes);
int __real_mprotect(void *at, size_t bytes, int prot);
int __real_madvise(void *at, size_t bytes, int advice);
unsigned long __wrap_getauxval(unsigned long type);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t bytes);
int __wrap_mprotect(void *at, size_t bytes, int prot);
int __wrap_madvise(void *at, size_t bytes, int advice);
void *__wrap_mremap(void *at, size_t bytes, size_t new_bytes, int flags, void *to);

/* Called before main, by the library's constructor. */
static size_t mocked_page(void) {
    static size_t page;
    if (page == 0) {
        const char *kib = getenv("MOCK_PAGE_KIB");
        page = (kib == NULL ? 16 : strtoul(kib, NULL, 10)) * KIB;
    }
    return page;
}

static size_t whole_pages(size_t bytes) {
    return (bytes + mocked_page() - 1) & ~(mocked_page() - 1);
}

static bool is_refused(const void *at) {
    if ((uintptr_t)at % mocked_page() == 0) return false;
    refused_by_kernel++;
    errno = EINVAL;
    return true;
}

/* A mapping at a multiple of the mocked page, cut out of a larger one. */
static void *map_whole_pages(size_t bytes, int prot, int flags, int fd, off_t offset) {
    const size_t page = mocked_page();
    char *base = __real_mmap(NULL, bytes + page, prot, flags, fd, offset);
    if (base == MAP_FAILED) return MAP_FAILED;
    const size_t head = -(uintptr_t)base & (page - 1);
    if (head != 0) __real_munmap(base, head);
    __real_munmap(base + head + bytes, page - head);
    return base + head;
}

unsigned long __wrap_getauxval(unsigned long type) {
    return type == AT_PAGESZ ? mocked_page() : __real_getauxval(type);
}

void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset) {
    if (is_refused(at)) return MAP_FAILED;
    if (at != NULL) return __real_mmap(at, whole_pages(bytes), prot, flags, fd, offset);
    return map_whole_pages(whole_pages(bytes), prot, flags, fd, offset);
}

void *__wrap_mmap64(void *at, size_t bytes, int prot, int flags, int fd, off_t offset) {
    return __wrap_mmap(at, bytes, prot, flags, fd, offset);
}

int __wrap_munmap(void *at, size_t bytes) {
    return is_refused(at) ? -1 : __real_munmap(at, whole_pages(bytes));
}

int __wrap_mprotect(void *at, size_t bytes, int prot) {
    return is_refused(at) ? -1 : __real_mprotect(at, whole_pages(bytes), prot);
}

int __wrap_madvise(void *at, size_t bytes, int advice) {
    return is_refused(at) ? -1 : __real_madvise(at, whole_pages(bytes), advice);
}

/* Moves to a place that is a multiple of the mocked page, when it cannot stay. `to` is variadic in
 * libc; here it is whatever its register holds. */
void *__wrap_mremap(void *at, size_t bytes, size_t new_bytes, int flags, void *to) {
    if (is_refused(at)) return MAP_FAILED;
    bytes = whole_pages(bytes);
    new_bytes = whole_pages(new_bytes);
    if ((flags & MREMAP_FIXED) != 0) {
        return is_refused(to) ? MAP_FAILED : __real_mremap(at, bytes, new_bytes, flags, to);
    }
    void *resized = __real_mremap(at, bytes, new_bytes, 0);
    if (resized != MAP_FAILED || (flags & MREMAP_MAYMOVE) == 0) return resized;
    void *place = map_whole_pages(new_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED) return MAP_FAILED;
    return __real_mremap(at, bytes, new_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, place);
}

/* Every size up to 2 KiB, then ones about every eighth of a doubling, up to 8 MiB; 0 ends them. */
static size_t next_size(size_t size) {
    if (size >= 8 * MIB) return 0;
    return size < 2 * KIB ? size + 1 : size + size / 8 + (size % 7 == 0);
}

static void no_invariant_is_broken(void) {
    assert_true(hak_check());
    assert_int_equal(refused_by_kernel, 0);
}

static void the_page_is_the_mocked_one(void **state) {
    (void)state;
    assert_int_equal(hak_os_page_bytes(), mocked_page());
    assert_true(mocked_page() >= 16 * KIB);
}

static void blocks_of_every_size_hold_what_is_written(void **state) {
    (void)state;
    static unsigned char *blocks[4096];
    static size_t sizes[4096];
    unsigned count = 0;
    for (size_t size = 1; size != 0; size = next_size(size), count++) {
        assert_in_range(count, 0, COUNT_OF(blocks) - 1);
        sizes[count] = size;
        blocks[count] = hak_malloc(size);
        assert_aligned(blocks[count], 16);
        assert_true(hak_usable_size(blocks[count]) >= size);
        assert_true(hak_good_size(size) >= size);
        pattern_write(blocks[count], size, count);
    }
    for (unsigned i = 0; i < count; i++) {
        assert_pattern(blocks[i], sizes[i], i);
        hak_free(blocks[i]);
    }
    no_invariant_is_broken();
}

static void calloc_gives_zeros_where_others_wrote(void **state) {
    (void)state;
    for (size_t size = 1; size != 0; size = next_size(size)) {
        unsigned char *block = hak_malloc(size);
        assert_non_null(block);
        memset(block, 0xa5, hak_usable_size(block));
        hak_free(block);
        block = hak_calloc(1, size);
        assert_aligned(block, 16);
        assert_zeros(block, size);
        hak_free(block);
    }
    no_invariant_is_broken();
}

static void realloc_keeps_contents_up_and_down(void **state) {
    (void)state;
    size_t held = 1;
    unsigned char *block = hak_malloc(held);
    for (size_t size = 1; size != 0; size = next_size(size)) {
        pattern_write(block, held, 5);
        block = hak_realloc(block, size);
        assert_aligned(block, 16);
        assert_pattern(block, held, 5);
        held = size;
    }
    pattern_write(block, held, 6);
    for (size_t size = held; size > 0; size -= size / 5 + 1) {
        block = hak_realloc(block, size);
        assert_aligned(block, 16);
        assert_pattern(block, size, 6);
    }
    assert_null(block = hak_realloc(block, 0));
    no_invariant_is_broken();
}

static void blocks_are_aligned_as_asked(void **state) {
    (void)state;
    static const size_t sizes[] = {1,        100,       5000,           16 * KIB, 40000,
                                   64 * KIB, 100 * KIB, MIB + 64 * KIB, 3 * MIB};
    for (size_t alignment = 16; alignment <= 4 * MIB; alignment *= 2) {
        for (unsigned i = 0; i < COUNT_OF(sizes); i++) {
            unsigned char *block = hak_aligned_alloc(alignment, sizes[i]);
            assert_aligned(block, alignment);
            pattern_write(block, sizes[i], i);
            unsigned char *other = hak_aligned_alloc(alignment, sizes[i]);
            assert_aligned(other, alignment);
            pattern_write(other, sizes[i], i + 1);
            assert_pattern(block, sizes[i], i);
            hak_free(block);
            assert_pattern(other, sizes[i], i + 1);
            hak_free(other);
        }
    }
    no_invariant_is_broken();
}

/* Several of a size at a time: the first of them might be aligned by luck. */
static void blocks_of_pages_are_aligned_to_the_mocked_page(void **state) {
    (void)state;
    unsigned char *blocks[6], *pages[6];
    for (size_t size = 0; size <= 5 * MIB; size = size == 0 ? 1 : size * 3 / 2 + 1) {
        const size_t rounded = size == 0 ? mocked_page() : whole_pages(size);
        for (unsigned i = 0; i < COUNT_OF(blocks); i++) {
            blocks[i] = hak_valloc(size);
            assert_aligned(blocks[i], mocked_page());
            pattern_write(blocks[i], size, i);
            pages[i] = hak_pvalloc(size);
            assert_aligned(pages[i], mocked_page());
            assert_true(hak_usable_size(pages[i]) >= rounded);
            pattern_write(pages[i], rounded, i + 100);
        }
        for (unsigned i = 0; i < COUNT_OF(blocks); i++) {
            assert_pattern(blocks[i], size, i);
            hak_free(blocks[i]);
            assert_pattern(pages[i], rounded, i + 100);
            hak_free(pages[i]);
        }
    }
    no_invariant_is_broken();
}

static void what_is_left_survives_a_purge(void **state) {
    (void)state;
    static unsigned char *blocks[400];
    for (unsigned i = 0; i < COUNT_OF(blocks); i++) {
        blocks[i] = hak_malloc((size_t)i * 500 + 1);
        assert_non_null(blocks[i]);
        pattern_write(blocks[i], (size_t)i * 500 + 1, i);
    }
    for (unsigned i = 0; i < COUNT_OF(blocks); i++) {
        if (i % 3 != 0) hak_free(blocks[i]);
    }
    (void)hak_purge();
    no_invariant_is_broken();
    for (unsigned i = 0; i < COUNT_OF(blocks); i += 3) {
        assert_pattern(blocks[i], (size_t)i * 500 + 1, i);
        hak_free(blocks[i]);
    }
    (void)hak_purge();
    no_invariant_is_broken();
}

static void random_traffic_keeps_contents(void **state) {
    (void)state;
    static struct {
        unsigned char *block;
        size_t size;
        unsigned seed;
    } slots[100];
    uint64_t random = 4711;
    for (unsigned turn = 0; turn < 10000; turn++) {
        const uint64_t dice = random_next(&random) >> 8;
        const unsigned at = (unsigned)(dice % COUNT_OF(slots));
        const size_t size = (size_t)((dice >> 16) % ((size_t)1 << (dice >> 8) % 22)) + 1;
        if (slots[at].block != NULL)
            assert_pattern(slots[at].block, slots[at].size, slots[at].seed);
        if (slots[at].block != NULL && turn % 3 != 0) {
            hak_free(slots[at].block);
            slots[at].block = NULL;
            continue;
        }
        const size_t common = slots[at].block == NULL ? 0 : slots[at].size;
        slots[at].block = hak_realloc(slots[at].block, size);
        assert_non_null(slots[at].block);
        assert_pattern(slots[at].block, common < size ? common : size, slots[at].seed);
        slots[at].size = size;
        slots[at].seed = turn;
        pattern_write(slots[at].block, size, turn);
    }
    no_invariant_is_broken();
    for (unsigned i = 0; i < COUNT_OF(slots); i++) {
        hak_free(slots[i].block);
    }
    no_invariant_is_broken();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_is_the_mocked_one),
        cmocka_unit_test(blocks_of_every_size_hold_what_is_written),
        cmocka_unit_test(calloc_gives_zeros_where_others_wrote),
        cmocka_unit_test(realloc_keeps_contents_up_and_down),
        cmocka_unit_test(blocks_are_aligned_as_asked),
        cmocka_unit_test(blocks_of_pages_are_aligned_to_the_mocked_page),
        cmocka_unit_test(what_is_left_survives_a_purge),
        cmocka_unit_test(random_traffic_keeps_contents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
