/* SPDX-License-Identifier: MIT */
/*
 * test_objects.c FIRST SECOND USER: symbols of loaded objects. FIRST (with a GNU hash table) and
 * SECOND (with one of System V) define the same; USER needs SECOND. All are opened locally.
 */
#define _GNU_SOURCE
#include "tests/api/suite.h"

#include "src/os/objects.h"
#include "src/os/os.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static const void *first, *second, *user; /* an address in each */

static int answer_of(void *symbol) {
    int (*answer)(void) = NULL;
    assert_non_null(symbol);
    memcpy(&answer, &symbol, sizeof(answer));
    return answer();
}

static int number_of(const void *symbol) {
    assert_non_null(symbol);
    return *(const int *)symbol;
}

static void code_finds_the_symbol_of_its_own_object(void **state) {
    (void)state;
    assert_int_equal(answer_of(hak_os_symbol_for(first, "objects_answer")), 1);
    assert_int_equal(answer_of(hak_os_symbol_for(second, "objects_answer")), 2);
    assert_int_equal(number_of(hak_os_symbol_for(first, "objects_number")), 1);
    assert_int_equal(number_of(hak_os_symbol_for(second, "objects_number")), 2);
}

static void else_that_of_a_library_its_object_needs(void **state) {
    (void)state;
    assert_int_equal(answer_of(hak_os_symbol_for(user, "objects_answer")), 2);
    const void *version = hak_os_symbol_for(user, "gnu_get_libc_version");
    const char *(*get_version)(void) = NULL;
    assert_non_null(version);
    memcpy(&get_version, &version, sizeof(get_version));
    assert_string_equal(get_version(), gnu_get_libc_version());
}

static void else_that_of_the_first_object_loaded(void **state) {
    (void)state;
    static const char here = 0;
    const char on_the_stack = 0;
    assert_int_equal(answer_of(hak_os_symbol_for(&here, "objects_answer")), 1);
    assert_int_equal(answer_of(hak_os_symbol_for(&on_the_stack, "objects_answer")), 1);
    assert_int_equal(answer_of(hak_os_symbol_for(NULL, "objects_answer")), 1);
}

static void beside_looks_in_one_object_only(void **state) {
    (void)state;
    const char on_the_stack = 0;
    assert_int_equal(answer_of(hak_os_symbol_beside(second, "objects_answer")), 2);
    assert_ptr_equal(hak_os_symbol_beside(user, "objects_use"), user);
    assert_null(hak_os_symbol_beside(user, "objects_answer"));
    assert_null(hak_os_symbol_beside(first, "gnu_get_libc_version"));
    assert_null(hak_os_symbol_beside(&on_the_stack, "objects_answer"));
}

static void every_symbol_of_a_table_is_found(void **state) {
    (void)state;
    for (int filler = 10; filler <= 64; filler += filler % 10 == 4 ? 6 : 1) {
        char name[32];
        (void)snprintf(name, sizeof(name), "objects_filler_%d", filler);
        assert_int_equal(answer_of(hak_os_symbol_beside(first, name)), filler);
        assert_int_equal(answer_of(hak_os_symbol_beside(second, name)), filler);
    }
}

static void a_name_that_nobody_has_is_not_found(void **state) {
    (void)state;
    static const char *const names[] = {"", "objects", "objects_answer_", "objects_filler_99"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_null(hak_os_symbol_for(first, names[i]));
        assert_null(hak_os_symbol_for(second, names[i]));
        assert_null(hak_os_symbol_for(NULL, names[i]));
    }
}

static void nothing_is_allocated(void **state) {
    (void)state;
    const struct mallinfo2 before = mallinfo2();
    assert_non_null(hak_os_symbol_for(user, "objects_answer"));
    assert_null(hak_os_symbol_for(user, "objects_filler_99"));
    const struct mallinfo2 after = mallinfo2();
    assert_memory_equal(&before, &after, sizeof(before));
}

/* Of a thread that is inside of a walk of the dynamic linker's, and leaves when it may. */
static pthread_barrier_t is_inside, may_leave;

static int stay_inside(struct dl_phdr_info *info, size_t bytes, void *arg) {
    (void)info, (void)bytes, (void)arg;
    pthread_barrier_wait(&is_inside);
    pthread_barrier_wait(&may_leave);
    return 1;
}

static void *walk(void *arg) {
    (void)dl_iterate_phdr(stay_inside, arg);
    return NULL;
}

static bool finds_what_the_parent_finds(void) {
    return answer_of(hak_os_symbol_for(first, "objects_answer")) == 1 &&
           answer_of(hak_os_symbol_for(user, "objects_answer")) == 2 &&
           hak_os_symbol_for(user, "gnu_get_libc_version") != NULL &&
           hak_os_symbol_beside(user, "objects_use") == user &&
           hak_os_symbol_beside(first, "gnu_get_libc_version") == NULL &&
           hak_os_symbol_for(NULL, "objects_filler_99") == NULL;
}

static void the_child_of_a_fork_waits_for_no_vanished_thread(void **state) {
    (void)state;
    pthread_t thread;
    int status = -1;
    hak_os_note_process();
    pthread_barrier_init(&is_inside, NULL, 2);
    pthread_barrier_init(&may_leave, NULL, 2);
    pthread_create(&thread, NULL, walk, NULL);
    pthread_barrier_wait(&is_inside);
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        bool is_same = finds_what_the_parent_finds();
        hak_os_note_process();
        _exit(is_same && finds_what_the_parent_finds() ? 0 : 1);
    }
    pthread_barrier_wait(&may_leave);
    pthread_join(thread, NULL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* The address of the symbol, as dlsym knows it. */
static const void *opened(const char *path, const char *name) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) fprintf(stderr, "%s\n", dlerror());
    return library == NULL ? NULL : dlsym(library, name);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_finds_the_symbol_of_its_own_object),
        cmocka_unit_test(else_that_of_a_library_its_object_needs),
        cmocka_unit_test(else_that_of_the_first_object_loaded),
        cmocka_unit_test(beside_looks_in_one_object_only),
        cmocka_unit_test(every_symbol_of_a_table_is_found),
        cmocka_unit_test(a_name_that_nobody_has_is_not_found),
        cmocka_unit_test(nothing_is_allocated),
        cmocka_unit_test(the_child_of_a_fork_waits_for_no_vanished_thread),
    };
    if (argc != 4) return 2;
    first = opened(argv[1], "objects_answer");
    second = opened(argv[2], "objects_answer");
    user = opened(argv[3], "objects_use");
    if (first == NULL || second == NULL || user == NULL) return 2;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
