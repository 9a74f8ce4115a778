/* SPDX-License-Identifier: MIT */
/*
 * fuzz.c: random calls of the whole interface, by threads that live shortly and leave their blocks
 * to others, beside a record of what is live (slots.h, claims.h, contents.h). It runs against
 * libc's names with an allocator preloaded, and with -DUSE_HAK against the hak_* names. The seed
 * decides what each thread asks for; how threads interleave is not repeated.
 *
 * First the calls of a process without threads, then phases of threads; between them nobody else
 * runs, and everything is checked. 0: no promise was broken. 1: one was, and stderr says which.
 */
#define _GNU_SOURCE
#include "tests/fuzz/calls.h"
#include "tests/fuzz/faults.h"
#include "tests/fuzz/forks.h"
#include "tests/fuzz/place.h"
#include "tests/fuzz/reports.h"
#include "tests/fuzz/settings.h"
#include "tests/fuzz/slots.h"
#include "tests/fuzz/verbs.h"

#include <pthread.h>

#define MOST_THREADS 64U
#define LATE_STEPS   10U
#define LATE_ROUNDS  3U

/* Owner only: between its lives a thread belongs to the main thread. */
struct worker {
    pthread_t thread;
    struct place place;
    unsigned long left; /* operations of this phase */
    unsigned late_rounds;
};

static struct worker workers[MOST_THREADS];
static pthread_key_t late_key;

/* Calls of a thread that is ending, in the rounds of its destructors. */
static void call_late(void *argument) {
    struct worker *worker = argument;
    verbs_steps(&worker->place, LATE_STEPS);
    if (--worker->late_rounds > 0) pthread_setspecific(late_key, worker);
}

static void *live_once(void *argument) {
    struct worker *worker = argument;
    const unsigned long drawn = 50 + place_below(&worker->place, 4000);
    const unsigned long steps = drawn < worker->left ? drawn : worker->left;
    worker->place.life++;
    worker->left -= steps;
    if (place_happens(&worker->place, 0x4000)) {
        worker->late_rounds = 1 + (unsigned)place_below(&worker->place, LATE_ROUNDS);
        pthread_setspecific(late_key, worker);
    }
    verbs_steps(&worker->place, steps);
    if (place_happens(&worker->place, 0x4000)) pthread_exit(NULL);
    return NULL;
}

static void begin_life(struct worker *worker) {
    if (pthread_create(&worker->thread, NULL, live_once, worker) != 0) {
        breach(&worker->place, "no thread");
    }
}

/* All threads, each replaced when its life is over, until the phase's operations are done. */
static void run_phase(unsigned long operations) {
    unsigned running = settings.threads;
    for (unsigned i = 0; i < settings.threads; i++) {
        workers[i].left = operations / settings.threads + 1;
        begin_life(&workers[i]);
    }
    for (unsigned i = 0; running > 0; i = (i + 1) % settings.threads) {
        struct worker *worker = &workers[i];
        if (worker->thread == 0) continue;
        pthread_join(worker->thread, NULL);
        worker->thread = 0;
        if (worker->left > 0)
            begin_life(worker);
        else
            running--;
    }
}

static void come_to_rest(struct place *place) {
    place->verb = "check of all blocks";
    slots_check_all(place);
    reports_at_rest(place);
    if (settings.forks != 0) forks_once(place);
}

int main(int argc, char **argv) {
    calls_load();
    settings_read(argc, argv);
    if (settings.fault != NULL && !faults_plant(settings.fault)) {
        fprintf(stderr, "fuzz: no fault %s\n", settings.fault);
        return 2;
    }
    struct place place = {.thread = settings.threads,
                          .random = place_random(settings.seed, MOST_THREADS)};
    for (unsigned i = 0; i < settings.threads; i++) {
        workers[i].place = (struct place){.thread = i, .random = place_random(settings.seed, i)};
    }
    const unsigned long share = settings.operations / (settings.phases + 1);
    verbs_steps(&place, share);
    reports_alone(&place);
    come_to_rest(&place);
    pthread_key_create(&late_key, call_late);
    for (unsigned i = 0; i < settings.phases; i++) {
        run_phase(share);
        come_to_rest(&place);
    }
    const size_t most = slots_live_bytes();
    verbs_free_all(&place);
    come_to_rest(&place);
    printf("%s: %lu operations, %lu forks, %zu MiB were live\n",
           calls.build_info == NULL ? "libc" : calls.build_info(), settings.operations,
           forks_made(), most / MIB);
    return 0;
}
