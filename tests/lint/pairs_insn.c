/* SPDX-License-Identifier: MIT */
/*
 * pairs_insn.c: N times a thousand malloc(64)/free pairs, for fastpath.py to count.
 *
 * The thousand is unrolled, so that a pair is the two calls and nothing else; run with N and with
 * 2N, the difference of the instruction counts is N thousand pairs in the steady state, start-up
 * and first refill cancelled. It links no allocator and checks nothing of the blocks.
 */
#include <stdlib.h>

/* The compiler may not pair the calls away: the block escapes between them. */
#define PAIR                                                                                       \
    {                                                                                              \
        void *block = malloc(64);                                                                  \
        __asm__ volatile("" : "+r"(block) : : "memory");                                           \
        free(block);                                                                               \
    }
#define PAIRS_10 PAIR PAIR PAIR PAIR PAIR PAIR PAIR PAIR PAIR PAIR
#define PAIRS_100                                                                                  \
    PAIRS_10 PAIRS_10 PAIRS_10 PAIRS_10 PAIRS_10 PAIRS_10 PAIRS_10 PAIRS_10 PAIRS_10 PAIRS_10
#define PAIRS_1000                                                                                 \
    PAIRS_100 PAIRS_100 PAIRS_100 PAIRS_100 PAIRS_100 PAIRS_100 PAIRS_100 PAIRS_100 PAIRS_100      \
        PAIRS_100

int main(int argc, char **argv) {
    if (argc != 2) {
        return 2;
    }
    for (long left = atol(argv[1]); left > 0; left--) {
        PAIRS_1000
    }
    return 0;
}
