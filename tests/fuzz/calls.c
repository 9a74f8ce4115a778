/* SPDX-License-Identifier: MIT */
/*
 * calls.c: calls.h. The linker would bind libc's names as well; looking them up also finds those
 * that only some allocators have.
 */
#define _GNU_SOURCE
#include "tests/fuzz/calls.h"

#include <dlfcn.h>
#include <string.h>

struct calls calls;

#ifdef USE_HAK

static size_t usable_size(void *block) {
    return hak_usable_size(block);
}

void calls_load(void) {
    calls = (struct calls){
        .malloc = hak_malloc,
        .calloc = hak_calloc,
        .realloc = hak_realloc,
        .free = hak_free,
        .free_sized = hak_free_sized,
        .free_aligned_sized = hak_free_aligned_sized,
        .aligned_alloc = hak_aligned_alloc,
        .memalign = hak_memalign,
        .posix_memalign = hak_posix_memalign,
        .valloc = hak_valloc,
        .pvalloc = hak_pvalloc,
        .usable_size = usable_size,
        .good_size = hak_good_size,
        .purge = hak_purge,
        .stats = hak_stats,
        .check = hak_check,
        .build_info = hak_build_info,
    };
}

#else

static void look_up(void *function, const char *name) {
    void *found = dlsym(RTLD_DEFAULT, name);
    memcpy(function, &found, sizeof(found));
}

/* The names of new differ from those of new[] in one letter, and so do those of delete. */
static void look_up_operators(struct operators *operators, char new_letter, char delete_letter) {
    const struct {
        void *function;
        const char *rest;
        char letter;
    } rows[] = {
        {&operators->plain, "m", new_letter},
        {&operators->nothrow, "mRKSt9nothrow_t", new_letter},
        {&operators->aligned, "mSt11align_val_t", new_letter},
        {&operators->aligned_nothrow, "mSt11align_val_tRKSt9nothrow_t", new_letter},
        {&operators->free, "Pv", delete_letter},
        {&operators->free_sized, "Pvm", delete_letter},
        {&operators->free_nothrow, "PvRKSt9nothrow_t", delete_letter},
        {&operators->free_aligned, "PvSt11align_val_t", delete_letter},
        {&operators->free_sized_aligned, "PvmSt11align_val_t", delete_letter},
        {&operators->free_aligned_nothrow, "PvSt11align_val_tRKSt9nothrow_t", delete_letter},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "_Z%c%c%s", rows[i].rest[0] == 'm' ? 'n' : 'd',
                       rows[i].letter, rows[i].rest);
        look_up(rows[i].function, name);
    }
}

void calls_load(void) {
    look_up(&calls.malloc, "malloc");
    look_up(&calls.calloc, "calloc");
    look_up(&calls.realloc, "realloc");
    look_up(&calls.reallocarray, "reallocarray");
    look_up(&calls.free, "free");
    look_up(&calls.free_sized, "free_sized");
    look_up(&calls.free_aligned_sized, "free_aligned_sized");
    look_up(&calls.aligned_alloc, "aligned_alloc");
    look_up(&calls.memalign, "memalign");
    look_up(&calls.posix_memalign, "posix_memalign");
    look_up(&calls.valloc, "valloc");
    look_up(&calls.pvalloc, "pvalloc");
    look_up(&calls.usable_size, "malloc_usable_size");
    look_up(&calls.trim, "malloc_trim");
    look_up(&calls.mallinfo, "mallinfo");
    look_up(&calls.mallinfo2, "mallinfo2");
    look_up(&calls.print_stats, "malloc_stats");
    look_up(&calls.print_info, "malloc_info");
    look_up(&calls.mallopt, "mallopt");
    look_up(&calls.good_size, "hak_good_size");
    look_up(&calls.purge, "hak_purge");
    look_up(&calls.stats, "hak_stats");
    look_up(&calls.check, "hak_check");
    look_up(&calls.build_info, "hak_build_info");
    look_up_operators(&calls.scalar, 'w', 'l');
    look_up_operators(&calls.array, 'a', 'a');
}

#endif
