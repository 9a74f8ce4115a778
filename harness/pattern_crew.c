/* SPDX-License-Identifier: MIT */
/*
 * pattern_crew.c: the threads beside main of a pattern, see pattern_inside.h.
 *
 * Each sleeps on a semaphore of its own until it is given a job, so that who has none calls nothing
 * and does not even wake. Stacks are small, and libc keeps those of threads that ended.
 */
#include "harness/pattern_inside.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

enum { STACK_BYTES = 256 * 1024, POLL_NS = 200000, YIELDS = 20 };

struct member {
    pthread_t thread;
    sem_t is_given;
    void (*job)(unsigned index); /* main's, const from the post until it is done; NULL: end */
    struct pattern_actor *actor; /* const after init */
    unsigned index;              /* const after init */
};

static struct {
    struct member members[PATTERN_MAX_CREW];
    struct pattern_actor *actors;
    unsigned count;
    atomic_uint left;      /* jobs not done; release, and acquire by main: what was done is seen */
    atomic_bool must_stop; /* relaxed: a moment later will do */
} crew;

void pattern_crew_prepare(unsigned most) {
    crew.actors = pattern_actors(most + 1);
    for (unsigned m = 0; m < most; m++) {
        crew.members[m].actor = &crew.actors[m + 1];
        crew.members[m].index = m;
        sem_init(&crew.members[m].is_given, 0, 0);
    }
}

static void await_job(struct member *self) {
    while (sem_wait(&self->is_given) != 0)
        continue;
}

static void *serve(void *argument) {
    struct member *self = argument;
    for (await_job(self); self->job; await_job(self)) {
        self->job(self->index);
        atomic_fetch_sub_explicit(&crew.left, 1, memory_order_release);
    }
    return NULL;
}

void pattern_crew_start(unsigned count) {
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    for (; crew.count < count; crew.count++) {
        struct member *member = &crew.members[crew.count];
        int error = pthread_create(&member->thread, &attr, serve, member);
        if (error) bench_fail("cannot start a thread: error %d", error);
    }
    pthread_attr_destroy(&attr);
}

void pattern_crew_give(unsigned first, unsigned last, void (*job)(unsigned index)) {
    atomic_fetch_add_explicit(&crew.left, last - first + 1, memory_order_relaxed);
    for (unsigned m = first; m <= last; m++) {
        crew.members[m].job = job;
        sem_post(&crew.members[m].is_given);
    }
}

static bool is_at_work(void) {
    return atomic_load_explicit(&crew.left, memory_order_acquire) > 0;
}

/* Short jobs end while main yields; longer ones are not to share a processor with it. */
static void pause(unsigned looks) {
    struct timespec time = {0, POLL_NS};
    if (looks < YIELDS) {
        sched_yield();
    } else {
        nanosleep(&time, NULL);
    }
}

void pattern_crew_wait(void) {
    for (unsigned looks = 0; is_at_work(); looks++) {
        if (!pattern_actor_step_due(&crew.actors[0])) pause(looks);
    }
}

static void act_on(unsigned index) {
    while (!atomic_load_explicit(&crew.must_stop, memory_order_relaxed))
        pattern_actor_step(crew.members[index].actor);
    pattern_actor_drain(crew.members[index].actor);
}

void pattern_crew_act(void) {
    if (crew.count) pattern_crew_give(0, crew.count - 1, act_on);
}

void pattern_crew_end(void) {
    atomic_store_explicit(&crew.must_stop, true, memory_order_relaxed);
    for (unsigned looks = 0; is_at_work(); looks++)
        pause(looks);
    for (unsigned m = 0; m < crew.count; m++) {
        crew.members[m].job = NULL;
        sem_post(&crew.members[m].is_given);
        pthread_join(crew.members[m].thread, NULL);
    }
    crew.count = 0;
    atomic_store_explicit(&crew.must_stop, false, memory_order_relaxed);
}

uint64_t pattern_act(void) {
    return pattern_actor_step(&crew.actors[0]);
}

void pattern_act_end(void) {
    pattern_actor_drain(&crew.actors[0]);
}
