/* SPDX-License-Identifier: MIT */
/*
 * bench_sys.c: services for any thread: memory for bookkeeping, /proc, processors, the median,
 * and the words for a block that is wrong. See bench.h.
 */
#define _GNU_SOURCE
#include "harness/bench_inside.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

uint64_t bench_minor_faults(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_minflt : 0;
}

void *bench_map(size_t count, size_t item_bytes) {
    size_t bytes;
    if (__builtin_mul_overflow(count, item_bytes, &bytes)) bench_usage("asks for too many items");
    if (bytes == 0) bytes = 1;
    /* Populated, so that no fault of the harness falls into the timed part. */
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (map == MAP_FAILED) bench_usage("cannot map %zu bytes for bookkeeping", bytes);
    atomic_fetch_add_explicit(&bench_record.map_bytes, bytes, memory_order_relaxed);
    return map;
}

static uint64_t proc_field(const char *path, const char *field) {
    char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length <= 0) return 0;
    text[length] = '\0';
    const char *at = strstr(text, field);
    return at ? strtoull(at + strlen(field), NULL, 10) : 0;
}

uint64_t bench_status(const char *field) {
    return proc_field("/proc/self/status", field);
}

uint64_t bench_vma_count(void) {
    char text[4096];
    uint64_t lines = 0;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    for (ssize_t length; (length = read(fd, text, sizeof text)) > 0;) {
        for (ssize_t i = 0; i < length; i++)
            lines += text[i] == '\n';
    }
    close(fd);
    return lines;
}

unsigned bench_cpu_count(void) {
    return (unsigned)CPU_COUNT(&bench_record.cpus);
}

void bench_pin(unsigned index) {
    unsigned left = index % bench_cpu_count();
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &bench_record.cpus)) continue;
        if (left-- > 0) continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        if (sched_setaffinity(0, sizeof one, &one) != 0) bench_usage("cannot pin to CPU %u", cpu);
        return;
    }
}

void bench_pin_asked(unsigned index) {
    if (bench_record.is_pinned) bench_pin(index);
}

static void sift_down(double *heap, size_t root, size_t count) {
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && heap[child + 1] > heap[child]) child++;
        if (heap[root] >= heap[child]) return;
        double kept = heap[root];
        heap[root] = heap[child];
        heap[child] = kept;
    }
}

double bench_median(double *values, size_t count) {
    if (count == 0) return 0.0;
    for (size_t i = count / 2; i-- > 0;)
        sift_down(values, i, count);
    for (size_t end = count; end-- > 1;) {
        double top = values[0];
        values[0] = values[end];
        values[end] = top;
        sift_down(values, 0, end);
    }
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2.0;
}

uint64_t bench_rollup_kib(const char *field) {
    return proc_field("/proc/self/smaps_rollup", field);
}

/* Some kernels (6.2 to 6.16) sum the counters behind VmRSS lazily: this one walks the map. */
uint64_t bench_rss_kib(void) {
    return bench_rollup_kib("\nRss:");
}

/*
 * Blocks below 16 bytes: C allows an allocator to align them for their size only, and
 * jemalloc, mimalloc and tcmalloc do give 8-byte blocks. That is noted as min_align, and is
 * an error under --strict-align, which hakmem must pass.
 */
void bench_check_block_slow(const void *block, size_t size) {
    if (!block) bench_fail("%s of %zu bytes returned NULL", bench_record.called, size);
    uintptr_t address = (uintptr_t)block;
    unsigned align = (unsigned)(address & (0 - address) & 15);
    bool is_small = size < 16 && !bench_record.is_strict_align;
    if (!is_small || align * 2 <= size) {
        bench_fail("%s of %zu bytes returned %p, which is not aligned as it must be",
                   bench_record.called, size, block);
    }
    if (align < atomic_load_explicit(&bench_record.min_align, memory_order_relaxed)) {
        atomic_store_explicit(&bench_record.min_align, align, memory_order_relaxed);
    }
}

void bench_content_wrong(const void *block, uint32_t id, size_t size) {
    bench_fail("block %p of %zu bytes (slot %u) does not hold what was written into it", block,
               size, id);
}
