/* SPDX-License-Identifier: MIT */
/*
 * settings.c: settings.h. The line that replays the run names each setting that decides its course.
 */
#define _GNU_SOURCE
#include "tests/fuzz/settings.h"
#include "tests/fuzz/place.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct settings settings = {
    .seed = 1,
    .operations = 100000,
    .threads = 4,
    .phases = 4,
    .forks = 8,
    .live_bytes = 64 * MIB,
    .has_reports = true,
    .has_slack_zeros = true,
    .has_child_checks = true,
};

static const char usage[] =
    "usage: fuzz [--seed N|random] [--ops N] [--threads N] [--phases N] [--forks N] [--live MIB]\n"
    "            [--fault NAME] [--without reports|slack|child-checks]\n";

static _Noreturn void refuse(void) {
    fputs(usage, stderr);
    exit(2);
}

static unsigned long number_of(const char *text, unsigned long least, unsigned long most) {
    char *end;
    const unsigned long number = strtoul(text, &end, 0);
    if (end == text || *end != '\0' || number < least || number > most) refuse();
    return number;
}

static uint64_t seed_of(const char *text) {
    uint64_t seed = 0;
    if (strcmp(text, "random") != 0) return number_of(text, 0, ~0UL);
    if (getrandom(&seed, sizeof(seed) / 2, 0) != (ssize_t)sizeof(seed) / 2) refuse();
    return seed;
}

static void leave_out(const char *name) {
    if (strcmp(name, "reports") == 0) {
        settings.has_reports = false;
    } else if (strcmp(name, "slack") == 0) {
        settings.has_slack_zeros = false;
    } else if (strcmp(name, "child-checks") == 0) {
        settings.has_child_checks = false;
    } else {
        refuse();
    }
}

static void take_option(int option) {
    switch (option) {
    case 's':
        settings.seed = seed_of(optarg);
        return;
    case 'o':
        settings.operations = number_of(optarg, 1, ~0UL);
        return;
    case 't':
        settings.threads = (unsigned)number_of(optarg, 1, 64);
        return;
    case 'p':
        settings.phases = (unsigned)number_of(optarg, 1, 1000000);
        return;
    case 'f':
        settings.forks = number_of(optarg, 0, 1000000);
        return;
    case 'l':
        settings.live_bytes = number_of(optarg, 1, 65536) * MIB;
        return;
    case 'F':
        settings.fault = optarg;
        return;
    case 'w':
        leave_out(optarg);
        return;
    default:
        refuse();
    }
}

static void remember_replay(const char *program) {
    char line[1000];
    (void)snprintf(line, sizeof(line),
                   "%s --seed %llu --ops %lu --threads %u --phases %u --forks %lu --live %zu%s%s"
                   "%s%s%s",
                   program, (unsigned long long)settings.seed, settings.operations,
                   settings.threads, settings.phases, settings.forks, settings.live_bytes / MIB,
                   settings.fault != NULL ? " --fault " : "",
                   settings.fault != NULL ? settings.fault : "",
                   settings.has_reports ? "" : " --without reports",
                   settings.has_slack_zeros ? "" : " --without slack",
                   settings.has_child_checks ? "" : " --without child-checks");
    place_set_replay(line);
    printf("%s\n", line);
    fflush(stdout);
}

void settings_read(int argc, char **argv) {
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},
        {"ops", required_argument, NULL, 'o'},
        {"threads", required_argument, NULL, 't'},
        {"phases", required_argument, NULL, 'p'},
        {"forks", required_argument, NULL, 'f'},
        {"live", required_argument, NULL, 'l'},
        {"fault", required_argument, NULL, 'F'},
        {"without", required_argument, NULL, 'w'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        take_option(option);
    }
    if (optind != argc) refuse();
    remember_replay(argv[0]);
}
