/* SPDX-License-Identifier: MIT */
/*
 * superslab.h: the entries of the span source that have a file of their own.
 */
#ifndef HAK_SUPERSLAB_SUPERSLAB_H
#define HAK_SUPERSLAB_SUPERSLAB_H

#include "src/contract/span_source.h"

size_t hak_superslab_purge(enum hak_purge how, size_t bytes_max);
bool hak_superslab_check(hak_report_fn report, void *arg);
void hak_superslab_after_fork(bool in_disorder);

#endif
