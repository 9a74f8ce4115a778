/* SPDX-License-Identifier: MIT */
/*
 * exit.c: what the process says at its end, if the environment asks for it: statistics, what the
 * refill module has to say, the audit. The audit is meaningful when no thread allocates any more.
 */
#include "include/hakmem.h"
#include "src/contract/slots.h"
#include "src/front/options.h"
#include "src/front/report.h"
#include "src/front/text.h"

static void add_counter(void *arg, const struct hak_counter *counter) {
    struct hak_text *text = arg;
    hak_text_add(text, " ");
    hak_text_add(text, counter->name);
    hak_text_add(text, "=");
    hak_text_add_decimal(text, counter->value);
}

static void print_verdict(void) {
    const char *verdict = hak_refill_verdict();
    if (verdict == NULL) return;
    struct hak_text text = {.length = 0};
    hak_text_add(&text, verdict);
    hak_refill_counters(add_counter, &text);
    hak_text_print_line(&text);
}

__attribute__((destructor)) static void at_exit(void) {
    if (hak_options.stats) hak_report_print();
    print_verdict();
    if (!hak_options.audit) return;
    struct hak_text text = {.length = 0};
    hak_text_add(&text, hak_check() ? "[AUDIT_OK]" : "[AUDIT_FAIL] see the lines above");
    hak_text_print_line(&text);
}
