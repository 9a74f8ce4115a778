/* SPDX-License-Identifier: MIT */
/*
 * text.h: a line of text built on the stack, for messages; nothing here allocates or uses stdio.
 * What does not fit is cut off.
 */
#ifndef HAK_FRONT_TEXT_H
#define HAK_FRONT_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct hak_text {
    size_t length;
    char bytes[480];
};

void hak_text_add(struct hak_text *text, const char *string);
void hak_text_add_bytes(struct hak_text *text, const char *bytes, size_t length);
void hak_text_add_decimal(struct hak_text *text, uint64_t number);
void hak_text_add_hex(struct hak_text *text, uint64_t number); /* with 0x */

/* Ends the line and writes it to stderr in one call. */
void hak_text_print_line(struct hak_text *text);

#endif
