/* SPDX-License-Identifier: MIT */
/*
 * first_call_thread.c: the first call of a thread's own code comes from a second thread: once with
 * malloc, once with free of a block that another thread made, once with free(NULL).
 */
#include "tests/api/first_call.h"

#include <pthread.h>

static void *allocates(void *unused) {
    (void)unused;
    void *block = mem.malloc(100);
    if (block != NULL) memset(block, 7, 100);
    return block;
}

static void *frees(void *block) {
    mem.free(block);
    return works_afterwards() ? NULL : block;
}

static bool run(void *(*body)(void *), void *argument, void **result) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, argument) != 0) return false;
    return pthread_join(thread, result) == 0;
}

int main(void) {
    void *block = NULL;
    void *left = NULL;
    bool is_right = run(allocates, NULL, &block) && block != NULL;
    is_right = is_right && ((unsigned char *)block)[99] == 7;
    is_right = is_right && run(frees, block, &left) && left == NULL;
    is_right = is_right && run(frees, NULL, &left) && left == NULL;
    return first_call_status(is_right);
}
