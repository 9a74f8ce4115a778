/* SPDX-License-Identifier: MIT */
/*
 * test_random.c SEED: random sequences of the public functions against a shadow heap, by one thread
 * and by four that exchange blocks, with the audit at the end. Every block carries a pattern that
 * is checked before it goes.
 */
#include "tests/conform/conform.h"

#include <inttypes.h>

#define OPERATIONS 20000U
#define THREADS    4U
#define SLOTS      1000U

struct entry {
    unsigned char *block;
    size_t size;
    unsigned mark;
};

struct heap {
    uint64_t random;
    bool exchanges;
    struct entry *slots[SLOTS];
};

static uint64_t seed = 1;
static struct heap heaps[THREADS];
static _Atomic(struct entry *) shared[256];

static uint64_t roll(struct heap *heap) {
    return random_next(&heap->random) >> 12;
}

static size_t random_size(struct heap *heap) {
    const uint64_t dice = roll(heap);
    const uint64_t rest = dice >> 8;
    if (dice % 128 == 0) return (size_t)(rest % (300 * KIB));
    if (dice % 16 == 1) return (size_t)(rest % (64 * KIB));
    if (dice % 4 == 2) return (size_t)(rest % 4200);
    return (size_t)(rest % 300);
}

/* A zero-sized block is unique too: it takes a byte of the shadow. */
static size_t extent(size_t size) {
    return size > 0 ? size : 1;
}

static void enter(struct entry *entry) {
    require(entry->block != NULL);
    require((uintptr_t)entry->block % HAK_ALIGN_BYTES == 0);
    const size_t usable = hak_usable_size(entry->block);
    require(usable >= extent(entry->size));
    require(shadow_add(entry->block, usable));
    pattern_write(entry->block, entry->size, entry->mark);
}

static void leave(const struct entry *entry) {
    require(pattern_find_damage(entry->block, entry->size, entry->mark) == entry->size);
    require(shadow_remove(entry->block));
}

static unsigned char *zeroed_block(size_t size) {
    unsigned char *block = size % 3 == 0 ? hak_calloc(size / 3, 3) : hak_calloc(1, size);
    for (size_t at = 0; block != NULL && at < size; at++) {
        require(block[at] == 0);
    }
    return block;
}

static unsigned char *aligned_block(struct heap *heap, size_t size) {
    const uint64_t dice = roll(heap);
    const size_t alignment = (size_t)8 << (dice % 256 == 0 ? 15 : dice % 10);
    void *block = NULL;
    switch (dice / 256 % 3) {
    case 0:
        block = hak_aligned_alloc(alignment, size);
        break;
    case 1:
        block = hak_memalign(alignment, size);
        break;
    default:
        require(hak_posix_memalign(&block, alignment, size) == 0);
    }
    require((uintptr_t)block % alignment == 0);
    return block;
}

static struct entry *make(struct heap *heap) {
    struct entry *entry = calloc(1, sizeof(*entry));
    require(entry != NULL);
    const uint64_t dice = roll(heap);
    entry->size = random_size(heap);
    entry->mark = (unsigned)(dice >> 8);
    switch (dice % 8) {
    case 0:
        entry->block = zeroed_block(entry->size);
        break;
    case 1:
        entry->block = aligned_block(heap, entry->size);
        break;
    case 2:
        entry->block = hak_realloc(NULL, entry->size);
        break;
    default:
        entry->block = hak_malloc(entry->size);
        const size_t exact_max = hak_l25_size_max() != 0 ? hak_l25_size_max() : hak_bins_size_max();
        require(entry->size > exact_max ||
                hak_good_size(entry->size) == hak_usable_size(entry->block));
        require(hak_good_size(entry->size) <= hak_usable_size(entry->block));
    }
    enter(entry);
    return entry;
}

static void destroy(struct heap *heap, struct entry *entry) {
    if (entry == NULL) return;
    leave(entry);
    switch (roll(heap) % 8) {
    case 0:
        hak_free_sized(entry->block, entry->size);
        break;
    case 1:
        require(entry->size == 0 || hak_realloc(entry->block, 0) == NULL);
        if (entry->size == 0) hak_free(entry->block);
        break;
    default:
        hak_free(entry->block);
    }
    free(entry);
}

static void resize(struct heap *heap, struct entry *entry) {
    const size_t size = extent(random_size(heap));
    const size_t common = size < entry->size ? size : entry->size;
    leave(entry);
    entry->block = hak_realloc(entry->block, size);
    require(entry->block != NULL);
    require(pattern_find_damage(entry->block, common, entry->mark) == common);
    entry->size = size;
    enter(entry);
}

static void operate(struct heap *heap) {
    const uint64_t dice = roll(heap);
    struct entry **slot = &heap->slots[dice / 64 % SLOTS];
    if (dice % 2048 == 63) hak_purge();
    if (*slot == NULL) {
        *slot = make(heap);
    } else if (dice % 64 < 12) {
        resize(heap, *slot);
    } else if (heap->exchanges && dice % 64 < 36) {
        *slot = atomic_exchange(&shared[(dice >> 20) % COUNT_OF(shared)], *slot);
    } else {
        destroy(heap, *slot);
        *slot = NULL;
    }
}

static void *live(void *argument) {
    struct heap *heap = argument;
    for (unsigned i = 0; i < OPERATIONS; i++) {
        operate(heap);
    }
    return NULL;
}

static void clear(struct heap *heap) {
    for (size_t i = 0; i < SLOTS; i++) {
        destroy(heap, heap->slots[i]);
        heap->slots[i] = NULL;
    }
}

static void start(struct heap *heap, unsigned number) {
    heap->random = (seed + number) * 0x9e3779b97f4a7c15U | 1U;
    heap->exchanges = number > 0;
}

static void random_operations_agree_with_the_shadow_heap(void **state) {
    (void)state;
    start(&heaps[0], 0);
    live(&heaps[0]);
    assert_true(hak_check());
    clear(&heaps[0]);
    assert_int_equal(shadow_count(), 0);
}

static void random_operations_of_four_threads_agree_with_the_shadow_heap(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        start(&heaps[i], i + 1);
        assert_int_equal(pthread_create(&threads[i], NULL, live, &heaps[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_true(hak_check());
    for (unsigned i = 0; i < THREADS; i++) {
        clear(&heaps[i]);
    }
    for (size_t i = 0; i < COUNT_OF(shared); i++) {
        destroy(&heaps[0], atomic_exchange(&shared[i], NULL));
    }
    assert_int_equal(shadow_count(), 0);
}

static void nothing_lives_after_all_was_freed(void **state) {
    (void)state;
    hak_purge();
    const struct hak_stats before = stats_now();
    start(&heaps[0], 9);
    live(&heaps[0]);
    clear(&heaps[0]);
    for (size_t i = 0; i < COUNT_OF(shared); i++) {
        destroy(&heaps[0], atomic_exchange(&shared[i], NULL));
    }
    hak_purge();
    const struct hak_stats after = stats_now();
    assert_int_equal(after.small_live_bytes, before.small_live_bytes);
    assert_int_equal(after.large_live_bytes, before.large_live_bytes);
    assert_int_equal(after.large_live_count, before.large_live_count);
}

int main(int argc, char **argv) {
    if (argc > 1) seed = strtoull(argv[1], NULL, 10);
    printf("seed %" PRIu64 "\n", seed);
    const struct CMUnitTest tests[] = {
        scenario(nothing_lives_after_all_was_freed), /* before there are orphans */
        scenario(random_operations_agree_with_the_shadow_heap),
        scenario(random_operations_of_four_threads_agree_with_the_shadow_heap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
