/* SPDX-License-Identifier: MIT */
/*
 * verbs.c: verbs.h: what makes, resizes and frees blocks. A request that can be served must be.
 */
#define _GNU_SOURCE
#include "tests/fuzz/verbs.h"
#include "tests/fuzz/calls.h"
#include "tests/fuzz/forks.h"
#include "tests/fuzz/refusals.h"
#include "tests/fuzz/reports.h"
#include "tests/fuzz/settings.h"
#include "tests/fuzz/sizes.h"
#include "tests/fuzz/slots.h"

#include <errno.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static size_t any_size(struct place *place) {
    return sizes_any(place, settings.live_bytes / 4);
}

static bool has_room(size_t size) {
    return slots_live_bytes() + size <= settings.live_bytes;
}

/* Takes one of the forms that fit how the block was made. */
static void delete_block(const struct live *live, size_t form) {
    const struct operators *with = live->origin == FROM_NEW ? &calls.scalar : &calls.array;
    const char tag = 0;
    const bool is_aligned = live->alignment > 1;
    switch (form) {
    case 0:
        if (is_aligned)
            with->free_sized_aligned(live->block, live->size, live->alignment);
        else
            with->free_sized(live->block, live->size);
        return;
    case 1:
        if (is_aligned)
            with->free_aligned_nothrow(live->block, live->alignment, &tag);
        else
            with->free_nothrow(live->block, &tag);
        return;
    default:
        if (is_aligned)
            with->free_aligned(live->block, live->alignment);
        else
            with->free(live->block);
    }
}

static void free_block(const struct live *live, size_t form) {
    const bool is_aligned = live->alignment > 1;
    if (form == 0 && is_aligned && calls.free_aligned_sized != NULL) {
        calls.free_aligned_sized(live->block, live->alignment, live->size);
    } else if (form == 0 && !is_aligned && calls.free_sized != NULL) {
        calls.free_sized(live->block, live->size);
    } else {
        calls.free(live->block);
    }
}

/* A free keeps errno, whatever it was. */
static void free_checked(struct place *place, const struct live *live) {
    static const int marks[] = {0, ENOENT, ENOMEM, 4711};
    const int mark = marks[place_below(place, COUNT_OF(marks))];
    const size_t form = place_below(place, 4);
    errno = mark;
    if (live->origin == FROM_MALLOC)
        free_block(live, form);
    else
        delete_block(live, form);
    if (errno != mark) breach(place, "errno was %d and is %d", mark, errno);
}

static void verb_free(struct place *place) {
    place->verb = "free";
    struct live live;
    struct slot *slot = slots_take(place, &live);
    if (slot == NULL) return;
    free_checked(place, &live);
    slots_leave(slot);
}

static void check_good_size(struct place *place, const void *block, size_t size) {
    if (calls.good_size == NULL || !place_happens(place, 0x1000)) return;
    const size_t good = calls.good_size(size);
    const size_t usable = calls.usable_size((void *)(uintptr_t)block);
    if (good >= size && (size <= MIB ? good == usable : good <= usable)) return;
    breach(place, "good_size(%zu) is %zu, but the usable size of such a block is %zu", size, good,
           usable);
}

/* The block has come from a call; a NULL is a breach, since the request was a modest one. */
static void put(struct place *place, struct slot *slot, struct live born, size_t zeroed) {
    if (born.block == NULL) {
        breach(place, "NULL for %zu bytes, aligned to %zu: errno %d", born.size, born.alignment,
               errno);
    }
    slots_put(place, slot, born, zeroed, NULL);
}

static struct slot *slot_for(struct place *place, size_t size) {
    struct slot *slot = has_room(size) ? slots_take_empty(place) : NULL;
    if (slot == NULL) verb_free(place);
    return slot;
}

static void malloc_of(struct place *place, size_t size) {
    place->verb = "malloc";
    struct slot *slot = slot_for(place, size);
    if (slot == NULL) return;
    unsigned char *block = calls.malloc(size);
    if (block != NULL) check_good_size(place, block, size);
    put(place, slot, (struct live){.block = block, .size = size, .alignment = 1}, 0);
}

static void verb_malloc(struct place *place) {
    malloc_of(place, any_size(place));
}

static void verb_calloc(struct place *place) {
    place->verb = "calloc";
    size_t count, size;
    sizes_split(place, any_size(place), &count, &size);
    struct slot *slot = slot_for(place, count * size);
    if (slot == NULL) return;
    put(place, slot,
        (struct live){.block = calls.calloc(count, size), .size = count * size, .alignment = 1},
        settings.has_slack_zeros ? SIZE_MAX : count * size);
}

/* The block that realloc has returned for `live`, or NULL. */
static void put_resized(struct place *place, struct slot *slot, const struct live *live,
                        unsigned char *block, size_t size) {
    const int seen = errno;
    if (block == NULL && size == 0) { /* freed */
        slots_leave(slot);
    } else if (block == NULL) {
        breach(place, "NULL for %p from %zu to %zu bytes: errno %d", (void *)live->block,
               live->size, size, seen);
    } else {
        slots_put(place, slot, (struct live){.block = block, .size = size, .alignment = 1}, 0,
                  live);
    }
}

static struct slot *take_resizable(struct place *place, struct live *live) {
    struct slot *slot = slots_take(place, live);
    if (slot == NULL || live->origin == FROM_MALLOC) return slot;
    free_checked(place, live);
    slots_leave(slot);
    return NULL;
}

/* Near the size, any other, or twice as much: what grows in steps, too. */
static size_t next_size(struct place *place, size_t size) {
    switch (place_below(place, 8)) {
    case 0:
        return size + place_below(place, 33);
    case 1:
        return size - place_below(place, size < 33 ? size + 1 : 33);
    case 2:
        return size <= settings.live_bytes / 8 ? 2 * size : size / 2;
    case 3:
        return size / 2;
    default:
        return any_size(place);
    }
}

static void verb_realloc(struct place *place) {
    place->verb = "realloc";
    struct live live;
    struct slot *slot = take_resizable(place, &live);
    if (slot == NULL) return;
    size_t size = next_size(place, live.size);
    if (!has_room(size)) size = live.size / 2;
    errno = 4711;
    unsigned char *block = calls.realloc(live.block, size);
    if (block == NULL && size == 0 && errno != 4711) breach(place, "errno became %d", errno);
    put_resized(place, slot, &live, block, size);
}

static void verb_reallocarray(struct place *place) {
    place->verb = "reallocarray";
    struct live live;
    struct slot *slot = calls.reallocarray == NULL ? NULL : take_resizable(place, &live);
    if (slot == NULL) return;
    size_t count, size;
    sizes_split(place, next_size(place, live.size), &count, &size);
    if (!has_room(count * size)) count = 0;
    put_resized(place, slot, &live, calls.reallocarray(live.block, count, size), count * size);
}

/* A resize that cannot be: the block is as it was. */
static void verb_realloc_refused(struct place *place) {
    place->verb = "realloc to an impossible size";
    struct live live;
    struct slot *slot = take_resizable(place, &live);
    if (slot == NULL) return;
    errno = 0;
    const void *block;
    if (calls.reallocarray != NULL && place_happens(place, 0x8000)) {
        size_t count, size;
        sizes_overflow(place, &count, &size);
        block = calls.reallocarray(live.block, count, size);
    } else {
        block = calls.realloc(live.block, sizes_impossible(place));
    }
    if (block != NULL || errno != ENOMEM) {
        breach(place, "%p, errno %d, in place of a refusal", block, errno);
    }
    slots_put_back(place, slot, &live);
}

static void verb_realloc_null(struct place *place) {
    place->verb = "realloc of NULL";
    const size_t size = any_size(place);
    struct slot *slot = slot_for(place, size);
    if (slot == NULL) return;
    put(place, slot,
        (struct live){.block = calls.realloc(NULL, size), .size = size, .alignment = 1}, 0);
}

static unsigned char *posix_memaligned(size_t alignment, size_t size) {
    void *block = NULL;
    errno = 4711;
    const int status = calls.posix_memalign(&block, alignment, size);
    const bool is_kept = errno == 4711;
    errno = is_kept ? status : -1;
    return is_kept && status == 0 ? block : NULL;
}

static void verb_aligned(struct place *place) {
    static const char *const names[] = {"aligned_alloc", "memalign", "posix_memalign"};
    const size_t form = place_below(place, COUNT_OF(names));
    place->verb = names[form];
    struct live born = {.alignment = sizes_alignment(place), .size = any_size(place)};
    struct slot *slot = slot_for(place, born.size);
    if (slot == NULL) return;
    if (form == 2 && born.alignment < sizeof(void *)) born.alignment = sizeof(void *);
    /* memalign rounds up what is no power of two. */
    const size_t rough = place_happens(place, 0x2000) ? born.alignment / 2 + 1 : born.alignment;
    born.block = form == 0   ? calls.aligned_alloc(born.alignment, born.size)
                 : form == 1 ? calls.memalign(rough, born.size)
                             : posix_memaligned(born.alignment, born.size);
    if (born.alignment == 1) born.alignment = 2; /* 1 stands for a block without */
    put(place, slot, born, 0);
}

static void verb_paged(struct place *place) {
    const size_t page = 4096;
    const bool is_rounded = place_happens(place, 0x8000);
    place->verb = is_rounded ? "pvalloc" : "valloc";
    struct live born = {.alignment = page, .size = any_size(place)};
    struct slot *slot = slot_for(place, born.size + page);
    if (slot == NULL) return;
    born.block = is_rounded ? calls.pvalloc(born.size) : calls.valloc(born.size);
    if (is_rounded) born.size = born.size == 0 ? page : (born.size + page - 1) & ~(page - 1);
    put(place, slot, born, 0);
}

static void verb_new(struct place *place) {
    const bool is_array = place_happens(place, 0x8000);
    const struct operators *from = is_array ? &calls.array : &calls.scalar;
    place->verb = is_array ? "new[]" : "new";
    const bool is_aligned = place_happens(place, 0x4000);
    struct live born = {.origin = is_array ? FROM_NEW_ARRAY : FROM_NEW,
                        .alignment = is_aligned ? 2 * sizes_alignment(place) : 1,
                        .size = any_size(place)};
    struct slot *slot = from->plain == NULL ? NULL : slot_for(place, born.size);
    if (slot == NULL) return;
    const char tag = 0;
    const bool throws = place_happens(place, 0x8000);
    if (is_aligned) {
        born.block = throws ? from->aligned(born.size, born.alignment)
                            : from->aligned_nothrow(born.size, born.alignment, &tag);
    } else {
        born.block = throws ? from->plain(born.size) : from->nothrow(born.size, &tag);
    }
    put(place, slot, born, 0);
}

/* Many of one size, one after the other, so that bins run empty and over. */
static void verb_burst(struct place *place) {
    const size_t size = sizes_any(place, 40 * KIB);
    const size_t count = 20 + place_below(place, 400);
    const bool frees = place_happens(place, 0x8000);
    for (size_t i = 0; i < count; i++) {
        if (frees)
            verb_free(place);
        else
            malloc_of(place, size);
    }
}

static void verb_check(struct place *place) {
    place->verb = "malloc_usable_size";
    slots_check(place);
}

/* In `weight` of WEIGHTS cases, the last one in the rest. */
static const struct {
    unsigned weight;
    void (*verb)(struct place *place);
} verbs[] = {
    {2300, verb_malloc},      {900, verb_calloc},       {1500, verb_realloc},
    {200, verb_reallocarray}, {100, verb_realloc_null}, {100, verb_realloc_refused},
    {500, verb_aligned},      {100, verb_paged},        {700, verb_new},
    {2600, verb_free},        {700, verb_check},        {20, verb_burst},
    {250, refusals_step},     {30, reports_step},
};
#define WEIGHTS 10000U

void verbs_step(struct place *place) {
    size_t at = place_below(place, WEIGHTS);
    size_t i = 0;
    while (i + 1 < COUNT_OF(verbs) && at >= verbs[i].weight) {
        at -= verbs[i].weight;
        i++;
    }
    place->operation++;
    verbs[i].verb(place);
    forks_perhaps(place);
}

void verbs_steps(struct place *place, unsigned long count) {
    for (unsigned long i = 0; i < count; i++) {
        verbs_step(place);
    }
}

void verbs_free_all(struct place *place) {
    place->verb = "free of all";
    struct live live;
    for (struct slot *slot; (slot = slots_take_first(place, &live)) != NULL;) {
        free_checked(place, &live);
        slots_leave(slot);
    }
}
