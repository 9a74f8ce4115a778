/* SPDX-License-Identifier: MIT */
/*
 * os_linux.c: os.h on Linux with glibc or musl. Every function keeps errno.
 */
#define _GNU_SOURCE
#include "src/os/os.h"

#include "src/base/bits.h"
#include "src/base/geometry.h"
#include "src/base/tunables.h"
#include "src/os/env.h"
#include "src/os/leftover.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/* What the kernel's set of signals takes, on every 64-bit machine but MIPS. */
#define KERNEL_SIGSET_BYTES 8

extern char **environ;

/* Constant after start. */
static struct {
    int purge_advice;
    int huge_advice; /* 0: none */
    const char *huge_name;
} policy = {.purge_advice = MADV_DONTNEED, .huge_name = "default"};

size_t hak_os_page_bytes(void) {
    static size_t page_bytes;
    size_t known = __atomic_load_n(&page_bytes, __ATOMIC_RELAXED);
    if (hak_likely(known != 0)) return known;
    size_t asked = getauxval(AT_PAGESZ);
    if (asked == 0) asked = HAK_PAGE_BYTES_DEFAULT;
    __atomic_store_n(&page_bytes, asked, __ATOMIC_RELAXED);
    return asked;
}

static void *map(void *at, size_t bytes, int prot, int flags) {
    int saved_errno = errno;
    void *base = mmap(at, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    errno = saved_errno;
    return base == MAP_FAILED ? NULL : base;
}

void hak_os_huge_pages_init(void) {
    if (hak_env_is("HAKMEM_THP", "never")) {
        policy.huge_advice = MADV_NOHUGEPAGE;
        policy.huge_name = "never";
    } else if (hak_env_is("HAKMEM_THP", "madvise")) {
        policy.huge_advice = MADV_HUGEPAGE;
        policy.huge_name = "madvise";
    }
}

const char *hak_os_huge_pages(void) {
    return policy.huge_name;
}

bool hak_os_may_use_huge_pages(void) {
    return policy.huge_advice != MADV_NOHUGEPAGE;
}

/* Memory that is too small for a huge page needs no word about it. */
static void advise_huge(void *base, size_t bytes) {
    if (policy.huge_advice == 0 || base == NULL || bytes < HAK_SUPERSLAB_BYTES) return;
    int saved_errno = errno;
    madvise(base, bytes, policy.huge_advice);
    errno = saved_errno;
}

void *hak_os_map(size_t bytes) {
    void *base = map(NULL, bytes, PROT_READ | PROT_WRITE, 0);
    if (base == NULL && hak_leftover_retry(SIZE_MAX)) {
        base = map(NULL, bytes, PROT_READ | PROT_WRITE, 0);
    }
    advise_huge(base, bytes);
    return base;
}

void *hak_os_map_aligned(size_t bytes, size_t align) {
    if (align <= hak_os_page_bytes()) return hak_os_map(bytes);
    if (bytes + align < bytes) return NULL;
    char *base = hak_os_map(bytes + align);
    if (base == NULL) return NULL;
    size_t head = (size_t)(-(uintptr_t)base & (align - 1));
    if (head != 0) hak_os_unmap(base, head);
    hak_os_unmap(base + head + bytes, align - head);
    return base + head;
}

enum hak_os_mapped hak_os_map_at(void *at, size_t bytes) {
    int saved_errno = errno;
    void *base = mmap(at, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    bool is_taken = base == MAP_FAILED && errno == EEXIST;
    errno = saved_errno;
    if (base == at) {
        advise_huge(base, bytes);
        return HAK_OS_MAPPED;
    }
    if (base == MAP_FAILED) return is_taken ? HAK_OS_TAKEN : HAK_OS_OUT;
    hak_os_unmap(base, bytes); /* kernels before 4.17 take the address as a hint */
    return HAK_OS_TAKEN;
}

void hak_os_no_huge_pages(void *base, size_t bytes) {
    int saved_errno = errno;
    madvise(base, bytes, MADV_NOHUGEPAGE);
    errno = saved_errno;
}

unsigned hak_os_address_shift(void) {
    char local; /* a thread's stack may lie low, the library hardly does */
    uintptr_t highest =
        (uintptr_t)&local > (uintptr_t)&policy ? (uintptr_t)&local : (uintptr_t)&policy;
    return hak_log2_up((size_t)highest);
}

uint64_t hak_os_random(void) {
    uint64_t local = 0;
    uint64_t stack = (uint64_t)(uintptr_t)&local >> HAK_ALIGN_SHIFT;
    uint64_t library = (uint64_t)(uintptr_t)&policy >> HAK_ALIGN_SHIFT;
    uint64_t vdso = getauxval(AT_SYSINFO_EHDR);
    uint64_t mixed = (stack * HAK_HASH_MULTIPLIER ^ library) * HAK_HASH_MULTIPLIER ^ vdso;
    mixed *= HAK_HASH_MULTIPLIER;
    return mixed ^ mixed >> 32;
}

bool hak_os_unmap(void *base, size_t bytes) {
    if (bytes == 0) return true;
    int saved_errno = errno;
    bool done = munmap(base, bytes) == 0;
    if (done) {
        (void)hak_leftover_retry(HAK_LEFTOVER_TRIES);
    } else if (errno == ENOMEM) { /* no hole can be punched: drop the pages */
        madvise(base, bytes, MADV_DONTNEED);
        hak_leftover_add(base, bytes);
    }
    errno = saved_errno;
    return done;
}

void *hak_os_remap(void *base, size_t bytes, size_t new_bytes) {
    int saved_errno = errno;
    void *moved = mremap(base, bytes, new_bytes, MREMAP_MAYMOVE);
    errno = saved_errno;
    return moved == MAP_FAILED ? NULL : moved;
}

/* A decimal number; returns what follows it. */
static const char *read_number(const char *text, unsigned *number) {
    *number = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        *number = *number * 10 + (unsigned)(*text - '0');
    return text;
}

/* Of several mappings the source stays mapped until all have moved: else a failure between two of
 * them would leave holes in it that another thread may have filled. */
bool hak_os_move(void *from, size_t bytes, void *to, bool is_several) {
    int saved_errno = errno;
    int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (is_several ? MREMAP_DONTUNMAP : 0);
    bool done = mremap(from, bytes, bytes, flags, to) != MAP_FAILED;
    if (done && is_several) hak_os_unmap(from, bytes);
    errno = saved_errno;
    return done;
}

/* Advice about the use of a page, which the kernel takes for every page but a locked one. */
bool hak_os_is_locked(void *page) {
    int saved_errno = errno;
    bool is_taken = madvise(page, hak_os_page_bytes(), MADV_COLD) == 0;
    errno = saved_errno;
    return !is_taken;
}

bool hak_os_moves_many(void) {
    struct utsname name;
    unsigned major, minor;
    if (uname(&name) != 0) return false;
    const char *at = read_number(name.release, &major);
    if (*at == '.') at++;
    (void)read_number(at, &minor);
    return major > 6 || (major == 6 && minor >= 17);
}

bool hak_os_purge(void *base, size_t bytes, bool *zeroed) {
    int saved_errno = errno;
    int advice = policy.purge_advice;
    bool done = madvise(base, bytes, advice) == 0;
    if (!done && advice != MADV_DONTNEED) { /* locked pages, or a kernel before 4.5 */
        advice = MADV_DONTNEED;
        done = madvise(base, bytes, advice) == 0;
    }
    if (done) *zeroed = advice == MADV_DONTNEED;
    errno = saved_errno;
    return done;
}

void hak_os_purge_lazily(bool lazily) {
    if (lazily) policy.purge_advice = MADV_FREE;
}

static bool is_zero(const char *base, size_t bytes) {
    return *base == 0 && memcmp(base, base + 1, bytes - 1) == 0;
}

/* Whether few of the pieces hold anything but zeros, from looks at some of them, spread evenly over
 * all by multiples of the golden ratio. The first looks decide, unless they found something: then
 * as many again for each find. To look at a page that was never touched takes no memory. */
static bool is_sparse(const char *base, size_t count) {
    unsigned found = 0;
    uint64_t place = 0; /* of 2^64 */
    for (unsigned looks = 0; looks < HAK_ZERO_LOOKS * (found + 1); looks++) {
        place += HAK_HASH_MULTIPLIER;
        size_t piece = (size_t)((place >> 40) * count >> 24);
        if (!is_zero(base + piece * HAK_ZERO_LOOK_BYTES, HAK_ZERO_LOOK_BYTES)) found++;
        if (found == HAK_ZERO_FINDS) return false;
    }
    return true;
}

void hak_os_zero(void *base, size_t bytes) {
    int saved_errno = errno;
    size_t whole = bytes & ~(hak_os_page_bytes() - 1);
    bool given = whole > 0 && is_sparse(base, whole / HAK_ZERO_LOOK_BYTES) &&
                 madvise(base, whole, MADV_DONTNEED) == 0;
    size_t from = given ? whole : 0;
    memset((char *)base + from, 0, bytes - from);
    errno = saved_errno;
}

uint64_t hak_os_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now); /* cannot fail: errno stays as it is */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void hak_os_sleep_ms(uint64_t ms) {
    struct timespec span = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &span, NULL);
}

size_t hak_os_memory_bytes(void) {
    struct sysinfo info;
    int saved_errno = errno;
    bool known = sysinfo(&info) == 0;
    errno = saved_errno;
    return known ? (size_t)info.totalram * info.mem_unit : 0;
}

/* rt_sigaction copies the 32 bytes of its argument first, and then refuses the signal 0: a check
 * without effect, by a call that every filter allows. */
bool hak_os_is_readable(const void *address) {
    int saved_errno = errno;
    uintptr_t at = (uintptr_t)address & ~(uintptr_t)31; /* in the same page */
    if (at == 0) return false;                          /* the call takes it for no argument */
    long result = syscall(SYS_rt_sigaction, 0, at, NULL, KERNEL_SIGSET_BYTES);
    bool is_readable = result != 0 && errno == EINVAL;
    errno = saved_errno;
    return is_readable;
}

uintptr_t hak_os_program_break(void) {
    int saved_errno = errno;
    void *at = sbrk(0);
    errno = saved_errno;
    return at == (void *)-1 ? 0 : (uintptr_t)at;
}

const char *hak_os_getenv(const char *name) {
    if (environ == NULL || getauxval(AT_SECURE) != 0) return NULL;
    size_t length = strlen(name);
    for (char **entry = environ; *entry != NULL; entry++) {
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') {
            return *entry + length + 1;
        }
    }
    return NULL;
}

const char *hak_os_env_entry(size_t index) {
    return environ == NULL || getauxval(AT_SECURE) != 0 ? NULL : environ[index];
}

static void write_all(int file, const char *text, size_t bytes) {
    int saved_errno = errno;
    while (bytes > 0) {
        /* Not write(), which is a cancellation point. */
        long written = syscall(SYS_write, file, text, bytes);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) break;
        text += written;
        bytes -= (size_t)written;
    }
    errno = saved_errno;
}

void hak_os_write_stderr(const char *text, size_t bytes) {
    write_all(STDERR_FILENO, text, bytes);
}

void hak_os_write_stdout(const char *text, size_t bytes) {
    write_all(STDOUT_FILENO, text, bytes);
}

void hak_os_abort(void) {
    abort();
}

void hak_os_exit(int status) {
    _exit(status);
}

static long futex(_Atomic uint32_t *word, int what, uint32_t value) {
    int saved_errno = errno;
    long result = syscall(SYS_futex, word, what, value, NULL, NULL, 0);
    errno = saved_errno;
    return result;
}

void hak_os_wait(_Atomic uint32_t *word, uint32_t value) {
    (void)futex(word, FUTEX_WAIT_PRIVATE, value);
}

void hak_os_wake_one(_Atomic uint32_t *word) {
    (void)futex(word, FUTEX_WAKE_PRIVATE, 1);
}

static bool membarrier(int what) {
    int saved_errno = errno;
    bool done = syscall(SYS_membarrier, what, 0) == 0;
    errno = saved_errno;
    return done;
}

static bool has_barrier; /* constant after the start */

void hak_os_barrier_init(void) {
    has_barrier = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

bool hak_os_barrier(void) {
    return has_barrier && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}
