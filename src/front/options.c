/* SPDX-License-Identifier: MIT */
/*
 * options.c: reads the environment into one struct.
 *
 * Refill counts, by class over group over global: HAKMEM_TINY_REFILL_COUNT, _HOT (up to 128 B),
 * _MID (the tiny classes above), and _C<bytes> for the class of blocks of so many bytes; each from
 * 1 to 64, further bounded by the bytes that a refill may take and by the bin.
 */
#include "src/front/options.h"

#include "src/base/sizeclass.h"
#include "src/base/tunables.h"
#include "src/contract/purge.h"
#include "src/front/conf.h"
#include "src/front/text.h"
#include "src/os/env.h"
#include "src/os/os.h"

struct hak_options hak_options;

/* A count from 1 to 64, else `fallback`. */
static unsigned count_of(const char *name, unsigned fallback) {
    unsigned count = (unsigned)hak_env_number(name, fallback, HAK_REFILL_BLOCKS_MAX);
    return count >= 1 ? count : fallback;
}

static unsigned class_count(size_t stride, unsigned fallback) {
    struct hak_text name = {.length = 0};
    hak_text_add(&name, "HAKMEM_TINY_REFILL_COUNT_C");
    hak_text_add_decimal(&name, stride);
    return count_of(name.bytes, fallback);
}

/* `has_any`: of all switches; else the names of those of classes need not be made. */
static void read_refill_counts(bool has_any) {
    unsigned global = count_of("HAKMEM_TINY_REFILL_COUNT", HAK_REFILL_BLOCKS_DEFAULT);
    unsigned hot = count_of("HAKMEM_TINY_REFILL_COUNT_HOT", global);
    unsigned mid = count_of("HAKMEM_TINY_REFILL_COUNT_MID", global);
    for (hak_class_t cls = 1; cls < HAK_SLAB_CLASSES; cls++) {
        uint32_t stride = hak_sizeclass_stride(cls);
        unsigned count = HAK_REFILL_BLOCKS_DEFAULT;
        if (has_any && stride <= HAK_TINY_MAX) {
            count = class_count(stride, stride <= HAK_HOT_MAX ? hot : mid);
        }
        uint32_t fit = HAK_REFILL_BYTES_MAX / stride;
        if (count > fit) count = fit;
        hak_options.refill_count[cls] = (uint8_t)(count < 1 ? 1 : count);
    }
}

void hak_options_init(void) {
    hak_conf_check();
    hak_options.verbose = hak_env_is_on("HAKMEM_VERBOSE");
    hak_options.stats = hak_env_is_on("HAKMEM_STATS");
    hak_options.audit = hak_env_is_on("HAKMEM_AUDIT");
    hak_options.purge_thread = hak_env_is_on("HAKMEM_PURGE_THREAD");
    hak_options.deepbind = hak_env_is_on("HAKMEM_DEEPBIND");
    hak_options.ignore_misuse = hak_env_is("HAKMEM_MISUSE", "ignore");
    read_refill_counts(hak_env_look());
    hak_purge_policy_init();
    hak_os_huge_pages_init();
}
