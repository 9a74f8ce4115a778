/* SPDX-License-Identifier: MIT */
/*
 * bench.c: the shared half of every workload, see bench.h.
 *
 * Invariant: no call here reaches malloc and no stdio stream is used. Text is formatted by
 * vsnprintf into a static buffer and leaves by one write(2) after the measurement.
 * The proof that an allocator was active is the path of the object in which the malloc and
 * the free lie that this program is bound to; programs must be built as PIE, else the
 * address seen would be the program's own PLT entry.
 */
#define _GNU_SOURCE
#include "harness/bench.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MAX_ARGS = 16, MAX_METRICS = 16, MAX_LISTS = 2, MAX_THREADS = 256, MAX_SEGMENTS = 64 };
enum { OPT_JSON = 1000, OPT_SMOKE, OPT_PIN, OPT_STRICT_ALIGN, OPT_HELP };

struct metric {
    const char *name;
    double value;
};

struct list {
    const char *name;
    const uint64_t *counts;
    size_t count;
};

static struct {
    const char *name;
    const char *called; /* the function whose blocks are checked */
    struct bench_arg *args;
    size_t arg_count;
    bool is_json, is_smoke, is_pinned, is_strict_align, is_varying_work;
    cpu_set_t cpus; /* allowed at start, const after bench_begin */

    uint64_t start_ns, stop_ns;
    uint64_t segment_ns, segment_cycles; /* begin of the open segment */
    uint64_t start_faults, stop_faults;
    double segments[MAX_SEGMENTS], segments_cycles[MAX_SEGMENTS];
    size_t segment_count, segment_cycles_count;
    double cycles_per_op; /* negative: not measured */
    struct metric metrics[MAX_METRICS];
    size_t metric_count;
    struct list lists[MAX_LISTS];
    size_t list_count;
    uint64_t thread_ops[MAX_THREADS];
    size_t thread_count;
    size_t map_bytes;

    atomic_uint min_align; /* any thread, relaxed: only ever sinks, read after the threads end */
} run = {.name = "bench", .called = "malloc", .cycles_per_op = -1.0, .min_align = 16};

static struct {
    char text[65536];
    size_t length;
} out;

/* ---- text ---- */

__attribute__((format(printf, 1, 2))) static void put(const char *format, ...) {
    va_list list;
    va_start(list, format);
    size_t room = sizeof out.text - out.length;
    int wanted = vsnprintf(out.text + out.length, room, format, list);
    va_end(list);
    if (wanted > 0) out.length += (size_t)wanted < room ? (size_t)wanted : room - 1;
}

static void put_json_string(const char *text) {
    put("\"");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            put("\\%c", c);
        } else if (c < 0x20) {
            put("\\u%04x", c);
        } else {
            put("%c", c);
        }
    }
    put("\"");
}

static void write_all(int fd, const char *text, size_t length) {
    while (length > 0) {
        ssize_t done = write(fd, text, length);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) _exit(3); /* nobody can be told */
        text += done;
        length -= (size_t)done;
    }
}

/* One sentence: where several threads meet the fault at once, the first one speaks. */
_Noreturn static void die(int status, const char *format, va_list list) {
    static atomic_flag is_dying = ATOMIC_FLAG_INIT;
    while (atomic_flag_test_and_set(&is_dying))
        pause();
    char line[512];
    int length = snprintf(line, sizeof line, "%s: ", run.name);
    vsnprintf(line + length, sizeof line - (size_t)length - 1, format, list);
    size_t end = strlen(line);
    line[end] = '\n';
    write_all(STDERR_FILENO, line, end + 1);
    _exit(status); /* not exit: other threads still run in a heap known to be broken */
}

void bench_fail(const char *format, ...) {
    va_list list;
    va_start(list, format);
    die(1, format, list);
}

void bench_usage(const char *format, ...) {
    va_list list;
    va_start(list, format);
    die(2, format, list);
}

/* ---- arguments ---- */

static _Noreturn void print_help(void) {
    put("usage: %s", run.name);
    for (size_t i = 0; i < run.arg_count; i++) {
        if (!run.args[i].is_option) put(" [%s]", run.args[i].name);
    }
    put(" [--json] [--smoke] [--pin] [--strict-align]");
    for (size_t i = 0; i < run.arg_count; i++) {
        if (run.args[i].is_option) put(" [--%s VALUE]", run.args[i].name);
    }
    put("\n");
    write_all(STDOUT_FILENO, out.text, out.length);
    _exit(0);
}

static uint64_t parse_choice(const struct bench_arg *arg, const char *text) {
    for (uint64_t i = 0; arg->choices[i]; i++) {
        if (strcmp(arg->choices[i], text) == 0) return i;
    }
    bench_usage("--%s: \"%s\" is none of its choices (the first is \"%s\")", arg->name, text,
                arg->choices[0]);
}

static void parse_value(struct bench_arg *arg, const char *text) {
    if (arg->choices) {
        arg->value = parse_choice(arg, text);
        return;
    }
    char *end = NULL;
    errno = 0;
    if (arg->is_time) {
        double seconds = strtod(text, &end);
        bool is_sane = seconds >= 0.0 && seconds <= 1e6;
        arg->value = is_sane ? (uint64_t)(seconds * 1000.0 + 0.5) : UINT64_MAX;
    } else {
        arg->value = strtoull(text, &end, 10);
    }
    if (errno || end == text || *end || strchr(text, '-')) {
        bench_usage("%s: \"%s\" is not a number it can take", arg->name, text);
    }
    if (arg->value < arg->min || arg->value > arg->max) {
        bench_usage("%s: %s is outside %llu..%llu%s", arg->name, text, (unsigned long long)arg->min,
                    (unsigned long long)arg->max, arg->is_time ? " ms" : "");
    }
}

static struct bench_arg *positional(size_t index) {
    for (size_t i = 0; i < run.arg_count; i++) {
        if (!run.args[i].is_option && index-- == 0) return &run.args[i];
    }
    bench_usage("too many arguments (--help shows them)");
}

static void apply_smoke(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--smoke") == 0) run.is_smoke = true;
    }
    for (size_t i = 0; run.is_smoke && i < run.arg_count; i++) {
        run.args[i].value = run.args[i].smoke; /* what the command line says still wins */
    }
}

static void parse(int argc, char **argv) {
    struct option options[MAX_ARGS + 6] = {
        {"json", no_argument, NULL, OPT_JSON},
        {"smoke", no_argument, NULL, OPT_SMOKE},
        {"pin", no_argument, NULL, OPT_PIN},
        {"strict-align", no_argument, NULL, OPT_STRICT_ALIGN},
        {"help", no_argument, NULL, OPT_HELP},
    };
    size_t used = 5;
    for (size_t i = 0; i < run.arg_count; i++) {
        if (!run.args[i].is_option) continue;
        options[used++] = (struct option){run.args[i].name, required_argument, NULL, (int)i};
    }
    apply_smoke(argc, argv);
    opterr = 0; /* getopt's own message would go through stdio */
    int found;
    while ((found = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (found) {
        case OPT_JSON:
            run.is_json = true;
            break;
        case OPT_SMOKE:
            break;
        case OPT_PIN:
            run.is_pinned = true;
            break;
        case OPT_STRICT_ALIGN:
            run.is_strict_align = true;
            break;
        case OPT_HELP:
            print_help();
        case '?':
            bench_usage("option \"%s\" is unknown or lacks its value", argv[optind - 1]);
        default:
            parse_value(&run.args[found], optarg);
        }
    }
    for (size_t i = 0; optind < argc; i++)
        parse_value(positional(i), argv[optind++]);
}

void bench_begin(const char *name, struct bench_arg *args, size_t arg_count, int argc,
                 char **argv) {
    run.name = name;
    if (arg_count > MAX_ARGS) bench_usage("has more arguments than MAX_ARGS");
    run.args = args;
    run.arg_count = arg_count;
    parse(argc, argv);
    if (sched_getaffinity(0, sizeof run.cpus, &run.cpus) != 0) {
        bench_usage("cannot read the CPU affinity: error %d", errno);
    }
    bench_pin_asked(0);
}

/* ---- the timed part ---- */

static uint64_t minor_faults(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_minflt : 0;
}

void bench_start(void) {
    run.start_faults = minor_faults();
    run.start_ns = run.segment_ns = bench_ns();
    run.segment_cycles = bench_cycles();
}

void bench_segment_value(double ns_per_op) {
    if (run.segment_count < MAX_SEGMENTS) run.segments[run.segment_count++] = ns_per_op;
}

void bench_segment(uint64_t ops) {
    uint64_t cycles = bench_cycles();
    uint64_t now = bench_ns();
    if (ops > 0 && run.segment_count < MAX_SEGMENTS) {
        double cycles_per_op = (double)(cycles - run.segment_cycles) / (double)ops;
        run.segments_cycles[run.segment_cycles_count++] = cycles_per_op;
        bench_segment_value((double)(now - run.segment_ns) / (double)ops);
    }
    run.segment_ns = bench_ns();
    run.segment_cycles = bench_cycles();
}

void bench_segment_skip(void) {
    run.start_ns += bench_ns() - run.segment_ns; /* the wall time shrinks by the same */
    run.segment_ns = bench_ns();
    run.segment_cycles = bench_cycles();
}

void bench_stop(void) {
    run.stop_ns = bench_ns();
    run.stop_faults = minor_faults();
}

void bench_not_fixed_work(void) {
    run.is_varying_work = true;
}

void bench_cycles_per_op(double cycles) {
    run.cycles_per_op = cycles;
}

void bench_metric(const char *name, double value) {
    if (run.metric_count == MAX_METRICS) bench_usage("reports more than MAX_METRICS");
    run.metrics[run.metric_count++] = (struct metric){name, value};
}

void bench_metric_counts(const char *name, const uint64_t *counts, size_t count) {
    if (run.list_count == MAX_LISTS) bench_usage("reports more than MAX_LISTS");
    run.lists[run.list_count++] = (struct list){name, counts, count};
}

void bench_called(const char *function) {
    run.called = function;
}

void bench_thread_ops(unsigned index, uint64_t ops) {
    if (index >= MAX_THREADS) return;
    run.thread_ops[index] = ops;
    run.thread_count = index + 1u;
}

/* ---- services ---- */

void *bench_map(size_t count, size_t item_bytes) {
    size_t bytes;
    if (__builtin_mul_overflow(count, item_bytes, &bytes)) bench_usage("asks for too many items");
    if (bytes == 0) bytes = 1;
    /* Populated, so that no fault of the harness falls into the timed part. */
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (map == MAP_FAILED) bench_usage("cannot map %zu bytes for bookkeeping", bytes);
    run.map_bytes += bytes;
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

unsigned bench_cpu_count(void) {
    return (unsigned)CPU_COUNT(&run.cpus);
}

void bench_pin(unsigned index) {
    unsigned left = index % bench_cpu_count();
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &run.cpus)) continue;
        if (left-- > 0) continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        if (sched_setaffinity(0, sizeof one, &one) != 0) bench_usage("cannot pin to CPU %u", cpu);
        return;
    }
}

void bench_pin_asked(unsigned index) {
    if (run.is_pinned) bench_pin(index);
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

/* Some kernels (6.2 to 6.16) sum the counters behind VmRSS lazily: this one walks the map. */
uint64_t bench_rss_kib(void) {
    return proc_field("/proc/self/smaps_rollup", "\nRss:");
}

/*
 * Blocks below 16 bytes: C allows an allocator to align them for their size only, and
 * jemalloc, mimalloc and tcmalloc do give 8-byte blocks. That is noted as min_align, and is
 * an error under --strict-align, which hakmem must pass.
 */
void bench_check_block_slow(const void *block, size_t size) {
    if (!block) bench_fail("%s of %zu bytes returned NULL", run.called, size);
    uintptr_t address = (uintptr_t)block;
    unsigned align = (unsigned)(address & (0 - address) & 15);
    bool is_small = size < 16 && !run.is_strict_align;
    if (!is_small || align * 2 <= size) {
        bench_fail("%s of %zu bytes returned %p, which is not aligned as it must be", run.called,
                   size, block);
    }
    if (align < atomic_load_explicit(&run.min_align, memory_order_relaxed)) {
        atomic_store_explicit(&run.min_align, align, memory_order_relaxed);
    }
}

void bench_content_wrong(const void *block, uint32_t id, size_t size) {
    bench_fail("block %p of %zu bytes (slot %u) does not hold what was written into it", block,
               size, id);
}

/* ---- the report ---- */

static const char *object_of(uintptr_t function) {
    Dl_info info;
    /* An integer first: ISO C knows no conversion from function to object pointer. */
    if (dladdr((const void *)function, &info) == 0 || !info.dli_fname) return "unknown";
    return info.dli_fname;
}

static void put_params(void) {
    put("\"params\":{");
    for (size_t i = 0; i < run.arg_count; i++) {
        const struct bench_arg *arg = &run.args[i];
        put("%s\"", i ? "," : "");
        for (const char *c = arg->name; *c; c++)
            put("%c", *c == '-' ? '_' : *c);
        put("\":");
        if (arg->choices) {
            put_json_string(arg->choices[arg->value]);
        } else if (arg->is_time) {
            put("%.9g", (double)arg->value / 1000.0);
        } else {
            put("%llu", (unsigned long long)arg->value);
        }
    }
    put("}");
}

static void put_counts(const struct list *list) {
    put(",\"%s\":[", list->name);
    for (size_t i = 0; i < list->count; i++)
        put("%s%llu", i ? "," : "", (unsigned long long)list->counts[i]);
    put("]");
}

static void put_lists(void) {
    for (size_t i = 0; i < run.metric_count; i++) {
        put(",\"%s\":%.9g", run.metrics[i].name, run.metrics[i].value);
    }
    for (size_t i = 0; i < run.list_count; i++)
        put_counts(&run.lists[i]);
    if (run.thread_count)
        put_counts(&(struct list){"thread_ops", run.thread_ops, run.thread_count});
    if (run.segment_count) {
        put(",\"segments_ns_per_op\":[");
        for (size_t i = 0; i < run.segment_count; i++)
            put("%s%.6g", i ? "," : "", run.segments[i]);
        put("]");
    }
}

static void put_json(uint64_t ops, double wall_s, uint64_t checksum) {
    put("{\"workload\":");
    put_json_string(run.name);
    put(",");
    put_params();
    put(",\"ops\":%llu,\"wall_s\":%.9f,\"ns_per_op\":%.9g", (unsigned long long)ops, wall_s,
        ops ? wall_s * 1e9 / (double)ops : 0.0);
    if (run.cycles_per_op >= 0.0) put(",\"cycles_per_op\":%.9g", run.cycles_per_op);
    put(",\"hwm_kib\":%llu", (unsigned long long)bench_status("VmHWM:"));
    put(",\"rss_end_kib\":%llu", (unsigned long long)bench_status("VmRSS:"));
    put(",\"rss_exact_kib\":%llu", (unsigned long long)bench_rss_kib());
    put(",\"bookkeeping_kib\":%zu", run.map_bytes / 1024);
    put(",\"minflt\":%llu", (unsigned long long)(run.stop_faults - run.start_faults));
    put(",\"minflt_total\":%llu", (unsigned long long)minor_faults());
    put(",\"checksum\":\"%016llx\"", (unsigned long long)checksum);
    put(",\"fixed_work\":%s", run.is_varying_work ? "false" : "true");
    put(",\"min_align\":%u", atomic_load_explicit(&run.min_align, memory_order_relaxed));
    put_lists();
    put(",\"malloc_object\":");
    put_json_string(object_of((uintptr_t)&malloc));
    put(",\"free_object\":");
    put_json_string(object_of((uintptr_t)&free));
    put(",\"errors\":0}\n");
}

static void put_plain(uint64_t ops, double wall_s) {
    put("%s: %llu ops in %.3f s, %.2f ns/op", run.name, (unsigned long long)ops, wall_s,
        ops ? wall_s * 1e9 / (double)ops : 0.0);
    if (run.cycles_per_op >= 0.0) put(", %.2f cycles/op", run.cycles_per_op);
    for (size_t i = 0; i < run.metric_count; i++) {
        put(", %s %.4g", run.metrics[i].name, run.metrics[i].value);
    }
    for (size_t i = 0; i < run.list_count; i++) {
        put(", %s", run.lists[i].name);
        for (size_t k = 0; k < run.lists[i].count; k++) {
            uint64_t count = run.lists[i].counts[k];
            if (count) put(" %zu:%llu", k, (unsigned long long)count); /* place:count */
        }
    }
    put(", peak %llu KiB, malloc from %s\n", (unsigned long long)bench_status("VmHWM:"),
        object_of((uintptr_t)&malloc));
}

int bench_finish(uint64_t ops, uint64_t checksum) {
    double wall_s = (double)(run.stop_ns - run.start_ns) / 1e9;
    if (run.cycles_per_op < 0.0 && run.segment_cycles_count) {
        run.cycles_per_op = bench_median(run.segments_cycles, run.segment_cycles_count);
    }
    if (run.is_json) {
        put_json(ops, wall_s, checksum);
    } else {
        put_plain(ops, wall_s);
    }
    write_all(STDOUT_FILENO, out.text, out.length);
    return 0;
}
