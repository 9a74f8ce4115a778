/* SPDX-License-Identifier: MIT */
/*
 * misuse.c: see misuse.h. The sentences are part of the interface: tests compare them.
 */
#include "src/front/misuse.h"

#include "src/contract/slots.h"
#include "src/front/foreign.h"
#include "src/front/options.h"
#include "src/front/text.h"
#include "src/os/os.h"

#include <string.h>

/* The end of every report. */
static void end_with(struct hak_text *text) {
    hak_text_print_line(text);
    hak_os_abort();
}

static void report(const char *verb, const void *block, const char *what) {
    if (hak_options.ignore_misuse) return;
    struct hak_text text = {.length = 0};
    hak_text_add(&text, "hakmem: ");
    hak_text_add(&text, verb);
    hak_text_add(&text, "(");
    hak_text_add_hex(&text, (uintptr_t)block);
    hak_text_add(&text, "): ");
    hak_text_add(&text, what);
    end_with(&text);
}

void hak_misuse_inside(const char *verb, const void *block) {
    report(verb, block, "points inside a block");
}

void hak_misuse_double(const void *block) {
    report("free", block, "double free");
}

void hak_misuse_freed(const char *verb, const void *block) {
    report(verb, block, strcmp(verb, "free") == 0 ? "double free" : "used after free");
}

void hak_misuse_unknown(const char *verb, const void *block) {
    const struct hak_span *span = hak_large_find_around(block);
    if (span != NULL && span->base == (const char *)block) {
        hak_misuse_freed(verb, block); /* kept by a tier */
    } else if (span != NULL) {
        hak_misuse_inside(verb, block);
    } else {
        report(verb, block,
               hak_foreign_is_expected()
                   ? "not a block of this allocator; a library was opened with RTLD_DEEPBIND"
                   : "not a block of this allocator");
    }
}

static void report_overwritten(const struct hak_heap *heap, const void *block) {
    if (hak_options.ignore_misuse) return;
    struct hak_text text = {.length = 0};
    hak_text_add(&text, "hakmem: a block of ");
    hak_text_add_decimal(&text, hak_sizeclass_stride(heap->overwritten_cls));
    hak_text_add(&text, " bytes was overwritten while it was free");
    if (block != heap) {
        hak_text_add(&text, ": ");
        hak_text_add_hex(&text, (uintptr_t)block);
    }
    end_with(&text);
}

void hak_misuse_noted(struct hak_tcache *tc) {
    void *block = tc->heap.misused;
    tc->heap.misused = NULL;
    if (tc->heap.verdict == HAK_FREE_OVERWRITTEN) {
        report_overwritten(&tc->heap, block);
    } else if (tc->heap.verdict == HAK_FREE_INSIDE) {
        hak_misuse_inside("free", block);
    } else {
        hak_misuse_double(block);
    }
}
