/* SPDX-License-Identifier: MIT */
/*
 * test_options.c [SIZE | SWITCH]: how src/front/options.h reads the environment. Each case runs
 * this program again with an environment of its own, set before its first call; the child says by
 * its exit status what it read.
 */
#define _GNU_SOURCE
#include "tests/api/suite.h"

#include "include/hakmem.h"
#include "src/base/sizeclass.h"
#include "src/base/tunables.h"
#include "src/front/options.h"

#include <sys/wait.h>

#define GLOBAL "HAKMEM_TINY_REFILL_COUNT="
#define HOT    "HAKMEM_TINY_REFILL_COUNT_HOT="
#define MID    "HAKMEM_TINY_REFILL_COUNT_MID="

/* Runs this program with `argument` and up to three variables; returns its exit status. */
static int ask(const char *argument, const char *one, const char *two, const char *three) {
    const char *const envp[] = {one, two, three, NULL};
    const char *const argv[] = {"test_options", argument, NULL};
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execve("/proc/self/exe", (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)envp);
        _exit(255);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The child: the refill count of a size's class, as used by a first call of it; or a switch. */
static int answer(const char *question) {
    hak_free(hak_malloc(1));
    if (strcmp(question, "verbose") == 0) return hak_options.verbose;
    if (strcmp(question, "audit") == 0) return hak_options.audit;
    if (strcmp(question, "ignore") == 0) return hak_options.ignore_misuse;
    const size_t size = strtoul(question, NULL, 10);
    const hak_class_t cls = hak_sizeclass_of(size);
    struct hak_stats before = {.version = HAK_STATS_VERSION};
    struct hak_stats after = before;
    hak_stats(&before);
    void *block = hak_malloc(size);
    hak_stats(&after);
    hak_free(block);
    if (after.refill_blocks - before.refill_blocks > hak_options.refill_count[cls]) return 254;
    return hak_options.refill_count[cls];
}

static void without_an_environment_the_count_is_the_default(void **state) {
    (void)state;
    assert_int_equal(ask("64", NULL, NULL, NULL), HAK_REFILL_BLOCKS_DEFAULT);
}

static void no_refill_takes_more_bytes_than_its_bound(void **state) {
    (void)state;
    assert_int_equal(ask("1024", GLOBAL "64", NULL, NULL), HAK_REFILL_BYTES_MAX / 1024);
    assert_int_equal(ask("65536", NULL, NULL, NULL), 1);
}

static void the_global_count_is_for_all_tiny_classes(void **state) {
    (void)state;
    assert_int_equal(ask("16", GLOBAL "7", NULL, NULL), 7);
    assert_int_equal(ask("1024", GLOBAL "7", NULL, NULL), 7);
}

static void the_group_count_comes_before_the_global_one(void **state) {
    (void)state;
    assert_int_equal(ask("128", GLOBAL "7", HOT "11", MID "13"), 11);
    assert_int_equal(ask("144", GLOBAL "7", HOT "11", MID "13"), 13);
    assert_int_equal(ask("144", GLOBAL "7", HOT "11", NULL), 7);
    assert_int_equal(ask("128", GLOBAL "7", MID "13", NULL), 7);
}

static void the_class_count_comes_before_the_group_one(void **state) {
    (void)state;
    const char *of_class = "HAKMEM_TINY_REFILL_COUNT_C64=17";
    assert_int_equal(ask("64", of_class, GLOBAL "7", HOT "11"), 17);
    assert_int_equal(ask("49", of_class, GLOBAL "7", HOT "11"), 17);
    assert_int_equal(ask("48", of_class, GLOBAL "7", HOT "11"), 11);
    assert_int_equal(ask("80", of_class, GLOBAL "7", HOT "11"), 11);
}

static void counts_from_1_to_64_are_taken(void **state) {
    (void)state;
    assert_int_equal(ask("16", GLOBAL "1", NULL, NULL), 1);
    assert_int_equal(ask("16", GLOBAL "63", NULL, NULL), 63);
    assert_int_equal(ask("16", GLOBAL "64", NULL, NULL), 64);
}

static void what_is_no_count_is_as_if_unset(void **state) {
    (void)state;
    static const char *const refused[] = {"",   "0",  "65", "-1",  " 8",
                                          "8 ", "8x", "x",  "0x8", "99999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        char text[80];
        snprintf(text, sizeof text, HOT "%s", refused[i]);
        assert_int_equal(ask("64", text, GLOBAL "7", NULL), 7);
    }
}

static void a_variable_that_only_begins_like_one_is_ignored(void **state) {
    (void)state;
    assert_int_equal(ask("64", "HAKMEM_TINY_REFILL_COUNTS=7", "HAKMEM_TINY_REFILL_COUN=7", NULL),
                     HAK_REFILL_BLOCKS_DEFAULT);
}

static void switches_are_on_when_set_to_anything_but_0(void **state) {
    (void)state;
    assert_int_equal(ask("audit", NULL, NULL, NULL), 0);
    assert_int_equal(ask("audit", "HAKMEM_AUDIT=0", NULL, NULL), 0);
    assert_int_equal(ask("audit", "HAKMEM_AUDIT=1", NULL, NULL), 1);
    assert_int_equal(ask("verbose", NULL, NULL, NULL), 0);
    assert_int_equal(ask("verbose", "HAKMEM_VERBOSE=1", NULL, NULL), 1);
}

static void misuse_is_ignored_only_by_that_word(void **state) {
    (void)state;
    assert_int_equal(ask("ignore", NULL, NULL, NULL), 0);
    assert_int_equal(ask("ignore", "HAKMEM_MISUSE=1", NULL, NULL), 0);
    assert_int_equal(ask("ignore", "HAKMEM_MISUSE=ignore", NULL, NULL), 1);
}

int main(int argc, char **argv) {
    if (argc > 1) return answer(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_environment_the_count_is_the_default),
        cmocka_unit_test(no_refill_takes_more_bytes_than_its_bound),
        cmocka_unit_test(the_global_count_is_for_all_tiny_classes),
        cmocka_unit_test(the_group_count_comes_before_the_global_one),
        cmocka_unit_test(the_class_count_comes_before_the_group_one),
        cmocka_unit_test(counts_from_1_to_64_are_taken),
        cmocka_unit_test(what_is_no_count_is_as_if_unset),
        cmocka_unit_test(a_variable_that_only_begins_like_one_is_ignored),
        cmocka_unit_test(switches_are_on_when_set_to_anything_but_0),
        cmocka_unit_test(misuse_is_ignored_only_by_that_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
