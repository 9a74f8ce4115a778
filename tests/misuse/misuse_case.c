/* SPDX-License-Identifier: MIT */
/*
 * misuse_case.c VERB CASE: one mistake of a caller, then an orderly end. Before the mistake it
 * writes the pointer it is going to hand over to stdout; after it, what the call gave back and that
 * errno was kept, then `survived`. misuse.py compares what stands on stdout and stderr with what
 * must.
 */
#include "tests/misuse/cases.h"

void *(*volatile allocate)(size_t size) = malloc;
void *(*volatile resize)(void *block, size_t size) = realloc;
void (*volatile release)(void *block) = free;
size_t (*volatile usable_size)(void *block) = malloc_usable_size;

char static_data[256];
const char *verb;

void say(const char *text) {
    const size_t size = strlen(text);
    if (write(STDOUT_FILENO, text, size) != (ssize_t)size) _exit(3);
}

void announce(const void *pointer) {
    char text[64];
    snprintf(text, sizeof(text), "0x%" PRIxPTR "\n", (uintptr_t)pointer);
    say(text);
}

void misuse(void *pointer) {
    announce(pointer);
    if (strcmp(verb, "realloc") == 0) {
        errno = 0;
        const void *result = resize(pointer, 200);
        say(result == NULL && errno == EINVAL ? "null EINVAL\n" : "something else\n");
    } else if (strcmp(verb, "usable") == 0) {
        say(usable_size(pointer) == 0 ? "zero\n" : "something else\n");
    } else {
        errno = 4321;
        release(pointer);
        say(errno == 4321 ? "errno kept\n" : "errno changed\n");
    }
}

void *allocated(size_t size) {
    void *block = allocate(size);
    if (block == NULL) _exit(4);
    memset(block, 1, size);
    return block;
}

void run_in_thread(void *(*body)(void *), void *argument) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, argument) != 0) _exit(5);
    pthread_join(thread, NULL);
}

void find_area(const void *block, uintptr_t *begin, uintptr_t *end) {
    static char text[256 * 1024];
    const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t held = 0;
    ssize_t got;
    while (fd >= 0 && (got = read(fd, text + held, sizeof(text) - 1 - held)) > 0) {
        held += (size_t)got;
    }
    uintptr_t run_begin = 0, run_end = 0;
    for (char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        line += *line == '\n';
        char *dash = NULL;
        const uintptr_t from = (uintptr_t)strtoull(line, &dash, 16);
        if (dash == NULL || *dash != '-') break;
        const uintptr_t to = (uintptr_t)strtoull(dash + 1, NULL, 16);
        if (from != run_end) {
            if (run_begin <= (uintptr_t)block && (uintptr_t)block < run_end) break;
            run_begin = from;
        }
        run_end = to;
    }
    *begin = run_begin;
    *end = run_end;
}

void *made_up(uintptr_t *words, uintptr_t lead, uintptr_t size) {
    words[0] = lead;
    words[1] = size;
    return words + 2;
}

char *freed[FREED];

void prepare_freed(size_t size) {
    for (size_t i = 0; i < FREED; i++) {
        freed[i] = allocated(size);
    }
    for (size_t i = FREED; i > 0; i--) {
        release(freed[i - 1]);
    }
}

void write_to_freed(size_t size, const void *first_word) {
    prepare_freed(size);
    announce(freed[1]);
    memcpy(freed[1], &first_word, sizeof(first_word));
}

/* After a mistake that was ignored the allocator must still serve. */
static bool still_serves(void) {
    void *blocks[64];
    for (size_t i = 0; i < 64; i++) {
        blocks[i] = allocate(i * i * 20 + 1);
        if (blocks[i] == NULL) return false;
        memset(blocks[i], (int)i, i * i * 20 + 1);
    }
    for (size_t i = 0; i < 64; i++) {
        release(blocks[i]);
    }
    return true;
}

static const struct misuse_case *find_case(const struct misuse_case *cases, const char *name) {
    while (cases->name != NULL && strcmp(cases->name, name) != 0)
        cases++;
    return cases->name == NULL ? NULL : cases;
}

int main(int argc, char **argv) {
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    alarm(600);
    if (argc != 3) return 2;
    verb = argv[1];
    const struct misuse_case *found = find_case(foreign_cases, argv[2]);
    if (found == NULL) found = find_case(block_cases, argv[2]);
    if (found == NULL) return 2;
    found->run();
    if (!still_serves()) return 1;
    say("survived\n");
    return 0;
}
