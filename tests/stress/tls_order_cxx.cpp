/* SPDX-License-Identifier: MIT */
/*
 * tls_order_cxx.cpp: C++ thread_local objects and statics whose destructors free and allocate, in
 * threads that end and in the main thread, where they run after main.
 */
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

struct hoard {
    std::vector<std::string> words;
    std::unique_ptr<char[]> large;

    void fill() {
        for (int i = 0; i < 500; i++) {
            words.push_back(std::string(static_cast<std::size_t>(i), 'w'));
        }
        large.reset(new char[200000]());
    }

    ~hoard() {
        std::vector<std::string> copy(words.begin(), words.end());
        words.clear();
        copy.emplace_back(70000, 'z');
    }
};

thread_local hoard of_thread;
hoard of_program;

void body() {
    of_thread.fill();
}

} // namespace

int main() {
    of_program.fill();
    of_thread.fill();
    for (int round = 0; round < 100; round++) {
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; i++) {
            threads.emplace_back(body);
        }
        for (std::thread &thread : threads) {
            thread.join();
        }
    }
    std::puts("tls_order_cxx: 400 threads");
    return 0;
}
