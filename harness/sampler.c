/* SPDX-License-Identifier: MIT */
/*
 * sampler.c: reads /proc of a process every few milliseconds, see sampler.h.
 *
 * The process is the launcher's own child. Of the children that it may have, their number and
 * their Pss are added, since a page that they share with it is there once, and what is resident
 * in each of them alone is summed up in others_private_kib; everything else is of the process. What
 * the ledger needs for itself is a memfd that this process made: its blocks in use are exactly the
 * pages that the child's Rss has too much, and they are reported beside it, as ledger_kib. A
 * process that has no shared memory has got rid of its ledger, by becoming a program without one:
 * then nothing of it is known to be alive. Times are in milliseconds from sampler_begin, which is
 * given in the monotonic clock.
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

#include "harness/family.h"
#include "harness/ledger.h"

enum { MAX_SAMPLES = 8192, MAPS_EVERY = 8, MAX_FAMILY = 512 };

enum field {
    RSS,
    PSS,
    PSS_SHMEM,
    PRIVATE_CLEAN,
    PRIVATE_DIRTY,
    LAZY_FREE,
    ANON_HUGE,
    SWAP,
    PROC_FIELDS
};
enum more { VMAS = PROC_FIELDS, PROCESSES, OTHERS, LEDGER, LIVE_BYTES, LIVE_BLOCKS, FIELDS };

static const char *const proc_names[PROC_FIELDS] = {
    "\nRss:",           "\nPss:",      "\nPss_Shmem:",     "\nPrivate_Clean:",
    "\nPrivate_Dirty:", "\nLazyFree:", "\nAnonHugePages:", "\nSwap:"};
static const char *const names[FIELDS] = {"rss_kib",
                                          "pss_kib",
                                          "pss_shmem_kib",
                                          "private_clean_kib",
                                          "private_dirty_kib",
                                          "lazyfree_kib",
                                          "anon_huge_kib",
                                          "swap_kib",
                                          "vmas",
                                          "processes",
                                          "others_private_kib",
                                          "ledger_kib",
                                          "live_b",
                                          "live_blocks"};

struct sample {
    double t_ms;
    uint64_t value[FIELDS];
};

static struct {
    double begin_ms, interval_ms, due_ms;
    struct sample *samples; /* mapped once */
    size_t count, taken;
    uint64_t vmas; /* of the last look at the maps */
    pid_t child, family[MAX_FAMILY];
    char maps_path[64], ledger_path[64];
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
    sampler.child = child;
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
static bool read_rollup(pid_t process, uint64_t *value) {
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)process);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
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

/* Whether the family is still what it was: a process that came or went meanwhile changed what the
 * pages of the others count, and a sum over before and after would have some of them twice. */
static bool is_family(size_t count) {
    pid_t now[MAX_FAMILY];
    return family_of(sampler.child, now, MAX_FAMILY) == count &&
           memcmp(now, sampler.family, count * sizeof *now) == 0;
}

/* Adds its `count` members, listed before the child was read. */
static void add_family(uint64_t *value, size_t count) {
    uint64_t sum[PROC_FIELDS] = {0};
    value[PROCESSES] = 1;
    value[OTHERS] = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t more[PROC_FIELDS];
        if (!read_rollup(sampler.family[i], more)) return;
        for (int f = 0; f < PROC_FIELDS; f++)
            sum[f] += more[f];
    }
    if (count == 0 || !is_family(count)) return;
    value[PSS] += sum[PSS];
    value[PSS_SHMEM] += sum[PSS_SHMEM];
    value[OTHERS] = sum[PRIVATE_CLEAN] + sum[PRIVATE_DIRTY];
    value[PROCESSES] += count;
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

static void forget_ledger(uint64_t *value) {
    value[LEDGER] = value[LIVE_BYTES] = value[LIVE_BLOCKS] = 0;
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
    size_t family = family_of(sampler.child, sampler.family, MAX_FAMILY);
    if (read_rollup(sampler.child, sample->value)) {
        sample->value[LEDGER] = ledger_kib();
        if (!sample->value[PSS_SHMEM]) forget_ledger(sample->value);
        add_family(sample->value, family);
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
    unsigned long long pair = atomic_load(&page->peak_pair);
    fprintf(file, ",\"peak_pair_b\":[%llu,%llu]", (pair >> 32) * LEDGER_PEAK_UNIT,
            (pair & UINT32_MAX) * LEDGER_PEAK_UNIT);
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
