/* SPDX-License-Identifier: MIT */
/*
 * sampler.c: reads /proc of one process every few milliseconds, see sampler.h.
 *
 * The process is the launcher's own child, not the children that it may have. What the ledger
 * needs for itself is a memfd that this process made: its blocks in use are exactly the pages
 * that the child's Rss has too much, and they are reported beside it, as ledger_kib.
 * Times are in milliseconds from sampler_begin, which is given in the monotonic clock.
 */
#define _GNU_SOURCE
#include "harness/sampler.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "harness/ledger.h"

enum { MAX_SAMPLES = 8192, MAPS_EVERY = 8 };

enum field { RSS, PSS, PSS_SHMEM, PRIVATE_DIRTY, LAZY_FREE, ANON_HUGE, SWAP, PROC_FIELDS };
enum more { VMAS = PROC_FIELDS, LEDGER, LIVE_BYTES, LIVE_BLOCKS, FIELDS };

static const char *const proc_names[PROC_FIELDS] = {
    "\nRss:",      "\nPss:",           "\nPss_Shmem:", "\nPrivate_Dirty:",
    "\nLazyFree:", "\nAnonHugePages:", "\nSwap:"};
static const char *const names[FIELDS] = {
    "rss_kib",      "pss_kib",       "pss_shmem_kib", "private_dirty_kib",
    "lazyfree_kib", "anon_huge_kib", "swap_kib",      "vmas",
    "ledger_kib",   "live_b",        "live_blocks"};

struct sample {
    double t_ms;
    uint64_t value[FIELDS];
};

static struct {
    double begin_ms, interval_ms, due_ms;
    struct sample *samples; /* mapped once */
    size_t count, taken;
    uint64_t vmas; /* of the last look at the maps */
    char rollup_path[64], maps_path[64], ledger_path[64];
    int ledger_fd; /* -1: none */
    struct ledger_page *page;
} sampler = {.ledger_fd = -1};

static double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static bool open_ledger(void) {
    sampler.ledger_fd = memfd_create("ledger", MFD_CLOEXEC);
    if (sampler.ledger_fd < 0 || ftruncate(sampler.ledger_fd, LEDGER_FILE_BYTES) != 0) return false;
    void *page =
        mmap(NULL, LEDGER_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, sampler.ledger_fd, 0);
    if (page == MAP_FAILED) return false;
    sampler.page = page;
    /* By a path and not as an inherited file, which the child would have open all along. */
    snprintf(sampler.ledger_path, sizeof sampler.ledger_path, "/proc/%ld/fd/%d", (long)getpid(),
             sampler.ledger_fd);
    return true;
}

bool sampler_open(double interval_ms, bool is_ledger_wanted) {
    sampler.interval_ms = interval_ms;
    size_t bytes = MAX_SAMPLES * sizeof *sampler.samples;
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) return false;
    sampler.samples = map;
    return !is_ledger_wanted || open_ledger();
}

const char *sampler_ledger_path(void) {
    return sampler.page ? sampler.ledger_path : NULL;
}

void sampler_begin(pid_t child) {
    snprintf(sampler.rollup_path, sizeof sampler.rollup_path, "/proc/%ld/smaps_rollup",
             (long)child);
    snprintf(sampler.maps_path, sizeof sampler.maps_path, "/proc/%ld/maps", (long)child);
    sampler.begin_ms = sampler.due_ms = now_ms();
}

double sampler_due_s(void) {
    return (sampler.due_ms - now_ms()) / 1e3;
}

static uint64_t line_count(const char *path) {
    char text[4096];
    uint64_t lines = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    for (ssize_t length; (length = read(fd, text, sizeof text)) > 0;) {
        for (ssize_t i = 0; i < length; i++)
            lines += text[i] == '\n';
    }
    close(fd);
    return lines;
}

/* False when the process has no memory any more: it has ended. */
static bool read_rollup(uint64_t *value) {
    char text[4096];
    int fd = open(sampler.rollup_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length <= 0) return false;
    text[length] = '\0';
    for (int f = 0; f < PROC_FIELDS; f++) {
        const char *at = strstr(text, proc_names[f]);
        value[f] = at ? strtoull(at + strlen(proc_names[f]), NULL, 10) : 0;
    }
    return value[RSS] > 0;
}

static void read_ledger(uint64_t *value) {
    if (!sampler.page) return;
    value[LIVE_BYTES] = atomic_load_explicit(&sampler.page->live_bytes, memory_order_relaxed);
    value[LIVE_BLOCKS] = atomic_load_explicit(&sampler.page->live_blocks, memory_order_relaxed);
}

static uint64_t ledger_kib(void) {
    struct stat file;
    if (!sampler.page || fstat(sampler.ledger_fd, &file) != 0) return 0;
    return (uint64_t)file.st_blocks / 2;
}

static void halve(void) {
    for (size_t i = 0; i < sampler.count / 2; i++)
        sampler.samples[i] = sampler.samples[2 * i];
    sampler.count /= 2;
    sampler.interval_ms *= 2;
}

void sampler_tick(void) {
    if (sampler.count == MAX_SAMPLES) halve();
    struct sample *sample = &sampler.samples[sampler.count];
    sample->t_ms = now_ms() - sampler.begin_ms;
    read_ledger(sample->value);
    if (read_rollup(sample->value)) {
        sample->value[LEDGER] = ledger_kib();
        if (sampler.taken++ % MAPS_EVERY == 0) sampler.vmas = line_count(sampler.maps_path);
        sample->value[VMAS] = sampler.vmas;
        sampler.count++;
    }
    /* From now, not from the last one: a machine that is behind is not made to catch up. */
    sampler.due_ms = now_ms() + sampler.interval_ms;
}

static void write_counts(FILE *file) {
    const struct ledger_page *page = sampler.page;
    if (!page) return;
    fprintf(file, ",\"owner\":%d,\"peak_live_b\":%llu,\"entered\":%llu,\"strangers\":%llu",
            atomic_load(&page->owner), atomic_load(&page->peak_bytes), atomic_load(&page->entered),
            atomic_load(&page->strangers));
    fprintf(file, ",\"end_live_b\":%llu,\"end_live_blocks\":%llu", atomic_load(&page->live_bytes),
            atomic_load(&page->live_blocks));
}

bool sampler_write(const char *path) {
    FILE *file = fopen(path, "we");
    if (!file) return false;
    fprintf(file, "{\"begin_ms\":%.3f,\"interval_ms\":%g", sampler.begin_ms, sampler.interval_ms);
    write_counts(file);
    fprintf(file, ",\"t_ms\":[");
    for (size_t i = 0; i < sampler.count; i++)
        fprintf(file, "%s%.3f", i ? "," : "", sampler.samples[i].t_ms);
    for (int f = 0; f < FIELDS; f++) {
        fprintf(file, "],\"%s\":[", names[f]);
        for (size_t i = 0; i < sampler.count; i++)
            fprintf(file, "%s%llu", i ? "," : "", (unsigned long long)sampler.samples[i].value[f]);
    }
    fprintf(file, "]}\n");
    return fclose(file) == 0;
}
