/* SPDX-License-Identifier: MIT */
/*
 * header_test.c: compiles one header alone, and twice.
 *
 * Built by tests/lint/meson.build once for each line of headers.py, with HEADER the header's path
 * from the root in quotes. It compiles when the header includes what it uses and has a guard. It
 * runs nothing of the header.
 */
#include HEADER
#include HEADER

int main(void) {
    return 0;
}
