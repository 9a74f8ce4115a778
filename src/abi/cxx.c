/* SPDX-License-Identifier: MIT */
/*
 * cxx.c: the C++ operators new and delete, by their mangled names.
 *
 * A program may replace any of them, and the others then go through its own as the standard says:
 * array forms call the single ones, sized deletes those without a size, nothrow forms those that
 * throw. While none of those is replaced, which is one flag, each form allocates or frees by
 * itself. A failed operator new may not return NULL: without a C++ runtime it ends the process. A
 * sized or aligned delete trusts neither.
 */
#include "src/abi/cxx_runtime.h"
#include "src/abi/entry.h"
#include "src/os/os.h"

#include <string.h>

/* Where an operator was called from: what tells which runtime is meant. */
#define HAK_CALLER __builtin_return_address(0)

typedef void *new_fn(size_t size);
typedef void *new_aligned_fn(size_t size, size_t align);
typedef void *new_nothrow_fn(size_t size, const void *tag);
typedef void *new_aligned_nothrow_fn(size_t size, size_t align, const void *tag);
typedef void delete_fn(void *block);
typedef void delete_aligned_fn(void *block, size_t align);

/* The operators that others call. */
struct called {
    new_fn *new_one, *new_array;
    new_aligned_fn *new_one_aligned, *new_array_aligned;
    delete_fn *delete_one, *delete_array;
    delete_aligned_fn *delete_one_aligned, *delete_array_aligned;
};

HAK_EXPORT new_fn _Znwm, _Znam;
HAK_EXPORT new_aligned_fn _ZnwmSt11align_val_t, _ZnamSt11align_val_t;
HAK_EXPORT delete_fn _ZdlPv, _ZdaPv;
HAK_EXPORT delete_aligned_fn _ZdlPvSt11align_val_t, _ZdaPvSt11align_val_t;

/* The dynamic linker fills these in: the program's, or a library's before this one, or ours. */
static const struct called linked_operators = {
    .new_one = _Znwm,
    .new_array = _Znam,
    .new_one_aligned = _ZnwmSt11align_val_t,
    .new_array_aligned = _ZnamSt11align_val_t,
    .delete_one = _ZdlPv,
    .delete_array = _ZdaPv,
    .delete_one_aligned = _ZdlPvSt11align_val_t,
    .delete_array_aligned = _ZdaPvSt11align_val_t,
};

/* Without this the compiler takes the initial values for the final ones. */
static const struct called *linked(void) {
    const struct called *table = &linked_operators;
    hak_opaque(table);
    return table;
}

/* This library in memory, by the static linker. */
extern const char __ehdr_start[] HAK_HIDDEN, _end[] HAK_HIDDEN;

/* Compilers take an operator's own address for the linked one; the library's bounds are certain. */
static bool is_ours(uintptr_t address) {
    return address - (uintptr_t)__ehdr_start < (uintptr_t)_end - (uintptr_t)__ehdr_start;
}

static bool are_news_ours(const struct called *now) {
    return is_ours((uintptr_t)now->new_one) && is_ours((uintptr_t)now->new_array) &&
           is_ours((uintptr_t)now->new_one_aligned) && is_ours((uintptr_t)now->new_array_aligned);
}

static bool are_deletes_ours(const struct called *now) {
    return is_ours((uintptr_t)now->delete_one) && is_ours((uintptr_t)now->delete_array) &&
           is_ours((uintptr_t)now->delete_one_aligned) &&
           is_ours((uintptr_t)now->delete_array_aligned);
}

/* True when all of `linked` are. Written once, at load; while it is false, every form calls what
 * the dynamic linker says, which is right in any case. */
static struct { bool are_ours; } HAK_ALIGNED(HAK_LINE_BYTES) operators;

__attribute__((constructor)) static void at_load(void) {
    operators.are_ours = are_news_ours(linked()) && are_deletes_ours(linked());
}

static void *allocate(size_t size, size_t align) {
    return align <= HAK_ALIGN_BYTES ? hak_fast_malloc(size) : hak_front_aligned(align, size, true);
}

/* Calls the handler until the block is there or no handler is left. */
static HAK_COLD void *new_retry(size_t size, size_t align, const void *caller) {
    void *block = NULL;
    while (block == NULL) {
        hak_new_handler_fn *handler = hak_cxx_new_handler(caller);
        if (handler == NULL) return NULL;
        handler();
        block = allocate(size, align);
    }
    return block;
}

static HAK_COLD void *new_slow(size_t size, size_t align, const void *caller) {
    void *block = new_retry(size, align, caller);
    if (block != NULL) return block;
    hak_cxx_throw_bad_alloc(caller);
    static const char message[] = "hakmem: operator new: out of memory\n";
    hak_os_write_stderr(message, strlen(message));
    hak_os_abort();
}

/* What a nothrow form calls, and its name in the runtime. */
struct nothrow {
    struct hak_cxx_form runtime;
    bool is_array, is_aligned; /* const */
};

static struct nothrow one = {.runtime.name = "_ZnwmRKSt9nothrow_t"};
static struct nothrow array = {.runtime.name = "_ZnamRKSt9nothrow_t", .is_array = true};
static struct nothrow one_aligned = {.runtime.name = "_ZnwmSt11align_val_tRKSt9nothrow_t",
                                     .is_aligned = true};
static struct nothrow array_aligned = {
    .runtime.name = "_ZnamSt11align_val_tRKSt9nothrow_t", .is_array = true, .is_aligned = true};

static bool calls_ours(const struct nothrow *form) {
    const struct called *now = linked();
    if (form->is_aligned) {
        return is_ours((uintptr_t)now->new_one_aligned) &&
               (!form->is_array || is_ours((uintptr_t)now->new_array_aligned));
    }
    return is_ours((uintptr_t)now->new_one) &&
           (!form->is_array || is_ours((uintptr_t)now->new_array));
}

static void *call_linked(const struct nothrow *form, size_t size, size_t align) {
    const struct called *now = linked();
    if (form->is_aligned) {
        return form->is_array ? now->new_array_aligned(size, align)
                              : now->new_one_aligned(size, align);
    }
    return form->is_array ? now->new_array(size) : now->new_one(size);
}

/* The tag is std::nothrow, an object without contents. */
static void *call_runtime(const struct nothrow *form, void *runtime, size_t size, size_t align) {
    static const char tag = 0;
    return form->is_aligned ? ((new_aligned_nothrow_fn *)runtime)(size, align, &tag)
                            : ((new_nothrow_fn *)runtime)(size, &tag);
}

/* A handler may throw: the runtime's form, which calls the plain one again, catches that. */
static HAK_COLD void *nothrow_slow(struct nothrow *form, size_t size, size_t align,
                                   const void *caller) {
    if (hak_cxx_new_handler(caller) == NULL) return NULL;
    void *runtime = hak_cxx_form(&form->runtime, caller);
    if (runtime != NULL) return call_runtime(form, runtime, size, align);
    return new_retry(size, align, caller); /* in a program that holds its runtime: not caught */
}

/* The same where a replaced operator may throw. It is called in place of a return: the address read
 * here is the form's own. */
static HAK_COLD void *nothrow_linked(struct nothrow *form, size_t size, size_t align) {
    const void *caller = HAK_CALLER;
    if (calls_ours(form)) {
        void *block = allocate(size, align);
        return block != NULL ? block : nothrow_slow(form, size, align, caller);
    }
    void *runtime = hak_cxx_form(&form->runtime, caller);
    if (runtime != NULL) return call_runtime(form, runtime, size, align);
    return call_linked(form, size, align);
}

void *_Znwm(size_t size) {
    void *block = hak_fast_malloc(size);
    return hak_likely(block != NULL) ? block : new_slow(size, HAK_ALIGN_BYTES, HAK_CALLER);
}

void *_Znam(size_t size) {
    if (hak_unlikely(!operators.are_ours)) return linked()->new_one(size);
    void *block = hak_fast_malloc(size);
    return hak_likely(block != NULL) ? block : new_slow(size, HAK_ALIGN_BYTES, HAK_CALLER);
}

void *_ZnwmSt11align_val_t(size_t size, size_t align) {
    void *block = allocate(size, align);
    return hak_likely(block != NULL) ? block : new_slow(size, align, HAK_CALLER);
}

void *_ZnamSt11align_val_t(size_t size, size_t align) {
    if (hak_unlikely(!operators.are_ours)) return linked()->new_one_aligned(size, align);
    void *block = allocate(size, align);
    return hak_likely(block != NULL) ? block : new_slow(size, align, HAK_CALLER);
}

#define DEFINE_NOTHROW(name, form)                                                                 \
    new_nothrow_fn name;                                                                           \
    HAK_EXPORT void *name(size_t size, const void *tag) {                                          \
        (void)tag;                                                                                 \
        if (hak_unlikely(!operators.are_ours)) {                                                   \
            return nothrow_linked(form, size, HAK_ALIGN_BYTES);                                    \
        }                                                                                          \
        void *block = hak_fast_malloc(size);                                                       \
        if (hak_likely(block != NULL)) return block;                                               \
        return nothrow_slow(form, size, HAK_ALIGN_BYTES, HAK_CALLER);                              \
    }
#define DEFINE_ALIGNED_NOTHROW(name, form)                                                         \
    new_aligned_nothrow_fn name;                                                                   \
    HAK_EXPORT void *name(size_t size, size_t align, const void *tag) {                            \
        (void)tag;                                                                                 \
        if (hak_unlikely(!operators.are_ours)) {                                                   \
            return nothrow_linked(form, size, align);                                              \
        }                                                                                          \
        void *block = allocate(size, align);                                                       \
        return hak_likely(block != NULL) ? block : nothrow_slow(form, size, align, HAK_CALLER);    \
    }
DEFINE_NOTHROW(_ZnwmRKSt9nothrow_t, &one)
DEFINE_NOTHROW(_ZnamRKSt9nothrow_t, &array)
DEFINE_ALIGNED_NOTHROW(_ZnwmSt11align_val_tRKSt9nothrow_t, &one_aligned)
DEFINE_ALIGNED_NOTHROW(_ZnamSt11align_val_tRKSt9nothrow_t, &array_aligned)

void _ZdlPv(void *block) {
    hak_fast_free(block);
}

void _ZdlPvSt11align_val_t(void *block, size_t align) {
    (void)align;
    hak_fast_free(block);
}

/* A delete that calls another one: its parameters, those that go unused, and the call. */
#define DEFINE_DELETE(name, parameters, unused, call)                                              \
    HAK_EXPORT void name parameters;                                                               \
    void name parameters {                                                                         \
        unused;                                                                                    \
        if (hak_unlikely(!operators.are_ours)) {                                                   \
            linked()->call;                                                                        \
        } else {                                                                                   \
            hak_fast_free(block);                                                                  \
        }                                                                                          \
    }
DEFINE_DELETE(_ZdaPv, (void *block), (void)0, delete_one(block))
DEFINE_DELETE(_ZdlPvm, (void *block, size_t size), (void)size, delete_one(block))
DEFINE_DELETE(_ZdaPvm, (void *block, size_t size), (void)size, delete_array(block))
DEFINE_DELETE(_ZdlPvRKSt9nothrow_t, (void *block, const void *tag), (void)tag, delete_one(block))
DEFINE_DELETE(_ZdaPvRKSt9nothrow_t, (void *block, const void *tag), (void)tag, delete_array(block))
DEFINE_DELETE(_ZdaPvSt11align_val_t, (void *block, size_t align), (void)0,
              delete_one_aligned(block, align))
DEFINE_DELETE(_ZdlPvmSt11align_val_t, (void *block, size_t size, size_t align), (void)size,
              delete_one_aligned(block, align))
DEFINE_DELETE(_ZdaPvmSt11align_val_t, (void *block, size_t size, size_t align), (void)size,
              delete_array_aligned(block, align))
DEFINE_DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *block, size_t align, const void *tag),
              (void)tag, delete_one_aligned(block, align))
DEFINE_DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *block, size_t align, const void *tag),
              (void)tag, delete_array_aligned(block, align))
