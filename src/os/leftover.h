/* SPDX-License-Identifier: MIT */
/*
 * leftover.h: mappings that the kernel refused to unmap, since that would have made a hole and a
 * process may have only so many mappings. They are tried again when other memory is unmapped, as
 * that may have freed the way, or when none can be mapped.
 */
#ifndef HAK_OS_LEFTOVER_H
#define HAK_OS_LEFTOVER_H

#include <stdbool.h>
#include <stddef.h>

/* Remembers a mapping that nothing uses any more, on its own first page. */
void hak_leftover_add(void *base, size_t bytes);

/* Tries to unmap up to `most` of them; whether one was. Keeps errno. */
bool hak_leftover_retry(size_t most);

#endif
