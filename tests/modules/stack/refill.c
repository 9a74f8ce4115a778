/* SPDX-License-Identifier: MIT */
/*
 * refill.c (stack): a refill module with blocks of its own, for tests: what a full bin hands back
 * goes to a stack of the class, and fills take from it first.
 */
#include "src/supply/supply.h"

static struct stack *stack_of(const struct hak_tcache *tc, hak_class_t cls) {
    return (struct stack *)tc->bin_memory + cls;
}

/* The top block; NULL when there is none, or it is no longer one of the class's. */
static void *pop(struct hak_tcache *tc, hak_class_t cls) {
    struct stack *stack = stack_of(tc, cls);
    while (stack->count > 0) {
        void *block = stack->blocks[--stack->count];
        if (hak_supply_is_link(tc, cls, block, 1)) return block;
        hak_heap_note_misuse(&tc->heap, block, HAK_FREE_DOUBLE);
    }
    return NULL;
}

static void spill(struct hak_tcache *tc, hak_class_t cls, unsigned keep) {
    void *block;
    while (stack_of(tc, cls)->count > keep && (block = pop(tc, cls)) != NULL)
        hak_supply_put(tc, block);
}

static unsigned stack_fill(struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    unsigned count = 0;
    void *block;
    hak_supply_widen(tc, cls, want);
    for (; count < want && (block = pop(tc, cls)) != NULL; count++)
        (void)hak_bin_push(&tc->bins[cls], block);
    return count > 0 ? count : hak_supply_fill_reusing(tc, cls, want, true);
}

static void stack_overflow(struct hak_tcache *tc, hak_class_t cls, struct hak_block *block) {
    struct stack *stack = stack_of(tc, cls);
    if (stack->count == STACK_BLOCKS) {
        hak_heap_enter(&tc->heap);
        spill(tc, cls, STACK_BLOCKS / 2);
        hak_heap_leave(&tc->heap);
    }
    stack->blocks[stack->count] = block;
    atomic_signal_fence(memory_order_release);
    stack->count++;
}

static void stack_flush(struct hak_tcache *tc, hak_class_t cls, unsigned keep) {
    spill(tc, cls, 0);
    hak_supply_flush(tc, cls, keep);
}

static void stack_each_block(const struct hak_tcache *tc, hak_class_t cls, hak_block_fn *visit,
                             void *arg) {
    const struct stack *stack = stack_of(tc, cls);
    for (unsigned i = 0; i < stack->count; i++)
        visit(arg, stack->blocks[i]);
}

const struct hak_refill_ops hak_refill_stack = {
    .name = "stack",
    .fill = stack_fill,
    .overflow = stack_overflow,
    .flush = stack_flush,
    .each_block = stack_each_block,
};
