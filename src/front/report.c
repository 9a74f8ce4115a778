/* SPDX-License-Identifier: MIT */
/*
 * report.c: see report.h. One line a count; nothing here allocates.
 */
#include "src/front/report.h"

#include "include/hakmem.h"
#include "src/front/text.h"
#include "src/os/os.h"

#define VALUE_COLUMN 20u

/* A blank at least between the name and the value, which begins in one column. */
static void add_name(struct hak_text *text, const char *name) {
    hak_text_add(text, name);
    do {
        hak_text_add(text, " ");
    } while (text->length < VALUE_COLUMN);
}

static void print_count(const char *name, uint64_t count) {
    struct hak_text text = {.length = 0};
    add_name(&text, name);
    hak_text_add_decimal(&text, count);
    hak_text_print_line(&text);
}

static void print_word(const char *name, const char *word) {
    struct hak_text text = {.length = 0};
    add_name(&text, name);
    hak_text_add(&text, word);
    hak_text_print_line(&text);
}

static void print_large(const struct hak_stats *stats) {
    print_count("large live bytes", stats->large_live_bytes);
    print_count("large live blocks", stats->large_live_count);
    print_count("large kept bytes", stats->large_kept_bytes);
    print_count("large kept blocks", stats->large_kept_count);
}

/* "bigcache kept bytes" of the counter kept_bytes. */
static void print_counter(void *arg, const struct hak_counter *counter) {
    (void)arg;
    struct hak_text name = {.length = 0};
    hak_text_add(&name, counter->module);
    hak_text_add(&name, " ");
    hak_text_add(&name, counter->name);
    for (char *at = name.bytes; *at != '\0'; at++) {
        if (*at == '_') *at = ' ';
    }
    print_count(name.bytes, counter->value);
}

void hak_report_print(void) {
    struct hak_stats stats = {.version = HAK_STATS_VERSION};
    (void)hak_stats(&stats);
    struct hak_text text = {.length = 0};
    hak_text_add(&text, hak_build_info());
    hak_text_print_line(&text);
    print_word("huge pages", hak_os_huge_pages());
    print_count("heaps", stats.heaps);
    print_count("mapped bytes", stats.mapped_bytes);
    print_count("metadata bytes", stats.metadata_bytes);
    print_count("free bytes", stats.free_bytes);
    print_count("free blocks", stats.free_count);
    print_count("idle bytes", stats.idle_bytes);
    print_count("small slab bytes", stats.small_slab_bytes);
    print_count("small live bytes", stats.small_live_bytes);
    print_count("small free blocks", stats.small_free_count);
    print_large(&stats);
    print_count("refills", stats.refill_count);
    print_count("refill blocks", stats.refill_blocks);
    print_count("overflow blocks", stats.overflow_blocks);
    print_count("remote blocks", stats.remote_posted_blocks);
    print_count("adopted slabs", stats.adopted_slabs);
    hak_counters(print_counter, NULL);
}
