/* SPDX-License-Identifier: MIT */
/*
 * test_os.c: memory from the kernel, the clock and stderr, src/os/os.h. The linker gives the
 * library's calls of mmap, munmap and madvise to the functions here (--wrap), which refuse them on
 * demand.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "src/os/os.h"
#include "tests/api/suite.h"

#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#define PAGES ((size_t)4196)

static struct {
    bool munmap, madvise; /* refused */
    int advice;           /* refused, if it is not 0 */
    unsigned mmaps;       /* so many are refused */
} refuse;

void *__real_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t bytes);
int __real_madvise(void *at, size_t bytes, int advice);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t bytes);
int __wrap_madvise(void *at, size_t bytes, int advice);

static int refusal(int error) {
    errno = error;
    return -1;
}

void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset) {
    if (refuse.mmaps == 0) return __real_mmap(at, bytes, prot, flags, fd, offset);
    refuse.mmaps--;
    errno = ENOMEM;
    return MAP_FAILED;
}

void *__wrap_mmap64(void *at, size_t bytes, int prot, int flags, int fd, off_t offset) {
    return __wrap_mmap(at, bytes, prot, flags, fd, offset);
}

int __wrap_munmap(void *at, size_t bytes) {
    return refuse.munmap ? refusal(ENOMEM) : __real_munmap(at, bytes);
}

int __wrap_madvise(void *at, size_t bytes, int advice) {
    if (refuse.madvise || (refuse.advice != 0 && advice == refuse.advice)) return refusal(EINVAL);
    return __real_madvise(at, bytes, advice);
}

static size_t page;
static char *memory; /* PAGES pages, untouched */

static int set_up(void **state) {
    (void)state;
    page = hak_os_page_bytes();
    memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return -1;
    (void)__real_madvise(memory, PAGES * page, MADV_NOHUGEPAGE); /* pages become resident singly */
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    memset(&refuse, 0, sizeof refuse);
    return munmap(memory, PAGES * page);
}

#define on_pages(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static size_t count_resident(const char *base, size_t pages) {
    static unsigned char resident[PAGES];
    size_t count = 0;
    assert_int_equal(mincore((void *)(uintptr_t)base, pages * page, resident), 0);
    for (size_t i = 0; i < pages; i++) {
        count += resident[i] & 1;
    }
    return count;
}

/* Writes to every `step`-th page of [from, end). */
static void touch(size_t from, size_t end, size_t step) {
    for (size_t i = from; i < end; i += step) {
        memset(memory + i * page, 0xa5, page);
    }
}

static void assert_all_zero(size_t pages) {
    for (size_t i = 0; i < pages; i++) {
        assert_zeros(memory + i * page, page);
    }
}

static void dense_memory_is_zeroed_and_stays_resident(void **state) {
    (void)state;
    touch(0, PAGES, 1);
    hak_os_zero(memory, PAGES * page);
    assert_int_equal(count_resident(memory, PAGES), PAGES);
    assert_all_zero(PAGES);
}

static void sparse_memory_is_zeroed_by_giving_it_back(void **state) {
    (void)state;
    static const size_t steps[] = {50, 64, 256, 1024, PAGES};
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        for (size_t from = 0; from < 40; from++) {
            touch(from, PAGES, steps[i]);
            hak_os_zero(memory, PAGES * page);
            assert_int_equal(count_resident(memory, PAGES), 0);
        }
    }
    assert_all_zero(PAGES);
}

static void memory_that_was_used_on_every_fourth_page_is_written(void **state) {
    (void)state;
    static const size_t steps[] = {1, 2, 3, 4};
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        touch(0, PAGES, steps[i]);
        hak_os_zero(memory, PAGES * page);
        assert_int_equal(count_resident(memory, PAGES), PAGES);
        assert_all_zero(PAGES);
        assert_int_equal(__real_madvise(memory, PAGES * page, MADV_DONTNEED), 0);
    }
}

/* What was dense once and holds hardly anything now. */
static void memory_that_holds_zeros_is_given_back(void **state) {
    (void)state;
    touch(0, PAGES, 1);
    hak_os_zero(memory, PAGES * page);
    touch(7, PAGES, 500);
    hak_os_zero(memory, PAGES * page);
    assert_int_equal(count_resident(memory, PAGES), 0);
    assert_all_zero(PAGES);
}

static void a_byte_anywhere_on_a_page_is_found(void **state) {
    (void)state;
    for (size_t at = 0; at < page; at += 61) {
        for (size_t i = 0; i < PAGES; i++) {
            memory[i * page + at] = 1;
        }
        hak_os_zero(memory, PAGES * page);
        assert_int_equal(count_resident(memory, PAGES), PAGES);
        assert_int_equal(memory[(PAGES - 1) * page + at], 0);
    }
}

static void untouched_memory_stays_untouched(void **state) {
    (void)state;
    hak_os_zero(memory, PAGES * page);
    assert_int_equal(count_resident(memory, PAGES), 0);
    assert_all_zero(PAGES);
}

static void memory_with_a_dense_part_is_written_as_a_whole(void **state) {
    (void)state;
    touch(0, PAGES / 2, 1);
    touch(PAGES / 2 + 3, PAGES, 80);
    hak_os_zero(memory, PAGES * page);
    assert_int_equal(count_resident(memory, PAGES), PAGES);
    assert_all_zero(PAGES);
}

static void an_unaligned_tail_is_zeroed_and_nothing_behind_it(void **state) {
    (void)state;
    static const size_t tails[] = {0, 1, 100, 4095};
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        for (size_t pages = 0; pages < 4; pages++) {
            touch(0, 5, 1);
            const size_t bytes = pages * page + tails[i];
            hak_os_zero(memory, bytes);
            assert_zeros(memory, bytes);
            for (size_t at = bytes; at < 5 * page; at++) {
                assert_int_equal((unsigned char)memory[at], 0xa5);
            }
        }
    }
}

static void what_lies_before_and_behind_is_left_alone(void **state) {
    (void)state;
    touch(0, PAGES, 1);
    hak_os_zero(memory + page, (PAGES - 2) * page);
    for (size_t at = 0; at < page; at++) {
        assert_int_equal((unsigned char)memory[at], 0xa5);
        assert_int_equal((unsigned char)memory[(PAGES - 1) * page + at], 0xa5);
    }
    assert_zeros(memory + page, (PAGES - 2) * page);
}

static void sparse_memory_is_zeroed_though_the_kernel_does_not_take_it(void **state) {
    (void)state;
    touch(0, PAGES, 64);
    refuse.madvise = true;
    hak_os_zero(memory, PAGES * page);
    assert_all_zero(PAGES);
}

static void zeroing_keeps_errno(void **state) {
    (void)state;
    touch(0, PAGES, 64);
    errno = 77;
    refuse.madvise = true;
    hak_os_zero(memory, PAGES * page - 5);
    assert_int_equal(errno, 77);
}

static void purged_memory_is_not_resident_and_reads_as_zeros(void **state) {
    (void)state;
    bool zeroed = false;
    touch(0, PAGES, 1);
    assert_true(hak_os_purge(memory, (PAGES - 1) * page, &zeroed));
    assert_true(zeroed);
    assert_int_equal(count_resident(memory, PAGES - 1), 0);
    assert_all_zero(PAGES - 1);
    assert_int_equal((unsigned char)memory[(PAGES - 1) * page], 0xa5);
}

static void a_refused_purge_returns_false_says_nothing_and_keeps_errno(void **state) {
    (void)state;
    bool zeroed = false;
    touch(0, 4, 1);
    errno = 77;
    refuse.madvise = true;
    assert_false(hak_os_purge(memory, 4 * page, &zeroed));
    assert_false(zeroed);
    assert_int_equal(errno, 77);
    assert_int_equal((unsigned char)memory[0], 0xa5);
}

static void a_lazy_purge_claims_no_zeros(void **state) {
    (void)state;
    bool zeroed = false;
    touch(0, 4, 1);
    hak_os_purge_lazily(true);
    assert_true(hak_os_purge(memory, 4 * page, &zeroed));
    assert_false(zeroed);
}

/* Purging is lazy from the test before on. */
static void a_lazy_purge_that_is_refused_purges_at_once(void **state) {
    (void)state;
    bool zeroed = false;
    touch(0, 4, 1);
    errno = 77;
    refuse.advice = MADV_FREE;
    assert_true(hak_os_purge(memory, 4 * page, &zeroed));
    assert_true(zeroed);
    assert_int_equal(errno, 77);
    assert_int_equal(count_resident(memory, 4), 0);
    assert_all_zero(4);
}

static void unmapped_memory_is_gone(void **state) {
    (void)state;
    char *mapped = hak_os_map(4 * page);
    assert_non_null(mapped);
    assert_true(hak_os_unmap(mapped + page, 2 * page));
    unsigned char resident[2];
    assert_int_equal(mincore(mapped + page, 2 * page, resident), -1);
    assert_int_equal(mincore(mapped, page, resident), 0);
    assert_true(hak_os_unmap(mapped, page));
    assert_true(hak_os_unmap(mapped + 3 * page, page));
}

static bool is_mapped(const char *base) {
    unsigned char resident;
    return mincore((void *)(uintptr_t)base, page, &resident) == 0;
}

static char *mapped_and_refused(size_t pages) {
    char *mapped = hak_os_map(pages * page);
    assert_non_null(mapped);
    memset(mapped, 1, pages * page);
    errno = 77;
    refuse.munmap = true;
    assert_false(hak_os_unmap(mapped, pages * page));
    refuse.munmap = false;
    assert_int_equal(errno, 77);
    assert_true(is_mapped(mapped));
    return mapped;
}

static void memory_that_cannot_be_unmapped_loses_its_pages_but_for_one(void **state) {
    (void)state;
    const char *mapped = mapped_and_refused(10);
    assert_int_equal(count_resident(mapped + page, 9), 0);
}

static void unmapping_nothing_leaves_what_is_there(void **state) {
    (void)state;
    touch(0, 1, 1);
    assert_true(hak_os_unmap(memory, 0));
    for (size_t at = 0; at < page; at++) {
        assert_int_equal((unsigned char)memory[at], 0xa5);
    }
}

/* The memory of the test that refused it first is among it. */
static void memory_that_could_not_be_unmapped_goes_when_other_memory_does(void **state) {
    (void)state;
    char *mapped[40];
    for (size_t i = 0; i < COUNT_OF(mapped); i++) {
        mapped[i] = mapped_and_refused(i + 1);
    }
    const size_t before = statm_bytes(0);
    for (size_t i = 0; i < COUNT_OF(mapped); i++) {
        assert_true(hak_os_unmap(hak_os_map(page), page));
    }
    for (size_t i = 0; i < COUNT_OF(mapped); i++) {
        assert_false(is_mapped(mapped[i]));
    }
    assert_int_equal(statm_bytes(0), before - (10 + 40 * 41 / 2) * page);
}

static void memory_that_could_not_be_unmapped_goes_when_there_is_none(void **state) {
    (void)state;
    char *mapped[40];
    for (size_t i = 0; i < COUNT_OF(mapped); i++) {
        mapped[i] = mapped_and_refused(2);
    }
    refuse.mmaps = 1;
    char *more = hak_os_map(page);
    assert_non_null(more);
    for (size_t i = 0; i < COUNT_OF(mapped); i++) {
        assert_false(is_mapped(mapped[i]));
    }
    assert_true(hak_os_unmap(more, page));
    refuse.mmaps = 1;
    assert_null(hak_os_map(page));
}

static void what_an_aligned_mapping_cannot_trim_goes_later(void **state) {
    (void)state;
    const size_t before = statm_bytes(0);
    refuse.munmap = true;
    char *mapped = hak_os_map_aligned(3 * page, MIB);
    refuse.munmap = false;
    assert_aligned(mapped, MIB);
    assert_true(hak_os_unmap(mapped, 3 * page));
    assert_true(hak_os_unmap(hak_os_map(page), page));
    assert_int_equal(statm_bytes(0), before);
}

static void aligned_mappings_are_aligned_zeroed_and_take_no_more_than_asked(void **state) {
    (void)state;
    for (size_t align = 1; align <= 8 * MIB; align *= 4) {
        const size_t before = statm_bytes(0);
        char *mapped = hak_os_map_aligned(3 * page, align);
        assert_aligned(mapped, align);
        assert_int_equal(statm_bytes(0), before + 3 * page);
        assert_zeros(mapped, 3 * page);
        assert_true(hak_os_unmap(mapped, 3 * page));
    }
}

static void impossible_mappings_give_null_and_keep_errno(void **state) {
    (void)state;
    errno = 77;
    assert_null(hak_os_map((size_t)PTRDIFF_MAX & ~(page - 1)));
    assert_null(hak_os_map_aligned(page, (size_t)1 << 63));
    assert_null(hak_os_map_aligned(SIZE_MAX & ~(page - 1), 2 * page));
    assert_null(hak_os_remap(memory, PAGES * page, (size_t)PTRDIFF_MAX & ~(page - 1)));
    assert_int_equal(errno, 77);
}

static void nothing_is_mapped_over_what_is_there(void **state) {
    (void)state;
    touch(0, 2, 1);
    errno = 77;
    assert_int_equal(hak_os_map_at(memory + page, page), HAK_OS_TAKEN);
    assert_int_equal(errno, 77);
    assert_int_equal((unsigned char)memory[page], 0xa5);
}

static uint64_t fine_now_ms(void) {
    struct timespec fine;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &fine), 0);
    return (uint64_t)fine.tv_sec * 1000 + (uint64_t)fine.tv_nsec / 1000000;
}

static void the_clock_rises_as_fast_as_time_goes_by(void **state) {
    (void)state;
    const uint64_t from_ms = fine_now_ms();
    const uint64_t coarse_from_ms = hak_os_now_ms();
    hak_os_sleep_ms(60);
    const uint64_t coarse_passed_ms = hak_os_now_ms() - coarse_from_ms;
    const uint64_t passed_ms = fine_now_ms() - from_ms;
    assert_true(coarse_passed_ms >= 40);
    assert_true(coarse_passed_ms <= passed_ms + 20);
}

static void the_clock_never_falls(void **state) {
    (void)state;
    uint64_t before_ms = hak_os_now_ms();
    for (unsigned i = 0; i < 200000; i++) {
        const uint64_t now_ms = hak_os_now_ms();
        assert_true(now_ms >= before_ms);
        before_ms = now_ms;
    }
}

static void the_clock_is_the_monotonic_one_a_few_milliseconds_coarse(void **state) {
    (void)state;
    const uint64_t fine_ms = fine_now_ms();
    errno = 77;
    assert_true(hak_os_now_ms() + 20 >= fine_ms);
    assert_int_equal(errno, 77);
}

/* ---- stderr ---- */

/* Descriptor 2 is the writing end of a pipe; the other end is returned, and what it was in *kept.
 */
static int catch_stderr(int *kept) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    *kept = dup(2);
    assert_true(*kept >= 0);
    assert_int_equal(dup2(ends[1], 2), 2);
    close(ends[1]);
    return ends[0];
}

static void release_stderr(int kept) {
    assert_int_equal(dup2(kept, 2), 2);
    close(kept);
}

static void *write_when_cancelled(void *returned) {
    pthread_cancel(pthread_self());
    hak_os_write_stderr("a line\n", 7);
    *(volatile bool *)returned = true;
    return NULL;
}

static void writing_to_stderr_is_no_cancellation_point(void **state) {
    (void)state;
    int kept;
    const int end = catch_stderr(&kept);
    volatile bool returned = false;
    pthread_t thread;
    const int created =
        pthread_create(&thread, NULL, write_when_cancelled, (void *)(uintptr_t)&returned);
    if (created == 0) pthread_join(thread, NULL);
    release_stderr(kept);
    char text[16];
    const ssize_t got = read(end, text, sizeof text);
    close(end);
    assert_int_equal(created, 0);
    assert_true(returned);
    assert_int_equal(got, 7);
    assert_memory_equal(text, "a line\n", 7);
}

static char long_text[256 * KIB]; /* more than a pipe holds */

static void *write_long_text(void *unused) {
    hak_os_write_stderr(long_text, sizeof long_text);
    close(2);
    return unused;
}

static void ignore_signal(int number) {
    (void)number;
}

/* Waits until no more goes into the pipe, then interrupts whoever writes into it. */
static void interrupt_writer(int end, pthread_t writer) {
    int held = -1;
    for (int before = -2; held == 0 || held != before;) {
        before = held;
        usleep(20000);
        assert_int_equal(ioctl(end, FIONREAD, &held), 0);
    }
    for (unsigned i = 0; i < 5; i++) {
        pthread_kill(writer, SIGUSR1);
        usleep(2000);
    }
}

static void text_for_stderr_is_complete_though_signals_interrupt_it(void **state) {
    (void)state;
    struct sigaction before;
    const struct sigaction interrupts = {.sa_handler = ignore_signal}; /* without SA_RESTART */
    sigaction(SIGUSR1, &interrupts, &before);
    int kept;
    const int end = catch_stderr(&kept);
    pthread_t thread;
    const int created = pthread_create(&thread, NULL, write_long_text, NULL);
    if (created == 0) interrupt_writer(end, thread);
    size_t sum = 0;
    static char part[64 * KIB];
    ssize_t got;
    while (created == 0 && (got = read(end, part, sizeof part)) > 0) {
        sum += (size_t)got;
    }
    if (created == 0) pthread_join(thread, NULL);
    release_stderr(kept);
    close(end);
    sigaction(SIGUSR1, &before, NULL);
    assert_int_equal(sum, sizeof long_text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        on_pages(dense_memory_is_zeroed_and_stays_resident),
        on_pages(sparse_memory_is_zeroed_by_giving_it_back),
        on_pages(memory_that_was_used_on_every_fourth_page_is_written),
        on_pages(memory_that_holds_zeros_is_given_back),
        on_pages(a_byte_anywhere_on_a_page_is_found),
        on_pages(untouched_memory_stays_untouched),
        on_pages(memory_with_a_dense_part_is_written_as_a_whole),
        on_pages(an_unaligned_tail_is_zeroed_and_nothing_behind_it),
        on_pages(what_lies_before_and_behind_is_left_alone),
        on_pages(sparse_memory_is_zeroed_though_the_kernel_does_not_take_it),
        on_pages(zeroing_keeps_errno),
        on_pages(purged_memory_is_not_resident_and_reads_as_zeros),
        on_pages(a_refused_purge_returns_false_says_nothing_and_keeps_errno),
        on_pages(unmapped_memory_is_gone),
        on_pages(memory_that_cannot_be_unmapped_loses_its_pages_but_for_one),
        on_pages(unmapping_nothing_leaves_what_is_there),
        on_pages(memory_that_could_not_be_unmapped_goes_when_other_memory_does),
        on_pages(memory_that_could_not_be_unmapped_goes_when_there_is_none),
        on_pages(what_an_aligned_mapping_cannot_trim_goes_later),
        on_pages(aligned_mappings_are_aligned_zeroed_and_take_no_more_than_asked),
        on_pages(impossible_mappings_give_null_and_keep_errno),
        on_pages(nothing_is_mapped_over_what_is_there),
        on_pages(the_clock_rises_as_fast_as_time_goes_by),
        on_pages(the_clock_never_falls),
        on_pages(the_clock_is_the_monotonic_one_a_few_milliseconds_coarse),
        on_pages(a_lazy_purge_claims_no_zeros),
        on_pages(a_lazy_purge_that_is_refused_purges_at_once),
        cmocka_unit_test(writing_to_stderr_is_no_cancellation_point),
        cmocka_unit_test(text_for_stderr_is_complete_though_signals_interrupt_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
