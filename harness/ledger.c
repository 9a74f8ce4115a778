/* SPDX-License-Identifier: MIT */
/*
 * ledger: libledger.so, preloaded in front of an allocator in the runs that measure memory.
 *
 * It counts the bytes that were requested and not freed, in memory shared with the launcher
 * (ledger.h), and passes every call on to the allocator behind it. Runs that are timed do
 * without it. C++'s operators are here too, since allocators bring their own.
 * Invariant: a size stands in its shadow only while the block is the program's. It is taken out
 * before the block goes back, because from then on another thread may be given the same address.
 * The process that claims the page counts; a forked child does not, whatever made it: what this
 * file knows lies in a page that the kernel wipes in children, who then find the page claimed.
 * A program that the owner executes in its place begins again from nothing.
 * Not seen: calls before libc is up, and what goes to an allocator by names of its own.
 */
#define _GNU_SOURCE
#include "harness/ledger.h"

#include "harness/ledger_behind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT      __attribute__((visibility("default")))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

enum state { UNKNOWN, SILENT, COUNTING }; /* UNKNOWN is what a wiped page says */

struct own {
    enum state state;
    struct ledger *ledger; /* while counting */
};

static struct own *own; /* a page wiped in children; set once, before there are threads */

/* ---- who counts ---- */

/* The program in front of this one in the same process is gone, and its blocks with it. */
static void forget(struct ledger *ledger) {
    char *first = (char *)ledger + LEDGER_PAGE_BYTES;
    madvise(first, LEDGER_FILE_BYTES - LEDGER_PAGE_BYTES, MADV_REMOVE);
    atomic_store(&ledger->page.shadow_count, 0);
    atomic_store(&ledger->page.live_bytes, 0);
    atomic_store(&ledger->page.live_blocks, 0);
    atomic_store(&ledger->page.usable_bytes, 0);
}

static struct ledger *claim(void) {
    const char *path = getenv(LEDGER_VARIABLE);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return NULL;
    void *map =
        mmap(NULL, LEDGER_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    close(fd);
    if (map == MAP_FAILED) return NULL;
    struct ledger *ledger = map;
    int owner = 0;
    if (atomic_compare_exchange_strong(&ledger->page.owner, &owner, (int)getpid())) return ledger;
    if (owner == (int)getpid()) {
        forget(ledger);
        return ledger;
    }
    munmap(map, LEDGER_FILE_BYTES);
    return NULL;
}

static enum state begin_slow(void) {
    if (!environ) return UNKNOWN; /* libc is not up: ask again later */
    int kept = errno;
    if (!own) {
        void *page = mmap(NULL, LEDGER_PAGE_BYTES, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED || madvise(page, LEDGER_PAGE_BYTES, MADV_WIPEONFORK) != 0) abort();
        own = page;
    }
    own->ledger = claim();
    own->state = own->ledger ? COUNTING : SILENT;
    errno = kept;
    return own->state;
}

static bool is_counting(void) {
    enum state state = own ? own->state : UNKNOWN;
    if (UNLIKELY(state == UNKNOWN)) state = begin_slow();
    return state == COUNTING;
}

/* ---- the counts ---- */

static void add(atomic_ullong *count, unsigned long long by) {
    atomic_fetch_add_explicit(count, by, memory_order_relaxed);
}

static unsigned shadow_of(struct ledger *ledger, uintptr_t address, bool is_wanted) {
    atomic_uint *entry = &ledger->directory[address >> LEDGER_REACH_SHIFT];
    unsigned found = atomic_load_explicit(entry, memory_order_relaxed);
    if (found || !is_wanted) return found;
    /* Who loses the race leaves its number unused: a hole in the file, which costs nothing. */
    unsigned fresh =
        1 + atomic_fetch_add_explicit(&ledger->page.shadow_count, 1, memory_order_relaxed);
    if (fresh > LEDGER_SHADOWS) return 0;
    return atomic_compare_exchange_strong(entry, &found, fresh) ? fresh : found;
}

/* Where the size of this block stands, or NULL. */
static atomic_ullong *slot_of(struct ledger *ledger, const void *block, bool is_wanted) {
    uintptr_t address = (uintptr_t)block;
    if (address >> LEDGER_ADDRESS_BITS) return NULL;
    unsigned shadow = shadow_of(ledger, address, is_wanted);
    if (!shadow) return NULL;
    return &ledger->shadows[shadow - 1][(address >> LEDGER_GRANULE_SHIFT) % LEDGER_SLOTS];
}

static void raise_peak(struct ledger_page *page, unsigned long long live) {
    unsigned long long peak = atomic_load_explicit(&page->peak_bytes, memory_order_relaxed);
    while (live > peak && !atomic_compare_exchange_weak(&page->peak_bytes, &peak, live))
        continue;
}

static unsigned long long peak_units(unsigned long long bytes) {
    unsigned long long units = bytes / LEDGER_PEAK_UNIT + (bytes % LEDGER_PEAK_UNIT != 0);
    return units < UINT32_MAX ? units : UINT32_MAX;
}

/* Sampled, the two would be of different moments: the sampler may wait for a processor between. */
static void raise_peak_pair(struct ledger_page *page, unsigned long long live) {
    unsigned long long units = peak_units(live);
    unsigned long long found = atomic_load_explicit(&page->peak_pair, memory_order_relaxed);
    while (units > found >> 32) {
        unsigned long long usable = atomic_load_explicit(&page->usable_bytes, memory_order_relaxed);
        unsigned long long pair = units << 32 | peak_units(usable);
        if (atomic_compare_exchange_weak(&page->peak_pair, &found, pair)) return;
    }
}

/* The allocator may allocate to answer, as gperftools does for the first one: not for the program.
 */
static __attribute__((tls_model("initial-exec"))) _Thread_local bool is_asking;

/* At least `size`, whatever an allocator says before it has begun; 0 from one that cannot say. */
static unsigned long long usable_of(void *block, size_t size) {
    if (!ledger_behind.malloc_usable_size) return 0;
    is_asking = true;
    size_t bytes = ledger_behind.malloc_usable_size(block);
    is_asking = false;
    return bytes > size ? bytes : size;
}

/* The block is the program's from now on. Twice is once: allocators may call themselves. */
static void *enter(void *block, size_t size) {
    if (!block || is_asking || !is_counting()) return block;
    struct ledger_page *page = &own->ledger->page;
    atomic_ullong *slot = slot_of(own->ledger, block, true);
    if (!slot) {
        add(&page->strangers, 1);
        return block;
    }
    unsigned long long before = atomic_exchange(slot, size + 1ull);
    unsigned long long grown = size - (before ? before - 1 : 0); /* wraps, and so does the sum */
    unsigned long long live =
        grown + atomic_fetch_add_explicit(&page->live_bytes, grown, memory_order_relaxed);
    if (!before) {
        add(&page->live_blocks, 1);
        add(&page->entered, 1);
        add(&page->usable_bytes, usable_of(block, size));
    }
    raise_peak(page, live);
    raise_peak_pair(page, live);
    return block;
}

/* A block on its way out of the shadows, and still in the sums. */
struct leaving {
    unsigned long long entry; /* 1 + size, or 0 for a block never entered */
    unsigned long long usable;
};

/* Before the block goes back. */
static struct leaving take(void *block) {
    if (!block || is_asking || !is_counting()) return (struct leaving){0};
    atomic_ullong *slot = slot_of(own->ledger, block, false);
    unsigned long long entry = slot ? atomic_exchange(slot, 0) : 0;
    return (struct leaving){entry, entry ? usable_of(block, entry - 1) : 0};
}

static void strike(struct leaving block) {
    if (!block.entry) return;
    struct ledger_page *page = &own->ledger->page;
    add(&page->live_bytes, 1 - block.entry);
    add(&page->live_blocks, -1ull);
    add(&page->usable_bytes, -block.usable);
}

static void leave(void *block) {
    strike(take(block));
}

/* ---- malloc and its family ---- */

EXPORT void *malloc(size_t size) {
    if (ledger_is_early_call()) return ledger_early_alloc(size);
    return enter(ledger_behind.malloc(size), size);
}

EXPORT void free(void *block) {
    if (ledger_is_early(block) || ledger_is_early_call()) return;
    leave(block);
    ledger_behind.free(block);
}

/* C23's; where the allocator has none, the program sees these, and they are free. */
EXPORT void free_sized(void *block, size_t size);
EXPORT void free_sized(void *block, size_t size) {
    if (ledger_is_early(block) || ledger_is_early_call() || !ledger_behind.free_sized) {
        free(block);
        return;
    }
    leave(block);
    ledger_behind.free_sized(block, size);
}

EXPORT void free_aligned_sized(void *block, size_t align, size_t size);
EXPORT void free_aligned_sized(void *block, size_t align, size_t size) {
    if (ledger_is_early(block) || ledger_is_early_call() || !ledger_behind.free_aligned_sized) {
        free(block);
        return;
    }
    leave(block);
    ledger_behind.free_aligned_sized(block, align, size);
}

EXPORT void *calloc(size_t count, size_t size) {
    size_t bytes = 0;
    bool is_too_large = __builtin_mul_overflow(count, size, &bytes);
    if (ledger_is_early_call())
        return is_too_large ? NULL : ledger_early_alloc(bytes); /* zero, used once */
    return enter(ledger_behind.calloc(count, size), bytes);
}

static void *leave_early(void *block, size_t size) {
    size_t most = (size_t)(ledger_behind.early + EARLY_BYTES - (char *)block);
    void *fresh = malloc(size);
    return fresh ? memcpy(fresh, block, size < most ? size : most) : NULL;
}

EXPORT void *realloc(void *block, size_t size) {
    if (ledger_is_early_call()) return block ? NULL : ledger_early_alloc(size);
    if (UNLIKELY(block && ledger_is_early(block))) return leave_early(block, size);
    /* It stays in the sums meanwhile: copying may take long, and the block lives all the time. */
    struct leaving before = take(block);
    void *fresh = ledger_behind.realloc(block, size);
    if (!fresh && size && before.entry) { /* refused: the block has stayed */
        atomic_store(slot_of(own->ledger, block, true), before.entry);
        return NULL;
    }
    strike(before);
    return enter(fresh, size);
}

EXPORT void *reallocarray(void *block, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(block, bytes);
}

EXPORT void *memalign(size_t align, size_t size);
EXPORT void *memalign(size_t align, size_t size) {
    return ledger_is_early_call() ? NULL : enter(ledger_behind.memalign(align, size), size);
}

EXPORT void *aligned_alloc(size_t align, size_t size) {
    return ledger_is_early_call() ? NULL : enter(ledger_behind.aligned_alloc(align, size), size);
}

EXPORT int posix_memalign(void **block, size_t align, size_t size) {
    if (ledger_is_early_call()) return ENOMEM;
    int error = ledger_behind.posix_memalign(block, align, size);
    if (!error) enter(*block, size);
    return error;
}

EXPORT void *valloc(size_t size) {
    return ledger_is_early_call() ? NULL : enter(ledger_behind.valloc(size), size);
}

EXPORT void *pvalloc(size_t size);
EXPORT void *pvalloc(size_t size) {
    return ledger_is_early_call() ? NULL : enter(ledger_behind.pvalloc(size), size);
}

/*
 * ---- C++ ----
 * By their symbols; a size_t is `m` wherever it is 64 bits. The operators of an allocator that
 * has none are those of libstdc++; where that was loaded out of RTLD_NEXT's sight, malloc and
 * free take their place, as they do in libstdc++.
 */

typedef size_t align_val;

#define NEXT(function, symbol)                                                                     \
    static void *address;                                                                          \
    if (!address) address = ledger_find(symbol);                                                   \
    if (address) memcpy(&function, &address, sizeof address)

#define OPERATOR_NEW(name, symbol, parameters, passed, otherwise)                                  \
    EXPORT void *name parameters __asm__(symbol);                                                  \
    EXPORT void *name parameters {                                                                 \
        void *(*next)parameters = NULL;                                                            \
        NEXT(next, symbol);                                                                        \
        return next ? enter(next passed, size) : (otherwise);                                      \
    }

#define OPERATOR_DELETE(name, symbol, parameters, passed)                                          \
    EXPORT void name parameters __asm__(symbol);                                                   \
    EXPORT void name parameters {                                                                  \
        void(*next) parameters = NULL;                                                             \
        NEXT(next, symbol);                                                                        \
        leave(block);                                                                              \
        if (next) {                                                                                \
            next passed;                                                                           \
        } else {                                                                                   \
            free(block);                                                                           \
        }                                                                                          \
    }

#define NEW_PARAMETERS   (size_t size)
#define NEW_TAGGED       (size_t size, const void *tag) /* std::nothrow */
#define NEW_ALIGNED      (size_t size, align_val align)
#define NEW_ALIGNED_TAG  (size_t size, align_val align, const void *tag)
#define FREE_PARAMETERS  (void *block)
#define FREE_SIZED       (void *block, size_t size)
#define FREE_TAGGED      (void *block, const void *tag)
#define FREE_ALIGNED     (void *block, align_val align)
#define FREE_SIZED_ALIGN (void *block, size_t size, align_val align)
#define FREE_ALIGNED_TAG (void *block, align_val align, const void *tag)

OPERATOR_NEW(op_new, "_Znwm", NEW_PARAMETERS, (size), malloc(size))
OPERATOR_NEW(op_new_list, "_Znam", NEW_PARAMETERS, (size), malloc(size))
OPERATOR_NEW(op_new_tag, "_ZnwmRKSt9nothrow_t", NEW_TAGGED, (size, tag), malloc(size))
OPERATOR_NEW(op_new_list_tag, "_ZnamRKSt9nothrow_t", NEW_TAGGED, (size, tag), malloc(size))
OPERATOR_NEW(op_new_align, "_ZnwmSt11align_val_t", NEW_ALIGNED, (size, align),
             memalign(align, size))
OPERATOR_NEW(op_new_list_align, "_ZnamSt11align_val_t", NEW_ALIGNED, (size, align),
             memalign(align, size))
OPERATOR_NEW(op_new_align_tag, "_ZnwmSt11align_val_tRKSt9nothrow_t", NEW_ALIGNED_TAG,
             (size, align, tag), memalign(align, size))
OPERATOR_NEW(op_new_list_align_tag, "_ZnamSt11align_val_tRKSt9nothrow_t", NEW_ALIGNED_TAG,
             (size, align, tag), memalign(align, size))

OPERATOR_DELETE(op_delete, "_ZdlPv", FREE_PARAMETERS, (block))
OPERATOR_DELETE(op_delete_list, "_ZdaPv", FREE_PARAMETERS, (block))
OPERATOR_DELETE(op_delete_size, "_ZdlPvm", FREE_SIZED, (block, size))
OPERATOR_DELETE(op_delete_list_size, "_ZdaPvm", FREE_SIZED, (block, size))
OPERATOR_DELETE(op_delete_tag, "_ZdlPvRKSt9nothrow_t", FREE_TAGGED, (block, tag))
OPERATOR_DELETE(op_delete_list_tag, "_ZdaPvRKSt9nothrow_t", FREE_TAGGED, (block, tag))
OPERATOR_DELETE(op_delete_align, "_ZdlPvSt11align_val_t", FREE_ALIGNED, (block, align))
OPERATOR_DELETE(op_delete_list_align, "_ZdaPvSt11align_val_t", FREE_ALIGNED, (block, align))
OPERATOR_DELETE(op_delete_size_align, "_ZdlPvmSt11align_val_t", FREE_SIZED_ALIGN,
                (block, size, align))
OPERATOR_DELETE(op_delete_list_size_align, "_ZdaPvmSt11align_val_t", FREE_SIZED_ALIGN,
                (block, size, align))
OPERATOR_DELETE(op_delete_align_tag, "_ZdlPvSt11align_val_tRKSt9nothrow_t", FREE_ALIGNED_TAG,
                (block, align, tag))
OPERATOR_DELETE(op_delete_list_align_tag, "_ZdaPvSt11align_val_tRKSt9nothrow_t", FREE_ALIGNED_TAG,
                (block, align, tag))
