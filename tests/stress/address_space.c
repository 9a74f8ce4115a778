/* SPDX-License-Identifier: MIT */
/*
 * address_space.c size|mlock|limit [bare]: how little address space a process needs that hardly
 * allocates, beside one with libc's own malloc (this program again, with `bare`).
 * size: VmSize, which counts against RLIMIT_AS. mlock: what mlockall locks of it, now and of what
 * is mapped later. limit: a process that sets RLIMIT_AS itself, to an absolute value, after its
 * first malloc, as shells and interpreters do, still gets blocks of every tier and a thread; when
 * the limit is reached it is refused with ENOMEM, and what is freed serves again.
 */
#include "tests/stress/stress.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define SIZE_MORE ((size_t)16 * MIB)
#define LOCK_MORE ((size_t)4 * MIB)
#define LIMIT     ((size_t)200 * MIB)

/* A field of /proc/self/status, in bytes. */
static size_t status_bytes(const char *field) {
    char text[4096] = {0};
    const int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    require(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0, "no /proc/self/status");
    close(fd);
    const char *at = strstr(text, field);
    require(at != NULL, "no such field");
    return (size_t)strtoull(at + strlen(field) + 1, NULL, 10) * KIB;
}

static size_t measure(bool locks) {
    mem.free(mem.malloc(10));
    if (!locks) return status_bytes("VmSize");
    const double begin = now_seconds();
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) return 0;
    fprintf(stderr, "mlockall: %.2f ms\n", (now_seconds() - begin) * 1e3);
    return status_bytes("VmLck");
}

static size_t bare_bytes(const char *mode) {
    int ends[2];
    size_t bytes = 0;
    require(pipe(ends) == 0, "no pipe");
    const pid_t child = fork();
    require(child >= 0, "no child");
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        unsetenv("LD_PRELOAD");
        execl("/proc/self/exe", "address_space", mode, "bare", (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    require(read(ends[0], &bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes), "no answer");
    waitpid(child, NULL, 0);
    return bytes;
}

/* Large blocks of many sizes come and go, so that mappings are cut, joined and moved: the kernel's
 * count of locked memory, which the limit is compared with, must not grow beyond what is mapped. */
static void lock_no_more_than_there_is(void) {
    uint64_t random = random_start(5, 0);
    void *blocks[12] = {NULL};
    for (unsigned turn = 0; turn < 1500; turn++) {
        const uint64_t dice = random_next(&random) >> 8;
        void **block = &blocks[dice % 12];
        mem.free(*block);
        *block = mem.malloc(MIB + dice / 16 % (3 * MIB));
        require(*block != NULL, "no memory");
    }
    for (unsigned i = 0; i < 12; i++) {
        mem.free(blocks[i]);
    }
    const size_t locked = status_bytes("VmLck"), mapped = status_bytes("VmSize");
    printf("mlock: %zu KiB locked of %zu\n", locked / KIB, mapped / KIB);
    require(locked <= mapped, "more is locked than there is");
}

static int compare(const char *mode, size_t more) {
    const size_t bare = bare_bytes(mode);
    const size_t bytes = measure(strcmp(mode, "mlock") == 0);
    printf("address_space %s: %zu KiB, with libc's malloc %zu\n", mode, bytes / KIB, bare / KIB);
    if (bytes == 0 || bare == 0) {
        puts("address_space: no leave to lock memory: skipped");
        return 77;
    }
    require(bytes <= bare + more, "more address space than allowed");
    if (strcmp(mode, "mlock") == 0) lock_no_more_than_there_is();
    return 0;
}

static void *allocates(void *unused) {
    for (size_t size = 16; size <= 4 * MIB; size *= 2) {
        void *block = mem.malloc(size);
        require(block != NULL, "no memory in a thread");
        memset(block, 1, size);
        mem.free(block);
    }
    return unused;
}

static size_t take_all(size_t size, void **chain) {
    size_t taken = 0;
    for (void **block; (block = mem.malloc(size)) != NULL; taken += size) {
        *block = *chain;
        *chain = (void *)block;
    }
    require(errno == ENOMEM, "a refusal without ENOMEM");
    return taken;
}

static void give_all(void **chain) {
    while (*chain != NULL) {
        void **block = *chain;
        *chain = *block;
        mem.free((void *)block);
    }
}

static int limit_in_process(void) {
    static const size_t sizes[] = {64, 3000, 30000, 200 * KIB, 3 * MIB};
    mem.free(mem.malloc(10));
    struct rlimit unlimited;
    require(getrlimit(RLIMIT_AS, &unlimited) == 0, "no limit to read");
    const struct rlimit limit = {.rlim_cur = LIMIT, .rlim_max = unlimited.rlim_max};
    require(setrlimit(RLIMIT_AS, &limit) == 0, "no limit");
    allocates(NULL);
    join_thread(start_thread(allocates, NULL));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        void *chain = NULL;
        const size_t first = take_all(sizes[i], &chain);
        give_all(&chain);
        const size_t second = take_all(sizes[i], &chain);
        give_all(&chain);
        printf("limit: blocks of %zu: %zu MiB, then %zu\n", sizes[i], first / MIB, second / MIB);
        require(first >= LIMIT / 2 && second >= first - first / 8, "refused far below the limit");
    }
    allocates(NULL);
    require(setrlimit(RLIMIT_AS, &unlimited) == 0, "no limit");
    check_at_rest(); /* which takes memory itself */
    return 0;
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "size";
    alarm(100);
    if (argc > 2) {
        const size_t bytes = measure(strcmp(mode, "mlock") == 0);
        return write(STDOUT_FILENO, &bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes) ? 0 : 1;
    }
    if (strcmp(mode, "limit") == 0) return limit_in_process();
    return compare(mode, strcmp(mode, "mlock") == 0 ? LOCK_MORE : SIZE_MORE);
}
