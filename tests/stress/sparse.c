/* SPDX-License-Identifier: MIT */
/*
 * sparse.c own|orphans: 64 MiB of blocks of a few sizes, of which 1 in a slab or so survives; then
 * malloc_trim(0). What is resident afterwards is the pages that survivors lie on, whether their
 * thread lives or has ended; they keep their contents, and the memory serves again.
 */
#include "tests/stress/footprint.h"

#define LIVE_BYTES (64 * MIB)

static const size_t sizes[] = {64, 400, 2000, 8000};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static unsigned char *blocks[LIVE_BYTES / 64];
static size_t size, count;

static void *allocate_all(void *unused) {
    for (size_t i = 0; i < count; i++) {
        blocks[i] = mem.malloc(size);
        require(blocks[i] != NULL, "no memory");
        memset(blocks[i], (int)(i % 251), size);
    }
    return unused;
}

static void free_all_but(size_t gap) {
    for (size_t i = 0; i < count; i++) {
        if (gap != 0 && i % gap == 0) continue;
        require(blocks[i][0] == i % 251 && blocks[i][size - 1] == i % 251, "a block was changed");
        mem.free(blocks[i]);
        blocks[i] = NULL;
    }
}

int main(int argc, char **argv) {
    const bool by_thread = argc > 1 && strcmp(argv[1], "orphans") == 0;
    int (*trim)(size_t) = NULL;
    void *address = dlsym(RTLD_DEFAULT, "malloc_trim");
    memcpy(&trim, &address, sizeof(trim));
    require(trim != NULL, "no malloc_trim");
    refuse_huge_pages();
    memset(blocks, 1, sizeof(blocks)); /* resident before the first measure */
    const size_t before = footprint_bytes();
    for (unsigned round = 0; round < SIZES; round++) {
        size = sizes[round];
        count = LIVE_BYTES / size;
        const size_t gap = 128 * KIB / size;
        if (by_thread) {
            join_thread(start_thread(allocate_all, NULL));
        } else {
            allocate_all(NULL);
        }
        free_all_but(gap);
        (void)trim(0);
        const size_t pages = count / gap * 2 * ((size + 4095) / 4096 * 4096);
        require_footprint_below(before + pages + 6 * MIB, "with sparse survivors");
        for (size_t i = 0; i < count; i += gap) {
            require(blocks[i][0] == i % 251 && blocks[i][size - 1] == i % 251, "a block is lost");
            mem.free(blocks[i]);
        }
        allocate_all(NULL);
        check_at_rest();
        free_all_but(0);
        (void)trim(0);
        require_footprint_below(before + 6 * MIB, "after all was freed");
        check_at_rest();
    }
    return 0;
}
