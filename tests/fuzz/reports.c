/* SPDX-License-Identifier: MIT */
/*
 * reports.c: reports.h. What another allocator does not have is not asked.
 */
#define _GNU_SOURCE
#include "tests/fuzz/reports.h"
#include "tests/fuzz/calls.h"
#include "tests/fuzz/settings.h"
#include "tests/fuzz/slots.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LEFT_BYTES (256 * KIB) /* what libc and the fuzzer have themselves */

static struct hak_stats counted(const struct place *place) {
    struct hak_stats stats = {.version = HAK_STATS_VERSION};
    if (calls.stats(&stats) != 0) breach(place, "hak_stats failed");
    return stats;
}

static void print_info(const struct place *place) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL) return;
    const int status = calls.print_info(0, out);
    if (fclose(out) != 0 || status != 0) breach(place, "malloc_info failed");
    if (strncmp(text, "<malloc", 7) != 0 || strstr(text, "</malloc>\n") == NULL) {
        breach(place, "malloc_info wrote %s", text);
    }
    calls.free(text);
}

static void give_back(struct place *place) {
    if (place_happens(place, 0x8000) && calls.purge != NULL) {
        calls.purge();
    } else if (calls.trim != NULL) {
        (void)calls.trim(place_below(place, 2) * MIB);
    }
}

void reports_step(struct place *place) {
    place->verb = "report";
    const size_t kind = place_below(place, 6);
    if (kind == 0) {
        give_back(place);
    } else if (!settings.has_reports) {
        return;
    } else if (kind == 1 && calls.mallinfo != NULL) {
        (void)calls.mallinfo();
    } else if (kind == 2 && calls.mallinfo2 != NULL) {
        (void)calls.mallinfo2();
    } else if (kind == 3 && calls.stats != NULL) {
        (void)counted(place);
    } else if (kind == 4 && calls.print_info != NULL) {
        print_info(place);
    } else if (kind == 5 && calls.mallopt != NULL) {
        (void)calls.mallopt(M_TRIM_THRESHOLD, (int)(128 * KIB));
    }
}

/* malloc_stats has no stream of its own choice: stderr leads to nowhere meanwhile. */
static void print_stats(const struct place *place) {
    if (calls.print_stats == NULL) return;
    const int saved = dup(STDERR_FILENO);
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (saved < 0 || nowhere < 0 || dup2(nowhere, STDERR_FILENO) < 0) breach(place, "no /dev/null");
    calls.print_stats();
    (void)dup2(saved, STDERR_FILENO);
    close(nowhere);
    close(saved);
}

void reports_check(struct place *place) {
    place->verb = "hak_check";
    if (calls.check != NULL && !calls.check()) breach(place, "hak_check failed");
}

void reports_at_rest(struct place *place) {
    reports_check(place);
    place->verb = "report at rest";
    print_stats(place);
    if (calls.stats == NULL) return;
    const struct hak_stats stats = counted(place);
    if (stats.small_live_bytes + stats.large_live_bytes < slots_live_bytes()) {
        breach(place, "%llu bytes are counted as live, but %zu are",
               (unsigned long long)(stats.small_live_bytes + stats.large_live_bytes),
               slots_live_bytes());
    }
}

void reports_alone(struct place *place) {
    place->verb = "report of a single thread";
    if (calls.stats == NULL) return;
    calls.purge();
    const struct hak_stats stats = counted(place);
    const unsigned long long live = stats.small_live_bytes + stats.large_live_bytes;
    if (live <= slots_live_bytes() + LEFT_BYTES) return;
    breach(place, "%llu bytes are counted as live, but only %zu are", live, slots_live_bytes());
}
