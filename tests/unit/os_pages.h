/* SPDX-License-Identifier: MIT */
/*
 * os_pages.h: memory whose pages the tests of the os look at, and a kernel that refuses.
 */
#ifndef HAK_TESTS_UNIT_OS_PAGES_H
#define HAK_TESTS_UNIT_OS_PAGES_H

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

static inline int refusal(int error) {
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

static inline int set_up(void **state) {
    (void)state;
    page = hak_os_page_bytes();
    memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return -1;
    (void)__real_madvise(memory, PAGES * page, MADV_NOHUGEPAGE); /* pages become resident singly */
    return 0;
}

static inline int tear_down(void **state) {
    (void)state;
    memset(&refuse, 0, sizeof refuse);
    return munmap(memory, PAGES * page);
}

#define on_pages(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static inline size_t count_resident(const char *base, size_t pages) {
    static unsigned char resident[PAGES];
    size_t count = 0;
    assert_int_equal(mincore((void *)(uintptr_t)base, pages * page, resident), 0);
    for (size_t i = 0; i < pages; i++) {
        count += resident[i] & 1;
    }
    return count;
}

/* Writes to every `step`-th page of [from, end). */
static inline void touch(size_t from, size_t end, size_t step) {
    for (size_t i = from; i < end; i += step) {
        memset(memory + i * page, 0xa5, page);
    }
}

static inline void assert_all_zero(size_t pages) {
    for (size_t i = 0; i < pages; i++) {
        assert_zeros(memory + i * page, page);
    }
}

/* Waits until no more goes into the pipe, then interrupts whoever writes into it. */
static inline void interrupt_writer(int end, pthread_t writer) {
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

#endif
