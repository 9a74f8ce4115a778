/* SPDX-License-Identifier: MIT */
/*
 * interpreter.h: the words of interpreter.c's Lisp, and the program it runs.
 *
 * A word's symbol has the word's index, so the built-in functions come first, then the forms.
 * Functions take one or two arguments; `do` gives its last value; nil is false, and all else true.
 */
#ifndef HARNESS_INTERPRETER_H
#define HARNESS_INTERPRETER_H

enum {
    BUILT_IN_ADD,
    BUILT_IN_SUBTRACT,
    BUILT_IN_MULTIPLY,
    BUILT_IN_REMAINDER,
    BUILT_IN_LESS,
    BUILT_IN_EQUAL,
    BUILT_IN_CONS,
    BUILT_IN_FIRST,
    BUILT_IN_REST,
    BUILT_IN_JOIN,
    BUILT_IN_DECIMAL,
    BUILT_IN_HASH,
    BUILT_IN_VECTOR,
    BUILT_IN_PUSH,
    BUILT_IN_AT,
    BUILT_IN_TABLE,
    BUILT_IN_COUNT,
    BUILT_IN_SEED,
    BUILT_IN_COUNT_OF,
    FORM_IF = BUILT_IN_COUNT_OF,
    FORM_DO,
    FORM_FUNCTION,
    FORM_DEFINE,
    WORD_COUNT
};

static const char *const interpreter_words[WORD_COUNT] = {
    "+",    "-",      "*",    "%",  "<",     "=",     "cons", "first", "rest", "join", "decimal",
    "hash", "vector", "push", "at", "table", "count", "seed", "if",    "do",   "fn",   "define"};

/* nil is a name that nobody defines. */
static const char interpreter_program[] =
    "(do "
    /* Queens on a board of 6: a list of columns, the distance grows while the list is walked. */
    "(define safe (fn (column others gap) (if others"
    " (if (= column (first others)) nil"
    " (if (= column (+ (first others) gap)) nil"
    " (if (= (+ column gap) (first others)) nil"
    " (safe column (rest others) (+ gap 1))))) 1)))"
    "(define try (fn (column placed size left)"
    " (if (< column size)"
    " (+ (if (safe column placed 1) (place (cons column placed) size (- left 1)) 0)"
    " (try (+ column 1) placed size left)) 0)))"
    "(define place (fn (placed size left) (if (< 0 left) (try 0 placed size left) 1)))"
    /* A list of pseudo-random numbers, sorted by merging its odd and even places. */
    "(define draw (fn (x) (% (+ (* x 1103) 12345) 65536)))"
    "(define numbers (fn (x left) (if (< 0 left) (cons x (numbers (draw x) (- left 1))) nil)))"
    "(define every (fn (l) (if l (cons (first l) (if (rest l) (every (rest (rest l))) nil)) nil)))"
    "(define merge (fn (a b) (if a (if b"
    " (if (< (first a) (first b)) (cons (first a) (merge (rest a) b))"
    " (cons (first b) (merge a (rest b)))) a) b)))"
    "(define sort (fn (l) (if l (if (rest l)"
    " (merge (sort (every l)) (sort (every (rest l)))) l) nil)))"
    "(define fold (fn (f sum l) (if l (fold f (f sum (first l)) (rest l)) sum)))"
    /* Text of the numbers, growing; words counted; a vector filled and summed. */
    "(define text (fn (l) (fold (fn (s n) (join s (join \", \" (decimal n)))) \"numbers\" l)))"
    "(define words (fn (t l) (fold (fn (sum n)"
    " (+ sum (count t (join \"word \" (decimal (% n 61)))))) 0 l)))"
    "(define fill (fn (v n) (if (< 0 n) (fill (push v (decimal n)) (- n 1)) v)))"
    "(define total (fn (v n) (if (< 0 n)"
    " (+ (% (hash (at v (- n 1))) 1000) (total v (- n 1))) 0)))"
    "(define sorted (sort (numbers (draw (seed)) 150)))"
    "(+ (+ (place nil 6 6) (fold (fn (sum n) (% (+ (* sum 31) n) 1000003)) 7 sorted))"
    " (+ (+ (hash (text sorted)) (words (table) sorted)) (total (fill (vector) 300) 300))))";

#endif
