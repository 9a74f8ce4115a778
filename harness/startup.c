/* SPDX-License-Identifier: MIT */
/*
 * startup: what an allocator costs a process that hardly needs one.
 *
 * COUNT processes are started one after the other by posix_spawn, with this environment and so
 * with the same LD_PRELOAD, and waited for. --program true: /bin/true, whose few allocations
 * are libc's. --program self: this program, which in its child's part allocates, marks, checks and
 * frees BLOCKS blocks of 16..1024 bytes. One op is a process, from its start to its end; loading
 * the allocator, its set-up and its pages are a part of that, and most of it is the kernel's and
 * the loader's. child_minflt is the mean number of page faults of a child, child_maxrss_kib the
 * largest peak. A child that fails ends the run with its own sentence.
 */
#include "harness/bench.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT, BLOCKS, SEED, PROGRAM, ROLE, ARG_COUNT };
enum { PROGRAM_TRUE, PROGRAM_SELF };
enum { ROLE_PARENT, ROLE_CHILD };

static const char *const program_words[] = {"true", "self", NULL};
static const char *const role_words[] = {"parent", "child", NULL};

static struct bench_arg args[ARG_COUNT] = {
    [COUNT] = {.name = "count", .value = 1000, .smoke = 10, .min = 1, .max = 1u << 24},
    [BLOCKS] = {.name = "blocks", .value = 400, .smoke = 400, .min = 1, .max = 1u << 24},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
    [PROGRAM] = {.name = "program",
                 .value = PROGRAM_TRUE,
                 .smoke = PROGRAM_SELF, /* true notices nothing */
                 .choices = program_words,
                 .is_option = true},
    [ROLE] = {.name = "role", .choices = role_words, .is_option = true},
};

extern char **environ;

struct slot {
    void *block;
    uint32_t size;
};

static void be_child(void) {
    uint32_t count = (uint32_t)args[BLOCKS].value;
    struct slot *slots = bench_map(count, sizeof *slots);
    struct bench_rng rng = bench_rng_seeded(args[SEED].value, 0);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = 16 + bench_low_below(bench_random(&rng), 1009);
        void *block = malloc(size);
        bench_check_block(block, size);
        bench_mark(block, i, size);
        slots[i] = (struct slot){block, size};
    }
    for (uint32_t i = 0; i < count; i++) {
        bench_verify(slots[i].block, i, slots[i].size);
        free(slots[i].block);
    }
}

static char *decimal(uint64_t value, char text[static 24]) {
    char *at = text + 23;
    *at = '\0';
    do {
        *--at = (char)('0' + value % 10);
    } while (value /= 10);
    return at;
}

static void run_one(char *const argv[]) {
    pid_t pid;
    int status;
    const char *path = args[PROGRAM].value == PROGRAM_SELF ? "/proc/self/exe" : "/bin/true";
    int error = posix_spawn(&pid, path, NULL, NULL, argv, environ);
    if (error) bench_usage("cannot start %s: error %d", path, error);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFSIGNALED(status)) bench_fail("a child ended by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status)) _exit(WEXITSTATUS(status)); /* it has said why */
}

static uint64_t step(void *context, uint64_t processes) {
    for (uint64_t k = 0; k < processes; k++)
        run_one(context);
    return processes;
}

int main(int argc, char **argv) {
    bench_begin("startup", args, ARG_COUNT, argc, argv);
    if (args[ROLE].value == ROLE_CHILD) {
        be_child();
        return 0;
    }
    char blocks[24], seed[24];
    char *child_argv[] = {(char *)"startup",
                          (char *)"--role",
                          (char *)"child",
                          (char *)"--blocks",
                          decimal(args[BLOCKS].value, blocks),
                          (char *)"--seed",
                          decimal(args[SEED].value, seed),
                          NULL};
    if (args[PROGRAM].value == PROGRAM_TRUE) child_argv[1] = NULL;
    bench_start();
    uint64_t ops = bench_run(args[COUNT].value, step, child_argv);
    bench_stop();
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    bench_metric("child_minflt", (double)usage.ru_minflt / (double)ops);
    bench_metric("child_maxrss_kib", (double)usage.ru_maxrss);
    return bench_finish(ops, args[SEED].value);
}
