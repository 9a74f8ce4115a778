/* SPDX-License-Identifier: MIT */
/*
 * interpreter: a small Lisp on malloc, running a fixed program.
 *
 * What scripting languages do to an allocator: every cons cell, binding, closure, string, vector
 * and table is a block of 32 bytes up to some KiB, counted references free them the moment they
 * are dead, vectors grow by realloc, and a table's places come from calloc. The program, text in
 * interpreter.h, is read anew in each of the ROUNDS and then run: it places queens, sorts a
 * list, builds and measures strings, fills a vector, and counts words in a table. It must end with
 * the same number each time, and every object must be dead then, or the run fails.
 *
 * One op is an object made. A value carries 16 bits of the object's serial in front of the address,
 * which a user address leaves free, and they are compared at each use: a block that was given to
 * two objects shows. One thread.
 */
#include "harness/interpreter.h"

#include "harness/bench.h"
#include "harness/interpreter_objects.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS, SEED, ARG_COUNT };
static struct bench_arg args[ARG_COUNT] = {
    [ROUNDS] = {.name = "rounds", .value = 50, .smoke = 3, .min = 1, .max = 1u << 30},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
};

/* ---- the reader ---- */

static value_t symbol(const char *name, size_t length) {
    for (unsigned i = 0; i < lisp.name_count; i++) {
        if (strlen(lisp.names[i]) == length && memcmp(lisp.names[i], name, length) == 0) {
            return (uint64_t)i << 2 | 2;
        }
    }
    if (lisp.name_count == MAX_SYMBOLS || length >= MAX_NAME) bench_usage("its program is too big");
    memcpy(lisp.names[lisp.name_count], name, length);
    return (uint64_t)lisp.name_count++ << 2 | 2;
}

static value_t read_value(void);

static value_t read_list(void) {
    while (*lisp.text == ' ')
        lisp.text++;
    if (*lisp.text == ')') {
        lisp.text++;
        return 0;
    }
    value_t head = read_value();
    return cons(head, read_list());
}

static value_t read_value(void) {
    while (*lisp.text == ' ')
        lisp.text++;
    if (*lisp.text == '(') {
        lisp.text++;
        return read_list();
    }
    const char *from = lisp.text;
    if (*from == '"') {
        size_t length = strcspn(from + 1, "\"");
        lisp.text += length + 2;
        return new_string(from + 1, (uint32_t)length, "", 0);
    }
    size_t length = strcspn(from, " ()");
    lisp.text += length;
    if (*from < '0' || *from > '9') return symbol(from, length);
    int64_t n = 0;
    for (size_t i = 0; i < length; i++)
        n = n * 10 + (from[i] - '0');
    return number(n);
}

/* ---- the evaluator: every function returns a reference that is the caller's ---- */

static value_t eval(value_t expression, value_t bindings);

static value_t look_up(value_t name, value_t bindings) {
    for (value_t b = bindings; b; b = at(b, KIND_BINDING)->fields[2]) {
        const struct object *binding = at(b, KIND_BINDING);
        if (binding->fields[0] == name) return keep(binding->fields[1]);
    }
    return keep(lisp.globals[name >> 2]);
}

static value_t decimal(int64_t n) {
    char digits[24];
    unsigned at_digit = sizeof digits;
    do {
        digits[--at_digit] = (char)('0' + n % 10);
    } while (n /= 10);
    return new_string(digits + at_digit, (uint32_t)(sizeof digits - at_digit), "", 0);
}

/* Arguments are borrowed. */
static value_t call_built_in(unsigned which, const value_t *a) {
    const struct object *x, *y;
    switch (which) {
    case BUILT_IN_ADD:
        return number(integer(a[0]) + integer(a[1]));
    case BUILT_IN_SUBTRACT:
        return number(integer(a[0]) - integer(a[1]));
    case BUILT_IN_MULTIPLY:
        return number((integer(a[0]) * integer(a[1])) & 0xFFFFFFF);
    case BUILT_IN_REMAINDER:
        return number(integer(a[1]) ? integer(a[0]) % integer(a[1]) : 0);
    case BUILT_IN_LESS:
        return integer(a[0]) < integer(a[1]) ? number(1) : 0;
    case BUILT_IN_EQUAL:
        return a[0] == a[1] ? number(1) : 0;
    case BUILT_IN_CONS:
        return cons(keep(a[0]), keep(a[1]));
    case BUILT_IN_FIRST:
        return keep(first(a[0]));
    case BUILT_IN_REST:
        return keep(rest(a[0]));
    case BUILT_IN_JOIN:
        x = at(a[0], KIND_STRING);
        y = at(a[1], KIND_STRING);
        return new_string(x->text, x->length, y->text, y->length);
    case BUILT_IN_DECIMAL:
        return decimal(integer(a[0]));
    case BUILT_IN_HASH:
        return number((int64_t)(hash(at(a[0], KIND_STRING)) & 0xFFFFFF));
    case BUILT_IN_VECTOR:
        return new_vector();
    case BUILT_IN_PUSH:
        push(a[0], keep(a[1]));
        return keep(a[0]);
    case BUILT_IN_AT:
        x = at(a[0], KIND_VECTOR);
        if ((uint64_t)integer(a[1]) >= x->count) bench_content_wrong(x, 0, sizeof *x);
        return keep(x->items[integer(a[1])]);
    case BUILT_IN_TABLE:
        return new_table();
    case BUILT_IN_COUNT: {
        value_t *count = &entry(a[0], a[1])->fields[1];
        return *count = number(integer(*count) + 1);
    }
    default:
        return number((int64_t)(lisp.seed & 0xFFFF));
    }
}

static value_t call_closure(value_t callee, value_t operands, value_t bindings) {
    value_t scope = keep(at(callee, KIND_CLOSURE)->fields[2]);
    for (value_t name = at(callee, KIND_CLOSURE)->fields[0]; name; name = rest(name)) {
        value_t argument = eval(first(operands), bindings);
        scope = three(KIND_BINDING, first(name), argument, scope);
        operands = rest(operands);
    }
    value_t result = eval(at(callee, KIND_CLOSURE)->fields[1], scope);
    drop(scope);
    return result;
}

static value_t call(value_t expression, value_t bindings) {
    value_t callee = eval(first(expression), bindings);
    value_t result;
    if (is_symbol(callee)) { /* a built-in function is its own name */
        value_t a[2] = {0, 0};
        unsigned count = 0;
        for (value_t v = rest(expression); v && count < 2; v = rest(v))
            a[count++] = eval(first(v), bindings);
        result = call_built_in((unsigned)(callee >> 2), a);
        drop(a[0]);
        drop(a[1]);
    } else {
        result = call_closure(callee, rest(expression), bindings);
    }
    drop(callee);
    return result;
}

static value_t eval(value_t expression, value_t bindings) {
    if (is_symbol(expression)) return look_up(expression, bindings);
    if (is_number(expression) || expression == 0) return expression;
    const struct object *object = (const void *)(uintptr_t)(expression & 0xFFFFFFFFFFFFu);
    if (object->kind == KIND_STRING) return keep(expression);
    value_t head = first(expression);
    if (!is_symbol(head)) return call(expression, bindings);
    value_t operands = rest(expression);
    value_t result;
    switch (head >> 2) {
    case FORM_IF:
        result = eval(first(operands), bindings);
        drop(result);
        operands = rest(operands);
        return eval(first(result ? operands : rest(operands)), bindings);
    case FORM_DO:
        for (result = 0; operands; operands = rest(operands)) {
            drop(result);
            result = eval(first(operands), bindings);
        }
        return result;
    case FORM_FUNCTION:
        return three(KIND_CLOSURE, keep(first(operands)), keep(first(rest(operands))),
                     keep(bindings));
    case FORM_DEFINE:
        result = eval(first(rest(operands)), bindings);
        drop(lisp.globals[first(operands) >> 2]);
        lisp.globals[first(operands) >> 2] = result;
        return 0;
    default:
        return call(expression, bindings);
    }
}

/* ---- the run ---- */

static void forget_all(void) {
    for (unsigned i = 0; i < MAX_SYMBOLS; i++) {
        drop(lisp.globals[i]);
        lisp.globals[i] = 0;
    }
}

static int64_t run_program(void) {
    lisp.name_count = 0;
    memset(lisp.names, 0, sizeof lisp.names);
    for (unsigned i = 0; i < WORD_COUNT; i++) {
        value_t name = symbol(interpreter_words[i], strlen(interpreter_words[i]));
        if (i < BUILT_IN_COUNT_OF) lisp.globals[i] = name;
    }
    lisp.text = interpreter_program;
    value_t program = read_value();
    value_t result = eval(program, 0);
    int64_t said = integer(result);
    drop(program);
    forget_all();
    if (lisp.live) bench_fail("%llu objects outlive the program", (unsigned long long)lisp.live);
    return said;
}

static uint64_t step(void *context, uint64_t rounds) {
    uint64_t *checksum = context;
    uint64_t made_before = lisp.made;
    for (uint64_t k = 0; k < rounds; k++) {
        uint64_t said = (uint64_t)run_program();
        if (*checksum && said != *checksum) bench_fail("the program ended with another number");
        *checksum = said;
    }
    return lisp.made - made_before;
}

int main(int argc, char **argv) {
    bench_begin("interpreter", args, ARG_COUNT, argc, argv);
    lisp.seed = args[SEED].value;
    uint64_t checksum = 0;
    bench_start();
    uint64_t ops = bench_run(args[ROUNDS].value, step, &checksum);
    bench_stop();
    return bench_finish(ops, checksum);
}
