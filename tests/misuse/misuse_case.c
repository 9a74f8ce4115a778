/* SPDX-License-Identifier: MIT */
/*
 * misuse_case.c VERB CASE: one mistake of a caller, then an orderly end. Before the mistake it
 * writes the pointer it is going to hand over to stdout; after it, what the call gave back and that
 * errno was kept, then `survived`. misuse.py compares what stands on stdout and stderr with what
 * must.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define SMALL_BYTES ((size_t)96)
#define MID_BYTES   ((size_t)20000)
#define LARGE_BYTES ((size_t)3000000) /* a mapping of its own */
#define WHOLE_BYTES ((size_t)200000)  /* a whole span */
#define FLUSH_COUNT 4096

/* Through volatile pointers, so that no compiler reasons about a call that is wrong on purpose. */
static void *(*volatile allocate)(size_t size) = malloc;
static void *(*volatile resize)(void *block, size_t size) = realloc;
static void (*volatile release)(void *block) = free;
static size_t (*volatile usable_size)(void *block) = malloc_usable_size;

static char static_data[256];
static const char *verb;

static void say(const char *text) {
    const size_t size = strlen(text);
    if (write(STDOUT_FILENO, text, size) != (ssize_t)size) _exit(3);
}

static void announce(const void *pointer) {
    char text[64];
    snprintf(text, sizeof(text), "0x%" PRIxPTR "\n", (uintptr_t)pointer);
    say(text);
}

/* Hands the pointer to the function of the case's verb, and says what came of it. */
static void misuse(void *pointer) {
    announce(pointer);
    if (strcmp(verb, "realloc") == 0) {
        errno = 0;
        const void *result = resize(pointer, 200);
        say(result == NULL && errno == EINVAL ? "null EINVAL\n" : "something else\n");
    } else if (strcmp(verb, "usable") == 0) {
        say(usable_size(pointer) == 0 ? "zero\n" : "something else\n");
    } else {
        errno = 4321;
        release(pointer);
        say(errno == 4321 ? "errno kept\n" : "errno changed\n");
    }
}

static void *allocated(size_t size) {
    void *block = allocate(size);
    if (block == NULL) _exit(4);
    memset(block, 1, size);
    return block;
}

static void run_in_thread(void *(*body)(void *), void *argument) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, argument) != 0) _exit(5);
    pthread_join(thread, NULL);
}

static void *page_below(uintptr_t address) {
    return (void *)(address - (uintptr_t)sysconf(_SC_PAGESIZE));
}

/* The run of adjoining mappings that holds this block: its first address, and the one past it. */
static void find_area(const void *block, uintptr_t *begin, uintptr_t *end) {
    static char text[256 * 1024];
    const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t held = 0;
    ssize_t got;
    while (fd >= 0 && (got = read(fd, text + held, sizeof(text) - 1 - held)) > 0) {
        held += (size_t)got;
    }
    uintptr_t run_begin = 0, run_end = 0;
    for (char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        line += *line == '\n';
        char *dash = NULL;
        const uintptr_t from = (uintptr_t)strtoull(line, &dash, 16);
        if (dash == NULL || *dash != '-') break;
        const uintptr_t to = (uintptr_t)strtoull(dash + 1, NULL, 16);
        if (from != run_end) {
            if (run_begin <= (uintptr_t)block && (uintptr_t)block < run_end) break;
            run_begin = from;
        }
        run_end = to;
    }
    *begin = run_begin;
    *end = run_end;
}

static void foreign_stack(void) {
    _Alignas(64) char local[256];
    memset(local, 1, sizeof(local));
    misuse(local + 64);
}

static void foreign_stack_misaligned(void) {
    _Alignas(64) char local[256];
    memset(local, 1, sizeof(local));
    misuse(local + 65);
}

static void foreign_static(void) {
    misuse(static_data + 32);
}

static void foreign_code(void) {
    void *address = NULL;
    void (*function)(void) = foreign_static;
    memcpy((void *)&address, (void *)&function, sizeof(address));
    misuse(address);
}

static void foreign_mmap(void) {
    char *mapped = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) _exit(4);
    misuse(mapped);
}

static void foreign_mmap_middle(void) {
    char *mapped = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) _exit(4);
    misuse(mapped + (4 << 20) + 64);
}

static void foreign_unmapped(void) {
    char *mapped = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED || munmap(mapped, 1 << 20) != 0) _exit(4);
    misuse(mapped);
}

static void foreign_noncanonical(void) {
    misuse((void *)(uintptr_t)0x4141414141414141U);
}

static void foreign_kernel(void) {
    misuse((void *)(uintptr_t)0xffff888000000000U);
}

static void foreign_last(void) {
    misuse((void *)(UINTPTR_MAX - 15));
}

static void foreign_tiny(void) {
    misuse((void *)(uintptr_t)16);
}

static void foreign_top(void) {
    misuse((void *)(uintptr_t)0x7ffffffff000U);
}

static void foreign_page_below_small(void) {
    uintptr_t begin, end;
    find_area(allocated(SMALL_BYTES), &begin, &end);
    misuse(page_below(begin));
}

static void foreign_page_above_small(void) {
    uintptr_t begin, end;
    find_area(allocated(SMALL_BYTES), &begin, &end);
    misuse((void *)end);
}

static void foreign_page_below_large(void) {
    uintptr_t begin, end;
    find_area(allocated(64 * LARGE_BYTES), &begin, &end);
    misuse(page_below(begin));
}

static void foreign_page_above_large(void) {
    uintptr_t begin, end;
    find_area(allocated(64 * LARGE_BYTES), &begin, &end);
    misuse((void *)end);
}

/* A block of libc's own malloc, found as a foreign function interface finds it. */
static void *libcs_block(size_t size) {
    void *address = dlsym(dlopen("libc.so.6", RTLD_NOW), "malloc");
    void *(*libcs_malloc)(size_t) = NULL;
    memcpy((void *)&libcs_malloc, (void *)&address, sizeof(address));
    if (libcs_malloc == NULL || libcs_malloc == malloc) _exit(7);
    void *block = libcs_malloc(size);
    if (block == NULL) _exit(4);
    memset(block, 1, size);
    return block;
}

static void foreign_inside_libcs(void) {
    misuse((char *)libcs_block(1000) + 64);
}

static void foreign_inside_libcs_misaligned(void) {
    misuse((char *)libcs_block(1000) + 8);
}

static void foreign_inside_libcs_mapping(void) {
    misuse((char *)libcs_block(LARGE_BYTES) + 4096);
}

static void *goes_inside_libcs(void *unused) {
    (void)unused;
    misuse((char *)libcs_block(1000) + 64);
    return NULL;
}

static void foreign_inside_libcs_of_a_thread(void) {
    run_in_thread(goes_inside_libcs, NULL);
}

/* Behind the last block that libc has in the heap of the program break. */
static void foreign_above_libcs(void) {
    (void)libcs_block(1000);
    misuse((char *)sbrk(0) - 16);
}

/* Memory that has before the pointer what libc would have there, but not all of it. */
static void *made_up(uintptr_t *words, uintptr_t lead, uintptr_t size) {
    words[0] = lead;
    words[1] = size;
    return words + 2;
}

static void foreign_like_libcs_small(void) {
    static _Alignas(64) uintptr_t words[64];
    words[8 + 1] = 0x41; /* the next one, behind 64 bytes */
    misuse(made_up(words, 0, 0x41));
}

static void foreign_like_libcs_small_of_a_thread(void) {
    static _Alignas(64) uintptr_t words[64];
    words[8 + 1] = 0x45;
    misuse(made_up(words, 0, 0x45));
}

/* The mapping that the words speak of goes further than the real one. */
static void foreign_like_libcs_mapping(void) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *mapped = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED || munmap(mapped + 2 * page, 2 * page) != 0) _exit(4);
    misuse(made_up((uintptr_t *)(void *)mapped, 0, 4 * page + 2));
}

static void foreign_like_libcs_mapping_with_lead(void) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *mapped = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED || munmap(mapped, 2 * page) != 0) _exit(4);
    misuse(made_up((uintptr_t *)(void *)(mapped + 2 * page), 2 * page, 2 * page + 2));
}

/* At the start of what would be a thread's heap stands a word that is no arena. */
static void foreign_like_libcs_arena(void) {
    const size_t align = (size_t)64 << 20;
    char *mapped = mmap(NULL, 2 * align, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) _exit(4);
    char *heap = mapped + (-(uintptr_t)mapped & (align - 1));
    const uintptr_t head[] = {(uintptr_t)static_data, 0, align};
    memcpy(heap, head, sizeof(head));
    uintptr_t *words = (uintptr_t *)(void *)(heap + 4096);
    words[8 + 1] = 0x45;
    misuse(made_up(words, 0, 0x45));
}

static void foreign_before_unreadable(void) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *mapped = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED || mprotect(mapped, page, PROT_NONE) != 0) _exit(4);
    misuse(mapped + page);
}

/* A large block of this allocator holds what looks like one of libc's: it is inside all the same.
 */
static void large_inside_like_libcs(void) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *block = allocated(LARGE_BYTES);
    char *at = block + (-(uintptr_t)block & (page - 1)) + page;
    misuse(made_up((uintptr_t *)(void *)at, 0, 8 * page + 2));
}

static void foreign_static_after_deepbind(void) {
    if (dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_DEEPBIND) == NULL) _exit(8);
    misuse(static_data + 32);
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

/* A few free blocks of a size lie in the thread's bin, the first one on top; what follows names the
 * second one, writes to its memory, and goes on. */
#define FREED 3
static char *freed[FREED];

static void prepare_freed(size_t size) {
    for (size_t i = 0; i < FREED; i++) {
        freed[i] = allocated(size);
    }
    for (size_t i = FREED; i > 0; i--) {
        release(freed[i - 1]);
    }
}

static void write_to_freed(size_t size, const void *first_word) {
    prepare_freed(size);
    announce(freed[1]);
    memcpy(freed[1], &first_word, sizeof(first_word));
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

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"foreign_stack", foreign_stack},
    {"foreign_stack_misaligned", foreign_stack_misaligned},
    {"foreign_static", foreign_static},
    {"foreign_code", foreign_code},
    {"foreign_mmap", foreign_mmap},
    {"foreign_mmap_middle", foreign_mmap_middle},
    {"foreign_unmapped", foreign_unmapped},
    {"foreign_noncanonical", foreign_noncanonical},
    {"foreign_kernel", foreign_kernel},
    {"foreign_last", foreign_last},
    {"foreign_tiny", foreign_tiny},
    {"foreign_top", foreign_top},
    {"foreign_page_below_small", foreign_page_below_small},
    {"foreign_page_above_small", foreign_page_above_small},
    {"foreign_page_below_large", foreign_page_below_large},
    {"foreign_page_above_large", foreign_page_above_large},
    {"foreign_inside_libcs", foreign_inside_libcs},
    {"foreign_inside_libcs_misaligned", foreign_inside_libcs_misaligned},
    {"foreign_inside_libcs_mapping", foreign_inside_libcs_mapping},
    {"foreign_inside_libcs_of_a_thread", foreign_inside_libcs_of_a_thread},
    {"foreign_above_libcs", foreign_above_libcs},
    {"foreign_like_libcs_small", foreign_like_libcs_small},
    {"foreign_like_libcs_small_of_a_thread", foreign_like_libcs_small_of_a_thread},
    {"foreign_like_libcs_mapping", foreign_like_libcs_mapping},
    {"foreign_like_libcs_mapping_with_lead", foreign_like_libcs_mapping_with_lead},
    {"foreign_like_libcs_arena", foreign_like_libcs_arena},
    {"foreign_before_unreadable", foreign_before_unreadable},
    {"foreign_static_after_deepbind", foreign_static_after_deepbind},
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
};

/* After a mistake that was ignored the allocator must still serve. */
static bool still_serves(void) {
    void *blocks[64];
    for (size_t i = 0; i < 64; i++) {
        blocks[i] = allocate(i * i * 20 + 1);
        if (blocks[i] == NULL) return false;
        memset(blocks[i], (int)i, i * i * 20 + 1);
    }
    for (size_t i = 0; i < 64; i++) {
        release(blocks[i]);
    }
    return true;
}

int main(int argc, char **argv) {
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    alarm(600);
    if (argc != 3) return 2;
    verb = argv[1];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (strcmp(argv[2], cases[i].name) != 0) continue;
        cases[i].run();
        if (!still_serves()) return 1;
        say("survived\n");
        return 0;
    }
    return 2;
}
