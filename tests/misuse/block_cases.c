/* SPDX-License-Identifier: MIT */
/*
 * block_cases.c: pointers into blocks, blocks freed before, and free blocks that were written to.
 */
#include "tests/misuse/cases.h"

/* A large block of this allocator holds what looks like one of libc's: it is inside all the same.
 */
static void large_inside_like_libcs(void) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *block = allocated(LARGE_BYTES);
    char *at = block + (-(uintptr_t)block & (page - 1)) + page;
    misuse(made_up((uintptr_t *)(void *)at, 0, 8 * page + 2));
}

static void large_inside(void) {
    misuse((char *)allocated(LARGE_BYTES) + 64);
}

static void large_inside_page(void) {
    misuse((char *)allocated(LARGE_BYTES) + 8192);
}

static void large_inside_misaligned(void) {
    misuse((char *)allocated(LARGE_BYTES) + 1);
}

static void large_inside_far(void) {
    misuse((char *)allocated(16 * LARGE_BYTES) + 9 * LARGE_BYTES);
}

static void large_twice(void) {
    void *block = allocated(LARGE_BYTES);
    release(block);
    misuse(block);
}

static void *frees_it(void *block) {
    release(block);
    return NULL;
}

static void large_twice_remote(void) {
    void *block = allocated(LARGE_BYTES);
    run_in_thread(frees_it, block);
    misuse(block);
}

static void large_after_realloc(void) {
    void *block = allocated(LARGE_BYTES / 2);
    void *moved = block;
    for (size_t size = LARGE_BYTES; moved == block && size < 100 * LARGE_BYTES; size *= 2) {
        void *fence = mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (fence == MAP_FAILED) _exit(4);
        moved = resize(moved, size);
    }
    if (moved == NULL || moved == block) _exit(6); /* never moved: nothing to show */
    misuse(block);
}

static void whole_inside(void) {
    misuse((char *)allocated(WHOLE_BYTES) + 64);
}

static void whole_inside_far(void) {
    misuse((char *)allocated(WHOLE_BYTES) + WHOLE_BYTES - 1);
}

static void whole_twice(void) {
    void *block = allocated(WHOLE_BYTES);
    release(block);
    misuse(block);
}

static void small_inside(void) {
    misuse((char *)allocated(SMALL_BYTES) + 32);
}

static void small_misaligned(void) {
    misuse((char *)allocated(SMALL_BYTES) + 3);
}

static void small_twice(void) {
    void *block = allocated(SMALL_BYTES);
    release(block);
    misuse(block);
}

static void small_twice_with_others_between(void) {
    void *block = allocated(SMALL_BYTES);
    void *other = allocated(SMALL_BYTES);
    release(block);
    release(other);
    misuse(block);
}

static void mid_inside(void) {
    misuse((char *)allocated(MID_BYTES) + 4096);
}

static void mid_misaligned(void) {
    misuse((char *)allocated(MID_BYTES) + 7);
}

static void mid_twice(void) {
    void *block = allocated(MID_BYTES);
    release(block);
    misuse(block);
}

/* What a remote thread does: frees the bad pointer, then so many good ones that nothing can stay in
 * a cache of its own, and ends. */
struct remote_job {
    void *bad;
    void *good[FLUSH_COUNT];
};
static struct remote_job job;

static void *frees_the_job(void *unused) {
    (void)unused;
    misuse(job.bad);
    for (size_t i = 0; i < FLUSH_COUNT; i++) {
        release(job.good[i]);
    }
    return NULL;
}

static void prepare_job(size_t size) {
    for (size_t i = 0; i < FLUSH_COUNT; i++) {
        job.good[i] = allocated(size);
    }
}

static void *frees_once_and_flushes(void *block) {
    release(block);
    for (size_t i = 0; i < FLUSH_COUNT / 2; i++) {
        release(job.good[i]);
        job.good[i] = NULL;
    }
    return NULL;
}

static void remote_twice(size_t size) {
    job.bad = allocated(size);
    prepare_job(size);
    run_in_thread(frees_once_and_flushes, job.bad);
    run_in_thread(frees_the_job, NULL);
}

static void remote_small_twice(void) {
    remote_twice(SMALL_BYTES);
}

static void remote_mid_twice(void) {
    remote_twice(MID_BYTES);
}

static void remote_whole_twice(void) {
    void *block = allocated(WHOLE_BYTES);
    run_in_thread(frees_it, block);
    misuse(block);
}

static void remote_small_inside(void) {
    job.bad = (char *)allocated(SMALL_BYTES) + 32;
    prepare_job(SMALL_BYTES);
    run_in_thread(frees_the_job, NULL);
}

static void remote_small_misaligned(void) {
    job.bad = (char *)allocated(SMALL_BYTES) + 5;
    prepare_job(SMALL_BYTES);
    run_in_thread(frees_the_job, NULL);
}

static void remote_mid_inside(void) {
    job.bad = (char *)allocated(MID_BYTES) + 4096;
    prepare_job(MID_BYTES);
    run_in_thread(frees_the_job, NULL);
}

/* An owner that frees twice and ends: its bins go back to the slab, which sees both. */
static void *frees_own_twice(void *unused) {
    (void)unused;
    prepare_job(SMALL_BYTES);
    void *block = allocated(SMALL_BYTES);
    release(block);
    misuse(block);
    for (size_t i = 0; i < FLUSH_COUNT; i++) {
        release(job.good[i]);
    }
    return NULL;
}

static void owner_small_twice_then_ends(void) {
    run_in_thread(frees_own_twice, NULL);
}

static void allocate_many(size_t size) {
    for (size_t i = 0; i < 4 * FREED; i++) {
        (void)allocate(size);
    }
}

static void overwritten_small_then_trim(void) {
    write_to_freed(SMALL_BYTES, (const void *)(uintptr_t)0x4141414141414141U);
    malloc_trim(0);
}

static void overwritten_mid_then_trim(void) {
    write_to_freed(MID_BYTES, static_data + 64);
    malloc_trim(0);
}

static void overwritten_whole_then_trim(void) {
    write_to_freed(WHOLE_BYTES, (const void *)(uintptr_t)0x4141414141414141U);
    malloc_trim(0);
}

static void *writes_to_freed_and_ends(void *unused) {
    write_to_freed(SMALL_BYTES, (const void *)(uintptr_t)24);
    return unused;
}

static void overwritten_small_then_ends(void) {
    run_in_thread(writes_to_freed_and_ends, NULL);
}

static void overwritten_small_by_zeros(void) {
    write_to_freed(SMALL_BYTES, NULL);
    allocate_many(SMALL_BYTES);
}

static void overwritten_mid_by_zeros(void) {
    write_to_freed(MID_BYTES, NULL);
    allocate_many(MID_BYTES);
}

static void overwritten_whole_by_zeros(void) {
    write_to_freed(WHOLE_BYTES, NULL);
    allocate_many(WHOLE_BYTES);
}

/* The link leads to a live block, whose first word is 0: malloc hands that out, and finds an end
 * where there should be none. */
static void overwritten_small_by_a_live_pointer(void) {
    char *live = allocated(SMALL_BYTES);
    memset(live, 0, SMALL_BYTES);
    write_to_freed(SMALL_BYTES, live);
    allocate_many(SMALL_BYTES);
}

/* The bin is full and its links are gone, whichever blocks it holds; frees go on. */
static void overwritten_small_then_frees(void) {
    enum { ALL = 1000, FIRST = 200 };
    static char *blocks[ALL];
    for (size_t i = 0; i < ALL; i++) {
        blocks[i] = allocated(SMALL_BYTES);
    }
    for (size_t i = 0; i < FIRST; i++) {
        release(blocks[i]);
    }
    announce(blocks);
    for (size_t i = 0; i < FIRST; i++) {
        memset(blocks[i], 'A', SMALL_BYTES);
    }
    for (size_t i = FIRST; i < ALL; i++) {
        release(blocks[i]);
    }
}

/* The first refill brings two blocks that lie side by side. */
static void overwritten_small_past_the_end(void) {
    char *block = allocate(SMALL_BYTES);
    const size_t usable = usable_size(block);
    announce(block + usable);
    block[usable] = 1;
    release(block);
}

static void overwritten_small_then_free(void) {
    char *other = allocated(SMALL_BYTES);
    write_to_freed(SMALL_BYTES, (const void *)(uintptr_t)0x4141414141414141U);
    release(other);
}

static void overwritten_mid_then_malloc(void) {
    write_to_freed(MID_BYTES, static_data + 1);
    (void)allocate(MID_BYTES);
    (void)allocate(MID_BYTES);
}

static void overwritten_whole_then_free(void) {
    char *other = allocated(WHOLE_BYTES);
    write_to_freed(WHOLE_BYTES, static_data);
    release(other);
}

const struct misuse_case block_cases[] = {
    {"large_inside_like_libcs", large_inside_like_libcs},
    {"large_inside", large_inside},
    {"large_inside_page", large_inside_page},
    {"large_inside_misaligned", large_inside_misaligned},
    {"large_inside_far", large_inside_far},
    {"large_twice", large_twice},
    {"large_twice_remote", large_twice_remote},
    {"large_after_realloc", large_after_realloc},
    {"small_inside", small_inside},
    {"small_misaligned", small_misaligned},
    {"whole_inside", whole_inside},
    {"whole_inside_far", whole_inside_far},
    {"whole_twice", whole_twice},
    {"remote_whole_twice", remote_whole_twice},
    {"small_twice", small_twice},
    {"small_twice_with_others_between", small_twice_with_others_between},
    {"mid_inside", mid_inside},
    {"mid_misaligned", mid_misaligned},
    {"mid_twice", mid_twice},
    {"remote_small_twice", remote_small_twice},
    {"remote_mid_twice", remote_mid_twice},
    {"remote_small_inside", remote_small_inside},
    {"remote_small_misaligned", remote_small_misaligned},
    {"remote_mid_inside", remote_mid_inside},
    {"owner_small_twice_then_ends", owner_small_twice_then_ends},
    {"overwritten_small_then_trim", overwritten_small_then_trim},
    {"overwritten_mid_then_trim", overwritten_mid_then_trim},
    {"overwritten_whole_then_trim", overwritten_whole_then_trim},
    {"overwritten_small_then_ends", overwritten_small_then_ends},
    {"overwritten_small_by_zeros", overwritten_small_by_zeros},
    {"overwritten_mid_by_zeros", overwritten_mid_by_zeros},
    {"overwritten_whole_by_zeros", overwritten_whole_by_zeros},
    {"overwritten_small_by_a_live_pointer", overwritten_small_by_a_live_pointer},
    {"overwritten_small_then_frees", overwritten_small_then_frees},
    {"overwritten_small_past_the_end", overwritten_small_past_the_end},
    {"overwritten_small_then_free", overwritten_small_then_free},
    {"overwritten_mid_then_malloc", overwritten_mid_then_malloc},
    {"overwritten_whole_then_free", overwritten_whole_then_free},
    {NULL, NULL},
};
