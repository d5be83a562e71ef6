/* Privileges, system call filters, children and signals of a process. */
#pragma once

#include "base/attr.h"
#include <stdbool.h>
#include <sys/types.h>

/* Started as root: becomes `user` (and its group, no others) for good. Either way every capability
 * goes, but for CAP_NET_RAW if it is to be kept and there, and PR_SET_NO_NEW_PRIVS is set. Threads
 * that yield may come back to where they were afterwards (RLIMIT_NICE). The root
 * of a user namespace in which `user` does not exist, and who is an ordinary user outside of it,
 * has nobody to become and loses its capabilities only. Call it before threads start. ERR_MISSING:
 * no such user; ERR_INVALID: the user is root itself; a negated errno otherwise, after which the
 * process must not go on. */
must_check int process_drop(const char *user, bool keep_net_raw);

enum process_profile {
    PROFILE_DNS, /* sockets it was given, reads files, maps counters; opens no socket but unix */
    PROFILE_CONTROL, /* opens sockets, writes files: libuv, libcurl, OpenSSL */
    PROFILE_TELL,    /* opens sockets, reads files */
};

/* Restricts all threads to the system calls of the profile. Others give EPERM; those that only an
 * attacker would make (execve, ptrace, mount, setuid...) kill the process. Needs process_drop()
 * (for PR_SET_NO_NEW_PRIVS) before. -ENOSYS: this kernel has no filters; the process may go on.
 * Does nothing in a build with sanitizers, which need calls of their own. */
must_check int process_seccomp(enum process_profile profile);

/* fork and exec. The child has descriptors 0, 1, 2 and those in keep_fds, under the same numbers,
 * and no others; signals are unblocked and at their defaults; the environment is ours. Errors of
 * exec come back here (-ENOENT...). */
must_check int process_spawn(const char *path, char *const argv[], const int *keep_fds,
                             unsigned keep_count, pid_t *ret_pid);

/* The name in ps and top, cut to 15 bytes. */
void process_name(const char *name);
