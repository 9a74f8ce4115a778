/* SPDX-License-Identifier: MIT */
/*
 * report.c: malloc_stats and malloc_info, which print what hak_stats counts.
 */
#include "include/hakmem.h"
#include "src/front/report.h"
#include "src/front/text.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>

HAK_API void malloc_stats(void) {
    hak_report_print();
}

static void add_size(struct hak_text *text, const char *before, uint64_t size, const char *after) {
    hak_text_add(text, before);
    hak_text_add_decimal(text, size);
    hak_text_add(text, after);
}

static void add_total(struct hak_text *text, const char *type, uint64_t count, uint64_t size) {
    hak_text_add(text, "<total type=\"");
    hak_text_add(text, type);
    add_size(text, "\" count=\"", count, "\" ");
    add_size(text, "size=\"", size, "\"/>\n");
}

HAK_API int malloc_info(int options, FILE *out) {
    if (options != 0) {
        errno = EINVAL;
        return -1;
    }
    struct hak_stats stats = {.version = HAK_STATS_VERSION};
    (void)hak_stats(&stats);
    struct hak_text text = {.length = 0};
    hak_text_add(&text, "<malloc version=\"hakmem-1\">\n");
    add_total(&text, "fast", 0, 0);
    add_total(&text, "rest", stats.free_count, stats.free_bytes);
    add_total(&text, "mmap", stats.large_live_count, stats.large_live_bytes);
    add_size(&text, "<system type=\"current\" size=\"", stats.mapped_bytes, "\"/>\n");
    add_size(&text, "<system type=\"metadata\" size=\"", stats.metadata_bytes, "\"/>\n");
    add_size(&text, "<inuse type=\"current\" size=\"",
             stats.small_live_bytes + stats.large_live_bytes, "\"/>\n");
    hak_text_add(&text, "</malloc>\n");
    /* The caller's stream may be in memory, so stdio it is; no lock of ours is held, and what
     * stdio allocates is served like any other call. stdio may act on a cancellation here. */
    return fputs(text.bytes, out) < 0 ? -1 : 0;
}
