/* SPDX-License-Identifier: MIT */
/*
 * free_only_thread.c SECONDS: sixteen producers with a fixed live set of 592-byte objects, and one
 * thread that only ever frees. The live set is bounded, so the resident size must be.
 */
#include "tests/stress/stress.h"

#include <stdatomic.h>

#define PRODUCERS    16U
#define OBJECT_BYTES ((size_t)592)
#define WINDOW       2000U
#define QUEUE_SLOTS  4096U

/* The queue between them; all of it is under the lock. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t has_room, has_objects;
    void *objects[QUEUE_SLOTS];
    size_t count;
    bool is_closed;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .has_room = PTHREAD_COND_INITIALIZER,
           .has_objects = PTHREAD_COND_INITIALIZER};
static atomic_bool is_over;
static atomic_ulong freed;

static void post(void *const *objects, size_t count) {
    pthread_mutex_lock(&queue.lock);
    while (queue.count + count > QUEUE_SLOTS) {
        pthread_cond_wait(&queue.has_room, &queue.lock);
    }
    memcpy(&queue.objects[queue.count], objects, count * sizeof(*objects));
    queue.count += count;
    pthread_cond_signal(&queue.has_objects);
    pthread_mutex_unlock(&queue.lock);
}

static void *produces(void *argument) {
    enum { BATCH = 64 };
    static void *windows[PRODUCERS][WINDOW];
    void **window = windows[(uintptr_t)argument];
    void *batch[BATCH];
    size_t batched = 0;
    for (size_t turn = 0; !is_over; turn++) {
        void **slot = &window[turn % WINDOW];
        if (*slot != NULL) batch[batched++] = *slot;
        *slot = mem.malloc(OBJECT_BYTES);
        require(*slot != NULL, "no memory");
        memset(*slot, (int)turn, OBJECT_BYTES);
        if (batched == BATCH) {
            post(batch, batched);
            batched = 0;
        }
    }
    post(batch, batched);
    for (size_t at = 0; at < WINDOW; at += BATCH) {
        post(&window[at], WINDOW - at < BATCH ? WINDOW - at : BATCH);
    }
    return NULL;
}

static void *only_frees(void *unused) {
    static void *taken[QUEUE_SLOTS];
    for (;;) {
        pthread_mutex_lock(&queue.lock);
        while (queue.count == 0 && !queue.is_closed) {
            pthread_cond_wait(&queue.has_objects, &queue.lock);
        }
        const size_t count = queue.count;
        memcpy((void *)taken, (void *)queue.objects, count * sizeof(taken[0]));
        queue.count = 0;
        pthread_cond_broadcast(&queue.has_room);
        pthread_mutex_unlock(&queue.lock);
        if (count == 0) return unused;
        for (size_t i = 0; i < count; i++) {
            mem.free(taken[i]);
        }
        freed += count;
    }
}

int main(int argc, char **argv) {
    const unsigned long seconds = argument_or(argc, argv, 1, 3);
    const size_t live = (PRODUCERS * (WINDOW + 64) + 2 * QUEUE_SLOTS) * OBJECT_BYTES;
    const size_t limit = resident_bytes() + 2 * live + 24 * MIB;
    pthread_t producers[PRODUCERS];
    const pthread_t freer = start_thread(only_frees, NULL);
    for (uintptr_t i = 0; i < PRODUCERS; i++) {
        producers[i] = start_thread(produces, (void *)i);
    }
    /* On a busy machine until enough has happened to judge. */
    for (unsigned long tenth = 0; tenth < seconds * 10 || freed * OBJECT_BYTES <= 4 * live;
         tenth++) {
        usleep(100000);
        require(resident_bytes() <= limit, "the resident size outgrew the live set");
    }
    require_resident_below(limit, "with a fixed live set");
    is_over = true;
    for (unsigned i = 0; i < PRODUCERS; i++) {
        join_thread(producers[i]);
    }
    pthread_mutex_lock(&queue.lock);
    queue.is_closed = true;
    pthread_cond_signal(&queue.has_objects);
    pthread_mutex_unlock(&queue.lock);
    join_thread(freer);
    check_at_rest();
    printf("free_only_thread: %lu freed\n", (unsigned long)freed);
    return 0;
}
