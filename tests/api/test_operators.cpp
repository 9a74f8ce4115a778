/* SPDX-License-Identifier: MIT */
/*
 * test_operators.cpp: operator new and delete in all their forms, called by name: plain, array,
 * nothrow, sized, aligned and their combinations; the new handler's loop; what a failure looks
 * like. The program brings libstdc++, the library under test does not. Tests named as arguments are
 * left out.
 */
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <set>
#include <string>
#include <vector>

namespace {

const std::size_t sizes[] = {0,    1,     8,     24,    100,    592,    1024,
                             5000, 40000, 65536, 65537, 300000, 3000000};
const std::size_t alignments[] = {1, 8, 16, 32, 64, 256, 1024, 4096, 65536, 1048576};

int failures = 0;
volatile std::size_t too_much = static_cast<std::size_t>(PTRDIFF_MAX);
void *volatile result; /* where a call must not be optimised away */

void check(bool holds, const char *what, int line) {
    if (holds) return;
    std::fprintf(stderr, "line %d: %s\n", line, what);
    failures++;
}

#define CHECK(condition) check((condition), #condition, __LINE__)

bool is_aligned(const void *block, std::size_t alignment) {
    return reinterpret_cast<std::uintptr_t>(block) % alignment == 0;
}

/* The block takes a write to its last byte, and is aligned to 16 at the least. */
void *used(void *block, std::size_t size, std::size_t alignment = 16) {
    CHECK(block != nullptr);
    CHECK(is_aligned(block, alignment < 16 ? 16 : alignment));
    if (block != nullptr) std::memset(block, 0x5a, size);
    return block;
}

void plain_forms_serve_every_size() {
    for (const std::size_t size : sizes) {
        ::operator delete(used(::operator new(size), size));
        ::operator delete[](used(::operator new[](size), size));
        ::operator delete(used(::operator new(size), size), size);
        ::operator delete[](used(::operator new[](size), size), size);
    }
}

void nothrow_forms_serve_every_size() {
    for (const std::size_t size : sizes) {
        ::operator delete(used(::operator new(size, std::nothrow), size), std::nothrow);
        ::operator delete[](used(::operator new[](size, std::nothrow), size), std::nothrow);
        ::operator delete(used(::operator new(size, std::nothrow), size));
        ::operator delete[](used(::operator new[](size, std::nothrow), size));
    }
}

void aligned_forms_serve_every_size_and_alignment() {
    for (const std::size_t size : sizes) {
        for (const std::size_t alignment : alignments) {
            const std::align_val_t wanted{alignment};
            ::operator delete(used(::operator new(size, wanted), size, alignment), wanted);
            ::operator delete[](used(::operator new[](size, wanted), size, alignment), wanted);
            ::operator delete(used(::operator new(size, wanted), size, alignment), size, wanted);
            ::operator delete[](used(::operator new[](size, wanted), size, alignment), size,
                                wanted);
        }
    }
}

void aligned_nothrow_forms_serve_every_size_and_alignment() {
    for (const std::size_t size : sizes) {
        for (const std::size_t alignment : alignments) {
            const std::align_val_t wanted{alignment};
            void *one = used(::operator new(size, wanted, std::nothrow), size, alignment);
            void *many = used(::operator new[](size, wanted, std::nothrow), size, alignment);
            ::operator delete(one, wanted, std::nothrow);
            ::operator delete[](many, wanted, std::nothrow);
        }
    }
}

void delete_takes_null() {
    const std::align_val_t wanted{64};
    void *volatile nothing = nullptr;
    ::operator delete(nothing);
    ::operator delete[](nothing);
    ::operator delete (nothing, std::size_t{8});
    ::operator delete[](nothing, std::size_t{8});
    ::operator delete(nothing, std::nothrow);
    ::operator delete[](nothing, std::nothrow);
    ::operator delete(nothing, wanted);
    ::operator delete[](nothing, wanted);
    ::operator delete(nothing, wanted, std::nothrow);
    ::operator delete[](nothing, wanted, std::nothrow);
    ::operator delete (nothing, std::size_t{8}, wanted);
    ::operator delete[](nothing, std::size_t{8}, wanted);
}

void delete_does_not_trust_the_size() {
    for (const std::size_t size : sizes) {
        for (const std::size_t claim : sizes) {
            ::operator delete(used(::operator new(size), size), claim);
            ::operator delete[](used(::operator new[](size), size), claim, std::align_val_t{32});
        }
    }
}

void size_zero_gives_unique_blocks() {
    std::set<void *> seen;
    for (int i = 0; i < 100; i++) {
        seen.insert(::operator new(0));
        seen.insert(::operator new[](0));
        seen.insert(::operator new(0, std::nothrow));
        seen.insert(::operator new (0, std::align_val_t{64}));
    }
    CHECK(seen.size() == 400);
    CHECK(seen.count(nullptr) == 0);
    for (void *block : seen) {
        ::operator delete(block);
    }
}

template <typename Call> bool throws_bad_alloc(Call call) {
    try {
        call();
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

void failure_without_a_handler_throws_bad_alloc() {
    const std::align_val_t wanted{256};
    std::set_new_handler(nullptr);
    CHECK(throws_bad_alloc([] { result = ::operator new(too_much); }));
    CHECK(throws_bad_alloc([] { result = ::operator new[](too_much); }));
    CHECK(throws_bad_alloc([=] { result = ::operator new(too_much, wanted); }));
    CHECK(throws_bad_alloc([=] { result = ::operator new[](too_much, wanted); }));
}

void nothrow_failure_without_a_handler_gives_null() {
    const std::align_val_t wanted{256};
    std::set_new_handler(nullptr);
    CHECK(::operator new(too_much, std::nothrow) == nullptr);
    CHECK(::operator new[](too_much, std::nothrow) == nullptr);
    CHECK(::operator new(too_much, wanted, std::nothrow) == nullptr);
    CHECK(::operator new[](too_much, wanted, std::nothrow) == nullptr);
}

int handler_calls;

/* Is called three times, then takes itself away, so that the next failure is final. */
void handler_that_gives_up() {
    handler_calls++;
    if (handler_calls == 3) std::set_new_handler(nullptr);
}

template <typename Call> int calls_until_failure(Call call) {
    handler_calls = 0;
    std::set_new_handler(handler_that_gives_up);
    call();
    std::set_new_handler(nullptr);
    return handler_calls;
}

void the_handler_is_called_in_a_loop_before_bad_alloc() {
    const std::align_val_t wanted{256};
    bool is_thrown = false;
    CHECK(calls_until_failure([&] {
              is_thrown = throws_bad_alloc([] { result = ::operator new(too_much); });
          }) == 3);
    CHECK(is_thrown);
    CHECK(calls_until_failure([&] {
              is_thrown = throws_bad_alloc([] { result = ::operator new[](too_much); });
          }) == 3);
    CHECK(is_thrown);
    CHECK(calls_until_failure([&] {
              is_thrown = throws_bad_alloc([=] { result = ::operator new(too_much, wanted); });
          }) == 3);
    CHECK(is_thrown);
}

void the_handler_is_called_in_a_loop_before_null() {
    const std::align_val_t wanted{256};
    void *block = &handler_calls;
    CHECK(calls_until_failure([&] { block = ::operator new(too_much, std::nothrow); }) == 3);
    CHECK(block == nullptr);
    block = &handler_calls;
    CHECK(calls_until_failure([&] { block = ::operator new[](too_much, std::nothrow); }) == 3);
    CHECK(block == nullptr);
    block = &handler_calls;
    CHECK(calls_until_failure([&] { block = ::operator new(too_much, wanted, std::nothrow); }) ==
          3);
    CHECK(block == nullptr);
}

struct handler_refusal {
    int code;
};

void handler_that_throws() {
    throw handler_refusal{17};
}

void an_exception_of_the_handler_reaches_the_caller() {
    int code = 0;
    std::set_new_handler(handler_that_throws);
    try {
        result = ::operator new(too_much);
    } catch (const handler_refusal &refusal) {
        code = refusal.code;
    }
    std::set_new_handler(nullptr);
    CHECK(code == 17);
}

void what_the_handler_throws_does_not_leave_a_nothrow_form() {
    const std::align_val_t wanted{256};
    void *blocks[4] = {&handler_calls, &handler_calls, &handler_calls, &handler_calls};
    std::set_new_handler(handler_that_throws);
    try {
        blocks[0] = ::operator new(too_much, std::nothrow);
        blocks[1] = ::operator new[](too_much, std::nothrow);
        blocks[2] = ::operator new(too_much, wanted, std::nothrow);
        blocks[3] = ::operator new[](too_much, wanted, std::nothrow);
    } catch (...) {
        check(false, "an exception", __LINE__);
    }
    std::set_new_handler(nullptr);
    CHECK(std::uncaught_exceptions() == 0);
    for (const void *block : blocks) {
        CHECK(block == nullptr);
    }
}

struct alignas(128) wide {
    char bytes[384];
};

void expressions_and_containers_work() {
    std::vector<std::string> words;
    for (int i = 0; i < 5000; i++) {
        words.push_back(std::string(static_cast<std::size_t>(i % 300), 'x'));
    }
    std::size_t letters = 0;
    for (const std::string &word : words) {
        letters += word.size();
    }
    CHECK(letters == 16U * 44850U + 19900U);
    wide *one = new wide;
    wide *many = new wide[7];
    CHECK(is_aligned(one, 128));
    CHECK(is_aligned(many, 128));
    delete one;
    delete[] many;
}

} // namespace

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)();
    } tests[] = {
        {"plain_forms_serve_every_size", plain_forms_serve_every_size},
        {"nothrow_forms_serve_every_size", nothrow_forms_serve_every_size},
        {"aligned_forms_serve_every_size_and_alignment",
         aligned_forms_serve_every_size_and_alignment},
        {"aligned_nothrow_forms_serve_every_size_and_alignment",
         aligned_nothrow_forms_serve_every_size_and_alignment},
        {"delete_takes_null", delete_takes_null},
        {"delete_does_not_trust_the_size", delete_does_not_trust_the_size},
        {"size_zero_gives_unique_blocks", size_zero_gives_unique_blocks},
        {"failure_without_a_handler_throws_bad_alloc", failure_without_a_handler_throws_bad_alloc},
        {"nothrow_failure_without_a_handler_gives_null",
         nothrow_failure_without_a_handler_gives_null},
        {"the_handler_is_called_in_a_loop_before_bad_alloc",
         the_handler_is_called_in_a_loop_before_bad_alloc},
        {"the_handler_is_called_in_a_loop_before_null",
         the_handler_is_called_in_a_loop_before_null},
        {"an_exception_of_the_handler_reaches_the_caller",
         an_exception_of_the_handler_reaches_the_caller},
        {"what_the_handler_throws_does_not_leave_a_nothrow_form",
         what_the_handler_throws_does_not_leave_a_nothrow_form},
        {"expressions_and_containers_work", expressions_and_containers_work},
    };
    int failed = 0;
    const std::set<std::string> left_out(argv + 1, argv + argc);
    for (const auto &test : tests) {
        if (left_out.count(test.name) != 0) continue;
        failures = 0;
        test.run();
        std::printf("%s %s\n", failures == 0 ? "ok" : "not ok", test.name);
        failed += failures != 0;
    }
    return failed == 0 ? 0 : 1;
}
