/* SPDX-License-Identifier: MIT */
/*
 * cxx_runtime.h: what a failed operator new needs of the C++ runtime that its caller uses.
 */
#ifndef HAK_ABI_CXX_RUNTIME_H
#define HAK_ABI_CXX_RUNTIME_H

#include <stdatomic.h>

typedef void hak_new_handler_fn(void);

/* A nothrow operator new of the runtime: it catches what plain new throws. */
struct hak_cxx_form {
    const char *name;        /* const */
    void *_Atomic permanent; /* once known, where the runtime can't be unloaded; relaxed */
};

/* The new handler that is set now; NULL: none, or no runtime. `caller` is the code that called the
 * operator. */
hak_new_handler_fn *hak_cxx_new_handler(const void *caller);

/* Throws std::bad_alloc; returns where there is no runtime. */
void hak_cxx_throw_bad_alloc(const void *caller);

/* The runtime's own form; NULL: there is none. */
void *hak_cxx_form(struct hak_cxx_form *form, const void *caller);

#endif
