/* SPDX-License-Identifier: MIT */
/*
 * settings.h: what the command line of the fuzzer decides. Constant once threads run.
 */
#ifndef HAK_TESTS_SETTINGS_H
#define HAK_TESTS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct settings {
    uint64_t seed;
    unsigned long operations; /* of all threads together, those of children beside */
    unsigned threads;
    unsigned phases;     /* after each, all threads have ended and everything is checked */
    unsigned long forks; /* about */
    size_t live_bytes;   /* at most, by usable size, but for what is being made just now */
    const char *fault;   /* planted, or NULL */
    /* Left out by --without. */
    bool has_reports;      /* mallinfo and the like beside running threads */
    bool has_slack_zeros;  /* calloc's zeros reach to the usable size */
    bool has_child_checks; /* hak_check in the child of a fork */
};

extern struct settings settings;

/* Reads the command line, and draws the seed where it is to be random; ends the process where the
 * line is wrong. */
void settings_read(int argc, char **argv);

#endif
