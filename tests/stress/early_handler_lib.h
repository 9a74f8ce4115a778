/* SPDX-License-Identifier: MIT */
/*
 * early_handler_lib.h: how often the library's fork handler has run in this process.
 */
#ifndef HAK_TESTS_EARLY_HANDLER_LIB_H
#define HAK_TESTS_EARLY_HANDLER_LIB_H

extern unsigned early_handler_runs;

#endif
