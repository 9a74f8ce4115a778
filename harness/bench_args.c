/* SPDX-License-Identifier: MIT */
/*
 * bench_args.c: the command line of every workload, see struct bench_arg in bench.h.
 *
 * Every argument can be given as --name VALUE; those that are not marked as options can also
 * be given by their place. What comes later wins, --smoke loses to all that is said.
 */
#include "harness/bench_inside.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_JSON = 1000, OPT_SMOKE, OPT_PIN, OPT_STRICT_ALIGN, OPT_HELP, OPT_SECONDS, OPT_REST };

static _Noreturn void print_help(void) {
    bench_put("usage: %s", bench_record.name);
    for (size_t i = 0; i < bench_record.arg_count; i++) {
        if (!bench_record.args[i].is_option) bench_put(" [%s]", bench_record.args[i].name);
    }
    bench_put(" [--seconds VALUE] [--rest VALUE] [--json] [--smoke] [--pin] [--strict-align]");
    for (size_t i = 0; i < bench_record.arg_count; i++) {
        if (bench_record.args[i].is_option) bench_put(" [--%s VALUE]", bench_record.args[i].name);
    }
    bench_put("\n");
    bench_put_out();
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
    for (size_t i = 0; i < bench_record.arg_count; i++) {
        if (!bench_record.args[i].is_option && index-- == 0) return &bench_record.args[i];
    }
    bench_usage("too many arguments (--help shows them)");
}

static void apply_smoke(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--smoke") == 0) bench_record.is_smoke = true;
    }
    for (size_t i = 0; bench_record.is_smoke && i < bench_record.arg_count; i++) {
        struct bench_arg *arg = &bench_record.args[i];
        arg->value = arg->smoke; /* what the command line says still wins */
    }
}

/* --seconds belongs to all, unless a workload has an argument of that name for something else. */
static bool has_own_seconds(void) {
    for (size_t i = 0; i < bench_record.arg_count; i++) {
        if (strcmp(bench_record.args[i].name, "seconds") == 0) return true;
    }
    return false;
}

static void take(int option, const char *word) {
    switch (option) {
    case OPT_JSON:
        bench_record.is_json = true;
        return;
    case OPT_SMOKE:
        return; /* apply_smoke saw it */
    case OPT_PIN:
        bench_record.is_pinned = true;
        return;
    case OPT_STRICT_ALIGN:
        bench_record.is_strict_align = true;
        return;
    case OPT_HELP:
        print_help();
    case OPT_SECONDS:
        parse_value(&bench_record.seconds, optarg);
        bench_not_fixed_work();
        return;
    case OPT_REST:
        parse_value(&bench_record.rest, optarg);
        return;
    case '?':
        bench_usage("option \"%s\" is unknown or lacks its value", word);
    default:
        parse_value(&bench_record.args[option], optarg);
    }
}

void bench_parse(int argc, char **argv) {
    struct option options[BENCH_MAX_ARGS + 8] = {
        {"json", no_argument, NULL, OPT_JSON},
        {"smoke", no_argument, NULL, OPT_SMOKE},
        {"pin", no_argument, NULL, OPT_PIN},
        {"strict-align", no_argument, NULL, OPT_STRICT_ALIGN},
        {"help", no_argument, NULL, OPT_HELP},
        {"rest", required_argument, NULL, OPT_REST},
    };
    size_t used = 6;
    for (size_t i = 0; i < bench_record.arg_count; i++) {
        const char *name = bench_record.args[i].name;
        options[used++] = (struct option){name, required_argument, NULL, (int)i};
    }
    if (!has_own_seconds()) {
        options[used] = (struct option){"seconds", required_argument, NULL, OPT_SECONDS};
    }
    bench_record.seconds =
        (struct bench_arg){.name = "seconds", .min = 1, .max = 86400000, .is_time = true};
    bench_record.rest = (struct bench_arg){.name = "rest", .max = 3600000, .is_time = true};
    apply_smoke(argc, argv);
    opterr = 0; /* getopt's own message would go through stdio */
    int found;
    while ((found = getopt_long(argc, argv, "", options, NULL)) != -1)
        take(found, argv[optind - 1]);
    for (size_t i = 0; optind < argc; i++)
        parse_value(positional(i), argv[optind++]);
}
