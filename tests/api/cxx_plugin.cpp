/* SPDX-License-Identifier: MIT */
/*
 * cxx_plugin.cpp: a C++ plugin of plugin_host.c, which is C: libstdc++ arrives with the plugin, as
 * a library or inside it. What its failing operators new do is up to the plugin's own libstdc++:
 * its new handler, its exceptions. It leaves a handler behind that another copy must never call.
 */
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <new>

#include <sys/resource.h>
#include <unistd.h>

extern "C" int run_plugin(void);

namespace {

using std::align_val_t;
using std::nothrow;
using std::size_t;

volatile size_t too_much = static_cast<size_t>(PTRDIFF_MAX);
constexpr align_val_t wide{256};
constexpr size_t MIB = 1024 * 1024;

/* The forms that throw, then their nothrow ones. */
void *(*const throwing[])(size_t) = {
    [](size_t size) { return ::operator new(size); },
    [](size_t size) { return ::operator new[](size); },
    [](size_t size) { return ::operator new(size, wide); },
    [](size_t size) { return ::operator new[](size, wide); },
};
void *(*const not_throwing[])(size_t) = {
    [](size_t size) { return ::operator new(size, nothrow); },
    [](size_t size) { return ::operator new[](size, nothrow); },
    [](size_t size) { return ::operator new(size, wide, nothrow); },
    [](size_t size) { return ::operator new[](size, wide, nothrow); },
};

int failures = 0;
int handler_calls = 0;
struct rlimit unlimited;

void check(bool holds, const char *what, int line) {
    if (holds) return;
    std::fprintf(stderr, "cxx_plugin.cpp:%d: %s\n", line, what);
    failures++;
}

#define CHECK(condition) check((condition), #condition, __LINE__)

size_t address_space_bytes() {
    unsigned long pages = 0;
    std::FILE *statm = std::fopen("/proc/self/statm", "r");
    if (statm == nullptr || std::fscanf(statm, "%lu", &pages) != 1) std::abort();
    std::fclose(statm);
    return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

void lower_limit(size_t headroom) {
    struct rlimit low = unlimited;
    low.rlim_cur = address_space_bytes() + headroom;
    if (setrlimit(RLIMIT_AS, &low) != 0) std::abort();
}

void lift_limit() {
    if (setrlimit(RLIMIT_AS, &unlimited) != 0) std::abort();
}

template <typename Exception> bool throws(void *(*call)(size_t), size_t size) {
    try {
        ::operator delete(call(size));
    } catch (const Exception &) {
        return std::uncaught_exceptions() == 0;
    }
    return false;
}

void without_a_handler() {
    std::set_new_handler(nullptr);
    for (const auto call : throwing) {
        CHECK(throws<std::bad_alloc>(call, too_much));
    }
    for (const auto call : not_throwing) {
        CHECK(call(too_much) == nullptr);
    }
}

void with_a_handler_that_gives_up() {
    const std::new_handler give_up = [] {
        if (++handler_calls == 3) std::set_new_handler(nullptr);
    };
    for (const auto call : throwing) {
        handler_calls = 0;
        std::set_new_handler(give_up);
        CHECK(throws<std::bad_alloc>(call, too_much));
        CHECK(handler_calls == 3);
    }
    for (const auto call : not_throwing) {
        handler_calls = 0;
        std::set_new_handler(give_up);
        CHECK(call(too_much) == nullptr);
        CHECK(handler_calls == 3);
    }
}

struct refusal {};

void with_a_handler_that_throws() {
    std::set_new_handler([] {
        handler_calls++;
        throw refusal();
    });
    for (const auto call : throwing) {
        handler_calls = 0;
        CHECK(throws<refusal>(call, too_much));
        CHECK(handler_calls == 1);
    }
    for (const auto call : not_throwing) {
        handler_calls = 0;
        CHECK(call(too_much) == nullptr);
        CHECK(std::uncaught_exceptions() == 0);
        CHECK(handler_calls == 1);
    }
}

/* The second call of the handler makes room. */
void with_a_handler_that_succeeds() {
    std::set_new_handler([] {
        if (++handler_calls == 2) lift_limit();
    });
    for (const auto *forms : {&throwing, &not_throwing}) {
        for (const auto call : *forms) {
            handler_calls = 0;
            lower_limit(48 * MIB);
            void *block = call(512 * MIB);
            lift_limit();
            CHECK(block != nullptr);
            CHECK(handler_calls == 2);
            ::operator delete(block);
        }
    }
}

/* The last small block fails where nothing is left to look for anything with. */
void with_no_memory_at_all() {
    struct node {
        node *next;
        char bytes[40];
    };
    node *volatile first = nullptr;
    bool is_caught = false;
    std::set_new_handler(nullptr);
    lower_limit(8 * MIB);
    try {
        for (;;) {
            node *fresh = new node;
            fresh->next = first;
            first = fresh;
        }
    } catch (const std::bad_alloc &) {
        is_caught = true;
    }
    lift_limit();
    CHECK(is_caught);
    while (first != nullptr) {
        node *next = first->next;
        delete first;
        first = next;
    }
}

[[noreturn]] void stranger() {
    std::fprintf(stderr, "cxx_plugin.cpp: another copy's handler was called\n");
    std::_Exit(3);
}

} // namespace

int run_plugin(void) {
    if (getrlimit(RLIMIT_AS, &unlimited) != 0) return 1;
    failures = 0;
    without_a_handler();
    with_a_handler_that_gives_up();
    with_a_handler_that_throws();
    with_a_handler_that_succeeds();
    with_no_memory_at_all();
    std::set_new_handler(stranger);
    return failures;
}
