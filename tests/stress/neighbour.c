/* SPDX-License-Identifier: MIT */
/*
 * neighbour.c: somebody else's mapping of 256 GiB right behind the heap, as runtimes with their own
 * ideas of low addresses make it, and a row of small ones behind that. This program's own mmap
 * stands before libc's and counts: no single malloc may ask the kernel often, in this round or,
 * when all was given back, in the next; and nothing is mapped over the neighbours.
 */
#include "tests/stress/stress.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#define NEIGHBOUR_BYTES ((size_t)256 << 30)
#define SMALL_BYTES     (2 * MIB)
#define SMALLS          64U
#define BLOCK_BYTES     ((size_t)400)
#define BLOCKS          ((size_t)250000)
#define CALLS_MOST      80UL
#define ROUNDS          3

static unsigned long mmap_calls;

void *here_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset) __asm__("mmap");
void *here_mmap64(void *at, size_t bytes, int prot, int flags, int fd,
                  off_t offset) __asm__("mmap64");

void *here_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset) {
    mmap_calls++;
    return (void *)syscall(SYS_mmap, at, bytes, prot, flags, fd, offset);
}

void *here_mmap64(void *at, size_t bytes, int prot, int flags, int fd, off_t offset) {
    return here_mmap(at, bytes, prot, flags, fd, offset);
}

static char *map_foreign(char *at, size_t bytes) {
    void *got = (void *)syscall(SYS_mmap, at, bytes, PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
                                -1, (off_t)0);
    return got == (void *)at ? at : NULL;
}

/* Behind the superslab of a block: the first place where so much fits. */
static char *map_behind(const char *block) {
    char *at = (char *)(((uintptr_t)block & ~(uintptr_t)(SMALL_BYTES - 1)) + SMALL_BYTES);
    for (unsigned tries = 0; tries < 100; tries++, at += SMALL_BYTES) {
        if (map_foreign(at, NEIGHBOUR_BYTES) != NULL) return at;
    }
    die(__FILE__, __LINE__, "no place for a neighbour");
}

static unsigned long most_calls_of_a_malloc(char **blocks) {
    unsigned long most = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        const unsigned long before = mmap_calls;
        blocks[i] = mem.malloc(BLOCK_BYTES);
        require(blocks[i] != NULL, "no memory");
        *blocks[i] = 1;
        if (mmap_calls - before > most) most = mmap_calls - before;
    }
    return most;
}

int main(void) {
    alarm(100);
    static char *blocks[BLOCKS];
    char *neighbour = map_behind(mem.malloc(100));
    for (size_t i = 0; i < SMALLS; i++) {
        map_foreign(neighbour + NEIGHBOUR_BYTES + 2 * i * SMALL_BYTES, SMALL_BYTES);
    }
    int (*trim)(size_t) = NULL;
    void *address = dlsym(RTLD_DEFAULT, "malloc_trim");
    if (address != NULL) memcpy((void *)&trim, &address, sizeof(address));
    for (int round = 0; round < ROUNDS; round++) {
        const unsigned long most = most_calls_of_a_malloc(blocks);
        printf("neighbour: round %d: %lu mappings asked for by one malloc\n", round, most);
        fflush(stdout);
        require(most <= CALLS_MOST, "a malloc tries place after place");
        for (size_t i = 0; i < BLOCKS; i++) {
            mem.free(blocks[i]);
        }
        if (trim != NULL) trim(0);
    }
    require(mmap_calls > 0, "the allocator's calls do not come here");
    check_at_rest();
    return 0;
}
