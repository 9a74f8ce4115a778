/* SPDX-License-Identifier: MIT */
/*
 * prove.h: from an address that a program calls its block to the span that holds it.
 */
#ifndef HAK_FRONT_PROVE_H
#define HAK_FRONT_PROVE_H

#include "src/meta/span.h"

/* The span of an address where a block begins, found without reading the block; anything else is
 * reported as a misuse by `verb`, and gives NULL; a block of glibc's gives NULL without a report.
 */
struct hak_span *hak_prove(const void *block, const char *verb);

/* The same where the span that the address lies in is known. */
struct hak_span *hak_prove_in(struct hak_span *span, const void *block, const char *verb);

#endif
