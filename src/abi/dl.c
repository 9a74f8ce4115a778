/* SPDX-License-Identifier: MIT */
/*
 * dl.c: dlopen, without RTLD_DEEPBIND.
 *
 * A library opened with that flag binds malloc and free to libc's, while strdup, getline and all
 * else of libc that allocates calls this library's malloc: the first free of such a block ends the
 * process. Without the flag one malloc serves all. HAKMEM_DEEPBIND=1 keeps it.
 *
 * dlopen looks at its return address to see who calls: whose run path counts, and which namespace.
 * So the call of the next dlopen must be a jump.
 */
#include "src/os/dl.h"

#include "src/base/attrs.h"
#include "src/front/foreign.h"
#include "src/front/init.h"
#include "src/front/options.h"

#include <string.h>

typedef void *dlopen_fn(const char *file, int mode);

void *dlopen(const char *file, int mode);

static HAK_NOINLINE dlopen_fn *next_dlopen(void) {
    static void *known;
    void *address = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (address == NULL) {
        address = hak_dl_next("dlopen");
        __atomic_store_n(&known, address, __ATOMIC_RELAXED);
    }
    dlopen_fn *function;
    memcpy((void *)&function, &address, sizeof function);
    return function;
}

static HAK_NOINLINE int mode_of(int mode) {
    (void)hak_init(); /* reads the options */
    int without = hak_dl_without_deepbind(mode);
    if (without == mode || !hak_options.deepbind) return without;
    hak_foreign_expect();
    return mode;
}

HAK_EXPORT HAK_TAIL_CALLS void *dlopen(const char *file, int mode) {
    dlopen_fn *next = next_dlopen();
    int chosen = mode_of(mode);
    HAK_TAIL_CALL return next(file, chosen);
}
