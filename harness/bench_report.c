/* SPDX-License-Identifier: MIT */
/*
 * bench_report.c: the report line at the end of every workload, see bench.h.
 *
 * The proof that an allocator was active is the path of the object in which the malloc and
 * the free lie that this program is bound to; programs must be built as PIE, else the
 * address seen would be the program's own PLT entry.
 */
#define _GNU_SOURCE
#include "harness/bench_inside.h"

#include <math.h>
#include <dlfcn.h>
#include <stdlib.h>

static const char *object_of(uintptr_t function) {
    Dl_info info;
    /* An integer first: ISO C knows no conversion from function to object pointer. */
    if (dladdr((const void *)function, &info) == 0 || !info.dli_fname) return "unknown";
    return info.dli_fname;
}

static void put_params(void) {
    bench_put("\"params\":{");
    for (size_t i = 0; i < bench_record.arg_count; i++) {
        const struct bench_arg *arg = &bench_record.args[i];
        bench_put("%s\"", i ? "," : "");
        for (const char *c = arg->name; *c; c++)
            bench_put("%c", *c == '-' ? '_' : *c);
        bench_put("\":");
        if (arg->choices) {
            bench_put_json_string(arg->choices[arg->value]);
        } else if (arg->is_time) {
            bench_put("%.9g", (double)arg->value / 1000.0);
        } else {
            bench_put("%llu", (unsigned long long)arg->value);
        }
    }
    if (bench_record.seconds.value) {
        double seconds = (double)bench_record.seconds.value / 1000.0;
        bench_put("%s\"seconds\":%.9g", bench_record.arg_count ? "," : "", seconds);
    }
    bench_put("}");
}

static void put_counts(const struct bench_list *list) {
    bench_put(",\"%s\":[", list->name);
    for (size_t i = 0; i < list->count; i++)
        bench_put("%s%llu", i ? "," : "", (unsigned long long)list->counts[i]);
    bench_put("]");
}

static void put_lists(void) {
    for (size_t i = 0; i < bench_record.metric_count; i++) {
        const struct bench_metric *metric = &bench_record.metrics[i];
        bench_put(isfinite(metric->value) ? ",\"%s\":%.9g" : ",\"%s\":null", metric->name,
                  metric->value);
    }
    for (size_t i = 0; i < bench_record.list_count; i++)
        put_counts(&bench_record.lists[i]);
    if (bench_record.thread_count)
        put_counts(
            &(struct bench_list){"thread_ops", bench_record.thread_ops, bench_record.thread_count});
    if (bench_record.segment_count) {
        bench_put(",\"segments_ns_per_op\":[");
        for (size_t i = 0; i < bench_record.segment_count; i++)
            bench_put("%s%.6g", i ? "," : "", bench_record.segments[i]);
        bench_put("]");
    }
}

static void put_hist(const struct bench_named_hist *named) {
    bench_put("\"%s\":{\"unit\":\"%s\",\"sub_bits\":%d,\"counts\":{", named->op, named->unit,
              BENCH_HIST_SUB_BITS);
    bool is_first = true;
    for (uint32_t i = 0; i < BENCH_HIST_PLACES; i++) {
        uint64_t count = named->hist->counts[i];
        if (!count) continue;
        bench_put("%s\"%u\":%llu", is_first ? "" : ",", i, (unsigned long long)count);
        is_first = false;
    }
    bench_put("}}");
}

static void put_hists(void) {
    if (!bench_record.hist_count) return;
    bench_put(",\"hists\":{");
    for (size_t i = 0; i < bench_record.hist_count; i++) {
        if (i) bench_put(",");
        put_hist(&bench_record.hists[i]);
    }
    bench_put("}");
}

static void put_plain_hist(const struct bench_named_hist *named) {
    static const double shares[] = {0.5, 0.9, 0.99, 0.999, 1.0};
    bench_put(", %s p50 p90 p99 p99.9 max", named->op);
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        uint64_t value = bench_hist_quantile(named->hist, shares[i]);
        bench_put(" %llu", (unsigned long long)value);
    }
    bench_put(" %s", named->unit);
}

static void put_json(uint64_t ops, double wall_s, uint64_t checksum) {
    bench_put("{\"workload\":");
    bench_put_json_string(bench_record.name);
    bench_put(",");
    put_params();
    bench_put(",\"ops\":%llu,\"wall_s\":%.9f,\"ns_per_op\":%.9g", (unsigned long long)ops, wall_s,
              ops ? wall_s * 1e9 / (double)ops : 0.0);
    if (bench_record.cycles_per_op >= 0.0)
        bench_put(",\"cycles_per_op\":%.9g", bench_record.cycles_per_op);
    bench_put(",\"hwm_kib\":%llu", (unsigned long long)bench_status("VmHWM:"));
    bench_put(",\"rss_end_kib\":%llu", (unsigned long long)bench_status("VmRSS:"));
    bench_put(",\"rss_exact_kib\":%llu", (unsigned long long)bench_rss_kib());
    bench_put(",\"vmas\":%llu", (unsigned long long)bench_vma_count());
    bench_put(",\"bookkeeping_kib\":%zu",
              atomic_load_explicit(&bench_record.map_bytes, memory_order_relaxed) / 1024);
    bench_put(",\"minflt\":%llu",
              (unsigned long long)(bench_record.stop_faults - bench_record.start_faults));
    bench_put(",\"minflt_total\":%llu", (unsigned long long)bench_minor_faults());
    bench_put(",\"checksum\":\"%016llx\"", (unsigned long long)checksum);
    bench_put(",\"fixed_work\":%s", bench_record.is_varying_work ? "false" : "true");
    bench_put(",\"min_align\":%u",
              atomic_load_explicit(&bench_record.min_align, memory_order_relaxed));
    put_lists();
    put_hists();
    bench_put(",\"malloc_object\":");
    bench_put_json_string(object_of((uintptr_t)&malloc));
    bench_put(",\"free_object\":");
    bench_put_json_string(object_of((uintptr_t)&free));
    bench_put(",\"errors\":0}\n");
}

static void put_plain(uint64_t ops, double wall_s) {
    bench_put("%s: %llu ops in %.3f s, %.2f ns/op", bench_record.name, (unsigned long long)ops,
              wall_s, ops ? wall_s * 1e9 / (double)ops : 0.0);
    if (bench_record.cycles_per_op >= 0.0)
        bench_put(", %.2f cycles/op", bench_record.cycles_per_op);
    for (size_t i = 0; i < bench_record.metric_count; i++) {
        bench_put(", %s %.4g", bench_record.metrics[i].name, bench_record.metrics[i].value);
    }
    for (size_t i = 0; i < bench_record.list_count; i++) {
        bench_put(", %s", bench_record.lists[i].name);
        for (size_t k = 0; k < bench_record.lists[i].count; k++) {
            uint64_t count = bench_record.lists[i].counts[k];
            if (count) bench_put(" %zu:%llu", k, (unsigned long long)count); /* place:count */
        }
    }
    for (size_t i = 0; i < bench_record.hist_count; i++)
        put_plain_hist(&bench_record.hists[i]);
    bench_put(", peak %llu KiB, malloc from %s\n", (unsigned long long)bench_status("VmHWM:"),
              object_of((uintptr_t)&malloc));
}

int bench_finish(uint64_t ops, uint64_t checksum) {
    double wall_s = (double)(bench_record.stop_ns - bench_record.start_ns) / 1e9;
    if (bench_record.cycles_per_op < 0.0 && bench_record.segment_cycles_count) {
        bench_record.cycles_per_op =
            bench_median(bench_record.segments_cycles, bench_record.segment_cycles_count);
    }
    if (bench_record.rest.value) bench_rest();
    if (bench_record.is_json) {
        put_json(ops, wall_s, checksum);
    } else {
        put_plain(ops, wall_s);
    }
    bench_put_out();
    return 0;
}
