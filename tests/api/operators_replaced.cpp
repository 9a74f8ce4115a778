/* SPDX-License-Identifier: MIT */
/*
 * operators_replaced.cpp: a program that replaces some of the twenty operators, those whose bit is
 * set in REPLACED. Every form is called, and the program's own one must be reached exactly where
 * the standard's default behaviour leads to it; run without the library, this checks the table.
 * Own forms that throw make nothrow forms return NULL.
 */
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <new>
#include <string>
#include <vector>

#define NEW                          0
#define NEW_ARRAY                    1
#define NEW_NOTHROW                  2
#define NEW_ARRAY_NOTHROW            3
#define NEW_ALIGNED                  4
#define NEW_ARRAY_ALIGNED            5
#define NEW_ALIGNED_NOTHROW          6
#define NEW_ARRAY_ALIGNED_NOTHROW    7
#define DELETE                       8
#define DELETE_ARRAY                 9
#define DELETE_SIZED                 10
#define DELETE_ARRAY_SIZED           11
#define DELETE_NOTHROW               12
#define DELETE_ARRAY_NOTHROW         13
#define DELETE_ALIGNED               14
#define DELETE_ARRAY_ALIGNED         15
#define DELETE_ALIGNED_SIZED         16
#define DELETE_ARRAY_ALIGNED_SIZED   17
#define DELETE_ALIGNED_NOTHROW       18
#define DELETE_ARRAY_ALIGNED_NOTHROW 19
#define FORMS                        20

#define IS_REPLACED(form) ((REPLACED >> (form)) & 1)

using std::align_val_t;
using std::nothrow;
using std::nothrow_t;
using std::size_t;

namespace {

int calls[FORMS];
int failures = 0;
bool is_exhausted = false;

[[maybe_unused]] void *own_new(int form, size_t size, bool throws) {
    calls[form]++;
    void *block = is_exhausted ? nullptr : std::malloc(size);
    if (block == nullptr && throws) throw std::bad_alloc();
    return block;
}

[[maybe_unused]] void *own_new_aligned(int form, size_t size, align_val_t align, bool throws) {
    calls[form]++;
    const size_t wanted = static_cast<size_t>(align);
    void *block = is_exhausted ? nullptr : std::aligned_alloc(wanted, size);
    if (block == nullptr && throws) throw std::bad_alloc();
    return block;
}

[[maybe_unused]] void own_delete(int form, void *block) {
    calls[form]++;
    std::free(block);
}

} // namespace

#if IS_REPLACED(NEW)
void *operator new(size_t size) {
    return own_new(NEW, size, true);
}
#endif
#if IS_REPLACED(NEW_ARRAY)
void *operator new[](size_t size) {
    return own_new(NEW_ARRAY, size, true);
}
#endif
#if IS_REPLACED(NEW_NOTHROW)
void *operator new(size_t size, const nothrow_t &) noexcept {
    return own_new(NEW_NOTHROW, size, false);
}
#endif
#if IS_REPLACED(NEW_ARRAY_NOTHROW)
void *operator new[](size_t size, const nothrow_t &) noexcept {
    return own_new(NEW_ARRAY_NOTHROW, size, false);
}
#endif
#if IS_REPLACED(NEW_ALIGNED)
void *operator new(size_t size, align_val_t align) {
    return own_new_aligned(NEW_ALIGNED, size, align, true);
}
#endif
#if IS_REPLACED(NEW_ARRAY_ALIGNED)
void *operator new[](size_t size, align_val_t align) {
    return own_new_aligned(NEW_ARRAY_ALIGNED, size, align, true);
}
#endif
#if IS_REPLACED(NEW_ALIGNED_NOTHROW)
void *operator new(size_t size, align_val_t align, const nothrow_t &) noexcept {
    return own_new_aligned(NEW_ALIGNED_NOTHROW, size, align, false);
}
#endif
#if IS_REPLACED(NEW_ARRAY_ALIGNED_NOTHROW)
void *operator new[](size_t size, align_val_t align, const nothrow_t &) noexcept {
    return own_new_aligned(NEW_ARRAY_ALIGNED_NOTHROW, size, align, false);
}
#endif
#if IS_REPLACED(DELETE)
void operator delete(void *block) noexcept {
    own_delete(DELETE, block);
}
#endif
#if IS_REPLACED(DELETE_ARRAY)
void operator delete[](void *block) noexcept {
    own_delete(DELETE_ARRAY, block);
}
#endif
#if IS_REPLACED(DELETE_SIZED)
void operator delete(void *block, size_t) noexcept {
    own_delete(DELETE_SIZED, block);
}
#endif
#if IS_REPLACED(DELETE_ARRAY_SIZED)
void operator delete[](void *block, size_t) noexcept {
    own_delete(DELETE_ARRAY_SIZED, block);
}
#endif
#if IS_REPLACED(DELETE_NOTHROW)
void operator delete(void *block, const nothrow_t &) noexcept {
    own_delete(DELETE_NOTHROW, block);
}
#endif
#if IS_REPLACED(DELETE_ARRAY_NOTHROW)
void operator delete[](void *block, const nothrow_t &) noexcept {
    own_delete(DELETE_ARRAY_NOTHROW, block);
}
#endif
#if IS_REPLACED(DELETE_ALIGNED)
void operator delete(void *block, align_val_t) noexcept {
    own_delete(DELETE_ALIGNED, block);
}
#endif
#if IS_REPLACED(DELETE_ARRAY_ALIGNED)
void operator delete[](void *block, align_val_t) noexcept {
    own_delete(DELETE_ARRAY_ALIGNED, block);
}
#endif
#if IS_REPLACED(DELETE_ALIGNED_SIZED)
void operator delete(void *block, size_t, align_val_t) noexcept {
    own_delete(DELETE_ALIGNED_SIZED, block);
}
#endif
#if IS_REPLACED(DELETE_ARRAY_ALIGNED_SIZED)
void operator delete[](void *block, size_t, align_val_t) noexcept {
    own_delete(DELETE_ARRAY_ALIGNED_SIZED, block);
}
#endif
#if IS_REPLACED(DELETE_ALIGNED_NOTHROW)
void operator delete(void *block, align_val_t, const nothrow_t &) noexcept {
    own_delete(DELETE_ALIGNED_NOTHROW, block);
}
#endif
#if IS_REPLACED(DELETE_ARRAY_ALIGNED_NOTHROW)
void operator delete[](void *block, align_val_t, const nothrow_t &) noexcept {
    own_delete(DELETE_ARRAY_ALIGNED_NOTHROW, block);
}
#endif

namespace {

/* Pointers, so that no call is optimised away, and the addresses of functions are in use. */
void *(*volatile new_plain)(size_t) = &::operator new;
void *(*volatile new_array)(size_t) = &::operator new[];
void *(*volatile new_nothrow)(size_t, const nothrow_t &) = &::operator new;
void *(*volatile new_array_nothrow)(size_t, const nothrow_t &) = &::operator new[];
void *(*volatile new_aligned)(size_t, align_val_t) = &::operator new;
void *(*volatile new_array_aligned)(size_t, align_val_t) = &::operator new[];
void *(*volatile new_aligned_nothrow)(size_t, align_val_t, const nothrow_t &) = &::operator new;
void *(*volatile new_array_aligned_nothrow)(size_t, align_val_t,
                                            const nothrow_t &) = &::operator new[];

constexpr size_t SIZE = 192;
constexpr align_val_t ALIGN{64};

const struct {
    const char *name;
    int next; /* the form that the default behaviour calls; FORMS: none */
    void *(*take)();
    void (*give)(void *block);
} forms[FORMS] = {
    {"new", FORMS, [] { return new_plain(SIZE); }, nullptr},
    {"new[]", NEW, [] { return new_array(SIZE); }, nullptr},
    {"new nothrow", NEW, [] { return new_nothrow(SIZE, nothrow); }, nullptr},
    {"new[] nothrow", NEW_ARRAY, [] { return new_array_nothrow(SIZE, nothrow); }, nullptr},
    {"new aligned", FORMS, [] { return new_aligned(SIZE, ALIGN); }, nullptr},
    {"new[] aligned", NEW_ALIGNED, [] { return new_array_aligned(SIZE, ALIGN); }, nullptr},
    {"new aligned nothrow", NEW_ALIGNED, [] { return new_aligned_nothrow(SIZE, ALIGN, nothrow); },
     nullptr},
    {"new[] aligned nothrow", NEW_ARRAY_ALIGNED,
     [] { return new_array_aligned_nothrow(SIZE, ALIGN, nothrow); }, nullptr},
    {"delete", FORMS, nullptr, [](void *block) { ::operator delete(block); }},
    {"delete[]", DELETE, nullptr, [](void *block) { ::operator delete[](block); }},
    {"delete sized", DELETE, nullptr, [](void *block) { ::operator delete(block, SIZE); }},
    {"delete[] sized", DELETE_ARRAY, nullptr,
     [](void *block) { ::operator delete[](block, SIZE); }},
    {"delete nothrow", DELETE, nullptr, [](void *block) { ::operator delete(block, nothrow); }},
    {"delete[] nothrow", DELETE_ARRAY, nullptr,
     [](void *block) { ::operator delete[](block, nothrow); }},
    {"delete aligned", FORMS, nullptr, [](void *block) { ::operator delete(block, ALIGN); }},
    {"delete[] aligned", DELETE_ALIGNED, nullptr,
     [](void *block) { ::operator delete[](block, ALIGN); }},
    {"delete aligned sized", DELETE_ALIGNED, nullptr,
     [](void *block) { ::operator delete(block, SIZE, ALIGN); }},
    {"delete[] aligned sized", DELETE_ARRAY_ALIGNED, nullptr,
     [](void *block) { ::operator delete[](block, SIZE, ALIGN); }},
    {"delete aligned nothrow", DELETE_ALIGNED, nullptr,
     [](void *block) { ::operator delete(block, ALIGN, nothrow); }},
    {"delete[] aligned nothrow", DELETE_ARRAY_ALIGNED, nullptr,
     [](void *block) { ::operator delete[](block, ALIGN, nothrow); }},
};

void fail(const char *form, const char *what) {
    std::fprintf(stderr, "%s: %s\n", form, what);
    failures++;
}

/* The program's own form that a call ends in; FORMS when it ends in the library. */
int reached(int form) {
    while (form != FORMS && !IS_REPLACED(form)) {
        form = forms[form].next;
    }
    return form;
}

void forget_calls() {
    std::fill(calls, calls + FORMS, 0);
}

void check_calls(int form) {
    for (int own = 0; own < FORMS; own++) {
        const int wanted = own == reached(form) ? 1 : 0;
        if (calls[own] == wanted) continue;
        std::fprintf(stderr, "%s: calls the own %s %d times, not %d\n", forms[form].name,
                     forms[own].name, calls[own], wanted);
        failures++;
    }
}

void every_form_reaches_the_own_one() {
    for (int form = 0; form < FORMS; form++) {
        const bool is_new = forms[form].take != nullptr;
        void *block = is_new ? nullptr : std::aligned_alloc(static_cast<size_t>(ALIGN), SIZE);
        forget_calls();
        if (is_new)
            block = forms[form].take();
        else
            forms[form].give(block);
        check_calls(form);
        if (!is_new) continue;
        if (block == nullptr) fail(forms[form].name, "no block");
        std::free(block);
    }
}

/* A delete form takes NULL, and passes it on. */
void every_delete_takes_null() {
    for (int form = DELETE; form < FORMS; form++) {
        forget_calls();
        forms[form].give(nullptr);
        check_calls(form);
    }
}

void own_failure_throws_or_gives_null() {
    for (int form = NEW; form <= NEW_ARRAY_ALIGNED_NOTHROW; form++) {
        if (reached(form) == FORMS) continue;
        const bool is_nothrow = (form & NEW_NOTHROW) != 0;
        bool is_thrown = false;
        void *block = &is_thrown;
        forget_calls();
        is_exhausted = true;
        try {
            block = forms[form].take();
        } catch (const std::bad_alloc &) {
            is_thrown = true;
        }
        is_exhausted = false;
        check_calls(form);
        if (is_thrown == is_nothrow)
            fail(forms[form].name, is_thrown ? "throws" : "does not throw");
        if (is_nothrow && block != nullptr) fail(forms[form].name, "does not give NULL");
        if (std::uncaught_exceptions() != 0) fail(forms[form].name, "leaves an exception behind");
    }
}

struct record {
    int key;
    char bytes[28];
    bool operator<(const record &other) const { return key < other.key; }
};

/* Expressions and containers, code of libstdc++ included; with both plain forms replaced each block
 * of theirs comes from the own one, and goes there. */
void containers_work() {
    forget_calls();
    {
        std::vector<record> records(1000);
        for (int i = 0; i < 1000; i++) {
            records[static_cast<size_t>(i)].key = i * 7919 % 1000;
        }
        std::stable_sort(records.begin(), records.end());
        for (int i = 0; i < 1000; i++) {
            if (records[static_cast<size_t>(i)].key != i) fail("stable_sort", "is not sorted");
        }
        std::map<std::string, int> words;
        for (int i = 0; i < 1000; i++) {
            words["a word of more than a few letters " + std::to_string(i)] = i;
        }
        int *volatile numbers = new int[100];
        delete[] numbers;
        int *volatile number = new int(1);
        delete number;
    }
    int taken = 0, given = 0;
    for (int form = 0; form < FORMS; form++) {
        (form < DELETE ? taken : given) += calls[form];
    }
    if (!IS_REPLACED(NEW) || !IS_REPLACED(DELETE)) return;
    if (taken < 1000) fail("containers", "do not use the own forms");
    if (taken != given) fail("containers", "do not give back what they took");
}

} // namespace

int main() {
    every_form_reaches_the_own_one();
    every_delete_takes_null();
    own_failure_throws_or_gives_null();
    containers_work();
    return failures == 0 ? 0 : 1;
}
