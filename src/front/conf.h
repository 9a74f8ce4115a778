/* SPDX-License-Identifier: MIT */
/*
 * conf.h: the switches that this build has, and whether the environment asks for others.
 *
 * The core's own stand in conf.c, those of modules in the modules (contract/counters.h).
 */
#ifndef HAK_FRONT_CONF_H
#define HAK_FRONT_CONF_H

#include "src/contract/counters.h"

/* Every switch, the core's first. */
void hak_conf_visit(void (*visit)(void *arg, const struct hak_switch *named), void *arg);

/* At start: says in one line on stderr of each switch that it is unknown, or has a value that is
 * not valid, with those that are; both are without effect. With HAKMEM_CONFIRM_CONF says what each
 * switch is set to; with HAKMEM_ABORT_CONF ends the process where something was wrong. */
void hak_conf_check(void);

#endif
