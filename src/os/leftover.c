/* SPDX-License-Identifier: MIT */
/*
 * leftover.c: see leftover.h. Two lists without a lock, so that the child of a fork finds them
 * valid: pushed by compare-and-swap and taken whole. What was tried in vain waits in the second
 * until the first is empty.
 */
#include "src/os/leftover.h"

#include "src/base/attrs.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

struct leftover {
    struct leftover *next;
    size_t bytes;
};

static _Atomic(struct leftover *) untried, tried;

/* Puts the chain from `first` to `last` on a list. */
static void push(_Atomic(struct leftover *) *list, struct leftover *first, struct leftover *last) {
    struct leftover *head = atomic_load(list);
    do {
        last->next = head;
    } while (!atomic_compare_exchange_weak(list, &head, first));
}

static void push_rest(struct leftover *first) {
    struct leftover *empty = NULL;
    if (first == NULL || atomic_compare_exchange_strong(&untried, &empty, first)) return;
    struct leftover *last = first; /* another thread was faster */
    while (last->next != NULL)
        last = last->next;
    push(&untried, first, last);
}

void hak_leftover_add(void *base, size_t bytes) {
    struct leftover *added = base;
    added->bytes = bytes;
    push(&untried, added, added);
}

static bool retry(struct leftover *left, size_t most) {
    bool is_any = false;
    for (; left != NULL && most > 0; most--) {
        struct leftover *next = left->next;
        if (munmap(left, left->bytes) == 0) {
            is_any = true;
        } else {
            push(&tried, left, left);
        }
        left = next;
    }
    push_rest(left);
    return is_any;
}

bool hak_leftover_retry(size_t most) {
    bool is_empty = atomic_load_explicit(&untried, memory_order_relaxed) == NULL &&
                    atomic_load_explicit(&tried, memory_order_relaxed) == NULL;
    if (hak_likely(is_empty)) return false;
    int saved_errno = errno;
    struct leftover *left = atomic_exchange(&untried, NULL);
    if (left == NULL) left = atomic_exchange(&tried, NULL);
    bool is_any = retry(left, most);
    errno = saved_errno;
    return is_any;
}
