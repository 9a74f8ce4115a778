/* SPDX-License-Identifier: MIT */
/*
 * check.h: three costs of checking.
 *
 * HAK_GUARDS is 0 (release), 1 (debug) or 2 (audit), from -Dguards. hak_assert costs nothing in
 * release builds and guards our own mistakes; the caller's mistakes are reported by the front
 * (front/misuse.h) in every build; full walks report through hak_report_fn.
 */
#ifndef HAK_BASE_CHECK_H
#define HAK_BASE_CHECK_H

#include "src/base/attrs.h"

#ifndef HAK_GUARDS
#define HAK_GUARDS 0
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

#endif
