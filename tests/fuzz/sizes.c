/* SPDX-License-Identifier: MIT */
/*
 * sizes.c: sizes.h. All is drawn from the caller's generator, and depends on nothing else.
 */
#include "tests/fuzz/sizes.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Where a class, a tier, a page or a table ends. */
static const size_t bounds[] = {
    16,       32,       64,        128,       256,       512,       1024,     1040,     1088,
    2048,     2112,     4096,      4160,      8192,      8704,      16 * KIB, 32 * KIB, 64 * KIB,
    65 * KIB, 96 * KIB, 128 * KIB, 256 * KIB, 512 * KIB, 768 * KIB, 1 * MIB,  2 * MIB,  4 * MIB,
};

#define SMALL_BOUNDS 18U /* those up to 64 KiB */

static size_t beside_a_bound(struct place *place) {
    const size_t last = place_happens(place, 0x4000) ? COUNT_OF(bounds) : SMALL_BOUNDS;
    const size_t bound = bounds[place_below(place, last)];
    const size_t apart = place_below(place, 4) == 0 ? 16 : place_below(place, 2);
    return place_happens(place, 0x8000) ? bound + apart : bound - apart;
}

/* Up to 1 MiB, each power of two as often as any other. */
static size_t by_magnitude(struct place *place) {
    return place_below(place, ((size_t)1 << place_below(place, 21)) + 1);
}

static size_t drawn(struct place *place) {
    const size_t kind = place_below(place, 1000);
    if (kind < 450) return place_below(place, 200);
    if (kind < 650) return place_below(place, 1200);
    if (kind < 850) return beside_a_bound(place);
    if (kind < 995) return by_magnitude(place);
    if (kind < 999) return MIB + place_below(place, 3 * MIB);
    return place_below(place, 64 * MIB);
}

size_t sizes_any(struct place *place, size_t most) {
    const size_t size = drawn(place);
    return size <= most ? size : size % (most + 1);
}

size_t sizes_impossible(struct place *place) {
    const size_t near = place_below(place, 70000);
    switch (place_below(place, 4)) {
    case 0:
        return SIZE_MAX - near;
    case 1:
        return (size_t)PTRDIFF_MAX + near;
    case 2:
        return (size_t)PTRDIFF_MAX - near;
    default:
        return ((size_t)1 << (48 + place_below(place, 15))) + near;
    }
}

size_t sizes_alignment(struct place *place) {
    const size_t kind = place_below(place, 100);
    const size_t top = kind < 60 ? 8 : kind < 90 ? 13 : kind < 98 ? 17 : 23;
    return (size_t)1 << place_below(place, top);
}

void sizes_split(struct place *place, size_t bytes, size_t *count, size_t *size) {
    const size_t part = place_happens(place, 0x8000) ? 1 : 1 + place_below(place, 40);
    *count = part;
    *size = bytes / part;
    if (place_happens(place, 0x8000)) {
        *count = bytes / part;
        *size = part;
    }
}

void sizes_overflow(struct place *place, size_t *count, size_t *size) {
    *count = ((size_t)1 << (32 + place_below(place, 31))) + place_below(place, 9);
    *size = SIZE_MAX / *count + 1 + place_below(place, 9);
}
