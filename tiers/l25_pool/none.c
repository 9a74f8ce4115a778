/* SPDX-License-Identifier: MIT */
/*
 * none.c: the null module of the slot "l25": size_max 0, so it is never asked.
 */
#include "src/contract/tier.h"

static int none_init(void) {
    return 0;
}

static void *none_alloc(size_t size, size_t align, bool *zeroed) {
    (void)size;
    (void)align;
    (void)zeroed;
    return NULL;
}

static bool none_free(void *block, struct hak_span *span) {
    (void)block;
    (void)span;
    return false;
}

static size_t none_usable_size(const void *block, const struct hak_span *span) {
    (void)block;
    (void)span;
    return 0;
}

static void *none_resize(void *block, size_t new_size, struct hak_span *span) {
    (void)block;
    (void)new_size;
    (void)span;
    return NULL;
}

static struct hak_span *none_find(const void *block) {
    (void)block;
    return NULL;
}

static struct hak_span *none_find_around(const void *address) {
    (void)address;
    return NULL;
}

static size_t none_purge(enum hak_purge how, size_t bytes_max) {
    (void)how;
    (void)bytes_max;
    return 0;
}

static void none_stats(struct hak_stats *out) {
    (void)out;
}

static bool none_check(hak_report_fn report, void *arg) {
    (void)report;
    (void)arg;
    return true;
}

static void none_after_fork(bool in_disorder) {
    (void)in_disorder;
}

const struct hak_tier_ops hak_l25_none = {
    .name = "none",
    .owner = HAK_OWNER_L25,
    .size_max = 0,
    .init = none_init,
    .alloc = none_alloc,
    .free = none_free,
    .usable_size = none_usable_size,
    .resize = none_resize,
    .find = none_find,
    .find_around = none_find_around,
    .purge = none_purge,
    .stats = none_stats,
    .check = none_check,
    .after_fork = none_after_fork,
};
