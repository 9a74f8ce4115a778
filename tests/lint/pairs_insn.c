/* SPDX-License-Identifier: MIT */
/*
 * pairs_insn.c: PAIR N: N times a thousand pairs of an allocating call (64 bytes) and a freeing
 * one, for fastpath.py to count: malloc and free, or two of the C++ operators.
 *
 * The thousand is unrolled, so that a pair is the two calls and nothing else; run with N and with
 * 2N, the difference of the instruction counts is N thousand pairs in the steady state, start-up
 * and first refill cancelled. It links no allocator and checks nothing of the blocks; the operators
 * are those of the library that is preloaded.
 */
#include <stdlib.h>
#include <string.h>

#define WEAK __attribute__((weak))

/* Operator new, new[] and nothrow new; operator delete, delete[], nothrow and sized delete. */
void *_Znwm(size_t size) WEAK;
void *_Znam(size_t size) WEAK;
void *_ZnwmRKSt9nothrow_t(size_t size, const void *tag) WEAK;
void _ZdlPv(void *block) WEAK;
void _ZdaPv(void *block) WEAK;
void _ZdlPvRKSt9nothrow_t(void *block, const void *tag) WEAK;
void _ZdlPvm(void *block, size_t size) WEAK;

/* The compiler may not pair the calls away: the block escapes between them. */
#define PAIR(allocating, freeing)                                                                  \
    {                                                                                              \
        void *block = allocating;                                                                  \
        __asm__ volatile("" : "+r"(block) : : "memory");                                           \
        freeing;                                                                                   \
    }
#define TIMES_10(pair)   pair pair pair pair pair pair pair pair pair pair
#define TIMES_100(pair)  TIMES_10(TIMES_10(pair))
#define TIMES_1000(pair) TIMES_100(TIMES_10(pair))

#define DEFINE_RUN(name, allocating, freeing)                                                      \
    static void name(long rounds) {                                                                \
        for (long left = rounds; left > 0; left--) {                                               \
            TIMES_1000(PAIR(allocating, freeing))                                                  \
        }                                                                                          \
    }

DEFINE_RUN(run_malloc, malloc(64), free(block))
DEFINE_RUN(run_new, _Znwm(64), _ZdlPv(block))
DEFINE_RUN(run_array, _Znam(64), _ZdaPv(block))
DEFINE_RUN(run_nothrow, _ZnwmRKSt9nothrow_t(64, "tag"), _ZdlPvRKSt9nothrow_t(block, "tag"))
DEFINE_RUN(run_sized, _Znwm(64), _ZdlPvm(block, 64))

static const struct {
    const char *pair;
    void (*run)(long rounds);
} runs[] = {
    {"malloc", run_malloc},   {"new", run_new},     {"array", run_array},
    {"nothrow", run_nothrow}, {"sized", run_sized},
};

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        if (strcmp(argv[1], runs[i].pair) != 0) continue;
        runs[i].run(atol(argv[2]));
        return 0;
    }
    return 2;
}
