/* SPDX-License-Identifier: MIT */
/*
 * cxx_runtime.c: finds the C++ runtime (libstdc++, libc++) of a caller, on the way of a failed
 * operator new only.
 *
 * Linking one would cost every process over a megabyte. Weak references find a runtime that was
 * loaded with the program, for every caller. One that came later, with a plugin that may be out of
 * the global scope or hold it inside, is looked for from the caller, each time: it may go again,
 * and each copy has a new handler and a count of exceptions of its own. A runtime is known by its
 * get_new_handler, and all else is taken from the same object.
 */
#include "src/abi/cxx_runtime.h"

#include "src/base/attrs.h"
#include "src/os/objects.h"

#include <stddef.h>

typedef hak_new_handler_fn *get_new_handler_fn(void);
typedef void throw_bad_alloc_fn(void);

/* std::get_new_handler() and std::__throw_bad_alloc(). */
extern get_new_handler_fn _ZSt15get_new_handlerv HAK_WEAK;
extern throw_bad_alloc_fn _ZSt17__throw_bad_allocv HAK_WEAK;

static get_new_handler_fn *get_new_handler_of(const void *caller) {
    if (_ZSt15get_new_handlerv != NULL) return _ZSt15get_new_handlerv;
    return (get_new_handler_fn *)hak_os_symbol_for(caller, "_ZSt15get_new_handlerv");
}

hak_new_handler_fn *hak_cxx_new_handler(const void *caller) {
    get_new_handler_fn *get_new_handler = get_new_handler_of(caller);
    return get_new_handler == NULL ? NULL : get_new_handler();
}

/* As a compiler writes `throw std::bad_alloc()`, with what the runtime at `runtime` has. */
static void throw_by_hand(const void *runtime) {
    typedef void *allocate_exception_fn(size_t bytes);
    typedef void throw_fn(void *exception, void *type, void *destructor);
    void *allocate = hak_os_symbol_beside(runtime, "__cxa_allocate_exception");
    void *throw = hak_os_symbol_beside(runtime, "__cxa_throw");
    void *type = hak_os_symbol_beside(runtime, "_ZTISt9bad_alloc");
    void *table = hak_os_symbol_beside(runtime, "_ZTVSt9bad_alloc");
    void *destructor = hak_os_symbol_beside(runtime, "_ZNSt9bad_allocD1Ev");
    if (!allocate || !throw || !type || !table || !destructor) return;
    void **exception = ((allocate_exception_fn *)allocate)(sizeof(*exception));
    *exception = (void **)table + 2; /* past the offset to the top and the type */
    ((throw_fn *) throw)(exception, type, destructor);
}

void hak_cxx_throw_bad_alloc(const void *caller) {
    if (_ZSt17__throw_bad_allocv != NULL) _ZSt17__throw_bad_allocv();
    const void *runtime = (const void *)get_new_handler_of(caller);
    if (runtime == NULL) return;
    void *throw_bad_alloc = hak_os_symbol_beside(runtime, "_ZSt17__throw_bad_allocv");
    if (throw_bad_alloc != NULL) ((throw_bad_alloc_fn *)throw_bad_alloc)();
    throw_by_hand(runtime); /* a static runtime holds only what its object uses */
}

/* A look-up from the caller might find a form that a library replaced for itself, or hakmem's. */
void *hak_cxx_form(struct hak_cxx_form *form, const void *caller) {
    void *found = atomic_load_explicit(&form->permanent, memory_order_relaxed);
    if (found != NULL) return found;
    get_new_handler_fn *get_new_handler = get_new_handler_of(caller);
    if (get_new_handler == NULL) return NULL;
    found = hak_os_symbol_beside((const void *)get_new_handler, form->name);
    if (get_new_handler == _ZSt15get_new_handlerv) {
        atomic_store_explicit(&form->permanent, found, memory_order_relaxed);
    }
    return found;
}
