/* SPDX-License-Identifier: MIT */
/*
 * refusals.c: refusals.h. A refusal is NULL, errno or a status, and nothing else changes: no
 * pointer that is written on success only, no errno where it is not used.
 */
#define _GNU_SOURCE
#include "tests/fuzz/refusals.h"
#include "tests/fuzz/calls.h"
#include "tests/fuzz/sizes.h"

#include <errno.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* errno was 0 before the call. */
static void refused(const struct place *place, const void *block, int expected) {
    if (block == NULL && errno == expected) return;
    breach(place, "%p, errno %d, in place of a refusal with errno %d", block, errno, expected);
}

static void malloc_impossible(struct place *place) {
    place->verb = "malloc of an impossible size";
    refused(place, calls.malloc(sizes_impossible(place)), ENOMEM);
}

static void calloc_impossible(struct place *place) {
    place->verb = "calloc of an impossible size";
    size_t count, size;
    sizes_overflow(place, &count, &size);
    refused(place, calls.calloc(count, size), ENOMEM);
    refused(place, calls.calloc(1, sizes_impossible(place)), ENOMEM);
}

static size_t no_power_of_two(struct place *place) {
    const size_t power = (size_t)1 << (2 + place_below(place, 61));
    return place_below(place, 4) == 0 ? 0 : power + 1 + place_below(place, power - 1);
}

static void aligned_alloc_impossible(struct place *place) {
    place->verb = "aligned_alloc of an impossible size or alignment";
    refused(place, calls.aligned_alloc(no_power_of_two(place), place_below(place, 9000)), EINVAL);
    errno = 0;
    refused(place, calls.aligned_alloc(sizes_alignment(place), sizes_impossible(place)), ENOMEM);
}

static void memalign_impossible(struct place *place) {
    place->verb = "memalign of an impossible size or alignment";
    const size_t top = (size_t)1 << 63;
    refused(place, calls.memalign(top + 1 + place_below(place, top - 1), 1), EINVAL);
    errno = 0;
    refused(place, calls.memalign(sizes_alignment(place), sizes_impossible(place)), ENOMEM);
    errno = 0;
    refused(place, calls.memalign((size_t)1 << (48 + place_below(place, 15)), 1), ENOMEM);
}

static void posix_memalign_impossible(struct place *place) {
    place->verb = "posix_memalign of an impossible size or alignment";
    void *const before = place;
    void *out = before;
    const bool is_size = place_happens(place, 0x8000);
    const size_t alignment = is_size                        ? 8 * sizes_alignment(place)
                             : place_happens(place, 0x4000) ? 4
                                                            : no_power_of_two(place);
    const int status = calls.posix_memalign(&out, alignment, is_size ? sizes_impossible(place) : 9);
    if (status == (is_size ? ENOMEM : EINVAL) && out == before && errno == 0) return;
    breach(place, "alignment %zu: status %d, errno %d, %s", alignment, status, errno,
           out == before ? "the pointer untouched" : "the pointer overwritten");
}

static void paged_impossible(struct place *place) {
    place->verb = "valloc or pvalloc of an impossible size";
    refused(place, calls.valloc(sizes_impossible(place)), ENOMEM);
    errno = 0;
    refused(place, calls.pvalloc(sizes_impossible(place)), ENOMEM);
}

static void new_impossible(struct place *place) {
    place->verb = "new of an impossible size";
    const struct operators *from = place_happens(place, 0x8000) ? &calls.array : &calls.scalar;
    if (from->nothrow == NULL) return;
    const char tag = 0;
    const void *block = from->nothrow(sizes_impossible(place), &tag);
    if (block == NULL) {
        block = from->aligned_nothrow(sizes_impossible(place), 2 * sizes_alignment(place), &tag);
    }
    if (block != NULL) breach(place, "%p in place of a refusal", block);
}

static void nothing(struct place *place) {
    place->verb = "a call with NULL";
    errno = 4711;
    calls.free(NULL);
    if (calls.free_sized != NULL) calls.free_sized(NULL, place_below(place, 100));
    if (calls.free_aligned_sized != NULL) calls.free_aligned_sized(NULL, 64, 64);
    if (calls.scalar.free != NULL) calls.scalar.free(NULL);
    if (calls.array.free_sized_aligned != NULL) calls.array.free_sized_aligned(NULL, 64, 64);
    if (calls.usable_size(NULL) != 0) breach(place, "NULL has a usable size");
    if (errno != 4711) breach(place, "errno became %d", errno);
}

static void reports_wrong(struct place *place) {
    place->verb = "a report asked for wrongly";
    struct hak_stats stats = {.version = HAK_STATS_VERSION + 1};
    if (calls.stats != NULL && calls.stats(&stats) != -1) breach(place, "an unknown version");
    if (calls.print_info == NULL) return;
    if (calls.print_info(1 + (int)place_below(place, 9), stdout) != -1 || errno != EINVAL) {
        breach(place, "malloc_info: errno %d in place of a refusal", errno);
    }
}

void refusals_step(struct place *place) {
    static void (*const steps[])(struct place *) = {
        malloc_impossible,
        calloc_impossible,
        aligned_alloc_impossible,
        memalign_impossible,
        posix_memalign_impossible,
        paged_impossible,
        new_impossible,
        nothing,
        reports_wrong,
    };
    errno = 0;
    steps[place_below(place, COUNT_OF(steps))](place);
}
