/* SPDX-License-Identifier: MIT */
/*
 * dlopen_use.c LIB [close]: a program that is not preloaded opens the library at run time, local
 * and at once, and uses its hak_* names from several threads, one of which is older than the
 * library. The program's own malloc stays libc's, side by side. With `close` the library is closed
 * while such threads still live; their end, and the program's, must be quiet.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 6
#define SLOTS   500
#define TURNS   40000

static void *(*their_malloc)(size_t size);
static void *(*their_realloc)(void *block, size_t size);
static void (*their_free)(void *block);
static bool (*their_check)(void);
static pthread_barrier_t library_is_open, work_is_done, library_is_closed;

static void fail(const char *what) {
    fprintf(stderr, "dlopen_use: %s\n", what);
    exit(1);
}

static bool is_filled(const unsigned char *block, size_t size, unsigned char value) {
    for (size_t i = 0; i < size; i++) {
        if (block[i] != value) return false;
    }
    return true;
}

static void work(unsigned id) {
    unsigned char **slots = calloc(SLOTS, sizeof(*slots));
    size_t *held = calloc(SLOTS, sizeof(*held));
    uint32_t random = id * 2654435761U + 1;
    if (slots == NULL || held == NULL) fail("libc has no memory");
    for (int turn = 0; turn < TURNS; turn++) {
        random = random * 1664525U + 1013904223U;
        const uint32_t dice = random >> 8;
        const size_t at = dice % SLOTS;
        const size_t size = (dice / SLOTS) % (turn % 100 == 0 ? 100000 : 700) + 1;
        const unsigned char value = (unsigned char)(at + id);
        if (!is_filled(slots[at], held[at], value)) fail("a block was overwritten");
        slots[at] = turn % 3 == 0 ? their_realloc(slots[at], size)
                                  : (their_free(slots[at]), their_malloc(size));
        if (slots[at] == NULL) fail("no memory");
        memset(slots[at], value, size);
        held[at] = size;
    }
    for (size_t i = 0; i < SLOTS; i++) {
        if (!is_filled(slots[i], held[i], (unsigned char)(i + id))) fail("a block was overwritten");
        their_free(slots[i]);
    }
    free(slots);
    free(held);
}

static void *thread_body(void *argument) {
    pthread_barrier_wait(&library_is_open);
    work((unsigned)(uintptr_t)argument);
    pthread_barrier_wait(&work_is_done);
    pthread_barrier_wait(&library_is_closed);
    return NULL;
}

static void find(void *library, const char *name, void *out) {
    void *address = dlsym(library, name);
    if (address == NULL) fail(dlerror());
    memcpy(out, &address, sizeof(address));
}

int main(int argc, char **argv) {
    if (argc < 2) fail("usage: dlopen_use LIB [close]");
    const bool is_closing = argc > 2 && strcmp(argv[2], "close") == 0;
    pthread_t threads[THREADS];
    pthread_barrier_init(&library_is_open, NULL, THREADS + 1);
    pthread_barrier_init(&work_is_done, NULL, THREADS + 1);
    pthread_barrier_init(&library_is_closed, NULL, THREADS + 1);
    for (uintptr_t i = 0; i < THREADS / 2; i++) {
        if (pthread_create(&threads[i], NULL, thread_body, (void *)i) != 0) fail("no thread");
    }
    void *library = dlopen(argv[1], RTLD_LOCAL | RTLD_NOW);
    if (library == NULL) fail(dlerror());
    find(library, "hak_malloc", (void *)&their_malloc);
    find(library, "hak_realloc", (void *)&their_realloc);
    find(library, "hak_free", (void *)&their_free);
    find(library, "hak_check", (void *)&their_check);
    for (uintptr_t i = THREADS / 2; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, thread_body, (void *)i) != 0) fail("no thread");
    }
    pthread_barrier_wait(&library_is_open);
    pthread_barrier_wait(&work_is_done);
    work(99);
    if (!their_check()) fail("the library's own check failed");
    if (is_closing && dlclose(library) != 0) fail(dlerror());
    pthread_barrier_wait(&library_is_closed);
    for (int i = 0; i < THREADS; i++) {
        if (pthread_join(threads[i], NULL) != 0) fail("no join");
    }
    return 0;
}
