/* System call filters (libseccomp). Lists, not logic: a call that a role turns out to need is one
 * more word below. */
#include "base/invariant.h"
#include "seam/process.h"
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/socket.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* A name that this architecture or this version of the library does not know is left out: it cannot
 * be called either. */
typedef const char *const *name_list;

/* One name a line would take four screens. */
/* clang-format off */

/* What every role needs: memory, threads, time, waiting, talking on open sockets, reading files. */
static const char *const allowed_always[] = {
    "accept", "accept4", "access", "brk", "clock_getres", "clock_gettime", "clock_nanosleep",
    "close", "close_range", "dup", "dup2", "dup3", "epoll_create", "epoll_create1", "epoll_ctl",
    "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd2", "exit", "exit_group", "faccessat",
    "faccessat2", "fadvise64", "fallocate", "fcntl", "flock", "fstat", "fstatfs", "ftruncate",
    "futex", "futex_time64", "getcpu", "getcwd", "getdents64", "getegid", "geteuid", "getgid",
    "getitimer", "getpeername", "getpgrp", "getpid", "getppid", "getrandom", "getrusage",
    "getsockname", "getsockopt", "gettid", "gettimeofday", "getuid", "inotify_add_watch",
    "inotify_init1", "inotify_rm_watch", "ioctl", "listen", "lseek", "lstat", "madvise",
    "membarrier", "mincore", "mlock", "mmap", "mprotect", "mremap", "msync", "munlock",
    "munmap", "nanosleep", "newfstatat", "open", "openat", "pipe2", "poll", "ppoll", "prctl",
    "pread64", "preadv", "prlimit64", "pselect6", "pwrite64", "read", "readlink", "readlinkat",
    "readv", "recvfrom", "recvmmsg", "recvmsg", "restart_syscall", "rseq", "rt_sigaction",
    "rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "sched_getaffinity",
    "sched_getparam", "sched_getscheduler", "sched_setaffinity", "sched_yield", "select",
    "sendmmsg", "sendmsg", "sendto", "set_robust_list", "set_tid_address", "setsockopt",
    "shutdown", "sigaltstack", "signalfd4", "stat", "statfs", "statx", "sysinfo", "tgkill",
    "time", "timerfd_create", "timerfd_gettime", "timerfd_settime", "umask", "uname", "write",
    "writev", NULL,
};

static const char *const allowed_sockets[] = {
    "bind", "connect", "socket", "socketpair", NULL,
};

static const char *const allowed_file_changes[] = {
    "chmod", "fchmod", "fchmodat", "fdatasync", "fsync", "link", "linkat", "mkdir", "mkdirat",
    "rename", "renameat", "renameat2", "rmdir", "sendfile", "sync_file_range", "syncfs", "unlink",
    "unlinkat", NULL,
};

/* Threads that compile, sign and check zones step behind all others (L7)... */
static const char *const allowed_yielding[] = {"getpriority", "sched_setscheduler", "setpriority",
                                               NULL};
/* ...and those that answer ask for short slices of the core. */
static const char *const allowed_answering[] = {"sched_getattr", "sched_setattr", NULL};

/* Nothing here ever makes these calls: whoever does has taken the process over. */
static const char *const killed[] = {
    "acct", "add_key", "bpf", "chroot", "clock_settime", "delete_module", "execve", "execveat",
    "finit_module", "init_module", "ioperm", "iopl", "kexec_file_load", "kexec_load", "keyctl",
    "mount", "move_mount", "name_to_handle_at", "open_by_handle_at", "perf_event_open",
    "pivot_root", "process_vm_readv", "process_vm_writev", "ptrace", "quotactl", "reboot",
    "request_key", "setdomainname", "setfsgid", "setfsuid", "setgid", "setgroups",
    "sethostname", "setns", "setregid", "setresgid", "setresuid", "setreuid", "settimeofday",
    "setuid", "swapoff", "swapon", "umount2", "unshare", "userfaultfd", NULL,
};
/* clang-format on */

static int rules_add(scmp_filter_ctx filter, uint32_t action, name_list names)
{
    for (; *names; names++) {
        int number = seccomp_syscall_resolve_name(*names);
        if (number == __NR_SCMP_ERROR || number < 0)
            continue;
        int err = seccomp_rule_add(filter, action, number, 0);
        if (err)
            return err;
    }
    return 0;
}

/* clone may make threads, not processes. The flags of clone3 lie in memory, where a filter cannot
 * look: glibc falls back to clone when it seems not to exist. */
static int rules_add_threads(scmp_filter_ctx filter)
{
    int err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                               SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    if (!err)
        err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return err;
}

static int rules_add_profile(scmp_filter_ctx filter, enum process_profile profile)
{
    switch (profile) {
    case PROFILE_DNS: {
        int err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                   SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
        err = err ? err : rules_add(filter, SCMP_ACT_ALLOW, allowed_yielding);
        err = err ? err : rules_add(filter, SCMP_ACT_ALLOW, allowed_answering);
        return err ? err : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0);
    }
    case PROFILE_CONTROL: {
        int err = rules_add(filter, SCMP_ACT_ALLOW, allowed_sockets);
        err = err ? err : rules_add(filter, SCMP_ACT_ALLOW, allowed_yielding);
        return err ? err : rules_add(filter, SCMP_ACT_ALLOW, allowed_file_changes);
    }
    case PROFILE_TELL:
        return rules_add(filter, SCMP_ACT_ALLOW, allowed_sockets);
    }
    return -EINVAL;
}

static int filter_fill(scmp_filter_ctx filter, enum process_profile profile)
{
    /* 2 = a binary tree instead of a chain of comparisons: the filter runs on the query path. */
    int err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (!err)
        err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (!err)
        err = rules_add(filter, SCMP_ACT_ALLOW, allowed_always);
    if (!err)
        err = rules_add(filter, SCMP_ACT_KILL_PROCESS, killed);
    if (!err)
        err = rules_add_threads(filter);
    if (!err)
        err = rules_add_profile(filter, profile);
    return err;
}

int process_seccomp(enum process_profile profile)
{
    if (SANITIZED)
        return 0;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return -ENOMEM;
    int err = filter_fill(filter, profile);
    if (!err && seccomp_load(filter))
        err = -ENOSYS; /* the library does not say more than "cancelled" */
    seccomp_release(filter);
    return err;
}
