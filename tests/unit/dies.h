/* SPDX-License-Identifier: MIT */
/*
 * dies.h: runs a body in a child and says how it ended, for tests of what must end the process.
 */
#ifndef HAK_TESTS_DIES_H
#define HAK_TESTS_DIES_H

#include "tests/api/suite.h"

#include <signal.h>
#include <sys/wait.h>

/* Runs `body` in a child; what it wrote to stderr is in `text`. Its status, as of waitpid. */
static inline int status_of(void (*body)(void), char *text, size_t bytes) {
    int ends[2];
    int status = 0;
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL); /* cmocka catches it */
        dup2(ends[1], STDERR_FILENO);
        body();
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got = 1; got > 0 && length < bytes - 1; length += (size_t)(got > 0 ? got : 0))
        got = read(ends[0], text + length, bytes - 1 - length);
    text[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* `body` is to end by an abort with `words` on stderr. */
static inline void assert_dies(void (*body)(void), const char *words) {
    char text[512];
    const int status = status_of(body, text, sizeof text);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT) fail_msg("no abort: %s", text);
    if (strstr(text, words) == NULL) fail_msg("%s: not in: %s", words, text);
}

#endif
