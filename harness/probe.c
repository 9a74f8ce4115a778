/* SPDX-License-Identifier: MIT */
/*
 * probe: libprobe.so, preloaded next to an allocator in a separate run that is not timed.
 *
 * When the process ends it appends one JSON line to the file named by HAK_PROBE_OUT: in which
 * shared objects malloc, free, calloc and realloc were found, and what libc's own malloc has
 * given out. Under an allocator that serves everything, libc's numbers are all 0: this proves
 * that no call slipped past it. libc_* are null where libc has no mallinfo2 (before 2.33).
 * Processes that end by _exit are seen when they call the exported one; a child between vfork
 * and exec is not, since it runs in its parent's memory. Nothing is reported for a process
 * that is killed, or that libc ends by itself (abort).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
    pid_t start_pid; /* of the process that loaded this, not of its forks */
    pid_t told_pid;  /* has written its line */
    size_t length;
    char line[16384]; /* not on the stack: the end of a thread's may be near */
} probe;

__attribute__((format(printf, 1, 2))) static void put(const char *format, ...) {
    va_list list;
    va_start(list, format);
    size_t room = sizeof probe.line - probe.length;
    int wanted = vsnprintf(probe.line + probe.length, room, format, list);
    va_end(list);
    if (wanted > 0) probe.length += (size_t)wanted < room ? (size_t)wanted : room - 1;
}

static void put_string(const char *key, const char *text) {
    put(",\"%s\":\"", key);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            put("\\%c", c);
        } else if (c < 0x20) {
            put("\\u%04x", c);
        } else {
            put("%c", c);
        }
    }
    put("\"");
}

/*
 * A program that is not PIE and takes the address of malloc has a PLT entry of its own as that
 * address: a symbol with a value, but defined nowhere in it. The calls go on to the next object
 * in the order of search: this one must be preloaded in front of the allocator.
 */
static void put_object(const char *key, const char *function) {
    Dl_info info;
    const ElfW(Sym) *symbol = NULL;
    const void *address = dlsym(RTLD_DEFAULT, function);
    if (address && dladdr1(address, &info, (void **)&symbol, RTLD_DL_SYMENT) != 0 && symbol &&
        symbol->st_shndx == SHN_UNDEF) {
        address = dlsym(RTLD_NEXT, function);
    }
    bool is_known = address && dladdr(address, &info) != 0 && info.dli_fname;
    put_string(key, is_known ? info.dli_fname : "unknown");
}

static void put_exe(void) {
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    put_string("exe", path);
}

/* libc's own, even where the allocator defines a mallinfo2 of its own. */
static void put_libc_numbers(void) {
    struct mallinfo2 (*own_mallinfo2)(void) = NULL;
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    void *address = libc ? dlsym(libc, "mallinfo2") : NULL;
    if (!address) {
        put(",\"libc_arena_bytes\":null,\"libc_mmap_bytes\":null,\"libc_live_bytes\":null");
        return;
    }
    memcpy(&own_mallinfo2, &address, sizeof address); /* ISO C has no cast for it */
    struct mallinfo2 info = own_mallinfo2();
    put(",\"libc_arena_bytes\":%zu,\"libc_mmap_bytes\":%zu,\"libc_live_bytes\":%zu", info.arena,
        info.hblkhd, info.uordblks + info.hblkhd);
}

static void append_line(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) return;
    ssize_t ignored = write(fd, probe.line, probe.length); /* one write: lines do not mix */
    (void)ignored;
    close(fd);
}

static void tell(void) {
    const char *path = getenv("HAK_PROBE_OUT");
    if (!path || !*path || probe.told_pid == getpid()) return;
    probe.told_pid = getpid();
    probe.length = 0;
    put("{\"pid\":%ld", (long)getpid());
    put_exe();
    put_object("malloc_object", "malloc");
    put_object("free_object", "free");
    put_object("calloc_object", "calloc");
    put_object("realloc_object", "realloc");
    put_libc_numbers();
    put("}\n");
    append_line(path);
}

__attribute__((constructor)) static void begin(void) {
    probe.start_pid = getpid();
}

__attribute__((destructor)) static void end(void) {
    tell();
}

/* In front of libc's. A forked or vforked child passes straight on: its memory may be shared. */
__attribute__((visibility("default"))) void _exit(int status) {
    if (probe.start_pid == getpid()) tell();
    for (;;)
        syscall(SYS_exit_group, status);
}
