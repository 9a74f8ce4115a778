/* SPDX-License-Identifier: MIT */
/*
 * objects_library.c: a library that test_objects.c opens: a function and an object that two copies
 * of it define (ANSWER says which one it is), beside many others, so that hash chains are walked.
 */
#define FILLER(n)                                                                                  \
    int objects_filler_##n(void);                                                                  \
    int objects_filler_##n(void) {                                                                 \
        return n;                                                                                  \
    }
#define FILLERS(n) FILLER(n##0) FILLER(n##1) FILLER(n##2) FILLER(n##3) FILLER(n##4)

int objects_answer(void);
extern const int objects_number;

const int objects_number = ANSWER;

int objects_answer(void) {
    return ANSWER;
}

FILLERS(1)
FILLERS(2)
FILLERS(3)
FILLERS(4)
FILLERS(5)
FILLERS(6)
