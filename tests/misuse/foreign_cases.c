/* SPDX-License-Identifier: MIT */
/*
 * foreign_cases.c: pointers that no allocator gave out, or another one did.
 */
#include "tests/misuse/cases.h"

static void *page_below(uintptr_t address) {
    return (void *)(address - (uintptr_t)sysconf(_SC_PAGESIZE));
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

static void foreign_static_after_deepbind(void) {
    if (dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_DEEPBIND) == NULL) _exit(8);
    misuse(static_data + 32);
}

const struct misuse_case foreign_cases[] = {
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
    {NULL, NULL},
};
