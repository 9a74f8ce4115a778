/* SPDX-License-Identifier: MIT */
/*
 * sampler.h: a timeline of a process's memory, for the launcher that waits for it anyway.
 *
 * sampler_open before the child is made, sampler_ledger_path for its environment, sampler_begin
 * when it runs; then sampler_tick whenever sampler_due_s says so, and sampler_write at the end.
 * Invariant: taking a sample allocates nothing and the number of samples is bounded: when there
 * is no more room every other one goes, and the interval doubles.
 * Only for runs that nobody times: the kernel holds the map's lock while it walks the pages.
 */
#ifndef HARNESS_SAMPLER_H
#define HARNESS_SAMPLER_H

#include <stdbool.h>
#include <sys/types.h>

bool sampler_open(double interval_ms, bool is_ledger_wanted);
const char *sampler_ledger_path(void); /* NULL without a ledger */
void sampler_begin(pid_t child);
double sampler_due_s(void); /* seconds until the next sample; 0 or less: now */
void sampler_tick(void);
bool sampler_write(const char *path);

#endif
