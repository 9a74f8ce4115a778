/* SPDX-License-Identifier: MIT */
/*
 * family.c: reads /proc/PID/task/TID/children, see family.h. Called by the sampler, each time.
 *
 * A child belongs to the thread that made it, so that all threads must be asked.
 */
#define _GNU_SOURCE
#include "harness/family.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

struct family {
    pid_t *found;
    size_t count, most;
};

static void add(struct family *family, pid_t parent, pid_t child) {
    /* 1 and 2 say how they differ; less than 0: who knows. */
    bool is_apart = syscall(SYS_kcmp, parent, child, KCMP_VM, 0, 0) > 0;
    if (is_apart && family->count < family->most) family->found[family->count++] = child;
}

/* The file is numbers with a space behind each. */
static void add_children_of_thread(struct family *family, pid_t parent, const char *thread) {
    char path[64 + sizeof((struct dirent64 *)0)->d_name], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/task/%s/children", (long)parent, thread);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    pid_t child = 0;
    for (ssize_t length; (length = read(fd, text, sizeof text)) > 0;) {
        for (ssize_t i = 0; i < length; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                child = child * 10 + (text[i] - '0');
            } else if (child) {
                add(family, parent, child);
                child = 0;
            }
        }
    }
    close(fd);
}

static void add_children(struct family *family, pid_t parent) {
    char path[64];
    _Alignas(struct dirent64) char entries[2048];
    snprintf(path, sizeof path, "/proc/%ld/task", (long)parent);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    for (ssize_t length; (length = getdents64(fd, entries, sizeof entries)) > 0;) {
        for (ssize_t at = 0; at < length;) {
            const struct dirent64 *entry = (const void *)(entries + at);
            at += entry->d_reclen;
            if (entry->d_name[0] != '.') add_children_of_thread(family, parent, entry->d_name);
        }
    }
    close(fd);
}

size_t family_of(pid_t process, pid_t *found, size_t most) {
    struct family family = {found, 0, most};
    add_children(&family, process);
    for (size_t i = 0; i < family.count; i++)
        add_children(&family, family.found[i]);
    return family.count;
}
