/* SPDX-License-Identifier: MIT */
/*
 * interpreter_objects.h: the values of the small Lisp in interpreter.c, the one file that includes
 * this: numbers, symbols, and counted references to blocks from malloc.
 */
#ifndef HAK_HARNESS_INTERPRETER_OBJECTS_H
#define HAK_HARNESS_INTERPRETER_OBJECTS_H

#include "harness/bench.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SYMBOLS = 256, MAX_NAME = 24, TABLE_PLACES = 64, FIRST_CAPACITY = 4 };

/*
 * A value: bit 0: a number, above it; bit 1: a symbol, its index above; 0: nil; else a reference to
 * an object, serial << 48 | address.
 */
typedef uint64_t value_t;

enum kind { KIND_CONS, KIND_BINDING, KIND_CLOSURE, KIND_STRING, KIND_VECTOR, KIND_TABLE };

struct object {
    uint32_t refs;
    uint16_t serial;
    uint16_t kind;
    union {
        value_t fields[3]; /* cons: first, rest; binding: name, value, next; closure: names, body,
                              bindings */
        struct {
            uint32_t count, capacity;
            value_t *items; /* vector: realloc; table: chains of bindings, calloc */
        };
        struct {
            uint32_t length;
            char text[20]; /* string: as many as there are */
        };
    };
};

static struct {
    char names[MAX_SYMBOLS][MAX_NAME];
    unsigned name_count;
    value_t globals[MAX_SYMBOLS];
    const char *text; /* the reader's place */
    uint64_t made, live;
    uint64_t seed;
} lisp;

static inline bool is_number(value_t v) {
    return v & 1;
}

static inline bool is_symbol(value_t v) {
    return v & 2 && !is_number(v);
}

static inline value_t number(int64_t n) {
    return (uint64_t)n << 1 | 1;
}

static inline int64_t integer(value_t v) {
    if (!is_number(v))
        bench_fail("an object of the program does not hold what was written into it");
    return (int64_t)v >> 1;
}

static inline struct object *at(value_t v, enum kind kind) {
    struct object *object = (struct object *)(uintptr_t)(v & 0xFFFFFFFFFFFFu);
    bool is_reference = object && !(v & 3);
    if (BENCH_UNLIKELY(!is_reference || object->serial != v >> 48 || object->kind != kind)) {
        bench_content_wrong(object, (uint32_t)(v >> 48), sizeof *object);
    }
    return object;
}

static inline value_t new_object(enum kind kind, size_t size) {
    if (size < sizeof(struct object)) size = sizeof(struct object);
    struct object *object = malloc(size);
    bench_check_block(object, size);
    object->refs = 1;
    object->serial = (uint16_t)(++lisp.made % 0xFFFFu + 1);
    object->kind = (uint16_t)kind;
    lisp.live++;
    return (uint64_t)object->serial << 48 | (uintptr_t)object;
}

static inline value_t keep(value_t v) {
    if (v == 0 || v & 3) return v;
    ((struct object *)(uintptr_t)(v & 0xFFFFFFFFFFFFu))->refs++;
    return v;
}

static inline value_t three(enum kind kind, value_t a, value_t b, value_t c) {
    value_t v = new_object(kind, sizeof(struct object));
    struct object *object = at(v, kind);
    object->fields[0] = a;
    object->fields[1] = b;
    object->fields[2] = c;
    return v;
}

/* Lists are taken down in a loop: they may be longer than the stack is deep. */
static inline void drop(value_t v) {
    while (v != 0 && !(v & 3)) {
        struct object *object = (struct object *)(uintptr_t)(v & 0xFFFFFFFFFFFFu);
        at(v, (enum kind)object->kind);
        if (--object->refs > 0) return;
        value_t rest = 0;
        if (object->kind <= KIND_CLOSURE) {
            bool is_cons = object->kind == KIND_CONS;
            drop(object->fields[0]);
            if (!is_cons) drop(object->fields[1]);
            rest = object->fields[is_cons ? 1 : 2];
        } else if (object->kind != KIND_STRING) {
            for (uint32_t i = 0; i < object->count; i++)
                drop(object->items[i]);
            free(object->items);
        }
        object->serial = 0;
        free(object);
        lisp.live--;
        v = rest;
    }
}

static inline value_t cons(value_t first, value_t rest) {
    return three(KIND_CONS, first, rest, 0);
}

static inline value_t first(value_t v) {
    return at(v, KIND_CONS)->fields[0];
}

static inline value_t rest(value_t v) {
    return at(v, KIND_CONS)->fields[1];
}

static inline value_t new_string(const char *a, uint32_t a_length, const char *b,
                                 uint32_t b_length) {
    value_t v = new_object(KIND_STRING, offsetof(struct object, text) + a_length + b_length);
    struct object *string = at(v, KIND_STRING);
    string->length = a_length + b_length;
    memcpy(string->text, a, a_length);
    memcpy(string->text + a_length, b, b_length);
    return v;
}

static inline uint64_t hash(const struct object *string) {
    uint64_t sum = string->length;
    for (uint32_t i = 0; i < string->length; i++)
        sum = bench_splitmix64(sum ^ (uint8_t)string->text[i]);
    return sum;
}

static inline value_t new_vector(void) {
    value_t v = new_object(KIND_VECTOR, sizeof(struct object));
    struct object *vector = at(v, KIND_VECTOR);
    vector->count = vector->capacity = 0;
    vector->items = NULL;
    return v;
}

static inline void push(value_t v, value_t item) {
    struct object *vector = at(v, KIND_VECTOR);
    if (vector->count == vector->capacity) {
        vector->capacity = vector->capacity ? vector->capacity * 3 / 2 : FIRST_CAPACITY;
        vector->items = realloc(vector->items, vector->capacity * sizeof(value_t));
        bench_check_block(vector->items, vector->capacity * sizeof(value_t));
    }
    vector->items[vector->count++] = item;
}

static inline value_t new_table(void) {
    value_t v = new_object(KIND_TABLE, sizeof(struct object));
    struct object *table = at(v, KIND_TABLE);
    table->count = table->capacity = TABLE_PLACES;
    table->items = calloc(TABLE_PLACES, sizeof(value_t));
    bench_check_block(table->items, TABLE_PLACES * sizeof(value_t));
    return v;
}

/* The binding of the string, made with the number 0 if there is none. */
static inline struct object *entry(value_t v, value_t key) {
    struct object *table = at(v, KIND_TABLE), *string = at(key, KIND_STRING);
    value_t *chain = &table->items[hash(string) % TABLE_PLACES];
    for (value_t b = *chain; b; b = at(b, KIND_BINDING)->fields[2]) {
        const struct object *other = at(at(b, KIND_BINDING)->fields[0], KIND_STRING);
        if (other->length == string->length &&
            memcmp(other->text, string->text, string->length) == 0) {
            return at(b, KIND_BINDING);
        }
    }
    *chain = three(KIND_BINDING, keep(key), number(0), *chain);
    return at(*chain, KIND_BINDING);
}

#endif
