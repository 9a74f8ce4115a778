/* SPDX-License-Identifier: MIT */
/*
 * bench_text.c: the text a workload prints, and the one sentence it may die with.
 *
 * Formatted by vsnprintf into a static buffer that leaves by one write(2) after the
 * measurement: no malloc, no stdio stream. Pages of the buffer that no text reaches are never
 * touched, so its size costs no resident memory.
 */
#include "harness/bench_inside.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    char text[1 << 20];
    size_t length;
} out;

void bench_put(const char *format, ...) {
    va_list list;
    va_start(list, format);
    size_t room = sizeof out.text - out.length;
    int wanted = vsnprintf(out.text + out.length, room, format, list);
    va_end(list);
    if (wanted < 0 || (size_t)wanted >= room) bench_usage("reports more than its buffer holds");
    out.length += (size_t)wanted;
}

void bench_put_json_string(const char *text) {
    bench_put("\"");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            bench_put("\\%c", c);
        } else if (c < 0x20) {
            bench_put("\\u%04x", c);
        } else {
            bench_put("%c", c);
        }
    }
    bench_put("\"");
}

static void write_all(int fd, const char *text, size_t length) {
    while (length > 0) {
        ssize_t done = write(fd, text, length);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) _exit(3); /* nobody can be told */
        text += done;
        length -= (size_t)done;
    }
}

void bench_put_out(void) {
    write_all(STDOUT_FILENO, out.text, out.length);
}

/* One sentence: where several threads meet the fault at once, the first one speaks. */
_Noreturn static void die(int status, const char *format, va_list list) {
    static atomic_flag is_dying = ATOMIC_FLAG_INIT;
    while (atomic_flag_test_and_set(&is_dying))
        pause();
    char line[512];
    int length = snprintf(line, sizeof line, "%s: ", bench_record.name);
    vsnprintf(line + length, sizeof line - (size_t)length - 1, format, list);
    size_t end = strlen(line);
    line[end] = '\n';
    write_all(STDERR_FILENO, line, end + 1);
    _exit(status); /* not exit: other threads still run in a heap known to be broken */
}

void bench_fail(const char *format, ...) {
    va_list list;
    va_start(list, format);
    die(1, format, list);
}

void bench_usage(const char *format, ...) {
    va_list list;
    va_start(list, format);
    die(2, format, list);
}
