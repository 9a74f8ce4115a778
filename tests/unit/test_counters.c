/* SPDX-License-Identifier: MIT */
/*
 * test_counters.c PAGE LIBRARY: what modules publish: counters with a name, a unit and a help,
 * switches that stand on the page, and what the refill module says at the end of a process with
 * the library preloaded. With the one argument "child" it allocates and ends.
 */
#include "tests/api/suite.h"

#include "include/hakmem.h"
#include "src/front/conf.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX 65536

static char text[TEXT_MAX];
static const char *library;

static void read_all(int fd) {
    size_t length = 0;
    ssize_t count;
    while ((count = read(fd, text + length, TEXT_MAX - 1 - length)) > 0)
        length += (size_t)count;
    text[length] = '\0';
}

static void look_at_counter(void *arg, const struct hak_counter *counter) {
    ++*(unsigned *)arg;
    assert_true(counter->module[0] != '\0' && counter->unit[0] != '\0');
    assert_true(counter->help[0] != '\0');
    assert_int_equal(strspn(counter->name, "abcdefghijklmnopqrstuvwxyz0123456789_"),
                     strlen(counter->name));
    hak_free(hak_malloc(2 * MIB)); /* no lock is held */
}

static void counters_are_named_and_visited_without_a_lock(void **state) {
    (void)state;
    unsigned first = 0;
    unsigned second = 0;
    hak_counters(look_at_counter, &first);
    hak_counters(look_at_counter, &second);
    assert_true(first > 0);
    assert_int_equal(first, second);
}

static void look_at_switch(void *arg, const struct hak_switch *named) {
    char cell[128];
    ++*(unsigned *)arg;
    assert_true(named->unit[0] != '\0' && named->help[0] != '\0');
    snprintf(cell, sizeof cell, "| `%s` |", named->name);
    if (strstr(text, cell) == NULL) fail_msg("%s is not on the page", named->name);
}

static void every_switch_stands_on_the_page(void **state) {
    FILE *page = fopen(*state, "r");
    unsigned count = 0;
    assert_non_null(page);
    text[fread(text, 1, TEXT_MAX - 1, page)] = '\0';
    fclose(page);
    hak_conf_visit(look_at_switch, &count);
    assert_true(count > 0);
}

/* What this program says on stderr as a child, with one variable more. */
static void run_child(const char *variable) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char self[] = "/proc/self/exe", word[] = "child", value[128], preload[PATH_MAX];
        char *const argv[] = {self, word, NULL};
        char *const envp[] = {value, preload, NULL};
        snprintf(value, sizeof value, "%s", variable);
        snprintf(preload, sizeof preload, "LD_PRELOAD=%s", library);
        dup2(ends[1], STDERR_FILENO);
        execve(self, argv, envp);
        _exit(99);
    }
    close(ends[1]);
    read_all(ends[0]);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void the_log_of_refills_is_summed_up_at_the_end(void **state) {
    (void)state;
    unsigned long refills = 0;
    run_child("HAKMEM_TINY_P0_LOG=1");
    assert_int_equal(sscanf(text, "[P0_COUNTER_OK] refills=%lu mismatches=0", &refills), 1);
    assert_true(refills > 0);
    run_child("HAKMEM_TINY_P0_LOG=0");
    assert_string_equal(text, "");
}

static void statistics_at_the_end_have_the_counters(void **state) {
    (void)state;
    run_child("HAKMEM_STATS=1");
    assert_non_null(strstr(text, "\nlarge kept bytes "));
    assert_non_null(strstr(text, "\np0 mismatches "));
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "child") == 0) {
        void *volatile block = malloc(100);
        free(block);
        return 0;
    }
    library = argv[argc - 1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_are_named_and_visited_without_a_lock),
        cmocka_unit_test_prestate(every_switch_stands_on_the_page, argv[1]),
        cmocka_unit_test(the_log_of_refills_is_summed_up_at_the_end),
        cmocka_unit_test(statistics_at_the_end_have_the_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
