/* SPDX-License-Identifier: MIT */
/*
 * sizes.h: the sizes and alignments that the fuzzer asks for: mostly small, often beside a bound of
 * a class or a tier, sometimes large, and such as nobody can serve.
 */
#ifndef HAK_TESTS_SIZES_H
#define HAK_TESTS_SIZES_H

#include "tests/fuzz/place.h"

/* At most `most`. */
size_t sizes_any(struct place *place, size_t most);

/* More than any address space has. */
size_t sizes_impossible(struct place *place);

/* A power of two: small ones mostly, up to 4 MiB. */
size_t sizes_alignment(struct place *place);

/* Two factors of a product near `bytes`, and no larger. */
void sizes_split(struct place *place, size_t bytes, size_t *count, size_t *size);

/* Two factors whose product overflows. */
void sizes_overflow(struct place *place, size_t *count, size_t *size);

#endif
