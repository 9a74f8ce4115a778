/* SPDX-License-Identifier: MIT */
/*
 * mmap_fails_nth.c mmap|mremap|munmap|mprotect|madvise [SEED]: this program's own definitions of
 * these calls stand before libc's, so that the allocator's calls come here. One kind is made to
 * fail with ENOMEM (as at a limit of memory or of mappings): the k-th call, for each k up to 25;
 * then a stretch of 1 to 50 calls from the k-th on; last, all of them. Meanwhile blocks of every
 * tier are allocated, zeroed, aligned, resized and freed, and what is free is trimmed away.
 * A failing mremap that moves to a place leaves the move half done, as kernels do, and this program
 * maps pages of its own where nothing is then: they must stay as they are.
 * An allocation may be refused, with ENOMEM, only when a call was made to fail meanwhile, and only
 * where that call makes memory: one that moves, releases or advises has another way out. A refused
 * realloc leaves the block as it was; no block loses what was written to it; and when the calls
 * work again, so does everything.
 */
#include "tests/stress/stress.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#define SLOTS 64U
#define TURNS 160U
#define NTHS  25U
#define STEP  (16 * KIB)
/* What may be lost: the places of moves that failed, and what is kept. */
#define ADDRESS_SPACE_MOST (32 * MIB)

enum kind { MMAP, MREMAP, MUNMAP, MPROTECT, MADVISE, KINDS };
static const char *const kind_names[KINDS] = {"mmap", "mremap", "munmap", "mprotect", "madvise"};

/* Calls of the kind `kind` with a number from `first` to below `end` fail while it is armed. */
static struct {
    enum kind kind;
    bool is_armed;
    unsigned long calls, first, end;
    unsigned long failed; /* since ever */
} fault;

static struct slot {
    unsigned char *block;
    size_t size;
    unsigned char mark;
} slots[SLOTS];
static uint64_t random_state;
static unsigned long refusals, calls_seen[KINDS];
static int (*trim)(size_t);

/* Pages that this program maps where a move that failed has left nothing. */
#define FOREIGN 64U
static char *foreign_pages[FOREIGN];
static unsigned foreign_count;
static bool moves_many;

static bool fails_now(enum kind kind) {
    calls_seen[kind]++;
    if (!fault.is_armed || kind != fault.kind) return false;
    const unsigned long number = ++fault.calls;
    if (number < fault.first || number >= fault.end) return false;
    fault.failed++;
    errno = ENOMEM;
    return true;
}

/* By their names for the linker, since headers may rename mmap to mmap64. */
void *here_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset) __asm__("mmap");
void *here_mmap64(void *at, size_t bytes, int prot, int flags, int fd,
                  off_t offset) __asm__("mmap64");
void *here_mremap(void *at, size_t bytes, size_t new_bytes, int flags,
                  void *fixed) __asm__("mremap");
int here_munmap(void *at, size_t bytes) __asm__("munmap");
int here_mprotect(void *at, size_t bytes, int prot) __asm__("mprotect");
int here_madvise(void *at, size_t bytes, int advice) __asm__("madvise");

void *here_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset) {
    if (fails_now(MMAP)) return MAP_FAILED;
    return (void *)syscall(SYS_mmap, at, bytes, prot, flags, fd, offset);
}

void *here_mmap64(void *at, size_t bytes, int prot, int flags, int fd, off_t offset) {
    return here_mmap(at, bytes, prot, flags, fd, offset);
}

/* Somebody else's page, if nothing is there. */
static void occupy(char *at) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *foreign = (char *)syscall(SYS_mmap, at, page, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0L);
    if (foreign == at && foreign_count < FOREIGN) {
        *foreign = 'F';
        foreign_pages[foreign_count++] = foreign;
    } else if (foreign != MAP_FAILED) {
        (void)syscall(SYS_munmap, foreign, page);
    }
}

/* Kernels from 6.17 on move a range over several of their mappings one by one, and may fail between
 * two of them; and all may have unmapped the place by then. What is unmapped, others map at once.
 */
static void move_half(char *at, size_t bytes, int flags, char *to) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t half = bytes / 2 & ~(page - 1);
    if (moves_many && half > 0) (void)syscall(SYS_mremap, at, half, half, flags, to);
    (void)syscall(SYS_munmap, to + half, bytes - half);
    occupy(to + half);
    occupy(at);
}

static bool is_kernel_that_moves_many(void) {
    struct utsname name;
    unsigned major, minor;
    if (uname(&name) != 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2) return false;
    return major > 6 || (major == 6 && minor >= 17);
}

static void check_foreign_pages(void) {
    for (unsigned i = 0; i < foreign_count; i++) {
        unsigned char resident;
        require(mincore(foreign_pages[i], 1, &resident) == 0, "a page of others was unmapped");
        require(*foreign_pages[i] == 'F', "a page of others was overwritten");
    }
}

/* The fifth argument is variadic in libc; here it is whatever its register holds. */
void *here_mremap(void *at, size_t bytes, size_t new_bytes, int flags, void *fixed) {
    if (fails_now(MREMAP)) {
        if ((flags & MREMAP_FIXED) != 0) move_half(at, bytes, flags, fixed);
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mremap, at, bytes, new_bytes, flags, fixed);
}

int here_munmap(void *at, size_t bytes) {
    return fails_now(MUNMAP) ? -1 : (int)syscall(SYS_munmap, at, bytes);
}

int here_mprotect(void *at, size_t bytes, int prot) {
    return fails_now(MPROTECT) ? -1 : (int)syscall(SYS_mprotect, at, bytes, prot);
}

int here_madvise(void *at, size_t bytes, int advice) {
    return fails_now(MADVISE) ? -1 : (int)syscall(SYS_madvise, at, bytes, advice);
}

/* Sizes about the middle of each tier, the odd ones near an edge, and a very large one at times. */
static size_t random_size(void) {
    static const size_t tops[] = {128,           1024,           8 * KIB,   64 * KIB,
                                  64 * KIB + 64, 100 * KIB,      300 * KIB, 700 * KIB,
                                  MIB + 100,     MIB + 64 * KIB, 2 * MIB,   4 * MIB};
    const uint64_t dice = random_next(&random_state) >> 8;
    if (dice % 128 == 0) return 20 * MIB;
    const size_t top = tops[dice / 128 % (sizeof(tops) / sizeof(tops[0]))];
    return top / 2 + (size_t)((dice >> 20) % (top / 2)) + 1;
}

/* Marks stand at the start of every page's worth of bytes, and in the last byte. */
static void write_marks(const struct slot *slot) {
    for (size_t at = 0; at < slot->size; at += STEP) {
        slot->block[at] = slot->mark;
    }
    slot->block[slot->size - 1] = slot->mark;
}

static void check_marks(const struct slot *slot, size_t common) {
    for (size_t at = 0; at < common; at += STEP) {
        require(slot->block[at] == slot->mark, "a block was overwritten");
    }
    if (common == slot->size) {
        require(slot->block[common - 1] == slot->mark, "a block's end was overwritten");
    }
}

static void check_zeros(const unsigned char *block, size_t size) {
    for (size_t at = 0; at < size; at += at < 16 * KIB ? 1 : 1024) {
        require(block[at] == 0, "calloc gave a byte that is not zero");
    }
}

/* True when the block is there. */
static bool judge(const void *block, unsigned long failed_before) {
    if (block != NULL) return true;
    require(errno == ENOMEM, "a refusal without ENOMEM");
    require(fault.failed > failed_before, "a refusal though nothing was made to fail");
    refusals++;
    return false;
}

static void fill(struct slot *slot) {
    const uint64_t dice = random_next(&random_state) >> 8;
    const unsigned long failed_before = fault.failed;
    const size_t align = (size_t)16 << (dice / 4 % 13);
    slot->size = random_size();
    slot->mark = (unsigned char)(dice % 255 + 1);
    errno = 0;
    if (dice % 4 == 0) {
        slot->block = mem.calloc(1, slot->size);
    } else {
        slot->block = dice % 4 == 1 ? mem.aligned_alloc(align, slot->size) : mem.malloc(slot->size);
    }
    if (!judge(slot->block, failed_before)) return;
    if (dice % 4 == 0) check_zeros(slot->block, slot->size);
    if (dice % 4 == 1) require((uintptr_t)slot->block % align == 0, "not aligned as asked");
    write_marks(slot);
}

static void empty(struct slot *slot) {
    if (slot->block == NULL) return;
    check_marks(slot, slot->size);
    errno = 77;
    mem.free(slot->block);
    require(errno == 77, "free changed errno");
    slot->block = NULL;
}

static void resize(struct slot *slot) {
    const unsigned long failed_before = fault.failed;
    const size_t size = random_next(&random_state) % 2 == 0 ? random_size() : slot->size * 3 / 2;
    const size_t common = size < slot->size ? size : slot->size;
    if (size > 40 * MIB) return;
    errno = 0;
    unsigned char *moved = mem.realloc(slot->block, size);
    if (!judge(moved, failed_before)) {
        check_marks(slot, slot->size);
        return;
    }
    slot->block = moved;
    check_marks(slot, common);
    slot->size = size;
    write_marks(slot);
}

static void take_turns(void) {
    for (unsigned turn = 0; turn < TURNS; turn++) {
        const uint64_t dice = random_next(&random_state) >> 8;
        struct slot *slot = &slots[dice % SLOTS];
        if (slot->block == NULL) {
            fill(slot);
        } else if (dice / SLOTS % 3 == 0) {
            resize(slot);
        } else {
            empty(slot);
        }
    }
}

static void empty_all(void) {
    for (unsigned i = 0; i < SLOTS; i++) {
        empty(&slots[i]);
    }
}

/* Turns under the fault, a recount, as many turns without it, where nothing is refused; then all
 * goes, so that the next turns have to ask the kernel again. */
static void try_fault(unsigned long first, unsigned long count) {
    fault.calls = 0;
    fault.first = first;
    fault.end = first + count;
    fault.is_armed = true;
    take_turns();
    if (trim != NULL) trim(0);
    fault.is_armed = false;
    check_at_rest();
    check_foreign_pages();
    take_turns();
    empty_all();
    if (trim != NULL) trim(0);
}

static void find_trim(void) {
    void *address = dlsym(RTLD_DEFAULT, "malloc_trim");
    if (address != NULL) memcpy((void *)&trim, &address, sizeof(address));
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "mmap";
    const unsigned long seed = argument_or(argc, argv, 2, 1);
    while (fault.kind < KINDS && strcmp(kind_names[fault.kind], name) != 0) {
        fault.kind++;
    }
    require(fault.kind < KINDS, "no such call");
    alarm(HANG_S);
    random_state = random_start(seed, 0);
    find_trim();
    moves_many = is_kernel_that_moves_many();
    const size_t before = statm_bytes(0);
    for (unsigned long k = 1; k <= NTHS; k++) {
        try_fault(k, 1);
        try_fault(k, 1 + k % 50);
    }
    try_fault(1, 1UL << 40);
    check_at_rest();
    require(statm_bytes(0) <= before + ADDRESS_SPACE_MOST, "address space was lost");
    check_foreign_pages();
    printf("mmap_fails_nth: seed %lu, %lu of %lu calls of %s failed, %lu refusals\n", seed,
           fault.failed, calls_seen[fault.kind], name, refusals);
    fflush(stdout);
    require(calls_seen[MMAP] > 0, "the allocator's calls do not come here");
    if (fault.kind == MMAP) require(refusals > 0, "no failure was noticed");
    if (fault.kind != MMAP && fault.kind != MPROTECT) {
        require(refusals == 0, "an allocation was refused though there was memory");
    }
    return 0;
}
