/* SPDX-License-Identifier: MIT */
/*
 * init.c: start of the process.
 */
#include "src/front/init.h"

#include "src/contract/slots.h"
#include "src/front/fork.h"
#include "src/front/options.h"
#include "src/front/purge.h"
#include "src/front/text.h"
#include "src/front/thread.h"
#include "src/os/glibc.h"

static struct {
    struct hak_lock lock;
    _Atomic bool is_done; /* release after all is made; acquire by those who did not make it */
    _Atomic bool has_handlers;
} init = {.lock = HAK_LOCK_INIT(HAK_RANK_INIT)};

static bool make_all(void) {
    hak_sizeclass_init();
    hak_options_init();
    hak_glibc_init();
    if (hak_bind_check() != 0) return false;
    if (!hak_tagmap_init()) return false;
    return hak_spans_init() == 0 && hak_refill_init() == 0 && hak_large_init() == 0;
}

bool hak_init(void) {
    if (hak_likely(atomic_load_explicit(&init.is_done, memory_order_acquire))) return true;
    hak_fork_init();
    hak_lock_take(&init.lock);
    bool done = atomic_load_explicit(&init.is_done, memory_order_relaxed) || make_all();
    atomic_store_explicit(&init.is_done, done, memory_order_release);
    hak_lock_give(&init.lock);
    return done;
}

void hak_init_after_fork(void) {
    hak_lock_reset(&init.lock);
}

void hak_init_handlers(void) {
    if (atomic_exchange(&init.has_handlers, true)) return;
    hak_fork_register();
    if (hak_options.purge_thread) hak_purge_start_thread();
    if (!hak_options.verbose) return;
    struct hak_text text = {.length = 0};
    hak_text_add(&text, hak_bind_info());
    hak_text_print_line(&text);
}

/* At load, if nothing was first: so that the fork handler is there before there are threads. */
__attribute__((constructor)) static void at_load(void) {
    (void)hak_thread_cache();
}
