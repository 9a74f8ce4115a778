/* SPDX-License-Identifier: MIT */
/*
 * fork_of_ended.c: a thread whose cache has been taken back, since its destructors run, forks in
 * one of them, without libc's handlers. The child's first call is one without a cache of its own:
 * it mends what it inherited while it holds nothing. Its allocator's check must hold.
 */
#include "tests/stress/stress.h"

#include <sys/syscall.h>
#include <sys/wait.h>

#define BLOCKS 200U
#define SIZE   ((size_t)100)

static pthread_key_t key;

static void use(void) {
    for (unsigned i = 0; i < BLOCKS; i++) {
        void *block = mem.malloc(SIZE);
        require(block != NULL, "no memory");
        memset(block, 1, SIZE);
        mem.free(block);
    }
}

static void fork_in_destructor(void *unused) {
    (void)unused;
    use(); /* the cache of ended threads exists from here on */
    const pid_t child = (pid_t)syscall(SYS_fork);
    require(child >= 0, "no fork");
    if (child == 0) {
        alarm(60);
        use();
        check_at_rest();
        _exit(0);
    }
    int status;
    require(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0,
            "the child of a thread that was ending failed");
}

static void *body(void *argument) {
    mem.free(mem.malloc(SIZE));
    require(pthread_setspecific(key, argument) == 0, "no destructor");
    return NULL;
}

int main(void) {
    mem.free(mem.malloc(SIZE)); /* the allocator's destructor runs before ours */
    require(pthread_key_create(&key, fork_in_destructor) == 0, "no key");
    join_thread(start_thread(body, &key));
    return 0;
}
