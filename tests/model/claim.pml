/* SPDX-License-Identifier: MIT */
/*
 * claim.pml: the handshake by which another thread claims a heap whose thread is away, step by step
 * as in src/meta/heap.h (T1 to T5, C1 to C5); for spin, run by check_model.py.
 *
 * The thread's accesses to its marks are plain: a store goes to a buffer, of which the memory learns
 * at any later time, in order; a load of the claim may come before the store's arrival. That is what
 * the processor may do to a pair that only the compiler orders. What the thread writes in the heap
 * goes through the same buffer. The claimer's barrier empties the buffer and makes the thread's next
 * load a new one. The claimer's own accesses are locked, or ordered by the lock.
 *
 * `data` stands for all that the heap holds: who uses it adds 1 in two steps, and finds in between
 * what it wrote. It goes wrong when two use it at a time, or when one does not see what the other
 * wrote. CLAIMERS try TRIES times each; the thread makes STEPS steps, of which a nested one does not
 * look. FAULT_* plants a fault.
 */
#define OPEN 0
#define HELD 1

#define NONE 9 /* the buffer's place is empty */

/* The memory. */
byte claim = OPEN;
byte mark = 0;
byte data = 0;

/* Stores of the thread that the memory has not seen, in order: to data, then to the mark. */
byte buffered_data = NONE;
byte buffered_mark = NONE;

byte used = 0; /* ghost: times that the heap was used */
byte inside = 0; /* ghost: how many use it */
byte ended = 0; /* ghost: of the thread and the claimers */

/* The thread reads its own stores. */
#define MY_DATA (buffered_data != NONE -> buffered_data : data)

inline empty_buffer() {
    if
    :: buffered_data != NONE -> data = buffered_data; buffered_data = NONE
    :: else
    fi;
    if
    :: buffered_mark != NONE -> mark = buffered_mark; buffered_mark = NONE
    :: else
    fi
}

/* The processor's leave: stores arrive when they like, data before a mark that was stored after. */
active proctype Buffer() {
end:
    do
    :: atomic { buffered_data != NONE -> data = buffered_data; buffered_data = NONE }
#ifdef FAULT_MARK_OVERTAKES_DATA
    :: atomic { buffered_mark != NONE -> mark = buffered_mark; buffered_mark = NONE }
#else
    :: atomic { buffered_mark != NONE && buffered_data == NONE ->
                mark = buffered_mark; buffered_mark = NONE }
#endif
    od
}

/* A store to the mark; a buffer of one place waits for the store before it. Data of an earlier step
 * is before it in the buffer, since Buffer() keeps the order. */
inline store_mark(value) {
    atomic { buffered_mark == NONE -> buffered_mark = value }
}

active proctype Thread() {
    byte steps = STEPS, seen, value;
    do
    :: steps == 0 -> break
    :: else ->
        steps--;
#ifdef FAULT_LOOK_FIRST
        seen = claim;
        store_mark(1);
#else
        store_mark(1); /* T1 */
        seen = claim;  /* T2 */
#endif
        if
        :: seen == OPEN
        :: else ->
            store_mark(0); /* T3: the release, then a lock, which empties the buffer */
            atomic { claim == OPEN -> claim = HELD; empty_buffer() };
#ifndef FAULT_WAIT_UNMARKED
            store_mark(1);
#endif
            atomic { empty_buffer(); claim = OPEN }
        fi;
        /* T4 */
        atomic {
            inside++;
            assert(inside == 1);
            value = MY_DATA
        };
        atomic {
            buffered_data == NONE -> assert(MY_DATA == value);
            used++;
            buffered_data = value + 1
        };
        inside--;
        store_mark(0) /* T5 */
    od;
    atomic { empty_buffer(); ended++ }
}

proctype Claimer() {
    byte tries = TRIES, value;
    bit is_away;
    do
    :: tries == 0 -> break
    :: else ->
        tries--;
        if
        :: atomic { claim == OPEN -> claim = HELD } /* C1 */
#ifndef FAULT_NO_BARRIER
            atomic { empty_buffer() }; /* C2 */
#endif
#ifdef FAULT_NO_LOOK
            is_away = 1;
#else
            is_away = mark == 0; /* C3 */
#endif
            if
            :: !is_away
            :: else ->
                /* C4 */
                atomic {
                    inside++;
                    assert(inside == 1);
                    value = data
                };
                atomic {
                    assert(data == value && value == used);
                    used++;
                    data = value + 1
                };
                inside--
            fi;
            claim = OPEN /* C5 */
        :: atomic { claim == HELD -> skip }
        fi
    od;
    ended++
}

init {
    byte n;
    atomic {
        n = 0;
        do
        :: n == CLAIMERS -> break
        :: else -> run Claimer(); n++
        od
    };
    ended == CLAIMERS + 1 && buffered_data == NONE && buffered_mark == NONE;
    assert(claim == OPEN && mark == 0 && data == used)
}
