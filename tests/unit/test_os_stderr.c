/* SPDX-License-Identifier: MIT */
/*
 * test_os_stderr.c: src/os/os.h: what is written to stderr.
 */
#include "tests/unit/os_pages.h"

/* Descriptor 2 is the writing end of a pipe; the other end is returned, and what it was in *kept.
 */
static int catch_stderr(int *kept) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    *kept = dup(2);
    assert_true(*kept >= 0);
    assert_int_equal(dup2(ends[1], 2), 2);
    close(ends[1]);
    return ends[0];
}

static void release_stderr(int kept) {
    assert_int_equal(dup2(kept, 2), 2);
    close(kept);
}

static void *write_when_cancelled(void *returned) {
    pthread_cancel(pthread_self());
    hak_os_write_stderr("a line\n", 7);
    *(volatile bool *)returned = true;
    return NULL;
}

static void writing_to_stderr_is_no_cancellation_point(void **state) {
    (void)state;
    int kept;
    const int end = catch_stderr(&kept);
    volatile bool returned = false;
    pthread_t thread;
    const int created =
        pthread_create(&thread, NULL, write_when_cancelled, (void *)(uintptr_t)&returned);
    if (created == 0) pthread_join(thread, NULL);
    release_stderr(kept);
    char text[16];
    const ssize_t got = read(end, text, sizeof text);
    close(end);
    assert_int_equal(created, 0);
    assert_true(returned);
    assert_int_equal(got, 7);
    assert_memory_equal(text, "a line\n", 7);
}

static char long_text[256 * KIB]; /* more than a pipe holds */

static void *write_long_text(void *unused) {
    hak_os_write_stderr(long_text, sizeof long_text);
    close(2);
    return unused;
}

static void ignore_signal(int number) {
    (void)number;
}

static void text_for_stderr_is_complete_though_signals_interrupt_it(void **state) {
    (void)state;
    struct sigaction before;
    const struct sigaction interrupts = {.sa_handler = ignore_signal}; /* without SA_RESTART */
    sigaction(SIGUSR1, &interrupts, &before);
    int kept;
    const int end = catch_stderr(&kept);
    pthread_t thread;
    const int created = pthread_create(&thread, NULL, write_long_text, NULL);
    if (created == 0) interrupt_writer(end, thread);
    size_t sum = 0;
    static char part[64 * KIB];
    ssize_t got;
    while (created == 0 && (got = read(end, part, sizeof part)) > 0) {
        sum += (size_t)got;
    }
    if (created == 0) pthread_join(thread, NULL);
    release_stderr(kept);
    close(end);
    sigaction(SIGUSR1, &before, NULL);
    assert_int_equal(sum, sizeof long_text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing_to_stderr_is_no_cancellation_point),
        cmocka_unit_test(text_for_stderr_is_complete_though_signals_interrupt_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
