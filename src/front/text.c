/* SPDX-License-Identifier: MIT */
/*
 * text.c: see text.h.
 */
#include "src/front/text.h"

#include "src/base/check.h"
#include "src/os/os.h"

#include <string.h>

void hak_text_add_bytes(struct hak_text *text, const char *bytes, size_t length) {
    while (length-- > 0 && text->length < sizeof text->bytes - 1)
        text->bytes[text->length++] = *bytes++;
}

void hak_text_add(struct hak_text *text, const char *string) {
    hak_text_add_bytes(text, string, strlen(string));
}

static void add_number(struct hak_text *text, uint64_t number, unsigned radix) {
    char digits[24];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do {
        digits[--at] = "0123456789abcdef"[number % radix];
        number /= radix;
    } while (number != 0);
    hak_text_add(text, digits + at);
}

void hak_text_add_decimal(struct hak_text *text, uint64_t number) {
    add_number(text, number, 10);
}

void hak_text_add_hex(struct hak_text *text, uint64_t number) {
    hak_text_add(text, "0x");
    add_number(text, number, 16);
}

void hak_text_print_line(struct hak_text *text) {
    text->bytes[text->length++] = '\n';
    hak_os_write_stderr(text->bytes, text->length);
}

void hak_panic(const char *file, int line, const char *claim) {
    struct hak_text text = {.length = 0};
    hak_text_add(&text, "hakmem: internal error: ");
    hak_text_add(&text, file);
    hak_text_add(&text, ":");
    hak_text_add_decimal(&text, (uint64_t)line);
    hak_text_add(&text, ": ");
    hak_text_add(&text, claim);
    hak_text_print_line(&text);
    hak_os_abort();
}
