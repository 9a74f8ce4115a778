/* SPDX-License-Identifier: MIT */
/*
 * cxx.c: the C++ operators new and delete, by their mangled names.
 *
 * Linking libstdc++ would cost every process over a megabyte, so its new handler and the function
 * that throws are weak references, found when the program has them. Without them a failed operator
 * new ends the process, since it may not return NULL. A sized or aligned delete trusts neither.
 */
#include "src/abi/entry.h"
#include "src/os/os.h"

#include <string.h>

typedef void new_handler_fn(void);

/* std::get_new_handler() and std::__throw_bad_alloc(). */
extern new_handler_fn *_ZSt15get_new_handlerv(void) HAK_WEAK;
extern void _ZSt17__throw_bad_allocv(void) HAK_WEAK;

#define NEW_NAMES(X)                                                                               \
    X(_Znwm, _ZnwmRKSt9nothrow_t, _ZnwmSt11align_val_t, _ZnwmSt11align_val_tRKSt9nothrow_t)        \
    X(_Znam, _ZnamRKSt9nothrow_t, _ZnamSt11align_val_t, _ZnamSt11align_val_tRKSt9nothrow_t)

static void *allocate(size_t size, size_t align) {
    return align <= HAK_ALIGN_BYTES ? hak_fast_malloc(size) : hak_front_aligned(align, size, true);
}

/* Calls the handler until the block is there or no handler is left. */
static HAK_COLD void *new_retry(size_t size, size_t align) {
    void *block = NULL;
    while (block == NULL) {
        new_handler_fn *handler = _ZSt15get_new_handlerv == NULL ? NULL : _ZSt15get_new_handlerv();
        if (handler == NULL) return NULL;
        handler();
        block = allocate(size, align);
    }
    return block;
}

static HAK_COLD void *new_slow(size_t size, size_t align) {
    void *block = new_retry(size, align);
    if (block != NULL) return block;
    if (_ZSt17__throw_bad_allocv != NULL) _ZSt17__throw_bad_allocv();
    static const char message[] = "hakmem: operator new: out of memory\n";
    hak_os_write_stderr(message, strlen(message));
    hak_os_abort();
}

#define DEFINE_NEW(plain, nothrow, aligned, aligned_nothrow)                                       \
    void *plain(size_t size);                                                                      \
    void *nothrow(size_t size, const void *tag);                                                   \
    void *aligned(size_t size, size_t align);                                                      \
    void *aligned_nothrow(size_t size, size_t align, const void *tag);                             \
    HAK_EXPORT void *plain(size_t size) {                                                          \
        void *block = hak_fast_malloc(size);                                                       \
        return hak_likely(block != NULL) ? block : new_slow(size, HAK_ALIGN_BYTES);                \
    }                                                                                              \
    HAK_EXPORT void *nothrow(size_t size, const void *tag) {                                       \
        (void)tag;                                                                                 \
        void *block = hak_fast_malloc(size);                                                       \
        return hak_likely(block != NULL) ? block : new_retry(size, HAK_ALIGN_BYTES);               \
    }                                                                                              \
    HAK_EXPORT void *aligned(size_t size, size_t align) {                                          \
        void *block = allocate(size, align);                                                       \
        return hak_likely(block != NULL) ? block : new_slow(size, align);                          \
    }                                                                                              \
    HAK_EXPORT void *aligned_nothrow(size_t size, size_t align, const void *tag) {                 \
        (void)tag;                                                                                 \
        void *block = allocate(size, align);                                                       \
        return hak_likely(block != NULL) ? block : new_retry(size, align);                         \
    }
NEW_NAMES(DEFINE_NEW)

#define DEFINE_DELETE_1(name)                                                                      \
    void name(void *block);                                                                        \
    HAK_EXPORT void name(void *block) {                                                            \
        hak_fast_free(block);                                                                      \
    }
#define DEFINE_DELETE_2(name)                                                                      \
    void name(void *block, uintptr_t a);                                                           \
    HAK_EXPORT void name(void *block, uintptr_t a) {                                               \
        (void)a;                                                                                   \
        hak_fast_free(block);                                                                      \
    }
#define DEFINE_DELETE_3(name)                                                                      \
    void name(void *block, uintptr_t a, uintptr_t b);                                              \
    HAK_EXPORT void name(void *block, uintptr_t a, uintptr_t b) {                                  \
        (void)a;                                                                                   \
        (void)b;                                                                                   \
        hak_fast_free(block);                                                                      \
    }

DEFINE_DELETE_1(_ZdlPv)
DEFINE_DELETE_1(_ZdaPv)
DEFINE_DELETE_2(_ZdlPvm)
DEFINE_DELETE_2(_ZdaPvm)
DEFINE_DELETE_2(_ZdlPvRKSt9nothrow_t)
DEFINE_DELETE_2(_ZdaPvRKSt9nothrow_t)
DEFINE_DELETE_2(_ZdlPvSt11align_val_t)
DEFINE_DELETE_2(_ZdaPvSt11align_val_t)
DEFINE_DELETE_3(_ZdlPvmSt11align_val_t)
DEFINE_DELETE_3(_ZdaPvmSt11align_val_t)
DEFINE_DELETE_3(_ZdlPvSt11align_val_tRKSt9nothrow_t)
DEFINE_DELETE_3(_ZdaPvSt11align_val_tRKSt9nothrow_t)
