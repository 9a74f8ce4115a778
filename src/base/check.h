/* SPDX-License-Identifier: MIT */
/*
 * check.h: three costs of checking.
 *
 * HAK_GUARDS is 0 (release), 1 (debug) or 2 (audit), from -Dguards. hak_assert costs nothing in
 * release builds and guards our own mistakes; the caller's mistakes are reported by the front
 * (front/misuse.h) in every build; full walks report through hak_report_fn. With audit what a step
 * has changed is recounted after it (meta/conserve.h, supply/audit.h).
 */
#ifndef HAK_BASE_CHECK_H
#define HAK_BASE_CHECK_H

#include "src/base/attrs.h"
#include "src/base/fault.h"

#ifndef HAK_GUARDS
#define HAK_GUARDS 0
#endif
/* 1 in the one library that a test plants faults in (base/fault.h). */
#ifndef HAK_FAULTS
#define HAK_FAULTS 0
#endif

/* Ends the process with one line on stderr; neither allocates nor returns. */
HAK_NORETURN void hak_panic(const char *file, int line, const char *claim);

#define hak_assert(claim)                                                                          \
    do {                                                                                           \
        if (HAK_GUARDS >= 1 && hak_unlikely(!(claim))) hak_panic(__FILE__, __LINE__, #claim);      \
    } while (0)

/* Receives one breach of an invariant: where it was seen, what should hold, and two numbers that
 * should agree. Must not allocate. */
typedef void (*hak_report_fn)(void *arg, const char *claim, const void *where,
                              unsigned long long want, unsigned long long got);

/* One that ends the process; `arg` is HAK_HERE. Not in release builds. */
struct hak_place {
    const char *file;
    int line;
};
#define HAK_HERE (&(struct hak_place){__FILE__, __LINE__})
void hak_report_panic(void *arg, const char *claim, const void *where, unsigned long long want,
                      unsigned long long got);

#endif
