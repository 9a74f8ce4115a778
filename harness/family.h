/* SPDX-License-Identifier: MIT */
/*
 * family.h: the children of a process, for the launcher; and theirs, for the sampler.
 *
 * Invariant: allocates nothing. Of a family, those that share their maker's memory, as after vfork
 * until the child becomes another program, are not among them: they would count the same pages
 * twice. A process whose parent has ended belongs to somebody else, and is lost; and so are all
 * where the kernel has no `children` in /proc, or does not let kcmp compare.
 */
#ifndef HARNESS_FAMILY_H
#define HARNESS_FAMILY_H

#include <stddef.h>
#include <sys/types.h>

/* Fills `found` with at most so many children of the process: their number. */
size_t children_of(pid_t process, pid_t *found, size_t most);

/* Fills `found` with at most so many descendants of the process: their number. */
size_t family_of(pid_t process, pid_t *found, size_t most);

#endif
