/* SPDX-License-Identifier: MIT */
/*
 * launch: starts one program under controlled conditions and says what it used.
 *
 *   launch [--cpu N] [--timeout SEC] [--env-pad N] [--preload LIB]... [--stdout FILE]
 *          [--stderr FILE] [--sample-ms N --sample-out FILE [--ledger]] -- PROGRAM ARGS...
 *
 * The Python runner does not fork its children itself, because ru_maxrss starts at the size
 * of the process that forked: children of a 200 MB parent all report 200 MB. This program is
 * small (static where possible), so the floor it sets lies below any dynamic program.
 * LD_PRELOAD is replaced in the child and nowhere else: without --preload it is unset.
 * The child leads its own process group; on a time-out the group is killed, and what is left
 * of it at the end, or of processes that left the group, is killed and buried before this ends:
 * what only dies yet would run beside the next measurement. A guard, a second process that sleeps
 * meanwhile, kills the group should this one be killed itself.
 * With --sample-ms a timeline of the program's memory goes to a file (sampler.h); --ledger adds
 * the bytes it holds, if libledger is among the preloads. Such a run is not for timing.
 * One JSON line on stdout; status 0 when the program ran, whatever its end; 2 bad usage,
 * 127 the program could not be started, 128 + n ended by signal n.
 */
#define _GNU_SOURCE
#include "harness/family.h"
#include "harness/ledger.h"
#include "harness/sampler.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PAD = 65536, MAX_PRELOAD = 8192, BURY_S = 5 };

static struct {
    int cpu;          /* -1: leave the affinity */
    double timeout_s; /* 0: wait for ever */
    size_t pad_bytes;
    char preload[MAX_PRELOAD];
    const char *stdout_path, *stderr_path;
    double sample_ms; /* 0: no timeline */
    const char *sample_path;
    bool is_ledger_wanted;
    char **command;
} plan = {.cpu = -1};

struct outcome {
    int status;
    bool is_timeout;
    int interrupted_by; /* a signal to the launcher, or 0 */
    double wall_s;
    struct rusage usage;
};

_Noreturn static void refuse(int status, const char *what, const char *detail) {
    fprintf(stderr, "launch: %s%s\n", what, detail);
    exit(status);
}

static double parse_number(const char *option, const char *text, double max) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value < 0.0 || value > max) {
        refuse(2, "this is no sensible value for ", option);
    }
    return value;
}

static void add_preload(const char *path) {
    size_t used = strlen(plan.preload);
    int wanted =
        snprintf(plan.preload + used, sizeof plan.preload - used, "%s%s", used ? ":" : "", path);
    if (wanted < 0 || (size_t)wanted >= sizeof plan.preload - used) {
        refuse(2, "too many preloads, at ", path);
    }
}

static void parse(int argc, char **argv) {
    static const struct option options[] = {
        {"cpu", required_argument, NULL, 'c'},       {"timeout", required_argument, NULL, 't'},
        {"env-pad", required_argument, NULL, 'p'},   {"preload", required_argument, NULL, 'l'},
        {"stdout", required_argument, NULL, 'o'},    {"stderr", required_argument, NULL, 'e'},
        {"sample-ms", required_argument, NULL, 's'}, {"sample-out", required_argument, NULL, 'f'},
        {"ledger", no_argument, NULL, 'g'},          {NULL, 0, NULL, 0},
    };
    int found;
    while ((found = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        switch (found) {
        case 'c':
            plan.cpu = (int)parse_number("--cpu", optarg, CPU_SETSIZE - 1);
            break;
        case 't':
            plan.timeout_s = parse_number("--timeout", optarg, 1e6);
            break;
        case 'p':
            plan.pad_bytes = (size_t)parse_number("--env-pad", optarg, MAX_PAD);
            break;
        case 'l':
            add_preload(optarg);
            break;
        case 'o':
            plan.stdout_path = optarg;
            break;
        case 'e':
            plan.stderr_path = optarg;
            break;
        case 's':
            plan.sample_ms = parse_number("--sample-ms", optarg, 1e6);
            break;
        case 'f':
            plan.sample_path = optarg;
            break;
        case 'g':
            plan.is_ledger_wanted = true;
            break;
        default:
            refuse(2, "usage is in the head of harness/launch.c", "");
        }
    }
    if (optind >= argc) refuse(2, "no program given after --", "");
    if ((plan.sample_ms > 0.0) != (plan.sample_path != NULL) ||
        (plan.is_ledger_wanted && !plan.sample_path)) {
        refuse(2, "--sample-ms and --sample-out belong together, and --ledger to them", "");
    }
    plan.command = argv + optind;
}

/* ---- the child, between fork and exec ---- */

/* Tells the launcher why there will be no program, through the pipe that exec would close. */
_Noreturn static void give_up(int report_fd) {
    int error = errno;
    ssize_t ignored = write(report_fd, &error, sizeof error);
    (void)ignored;
    _exit(127);
}

static void redirect(const char *path, int target, int flags, int report_fd) {
    if (!path) return;
    int fd = open(path, flags | O_CLOEXEC, 0666);
    if (fd < 0 || dup2(fd, target) < 0) give_up(report_fd);
}

static void set_environment(int report_fd) {
    static char pad[MAX_PAD + 1];
    bool is_bad = unsetenv("LD_PRELOAD") != 0;
    if (plan.preload[0]) is_bad |= setenv("LD_PRELOAD", plan.preload, 1) != 0;
    is_bad |= unsetenv(LEDGER_VARIABLE) != 0;
    const char *ledger = sampler_ledger_path();
    if (ledger) is_bad |= setenv(LEDGER_VARIABLE, ledger, 1) != 0;
    if (plan.pad_bytes) {
        memset(pad, 'x', plan.pad_bytes);
        is_bad |= setenv("HAK_ENV_PAD", pad, 1) != 0;
    }
    if (is_bad) give_up(report_fd);
}

_Noreturn static void run_child(int report_fd, const sigset_t *mask) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* the launcher itself may be killed */
    if (plan.cpu >= 0) {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        CPU_SET((size_t)plan.cpu, &cpus);
        if (sched_setaffinity(0, sizeof cpus, &cpus) != 0) give_up(report_fd);
    }
    redirect("/dev/null", STDIN_FILENO, O_RDONLY, report_fd);
    redirect(plan.stdout_path, STDOUT_FILENO, O_WRONLY | O_CREAT | O_TRUNC, report_fd);
    redirect(plan.stderr_path, STDERR_FILENO, O_WRONLY | O_CREAT | O_TRUNC, report_fd);
    set_environment(report_fd);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(plan.command[0], plan.command);
    give_up(report_fd);
}

/* ---- the guard, between fork and its end ---- */

/* A pipe ends when its writers do: so the guard learns of a launcher that had no time to say. */
_Noreturn static void keep_guard(int from_launcher) {
    pid_t child = 0;
    char is_done;
    setpgid(0, 0); /* what is sent to the launcher's group is not for this one */
    ssize_t got = read(from_launcher, &child, sizeof child);
    if (got == (ssize_t)sizeof child && read(from_launcher, &is_done, 1) == 0) {
        kill(-child, SIGKILL);
    }
    _exit(0);
}

/* The end of the pipe to write to: first the child, and when that has gone, a byte. */
static int start_guard(void) {
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) != 0) refuse(127, "cannot make a pipe", "");
    pid_t guard = fork();
    if (guard < 0) refuse(127, "cannot fork", "");
    if (guard == 0) {
        close(pipe_ends[1]);
        keep_guard(pipe_ends[0]);
    }
    close(pipe_ends[0]);
    return pipe_ends[1];
}

static void tell_guard(int guard_fd, const void *data, size_t bytes) {
    ssize_t ignored = write(guard_fd, data, bytes);
    (void)ignored;
}

/* ---- the launcher ---- */

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool has_ended(pid_t child) {
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

static struct timespec span_of(double seconds) {
    double whole = floor(seconds);
    return (struct timespec){(time_t)whole, (long)((seconds - whole) * 1e9)};
}

/* Waits for a signal for so long, and takes samples meanwhile: the signal, or less than 0. */
static int wait_for_signal(const sigset_t *signals, double left) {
    double end = seconds_now() + left;
    while (plan.sample_path) {
        double due = sampler_due_s();
        if (due > left) break;
        struct timespec span = span_of(due > 0.0 ? due : 0.0);
        int got = sigtimedwait(signals, NULL, &span);
        if (got >= 0 || errno != EAGAIN) return got;
        sampler_tick();
        left = end - seconds_now();
    }
    struct timespec span = span_of(left > 0.0 ? left : 0.0);
    return sigtimedwait(signals, NULL, &span);
}

/* Returns when the child is dead, by itself or by us; it is not reaped yet, so its pid is. */
static void wait_for_end(pid_t child, const sigset_t *signals, double begin, struct outcome *end) {
    while (!has_ended(child)) {
        double left = plan.timeout_s > 0.0 ? begin + plan.timeout_s - seconds_now() : 1e6;
        int got = 0;
        if (left > 0.0) {
            got = wait_for_signal(signals, left);
            if (got == SIGCHLD || (got < 0 && errno == EINTR)) continue;
            if (got > 0) end->interrupted_by = got;
            if (got < 0 && plan.timeout_s <= 0.0) continue;
        }
        if (got <= 0) end->is_timeout = true;
        kill(-child, SIGKILL);
        kill(child, SIGKILL); /* should it have left its group */
        siginfo_t info;
        while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
            continue;
    }
    end->wall_s = seconds_now() - begin;
}

/* Those that the kernel lists; without its list (CONFIG_PROC_CHILDREN), none. What does not fit
 * waits for the next round. */
static void kill_children(void) {
    pid_t found[64];
    size_t count = children_of(getpid(), found, sizeof found / sizeof *found);
    for (size_t i = 0; i < count; i++)
        kill(found[i], SIGKILL);
}

/*
 * The child is dead and its group killed. Its descendants became children of this process
 * (PR_SET_CHILD_SUBREAPER) as their parents died: each is killed and waited for, in rounds, since
 * the death of one may bring more. What a device holds may outlast the patience.
 */
static void bury_rest(pid_t child, const sigset_t *signals) {
    double end = seconds_now() + BURY_S;
    struct timespec moment = {0, 10 * 1000 * 1000};
    do {
        kill(-child, SIGKILL);
        kill_children();
        pid_t gone;
        while ((gone = waitpid(-1, NULL, WNOHANG)) > 0)
            continue;
        if (gone < 0 && errno == ECHILD) return;
        sigtimedwait(signals, NULL, &moment);
    } while (seconds_now() < end);
}

static void check_started(int report_fd) {
    int error;
    if (read(report_fd, &error, sizeof error) != (ssize_t)sizeof error) return;
    fprintf(stderr, "launch: cannot start %s: %s\n", plan.command[0], strerror(error));
    exit(127);
}

static struct outcome run_program(void) {
    struct outcome end = {.status = 0};
    int report[2];
    sigset_t signals, before;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, &before);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int guard_fd = start_guard();
    if (plan.sample_path && !sampler_open(plan.sample_ms, plan.is_ledger_wanted)) {
        refuse(127, "cannot make room for the samples", "");
    }
    if (pipe2(report, O_CLOEXEC) != 0) refuse(127, "cannot make a pipe", "");
    double begin = seconds_now();
    pid_t child = fork();
    if (child < 0) refuse(127, "cannot fork", "");
    if (child == 0) run_child(report[1], &before);
    setpgid(child, child);    /* both sides do it: whichever comes first */
    signal(SIGPIPE, SIG_IGN); /* of a guard that was killed; the child has what it inherited */
    tell_guard(guard_fd, &child, sizeof child);
    close(report[1]);
    check_started(report[0]);
    if (plan.sample_path) sampler_begin(child);
    wait_for_end(child, &signals, begin, &end);
    kill(-child, SIGKILL);
    while (wait4(child, &end.status, 0, &end.usage) < 0 && errno == EINTR)
        continue;
    tell_guard(guard_fd, "", 1);
    bury_rest(child, &signals);
    return end;
}

static double seconds_of(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/*
 * hwm_kib is ru_maxrss. VmHWM cannot be read any more when the child is a zombie, since its
 * memory map has gone; to stop it before that takes ptrace (PTRACE_O_TRACEEXIT), which makes
 * the end of each of its threads a stop and so disturbs the very thing larson measures.
 * ru_maxrss is honest here because this process is small, with two limits: the largest of the
 * child and of the children it waited for counts, not their sum; and kernels since 6.2 fold in
 * per-CPU counters that may lag by some 32 pages a CPU (168 KiB too low was seen on two). For
 * differences below a megabyte use what the workload reports of itself.
 */
static void print_outcome(const struct outcome *end) {
    const struct rusage *usage = &end->usage;
    char exit_text[16] = "null";
    char signal_text[16] = "null";
    if (WIFEXITED(end->status)) {
        snprintf(exit_text, sizeof exit_text, "%d", WEXITSTATUS(end->status));
    } else if (WIFSIGNALED(end->status)) {
        snprintf(signal_text, sizeof signal_text, "%d", WTERMSIG(end->status));
    }
    printf("{\"exit\":%s,\"signal\":%s,\"timeout\":%s,\"wall_s\":%.6f,\"user_s\":%.6f,"
           "\"sys_s\":%.6f,\"maxrss_kib\":%ld,\"hwm_kib\":%ld,\"minflt\":%ld,\"majflt\":%ld,"
           "\"nvcsw\":%ld,\"nivcsw\":%ld}\n",
           exit_text, signal_text, end->is_timeout ? "true" : "false", end->wall_s,
           seconds_of(usage->ru_utime), seconds_of(usage->ru_stime), usage->ru_maxrss,
           usage->ru_maxrss, usage->ru_minflt, usage->ru_majflt, usage->ru_nvcsw, usage->ru_nivcsw);
}

/* Who started this may be killed: then what it measures ends too, with its group. */
static void end_with_parent(void) {
    pid_t parent = getppid();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) exit(128 + SIGTERM);
}

int main(int argc, char **argv) {
    end_with_parent();
    parse(argc, argv);
    struct outcome end = run_program();
    if (plan.sample_path && !sampler_write(plan.sample_path)) {
        refuse(127, "cannot write the samples to ", plan.sample_path);
    }
    if (end.interrupted_by) return 128 + end.interrupted_by;
    print_outcome(&end);
    return 0;
}
