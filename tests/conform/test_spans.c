/* SPDX-License-Identifier: MIT */
/*
 * test_spans.c: the contract of src/contract/span_source.h: spans are where they were asked for,
 * the tag map knows them exactly while they live, `zeroed` tells the truth, and free memory goes
 * back when it should. HAKMEM_PURGE_MS is some tens of milliseconds.
 */
#include "src/contract/purge.h"
#include "src/os/os.h"
#include "tests/conform/calls.h"
#include "tests/conform/conform.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define SPANS   48
#define THREADS 4
#define TRIES   50
#define TAG     0xabcdeU

static const size_t sizes[] = {1,
                               HAK_SLAB_BYTES - 1,
                               HAK_SLAB_BYTES,
                               HAK_SLAB_BYTES + 1,
                               3 * HAK_SLAB_BYTES,
                               HAK_SPAN_BYTES_MAX / 2,
                               HAK_SPAN_BYTES_MAX};

static struct hak_span *acquire(size_t bytes, size_t align) {
    struct hak_span *span = hak_spans_acquire(bytes, align, HAK_OWNER_MID);
    require(span != NULL);
    require(shadow_add(span->base, span->bytes));
    return span;
}

static void release(struct hak_span *span) {
    require(shadow_remove(span->base));
    hak_spans_release(span);
}

static void for_each_request(void (*body)(size_t bytes, size_t align)) {
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (size_t align = 1; align <= HAK_SPAN_BYTES_MAX; align *= 2) {
            body(sizes[i], align);
        }
    }
}

static void check_place(size_t bytes, size_t align) {
    struct hak_span *span = acquire(bytes, align);
    assert_aligned(span->base, HAK_SLAB_BYTES);
    assert_aligned(span->base, align);
    assert_true(span->bytes >= bytes);
    assert_int_equal(span->bytes % HAK_SLAB_BYTES, 0);
    assert_int_equal(span->owner, HAK_OWNER_MID);
    release(span);
}

static void a_span_is_aligned_and_as_large_as_asked(void **state) {
    (void)state;
    for_each_request(check_place);
}

static void check_found(size_t bytes, size_t align) {
    struct hak_span *span = acquire(bytes, align);
    for (size_t at = 0; at < span->bytes; at += HAK_SLAB_BYTES) {
        assert_ptr_equal(hak_tagmap_span(span->base + at), span);
        assert_ptr_equal(hak_tagmap_span(span->base + at + HAK_SLAB_BYTES - 1), span);
        const uintptr_t slot = hak_tagmap_slot(span->base + at);
        assert_int_equal(atomic_load(&hak_tagmap.entries[slot].tag), 0);
    }
    assert_ptr_not_equal(hak_tagmap_span(span->base - 1), span);
    assert_ptr_not_equal(hak_tagmap_span(span->base + span->bytes), span);
    release(span);
}

static void the_tag_map_knows_every_slab_of_a_span_with_tag_0(void **state) {
    (void)state;
    for_each_request(check_found);
}

static void check_forgotten(size_t bytes, size_t align) {
    struct hak_span *span = acquire(bytes, align);
    const char *base = span->base;
    const size_t size = span->bytes;
    release(span);
    for (size_t at = 0; at < size; at += HAK_SLAB_BYTES) {
        assert_null(hak_tagmap_span(base + at));
    }
}

static void the_tag_map_forgets_a_released_span(void **state) {
    (void)state;
    for_each_request(check_forgotten);
}

static void spans_that_live_at_once_never_overlap(void **state) {
    (void)state;
    struct hak_span *spans[SPANS];
    uint64_t random = 4711;
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = acquire(sizes[random_next(&random) % COUNT_OF(sizes)], HAK_SLAB_BYTES);
        memset(spans[i]->base, (int)i, spans[i]->bytes);
    }
    for (size_t i = 0; i < SPANS; i++) {
        for (size_t at = 0; at < spans[i]->bytes; at += 4096) {
            assert_int_equal((unsigned char)spans[i]->base[at], i);
        }
        release(spans[i]);
    }
}

static void check_zeroed(size_t bytes, size_t align) {
    struct hak_span *span = acquire(bytes, align);
    if (span->zeroed) assert_zeros(span->base, span->bytes);
    memset(span->base, 0xa5, span->bytes);
    release(span);
}

static void a_span_called_zeroed_reads_as_zeros(void **state) {
    (void)state;
    for_each_request(check_zeroed);
}

static void a_recycled_span_called_zeroed_reads_as_zeros(void **state) {
    (void)state;
    uint64_t random = 815;
    struct hak_span *spans[SPANS] = {NULL};
    for (unsigned turn = 0; turn < 2000; turn++) {
        const uint64_t dice = random_next(&random) >> 16;
        struct hak_span **span = &spans[dice % SPANS];
        if (dice / SPANS % 100 == 0) hak_spans_purge(HAK_PURGE_SOME, SIZE_MAX);
        if (dice / SPANS % 100 == 1) hak_spans_purge(HAK_PURGE_ALL, 3 * HAK_SLAB_BYTES);
        if (*span == NULL) {
            const size_t bytes = (dice >> 20) % 6 * HAK_SLAB_BYTES + 1;
            *span = acquire(bytes, HAK_SLAB_BYTES << (dice >> 30) % 3);
            if ((*span)->zeroed) assert_zeros((*span)->base, (*span)->bytes);
            memset((*span)->base, 0xa5, (*span)->bytes);
        } else {
            release(*span);
            *span = NULL;
        }
    }
    for (size_t i = 0; i < SPANS; i++) {
        if (spans[i] != NULL) release(spans[i]);
    }
}

static void an_impossible_size_gives_null_and_keeps_errno(void **state) {
    (void)state;
    errno = 77;
    assert_null(hak_spans_acquire(PTRDIFF_MAX, HAK_SLAB_BYTES, HAK_OWNER_MID));
    assert_null(hak_spans_acquire(SIZE_MAX / 4, HAK_SLAB_BYTES, HAK_OWNER_MID));
    assert_null(hak_spans_acquire(SIZE_MAX - HAK_SLAB_BYTES, HAK_SLAB_BYTES, HAK_OWNER_MID));
    assert_int_equal(errno, 77);
}

static void an_impossible_alignment_gives_null_and_keeps_errno(void **state) {
    (void)state;
    errno = 77;
    assert_null(hak_spans_acquire(1, (size_t)1 << 62, HAK_OWNER_MID));
    assert_int_equal(errno, 77);
}

static void acquire_release_and_purge_keep_errno(void **state) {
    (void)state;
    errno = 77;
    struct hak_span *spans[SPANS];
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = acquire(HAK_SPAN_BYTES_MAX, HAK_SLAB_BYTES);
    }
    for (size_t i = 0; i < SPANS; i++) {
        release(spans[i]);
    }
    hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX);
    assert_int_equal(errno, 77);
}

static void purge_leaves_live_spans_alone(void **state) {
    (void)state;
    struct hak_span *spans[SPANS];
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = acquire(sizes[i % COUNT_OF(sizes)], HAK_SLAB_BYTES);
        pattern_write(spans[i]->base, spans[i]->bytes, (unsigned)i);
    }
    for (size_t i = 0; i < SPANS; i += 2) {
        release(spans[i]);
    }
    hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX);
    for (size_t i = 1; i < SPANS; i += 2) {
        assert_pattern(spans[i]->base, spans[i]->bytes, (unsigned)i);
        release(spans[i]);
    }
}

static void purge_of_everything_gives_back_what_spans_took(void **state) {
    (void)state;
    hak_purge();
    const uint64_t before = stats_now().mapped_bytes;
    struct hak_span *spans[SPANS];
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = acquire(HAK_SPAN_BYTES_MAX, HAK_SLAB_BYTES);
    }
    assert_true(stats_now().mapped_bytes >= SPANS * HAK_SPAN_BYTES_MAX);
    for (size_t i = 0; i < SPANS; i++) {
        release(spans[i]);
    }
    hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX);
    assert_true(stats_now().mapped_bytes <= before);
}

/* ---- resize ---- */

static void resize_to(struct hak_span *span, size_t bytes, bool *resized) {
    require(shadow_remove(span->base));
    *resized = hak_spans_resize(span, bytes);
    require(shadow_add(span->base, span->bytes));
}

/* The map leads from every slab of the span to it, and from its neighbours elsewhere. */
static void assert_mapped(const struct hak_span *span) {
    for (size_t at = 0; at < span->bytes; at += HAK_SLAB_BYTES) {
        assert_ptr_equal(hak_tagmap_span(span->base + at), span);
    }
    assert_ptr_not_equal(hak_tagmap_span(span->base - 1), span);
    assert_ptr_not_equal(hak_tagmap_span(span->base + span->bytes), span);
}

static void check_resized(size_t from, size_t to) {
    bool resized;
    struct hak_span *span = acquire(from, HAK_SLAB_BYTES);
    char *const base = span->base;
    const size_t bytes = span->bytes;
    pattern_write(base, bytes, 3);
    resize_to(span, to, &resized);
    assert_ptr_equal(span->base, base);
    if (!resized) {
        assert_int_equal(span->bytes, bytes);
    } else {
        assert_true(span->bytes >= to && span->bytes < to + HAK_SLAB_BYTES);
        assert_int_equal(span->bytes % HAK_SLAB_BYTES, 0);
    }
    assert_int_equal(span->owner, HAK_OWNER_MID);
    assert_pattern(base, bytes < span->bytes ? bytes : span->bytes, 3);
    memset(base, 0xa5, span->bytes);
    assert_mapped(span);
    release(span);
    assert_null(hak_tagmap_span(base));
}

static void resize_keeps_place_and_contents_or_changes_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (size_t j = 0; j < COUNT_OF(sizes); j++) {
            check_resized(sizes[i], sizes[j]);
        }
    }
}

/* Slabs of the span whose tag is not 0. */
static size_t count_tags(const struct hak_span *span) {
    size_t count = 0;
    for (size_t at = 0; at < span->bytes; at += HAK_SLAB_BYTES) {
        count += hak_tagmap_tag(span->base + at) != 0;
    }
    return count;
}

static void check_tags(size_t to) {
    struct hak_span *span = acquire(4 * HAK_SLAB_BYTES, HAK_SLAB_BYTES);
    hak_tagmap_set_tag(span, TAG);
    bool resized;
    resize_to(span, to, &resized);
    const size_t tagged = count_tags(span);
    release(span);
    assert_int_equal(tagged, resized ? 0 : 4);
}

static void a_span_made_larger_has_tags_0(void **state) {
    (void)state;
    check_tags(5 * HAK_SLAB_BYTES);
    check_tags(8 * HAK_SLAB_BYTES);
}

static void a_span_made_smaller_has_tags_0(void **state) {
    (void)state;
    check_tags(3 * HAK_SLAB_BYTES);
    check_tags(1);
}

static void resize_to_an_impossible_size_changes_nothing(void **state) {
    (void)state;
    static const size_t impossible[] = {HAK_SUPERSLAB_BYTES + 1, SIZE_MAX / 4, PTRDIFF_MAX,
                                        SIZE_MAX - HAK_SLAB_BYTES};
    struct hak_span *span = acquire(3 * HAK_SLAB_BYTES, HAK_SLAB_BYTES);
    pattern_write(span->base, span->bytes, 4);
    errno = 77;
    for (size_t i = 0; i < COUNT_OF(impossible); i++) {
        assert_false(hak_spans_resize(span, impossible[i]));
        assert_int_equal(span->bytes, 3 * HAK_SLAB_BYTES);
        assert_mapped(span);
        assert_pattern(span->base, span->bytes, 4);
    }
    assert_int_equal(errno, 77);
    release(span);
}

static void resized_spans_never_overlap_others(void **state) {
    (void)state;
    struct hak_span *spans[SPANS];
    uint64_t random = 99;
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = acquire(sizes[i % COUNT_OF(sizes)], HAK_SLAB_BYTES);
    }
    for (unsigned turn = 0; turn < 2000; turn++) {
        const uint64_t dice = random_next(&random) >> 16;
        struct hak_span **span = &spans[dice % SPANS];
        bool resized;
        resize_to(*span, (size_t)(dice >> 8) % HAK_SPAN_BYTES_MAX + 1, &resized); /* asserts it */
        if (dice % 5 != 0) continue;
        release(*span);
        *span = acquire(sizes[(dice >> 20) % COUNT_OF(sizes)], HAK_SLAB_BYTES);
    }
    for (size_t i = 0; i < SPANS; i++) {
        assert_mapped(spans[i]);
        release(spans[i]);
    }
}

static void what_a_smaller_span_gave_up_is_called_zeroed_only_when_it_is(void **state) {
    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        struct hak_span *spans[8];
        bool resized;
        for (size_t i = 0; i < COUNT_OF(spans); i++) {
            spans[i] = acquire(8 * HAK_SLAB_BYTES, HAK_SLAB_BYTES);
            if (spans[i]->zeroed) assert_zeros(spans[i]->base, spans[i]->bytes);
            memset(spans[i]->base, 0xa5, spans[i]->bytes);
            resize_to(spans[i], (i + 1) * HAK_SLAB_BYTES, &resized);
        }
        if (round % 8 == 3) hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX);
        for (size_t i = 0; i < COUNT_OF(spans); i++) {
            check_zeroed(sizes[i % COUNT_OF(sizes)], HAK_SLAB_BYTES);
        }
        for (size_t i = 0; i < COUNT_OF(spans); i++) {
            release(spans[i]);
        }
    }
}

/* ---- purge ---- */

static uint64_t age_ms;

/* Nothing idle, and nothing that is kept however old. */
static int begin(void **state) {
    (void)state;
    hak_purge();
    hak_purge_policy.keep_bytes = 0;
    hak_purge_policy.age_ms = age_ms;
    return hak_spans_idle() == 0 ? 0 : -1;
}
#define from_nothing(test) cmocka_unit_test_setup_teardown(test, begin, audit_holds)

/* Spans of all sizes that were written to and are free again, between some that live. */
static void leave_idle(struct hak_span **live, size_t count) {
    struct hak_span *spans[SPANS];
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = acquire(sizes[i % COUNT_OF(sizes)], HAK_SLAB_BYTES);
        memset(spans[i]->base, 0xa5, spans[i]->bytes);
        if (i < count) live[i] = acquire(1, HAK_SLAB_BYTES);
    }
    for (size_t i = 0; i < SPANS; i++) {
        release(spans[i]);
    }
}

static void purge_of_all_leaves_nothing_idle(void **state) {
    (void)state;
    struct hak_span *live[8];
    leave_idle(live, COUNT_OF(live));
    hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX);
    assert_int_equal(hak_spans_idle(), 0);
    for (size_t i = 0; i < COUNT_OF(live); i++) {
        release(live[i]);
    }
}

static void purge_returns_the_bytes_that_were_idle(void **state) {
    (void)state;
    struct hak_span *live[8];
    leave_idle(live, COUNT_OF(live));
    const size_t idle = hak_spans_idle();
    assert_int_equal(hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX), idle);
    assert_int_equal(hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX), 0);
    for (size_t i = 0; i < COUNT_OF(live); i++) {
        release(live[i]);
    }
}

static bool is_resident(const char *page) {
    unsigned char resident = 0;
    return mincore((void *)(uintptr_t)page, 1, &resident) == 0 && (resident & 1) != 0;
}

static bool is_mapped(const char *page) {
    unsigned char resident;
    return mincore((void *)(uintptr_t)page, 1, &resident) == 0;
}

/* As khugepaged does, which makes a huge page of what is left of one. */
static void purge_of_all_gives_back_what_the_kernel_has_filled_again(void **state) {
    (void)state;
    struct hak_span *live = acquire(HAK_SLAB_BYTES, HAK_SLAB_BYTES);
    struct hak_span *freed = acquire(4 * HAK_SLAB_BYTES, HAK_SLAB_BYTES);
    volatile char *page = freed->base + HAK_SLAB_BYTES;
    *live->base = 1;
    *page = 1;
    release(freed);
    hak_purge_policy.again_ms = HAK_AGE_MS_MAX;
    hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX);
    assert_false(is_resident((const char *)(uintptr_t)page));
    if (is_mapped((const char *)(uintptr_t)page)) {
        *page = 0;
        hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX); /* not so soon */
        assert_true(is_resident((const char *)(uintptr_t)page));
        hak_purge_policy.again_ms = 0;
        assert_int_equal(hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX), 0);
        assert_false(is_resident((const char *)(uintptr_t)page));
        assert_int_equal(*live->base, 1);
    }
    hak_purge_policy.again_ms = HAK_PURGE_AGAIN_MS;
    release(live);
}

static void purge_of_all_stops_near_the_bytes_asked_for(void **state) {
    (void)state;
    leave_idle(NULL, 0);
    const size_t idle = hak_spans_idle();
    const size_t given = hak_spans_purge(HAK_PURGE_ALL, HAK_SLAB_BYTES);
    assert_true(given <= HAK_SLAB_BYTES + HAK_SUPERSLAB_BYTES);
    assert_int_equal(hak_spans_idle(), idle - given);
}

/* Makes memory idle and at once asks for a step; false when that took so long that it may be old.
 */
static bool nothing_young_goes_back(void) {
    hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX);
    const uint64_t from_ms = hak_os_now_ms();
    leave_idle(NULL, 0);
    const size_t idle = hak_spans_idle();
    const size_t given = hak_spans_purge(HAK_PURGE_SOME, SIZE_MAX);
    const size_t left = hak_spans_idle();
    if (hak_os_now_ms() - from_ms >= age_ms) return false;
    assert_int_equal(given, 0);
    assert_int_equal(left, idle);
    return true;
}

static void a_step_gives_nothing_back_that_is_younger_than_the_age(void **state) {
    (void)state;
    unsigned tries = 1;
    while (!nothing_young_goes_back()) {
        assert_true(++tries <= TRIES);
    }
}

/* Steps until three in a row give nothing back; each makes at most one system call. */
static void step_to_the_end(void) {
    for (unsigned without = 0; without < 3;) {
        const unsigned long before = calls_made();
        const size_t given = hak_spans_purge(HAK_PURGE_SOME, SIZE_MAX);
        assert_true(calls_made() - before <= 1);
        without = given == 0 ? without + 1 : 0;
    }
}

static void what_is_old_goes_back_in_steps_of_one_system_call(void **state) {
    (void)state;
    struct hak_span *live[8];
    leave_idle(live, COUNT_OF(live));
    hak_os_sleep_ms(age_ms + age_ms / 2);
    step_to_the_end();
    assert_int_equal(hak_spans_idle(), 0);
    for (size_t i = 0; i < COUNT_OF(live); i++) {
        release(live[i]);
    }
}

/* One slab comes and goes all the time, in the superslab of others that are free. */
static void what_is_old_goes_back_though_a_neighbour_comes_and_goes(void **state) {
    (void)state;
    struct hak_span *spans[16];
    for (size_t i = 0; i < COUNT_OF(spans); i++) {
        spans[i] = acquire(HAK_SLAB_BYTES, HAK_SLAB_BYTES);
        memset(spans[i]->base, 0xa5, spans[i]->bytes);
    }
    for (size_t i = 0; i < COUNT_OF(spans); i++) {
        release(spans[i]);
    }
    for (unsigned tries = 0; hak_spans_idle() > HAK_SLAB_BYTES; tries++) {
        assert_true(tries < TRIES);
        const uint64_t from_ms = hak_os_now_ms();
        while (hak_os_now_ms() - from_ms < age_ms) {
            struct hak_span *span = acquire(HAK_SLAB_BYTES, HAK_SLAB_BYTES);
            release(span);
            hak_spans_purge(HAK_PURGE_SOME, SIZE_MAX);
            hak_os_sleep_ms(1);
        }
    }
}

static void steps_end_when_no_more_is_idle_than_the_policy_keeps(void **state) {
    (void)state;
    hak_purge_policy.age_ms = 0;
    hak_purge_policy.keep_bytes = 5 * MIB;
    leave_idle(NULL, 0);
    const size_t idle = hak_spans_idle();
    step_to_the_end();
    assert_true(hak_spans_idle() <= 5 * MIB);
    assert_true(idle == 0 || hak_spans_idle() + HAK_SUPERSLAB_BYTES >= 5 * MIB);
    const size_t kept = hak_spans_idle();
    assert_int_equal(hak_spans_purge(HAK_PURGE_SOME, SIZE_MAX), 0);
    assert_int_equal(hak_spans_idle(), kept);
}

static void live_spans_are_not_idle(void **state) {
    (void)state;
    struct hak_span *spans[SPANS];
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = acquire(sizes[i % COUNT_OF(sizes)], HAK_SLAB_BYTES);
        memset(spans[i]->base, 0xa5, spans[i]->bytes);
    }
    assert_int_equal(hak_spans_idle(), 0);
    for (size_t i = 0; i < SPANS; i++) {
        release(spans[i]);
    }
}

static void stats_count_what_is_mapped(void **state) {
    (void)state;
    struct hak_span *spans[SPANS];
    struct hak_stats before = {.version = HAK_STATS_VERSION};
    struct hak_stats during = before;
    hak_spans_stats(&before);
    size_t bytes = 0;
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = acquire(HAK_SPAN_BYTES_MAX, HAK_SLAB_BYTES);
        bytes += spans[i]->bytes;
    }
    hak_spans_stats(&during);
    for (size_t i = 0; i < SPANS; i++) {
        release(spans[i]);
    }
    assert_true(during.mapped_bytes >= bytes);
    assert_true(during.mapped_bytes + HAK_SUPERSLAB_BYTES >= before.mapped_bytes);
    during.mapped_bytes = 1000;
    before.mapped_bytes = 0;
    hak_spans_stats(&during);
    hak_spans_stats(&before);
    assert_int_equal(during.mapped_bytes, before.mapped_bytes + 1000); /* adds its part */
}

/* ---- forks ---- */

static struct hak_span *live_spans[SPANS];

static void use_what_the_parent_left(void) {
    require(hak_check());
    struct hak_span *spans[SPANS];
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = acquire(sizes[i % COUNT_OF(sizes)], HAK_SLAB_BYTES); /* overlaps none */
        memset(spans[i]->base, 0x5a, spans[i]->bytes);
    }
    for (size_t i = 1; i < SPANS; i += 2) {
        const struct hak_span *live = live_spans[i];
        require(pattern_find_damage(live->base, live->bytes, (unsigned)i) == live->bytes);
        release(live_spans[i]);
    }
    for (size_t i = 0; i < SPANS; i++) {
        release(spans[i]);
    }
    hak_purge();
    require(hak_spans_idle() == 0);
    require(hak_check());
}

static void in_child(void (*body)(void)) {
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        body();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void the_child_of_a_fork_uses_free_and_live_spans(void **state) {
    (void)state;
    for (size_t i = 0; i < SPANS; i++) {
        live_spans[i] = acquire(sizes[i % COUNT_OF(sizes)], HAK_SLAB_BYTES);
        pattern_write(live_spans[i]->base, live_spans[i]->bytes, (unsigned)i);
    }
    for (size_t i = 0; i < SPANS; i += 2) {
        release(live_spans[i]);
    }
    in_child(use_what_the_parent_left);
    for (size_t i = 1; i < SPANS; i += 2) {
        assert_pattern(live_spans[i]->base, live_spans[i]->bytes, (unsigned)i);
        release(live_spans[i]);
    }
}

/* Takes slabs [from, from + count) of a span out of the tag map: what a fork sees of a thread that
 * was entering or clearing it. */
static void half_clear(const struct hak_span *span, size_t from, size_t count) {
    const struct hak_span part = {.base = span->base + from * HAK_SLAB_BYTES,
                                  .bytes = count * HAK_SLAB_BYTES};
    hak_tagmap_clear(&part);
}

static void mend_what_was_half_done(void) {
    half_clear(live_spans[0], 2, 2); /* it was being entered */
    half_clear(live_spans[1], 0, 2); /* released */
    half_clear(live_spans[2], 2, 1); /* made smaller */
    hak_spans_after_fork(true);
    require(hak_check());
    require(live_spans[3]->bytes == 4 * HAK_SLAB_BYTES);
    hak_spans_release(live_spans[3]);
    struct hak_span *spans[SPANS];
    for (size_t i = 0; i < SPANS; i++)
        spans[i] = hak_spans_acquire(HAK_SLAB_BYTES, HAK_SLAB_BYTES, HAK_OWNER_MID);
    require(hak_check());
    for (size_t i = 0; i < SPANS; i++)
        hak_spans_release(spans[i]);
    require(hak_check());
}

static void the_child_of_a_fork_mends_what_other_threads_had_half_done(void **state) {
    (void)state;
    for (size_t i = 0; i < 4; i++)
        live_spans[i] = acquire(4 * HAK_SLAB_BYTES, HAK_SLAB_BYTES);
    in_child(mend_what_was_half_done);
    for (size_t i = 0; i < 4; i++)
        release(live_spans[i]);
}

/* ---- threads ---- */

static atomic_bool is_over;

static void *purge_until_over(void *unused) {
    while (!atomic_load(&is_over)) {
        hak_spans_purge(HAK_PURGE_SOME, SIZE_MAX);
        hak_spans_purge(HAK_PURGE_ALL, 3 * MIB);
    }
    return unused;
}

static void *acquire_and_release(void *argument) {
    uint64_t random = (uintptr_t)argument * 7919 + 1;
    struct hak_span *spans[8] = {NULL};
    for (unsigned turn = 0; turn < 2000; turn++) {
        const uint64_t dice = random_next(&random) >> 16;
        struct hak_span **span = &spans[dice % COUNT_OF(spans)];
        if (*span == NULL) {
            *span = acquire((dice >> 10) % 8 * HAK_SLAB_BYTES + 1, HAK_SLAB_BYTES);
            require(hak_tagmap_span((*span)->base) == *span);
            memset((*span)->base, (int)(uintptr_t)argument, 64);
        } else {
            require((*span)->base[0] == (char)(uintptr_t)argument);
            release(*span);
            *span = NULL;
        }
    }
    for (size_t i = 0; i < COUNT_OF(spans); i++) {
        if (spans[i] != NULL) release(spans[i]);
    }
    return NULL;
}

static void spans_of_four_threads_never_overlap(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, acquire_and_release, (void *)(i + 1)),
                         0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(shadow_count(), 0);
}

static void spans_of_four_threads_never_overlap_while_a_fifth_purges(void **state) {
    hak_purge_policy.age_ms = 0;
    pthread_t purger;
    atomic_store(&is_over, false);
    assert_int_equal(pthread_create(&purger, NULL, purge_until_over, NULL), 0);
    spans_of_four_threads_never_overlap(state);
    atomic_store(&is_over, true);
    assert_int_equal(pthread_join(purger, NULL), 0);
}

int main(void) {
    this_cache();
    age_ms = hak_purge_policy.age_ms;
    const struct CMUnitTest tests[] = {
        scenario(a_span_is_aligned_and_as_large_as_asked),
        scenario(the_tag_map_knows_every_slab_of_a_span_with_tag_0),
        scenario(the_tag_map_forgets_a_released_span),
        scenario(spans_that_live_at_once_never_overlap),
        scenario(a_span_called_zeroed_reads_as_zeros),
        scenario(a_recycled_span_called_zeroed_reads_as_zeros),
        scenario(an_impossible_size_gives_null_and_keeps_errno),
        scenario(an_impossible_alignment_gives_null_and_keeps_errno),
        scenario(acquire_release_and_purge_keep_errno),
        scenario(purge_leaves_live_spans_alone),
        scenario(purge_of_everything_gives_back_what_spans_took),
        scenario(resize_keeps_place_and_contents_or_changes_nothing),
        scenario(a_span_made_larger_has_tags_0),
        scenario(a_span_made_smaller_has_tags_0),
        scenario(resize_to_an_impossible_size_changes_nothing),
        scenario(resized_spans_never_overlap_others),
        scenario(what_a_smaller_span_gave_up_is_called_zeroed_only_when_it_is),
        from_nothing(purge_of_all_leaves_nothing_idle),
        from_nothing(purge_returns_the_bytes_that_were_idle),
        from_nothing(purge_of_all_gives_back_what_the_kernel_has_filled_again),
        from_nothing(purge_of_all_stops_near_the_bytes_asked_for),
        from_nothing(a_step_gives_nothing_back_that_is_younger_than_the_age),
        from_nothing(what_is_old_goes_back_in_steps_of_one_system_call),
        from_nothing(what_is_old_goes_back_though_a_neighbour_comes_and_goes),
        from_nothing(steps_end_when_no_more_is_idle_than_the_policy_keeps),
        from_nothing(live_spans_are_not_idle),
        from_nothing(stats_count_what_is_mapped),
        from_nothing(the_child_of_a_fork_uses_free_and_live_spans),
        from_nothing(the_child_of_a_fork_mends_what_other_threads_had_half_done),
        scenario(spans_of_four_threads_never_overlap),
        from_nothing(spans_of_four_threads_never_overlap_while_a_fifth_purges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
