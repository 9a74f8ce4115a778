/* SPDX-License-Identifier: MIT */
/*
 * family.c: reads /proc/PID/task/TID/children, see family.h. Called by the sampler, each time, and
 * by the launcher at its end.
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

/* The file is numbers with a space behind each. */
static size_t children_of_thread(pid_t parent, const char *thread, pid_t *found, size_t most) {
    char path[64 + sizeof((struct dirent64 *)0)->d_name], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/task/%s/children", (long)parent, thread);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    pid_t child = 0;
    size_t count = 0;
    for (ssize_t length; (length = read(fd, text, sizeof text)) > 0;) {
        for (ssize_t i = 0; i < length; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                child = child * 10 + (text[i] - '0');
            } else if (child) {
                if (count < most) found[count++] = child;
                child = 0;
            }
        }
    }
    close(fd);
    return count;
}

size_t children_of(pid_t parent, pid_t *found, size_t most) {
    char path[64];
    _Alignas(struct dirent64) char entries[2048];
    snprintf(path, sizeof path, "/proc/%ld/task", (long)parent);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return 0;
    size_t count = 0;
    for (ssize_t length; (length = getdents64(fd, entries, sizeof entries)) > 0;) {
        for (ssize_t at = 0; at < length;) {
            const struct dirent64 *entry = (const void *)(entries + at);
            at += entry->d_reclen;
            if (entry->d_name[0] == '.') continue;
            count += children_of_thread(parent, entry->d_name, found + count, most - count);
        }
    }
    close(fd);
    return count;
}

/* Adds the children of a process to those found, but for those in its own memory. */
static size_t add_apart(pid_t parent, pid_t *found, size_t count, size_t most) {
    size_t end = count + children_of(parent, found + count, most - count);
    for (size_t i = count; i < end; i++) {
        /* 1 and 2 say how they differ; less than 0: who knows. */
        bool is_apart = syscall(SYS_kcmp, parent, found[i], KCMP_VM, 0, 0) > 0;
        if (is_apart) found[count++] = found[i];
    }
    return count;
}

size_t family_of(pid_t process, pid_t *found, size_t most) {
    size_t count = add_apart(process, found, 0, most);
    for (size_t i = 0; i < count; i++)
        count = add_apart(found[i], found, count, most);
    return count;
}
