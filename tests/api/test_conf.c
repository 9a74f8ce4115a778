/* SPDX-License-Identifier: MIT */
/*
 * test_conf.c LIBRARY: what a process with the library says of its switches, and does on a wrong
 * one: HAKMEM_CONF and variables of their own.
 */
#define _GNU_SOURCE
#include "tests/api/suite.h"

#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *library;
static char said[16384];

static void read_all(int from) {
    size_t length = 0;
    ssize_t got;
    while ((got = read(from, said + length, sizeof said - 1 - length)) > 0)
        length += (size_t)got;
    said[length] = '\0';
}

/* The wait status of this program as a child with two variables; what it says is in `said`. */
static int run(const char *first, const char *second) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char self[] = "/proc/self/exe", word[] = "child", preload[PATH_MAX], one[256], two[256];
        char *const argv[] = {self, word, NULL};
        char *const envp[] = {preload, one, two, NULL};
        snprintf(preload, sizeof preload, "LD_PRELOAD=%s", library);
        snprintf(one, sizeof one, "%s", first);
        snprintf(two, sizeof two, "%s", second);
        dup2(ends[1], STDERR_FILENO);
        execve(self, argv, envp);
        _exit(99);
    }
    close(ends[1]);
    read_all(ends[0]);
    close(ends[0]);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void assert_silent(const char *variable) {
    assert_int_equal(run(variable, "A=1"), 0);
    assert_string_equal(said, "");
}

/* One line, which holds both; and the process goes on. */
static void assert_says(const char *variable, const char *what, const char *valid) {
    assert_int_equal(run(variable, "A=1"), 0);
    assert_non_null(strstr(said, what));
    assert_non_null(strstr(said, valid));
    assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
}

static void what_is_right_is_taken_in_silence(void **state) {
    (void)state;
    static const char *const right[] = {
        "HAKMEM=1",
        "HAKMEM_CONF=",
        "HAKMEM_CONF=,,",
        "HAKMEM_PURGE_MS=",
        "HAKMEM_FOO=",
        "HAKMEM_PURGE_MS=100",
        "HAKMEM_PURGE_MS=0",
        "HAKMEM_PURGE_KEEP_BYTES=4m",
        "HAKMEM_THP=never",
        "HAKMEM_MISUSE=ignore",
        "HAKMEM_TINY_REFILL_COUNT=64",
        "HAKMEM_TINY_REFILL_COUNT_C64=1",
        "HAKMEM_DEEPBIND=yes",
        "HAKMEM_CONF=purge_ms:100,thp:madvise,tiny_refill_count_c64:8",
        "HAKMEM_CONF=purge_thread:false",
        "HAKMEM_CONF=purge_keep_bytes:16K,"};
    for (size_t i = 0; i < COUNT_OF(right); i++)
        assert_silent(right[i]);
}

static void an_unknown_switch_is_named(void **state) {
    (void)state;
    assert_says("HAKMEM_PRUGE_MS=1", "HAKMEM_PRUGE_MS is no switch", "hakmem(7)");
    assert_says("HAKMEM_=1", "HAKMEM_ is no switch", "hakmem(7)");
    assert_says("HAKMEM_PURGE_MS_=1", "HAKMEM_PURGE_MS_ is no switch", "hakmem(7)");
    assert_says("HAKMEM_TINY_REFILL_COUNT_C63=1", "_C63 is no switch", "hakmem(7)");
    assert_says("HAKMEM_TINY_REFILL_COUNT_C=1", "_C is no switch", "hakmem(7)");
    assert_says("HAKMEM_TINY_REFILL_COUNT_C2048=1", "_C2048 is no switch", "hakmem(7)");
    assert_says("HAKMEM_CONF=PURGE_MS:1", "HAKMEM_CONF: PURGE_MS is no switch", "hakmem(7)");
    assert_says("HAKMEM_CONF=conf:1", "HAKMEM_CONF: conf is no switch", "hakmem(7)");
    assert_says("HAKMEM_CONF=:1", "HAKMEM_CONF:  is no switch", "hakmem(7)");
}

static void a_wrong_value_is_named_with_the_valid_ones(void **state) {
    (void)state;
    assert_says("HAKMEM_PURGE_MS=abc", "HAKMEM_PURGE_MS=abc is ignored", "from 0 to 1099511627776");
    assert_says("HAKMEM_PURGE_MS=-1", "=-1 is ignored", "from 0 to");
    assert_says("HAKMEM_TINY_REFILL_COUNT=999", "=999 is ignored", "from 1 to 64 (blocks");
    assert_says("HAKMEM_TINY_REFILL_COUNT_C64=0", "_C64=0 is ignored", "from 1 to 64");
    assert_says("HAKMEM_THP=bogus", "HAKMEM_THP=bogus is ignored", "never madvise");
    assert_says("HAKMEM_THP=never madvise", "is ignored", "one of: never madvise");
    assert_says("HAKMEM_CONF=thp:", "HAKMEM_CONF: thp: is ignored", "never madvise");
    assert_says("HAKMEM_CONF=purge_ms", "HAKMEM_CONF: purge_ms: is ignored", "from 0 to");
    assert_says("HAKMEM_CONF=verbose", "HAKMEM_CONF: verbose: is ignored", "0 or 1");
    assert_says("HAKMEM_CONF=purge_ms:1:2", "purge_ms:1:2 is ignored", "from 0 to");
}

static void a_long_value_is_cut_off(void **state) {
    (void)state;
    char variable[256] = "HAKMEM_THP=";
    memset(variable + strlen(variable), 'x', sizeof variable - strlen(variable) - 1);
    variable[sizeof variable - 1] = '\0';
    assert_says(variable, "HAKMEM_THP=xxxx", "never madvise");
}

static void what_is_in_force_is_said_when_asked_for(void **state) {
    (void)state;
    assert_int_equal(run("HAKMEM_CONF=confirm_conf:1,purge_ms:7,purge_ms:8", "HAKMEM_THP=never"),
                     0);
    assert_non_null(strstr(said, "hakmem: HAKMEM_PURGE_MS=8\n"));
    assert_non_null(strstr(said, "hakmem: HAKMEM_THP=never\n"));
    assert_non_null(strstr(said, "hakmem: HAKMEM_PURGE is not set\n"));
    assert_non_null(strstr(said, "hakmem: HAKMEM_BIGCACHE is not set\n"));
    assert_int_equal(run("HAKMEM_CONF=confirm_conf:true,purge_ms:7", "HAKMEM_PURGE_MS=9"), 0);
    assert_non_null(strstr(said, "hakmem: HAKMEM_PURGE_MS=9\n"));
}

static void a_wrong_switch_ends_the_process_when_asked_for(void **state) {
    (void)state;
    const int status = run("HAKMEM_CONF=abort_conf:true,purge_ms:abc", "A=1");
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(said, "purge_ms:abc is ignored"));
    assert_silent("HAKMEM_CONF=abort_conf:true,purge_ms:5");
    assert_says("HAKMEM_CONF=abort_conf:0,x:1", "x is no switch", "hakmem(7)");
}

static void a_pair_acts_like_its_variable(void **state) {
    (void)state;
    assert_int_equal(run("HAKMEM_CONF=verbose:1", "A=1"), 0);
    assert_non_null(strstr(said, "hakmem "));
    assert_int_equal(run("HAKMEM_CONF=audit:1", "A=1"), 0);
    assert_non_null(strstr(said, "[AUDIT_OK]"));
    assert_int_equal(run("HAKMEM_CONF=audit:1", "HAKMEM_AUDIT=0"), 0);
    assert_string_equal(said, "");
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "child") == 0) {
        void *volatile block = malloc(100);
        free(block);
        return 0;
    }
    if (argc != 2) return 2;
    library = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_right_is_taken_in_silence),
        cmocka_unit_test(an_unknown_switch_is_named),
        cmocka_unit_test(a_wrong_value_is_named_with_the_valid_ones),
        cmocka_unit_test(a_long_value_is_cut_off),
        cmocka_unit_test(what_is_in_force_is_said_when_asked_for),
        cmocka_unit_test(a_wrong_switch_ends_the_process_when_asked_for),
        cmocka_unit_test(a_pair_acts_like_its_variable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
