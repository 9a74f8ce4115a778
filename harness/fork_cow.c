/* SPDX-License-Identifier: MIT */
/*
 * fork_cow: a server that saves a snapshot through fork while it goes on changing its data.
 *
 * As redis does for BGSAVE. The parent holds COUNT objects of MIN..MAX bytes in random order of
 * age. SNAPSHOTS times it forks and replaces CHANGED percent of them (free, malloc, both ends
 * written); then the child, which has waited, reads every object and must find it as it was. Every
 * page that the parent writes to is then copied by the kernel, one with an allocator's own data on
 * it too: an allocator that writes into free blocks, or spreads what is new over many pages, pays
 * with memory.
 *
 * cow_kib is what the parent has dirtied for itself between the fork and the end of the snapshot
 * (Private_Dirty of smaps_rollup), without the table of the objects; the most of all snapshots;
 * cow_over_changed is that over the bytes that were replaced. child_cow_kib is the child's own at
 * that time: the pages that only it still has. One op is a replacement; the fork is apart
 * (fork_ms, the longest). Object i of generation g has its size and mark from (i, g) alone.
 */
#include "harness/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT, MIN, MAX, SNAPSHOTS, CHANGED, SEED, ARG_COUNT };

static struct bench_arg args[ARG_COUNT] = {
    [COUNT] = {.name = "count", .value = 300000, .smoke = 20000, .min = 100, .max = 1u << 26},
    [MIN] = {.name = "min", .value = 16, .smoke = 16, .min = 2, .max = 1u << 20},
    [MAX] = {.name = "max", .value = 128, .smoke = 128, .min = 2, .max = 1u << 20},
    [SNAPSHOTS] = {.name = "snapshots", .value = 10, .smoke = 2, .min = 1, .max = 1u << 20},
    [CHANGED] = {.name = "changed", .value = 10, .smoke = 10, .min = 1, .max = 100},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
};

struct slot {
    void *block;
    uint32_t size, id;
};

static struct {
    struct slot *slots;   /* not in the child, so that its changes are no copies on write */
    struct slot *at_fork; /* as it was: the child's */
    uint32_t count, next_id;
    struct bench_rng rng;
    uint64_t checksum;
    uint64_t cow_kib, child_kib, fork_ns, replaced_bytes; /* the most of any snapshot */
} heap;

static void fill(struct slot *slot) {
    uint32_t spread = (uint32_t)(args[MAX].value - args[MIN].value + 1);
    uint32_t size = (uint32_t)args[MIN].value + bench_low_below(bench_random(&heap.rng), spread);
    void *block = malloc(size);
    bench_check_block(block, size);
    bench_mark(block, heap.next_id, size);
    *slot = (struct slot){block, size, heap.next_id++};
}

static uint64_t replace_one(void) {
    struct slot *slot = &heap.slots[bench_high_below(bench_random(&heap.rng), heap.count)];
    heap.checksum += bench_verify(slot->block, slot->id, slot->size);
    free(slot->block);
    fill(slot);
    return slot->size;
}

static uint64_t sum_of_all(void) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < heap.count; i++)
        sum = sum * 31 + bench_verify(heap.slots[i].block, heap.slots[i].id, heap.slots[i].size);
    return sum;
}

static uint64_t private_kib(void) {
    return bench_rollup_kib("\nPrivate_Dirty:");
}

static void exchange(int fd, uint64_t *value, bool sends) {
    ssize_t done;
    do {
        done = sends ? write(fd, value, sizeof *value) : read(fd, value, sizeof *value);
    } while (done < 0 && errno == EINTR);
    /* The other one has ended before its time; if it found wrong data, it has said so. */
    if (done != (ssize_t)sizeof *value) _exit(1);
}

/* Waits until the parent has changed its part, tells the sum of what it still sees, its memory. */
_Noreturn static void child(int from_parent, int to_parent) {
    heap.slots = heap.at_fork;
    uint64_t value;
    exchange(from_parent, &value, false);
    value = sum_of_all();
    exchange(to_parent, &value, true);
    value = private_kib();
    exchange(to_parent, &value, true);
    _exit(0);
}

static void raise_to(uint64_t *most, uint64_t value) {
    if (value > *most) *most = value;
}

static void wait_for(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!WIFEXITED(status) || WEXITSTATUS(status)) bench_fail("the child of a snapshot crashed");
}

static uint64_t snapshot(void) {
    int to_child[2], to_parent[2];
    if (pipe(to_child) || pipe(to_parent)) bench_usage("cannot make a pipe: error %d", errno);
    uint64_t expected = sum_of_all();
    memcpy(heap.at_fork, heap.slots, heap.count * sizeof *heap.slots);
    uint64_t begin = bench_ns();
    pid_t pid = fork();
    if (pid < 0) bench_usage("cannot fork: error %d", errno);
    if (pid == 0) {
        close(to_child[1]); /* else it would wait for ever, should the parent crash */
        close(to_parent[0]);
        child(to_child[0], to_parent[1]);
    }
    raise_to(&heap.fork_ns, bench_ns() - begin);
    close(to_child[0]);
    close(to_parent[1]);
    uint64_t before_kib = private_kib();
    bench_segment_skip();

    uint64_t ops = heap.count * args[CHANGED].value / 100, bytes = 0;
    for (uint64_t k = 0; k < ops; k++)
        bytes += replace_one();
    bench_segment(ops);

    uint64_t after_kib = private_kib();
    raise_to(&heap.cow_kib, after_kib > before_kib ? after_kib - before_kib : 0);
    raise_to(&heap.replaced_bytes, bytes);
    uint64_t said = 0;
    exchange(to_child[1], &said, true);
    exchange(to_parent[0], &said, false);
    if (said != expected) bench_fail("the child does not hold what was written before the fork");
    exchange(to_parent[0], &said, false);
    raise_to(&heap.child_kib, said);
    close(to_child[1]);
    close(to_parent[0]);
    wait_for(pid);
    bench_segment_skip();
    return ops;
}

int main(int argc, char **argv) {
    bench_begin("fork_cow", args, ARG_COUNT, argc, argv);
    if (args[MAX].value < args[MIN].value) bench_usage("max is below min");
    heap.count = (uint32_t)args[COUNT].value;
    heap.slots = bench_map(heap.count, sizeof *heap.slots);
    heap.at_fork = bench_map(heap.count, sizeof *heap.at_fork);
    if (madvise(heap.slots, heap.count * sizeof *heap.slots, MADV_DONTFORK) != 0) {
        bench_usage("cannot keep the table from the child: error %d", errno);
    }
    heap.rng = bench_rng_seeded(args[SEED].value, 0);
    uint64_t begin = bench_ns();
    for (uint32_t i = 0; i < heap.count; i++)
        fill(&heap.slots[i]);
    for (uint32_t i = 0; i < heap.count; i++)
        replace_one();
    bench_metric("setup_s", (double)(bench_ns() - begin) / 1e9);

    uint64_t ops = 0;
    uint64_t deadline = bench_ns() + bench_timed_ms() * 1000000u;
    bench_start();
    for (uint64_t s = 0; bench_is_timed() ? bench_ns() < deadline : s < args[SNAPSHOTS].value; s++)
        ops += snapshot();
    bench_stop();
    bench_metric("cow_kib", (double)heap.cow_kib);
    bench_metric("cow_over_changed", (double)heap.cow_kib * 1024.0 / (double)heap.replaced_bytes);
    bench_metric("child_cow_kib", (double)heap.child_kib);
    bench_metric("fork_ms", (double)heap.fork_ns / 1e6);
    uint64_t checksum = heap.checksum * 31 + sum_of_all();
    for (uint32_t i = 0; i < heap.count; i++)
        free(heap.slots[i].block);
    return bench_finish(ops, checksum);
}
