/* SPDX-License-Identifier: MIT */
/*
 * forks.c: forks.h. A child may fork as well, a grandchild may not. One that hangs is ended by a
 * signal after minutes, which a busy machine does not need.
 */
#define _GNU_SOURCE
#include "tests/fuzz/forks.h"
#include "tests/fuzz/gate.h"
#include "tests/fuzz/reports.h"
#include "tests/fuzz/settings.h"
#include "tests/fuzz/slots.h"
#include "tests/fuzz/verbs.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_STEPS   300U
#define CHILD_THREADS 2U
#define DEEPEST       2U
#define HANG_S        900U

static unsigned depth;
static atomic_ulong made;

static void *child_thread(void *argument) {
    verbs_steps(argument, CHILD_STEPS);
    return NULL;
}

static void run_threads(const struct place *place) {
    struct place places[CHILD_THREADS];
    pthread_t threads[CHILD_THREADS];
    for (unsigned i = 0; i < CHILD_THREADS; i++) {
        places[i] = (struct place){.thread = place->thread + i + 1,
                                   .random = place_random(place->random, i)};
        if (pthread_create(&threads[i], NULL, child_thread, &places[i]) != 0) {
            breach(place, "no thread in a child");
        }
    }
    for (unsigned i = 0; i < CHILD_THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void check_all(struct place *place) {
    place->verb = "check of all blocks";
    slots_check_all(place);
    if (settings.has_child_checks) reports_check(place);
}

static _Noreturn void run_child(struct place *place) {
    alarm(HANG_S);
    place_set_process(depth == 1 ? "child, " : "grandchild, ");
    slots_after_fork();
    check_all(place);
    verbs_steps(place, CHILD_STEPS);
    run_threads(place);
    if (depth < DEEPEST && place_happens(place, 0x4000)) forks_once(place);
    check_all(place);
    if (place_happens(place, 0x4000)) verbs_free_all(place);
    _exit(0);
}

static void wait_for(const struct place *place, pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) breach(place, "no child to wait for");
    }
    if (WIFSIGNALED(status)) breach(place, "a child ended by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) != 0) breach(place, "a child ended with %d", WEXITSTATUS(status));
}

void forks_once(struct place *place) {
    place->verb = "fork";
    if (!gate_close()) return;
    const pid_t child = fork();
    if (child == 0) depth++;
    gate_open();
    if (child == 0) run_child(place);
    if (child < 0) breach(place, "fork failed");
    if (depth == 0) atomic_fetch_add(&made, 1);
    wait_for(place, child);
}

void forks_perhaps(struct place *place) {
    const unsigned long every = settings.forks == 0 ? 0 : settings.operations / settings.forks;
    if (every != 0 && depth == 0 && place_below(place, every) == 0) forks_once(place);
}

unsigned long forks_made(void) {
    return atomic_load(&made);
}
