/* SPDX-License-Identifier: MIT */
/*
 * report.h: the statistics as lines of text on stderr, for malloc_stats and HAKMEM_STATS.
 */
#ifndef HAK_FRONT_REPORT_H
#define HAK_FRONT_REPORT_H

void hak_report_print(void);

#endif
