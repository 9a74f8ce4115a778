/* SPDX-License-Identifier: MIT */
/*
 * exit.c: what the process says at its end, if the environment asks for it: statistics, the sum of
 * the refill log, the audit. The audit is meaningful when no thread allocates any more.
 */
#include "include/hakmem.h"
#include "src/contract/slots.h"
#include "src/front/options.h"
#include "src/front/report.h"
#include "src/front/text.h"

static void print_p0_log(void) {
    struct hak_stats stats = {.version = HAK_STATS_VERSION};
    hak_refill_stats(&stats);
    struct hak_text text = {.length = 0};
    hak_text_add(&text, stats.p0_mismatches == 0 ? "[P0_COUNTER_OK]" : "[P0_COUNTER_MISMATCH]");
    hak_text_add(&text, " refills=");
    hak_text_add_decimal(&text, stats.p0_logged);
    hak_text_add(&text, " mismatches=");
    hak_text_add_decimal(&text, stats.p0_mismatches);
    hak_text_print_line(&text);
}

__attribute__((destructor)) static void at_exit(void) {
    if (hak_options.stats) hak_report_print();
    if (hak_options.p0_log) print_p0_log();
    if (!hak_options.audit) return;
    struct hak_text text = {.length = 0};
    hak_text_add(&text, hak_check() ? "[AUDIT_OK]" : "[AUDIT_FAIL] see the lines above");
    hak_text_print_line(&text);
}
