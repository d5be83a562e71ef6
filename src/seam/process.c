#include "seam/process.h"

#include "base/err.h"
#include "base/invariant.h"
#include "seam/disk.h"
#include "seam/thread.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The three sets of this thread as 64-bit masks. The raw system call: libcap would be a dependency
 * for these two functions. */
struct capabilities {
    uint64_t effective, permitted, inheritable;
};

static int capabilities_get(struct capabilities *ret)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
    if (syscall(SYS_capget, &head, data))
        return -errno;
    *ret = (struct capabilities){
        .effective = (uint64_t)data[1].effective << 32 | data[0].effective,
        .permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted,
        .inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable,
    };
    return 0;
}

static int capabilities_set(const struct capabilities *c)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        data[i] = (struct __user_cap_data_struct){
            .effective = (uint32_t)(c->effective >> (32 * i)),
            .permitted = (uint32_t)(c->permitted >> (32 * i)),
            .inheritable = (uint32_t)(c->inheritable >> (32 * i)),
        };
    return syscall(SYS_capset, &head, data) ? -errno : 0;
}

/* Takes all but `kept` from the bounding set. A root without CAP_SETPCAP (some containers) may not;
 * then PR_SET_NO_NEW_PRIVS alone stands in the way of getting them back. */
static int bounding_set_cut(uint64_t kept)
{
    for (unsigned c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
        if (!(kept >> c & 1) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) && errno != EPERM)
            return -errno;
    return 0;
}

static int capabilities_cut(uint64_t kept)
{
    struct capabilities c = {0};
    int err = capabilities_get(&c);
    if (err)
        return err;
    kept &= c.permitted;
    c = (struct capabilities){.effective = kept, .permitted = kept, .inheritable = kept};
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
        return -errno;
    err = capabilities_set(&c);
    for (unsigned i = 0; !err && i < 64; i++)
        if ((kept >> i & 1) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0))
            err = -errno;
    return err;
}

/* What this user of our user namespace is outside of it (user_namespaces(7)); -1 where it does not
 * exist here. */
static int64_t user_outside(uid_t user)
{
    enum { MAP_MAX = 65536 };
    char *map;
    size_t length;
    if (disk_read("/proc/self/uid_map", MAP_MAX, &map, &length))
        return user; /* a kernel without namespaces */
    int64_t outside = -1;
    for (char *line = map; *line && outside < 0;) {
        unsigned long first = strtoul(line, &line, 10), there = strtoul(line, &line, 10),
                      count = strtoul(line, &line, 10);
        if (user >= first && user - first < count)
            outside = (int64_t)(there + (user - first));
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    free(map);
    return outside;
}

static int user_find(const char *user, struct passwd *ret)
{
    enum { STRINGS_MAX = 16384 };
    char strings[STRINGS_MAX];
    struct passwd entry, *found = NULL;
    int err = -getpwnam_r(user, &entry, strings, sizeof strings, &found);
    if (!found)
        return err == 0 || err == -ENOENT || err == -ESRCH ? ERR_MISSING : err;
    if (entry.pw_uid == 0 || entry.pw_gid == 0)
        return ERR_INVALID;
    *ret = (struct passwd){.pw_uid = entry.pw_uid, .pw_gid = entry.pw_gid};
    return 0;
}

static int become(const struct passwd *user)
{
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) || setgroups(1, &user->pw_gid) ||
        setresgid(user->pw_gid, user->pw_gid, user->pw_gid) ||
        setresuid(user->pw_uid, user->pw_uid, user->pw_uid) || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0))
        return -errno;
    invariant(geteuid() == user->pw_uid && getegid() == user->pw_gid);
    return 0;
}

/* As root: cuts the bounding set and becomes the user, where there is somebody to become. */
static int root_leave(const char *name, uint64_t kept)
{
    struct passwd user;
    int err = user_find(name, &user);
    if (!err)
        err = bounding_set_cut(kept);
    if (err || (user_outside(user.pw_uid) < 0 && user_outside(0) > 0))
        return err;
    return become(&user);
}

/* Where it is not granted, threads that yield are nice instead (seam/thread.h). */
static void nice_allow_return(void)
{
    const rlim_t wanted = (rlim_t)(THREAD_NICE_ZERO - THREAD_NICE_FIRST);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NICE, &limit))
        return;
    if (limit.rlim_max < wanted)
        limit.rlim_max = wanted;
    if (limit.rlim_cur < wanted)
        limit.rlim_cur = wanted;
    (void)setrlimit(RLIMIT_NICE, &limit);
}

int process_drop(const char *user, bool keep_net_raw)
{
    nice_allow_return();
    uint64_t kept = keep_net_raw ? UINT64_C(1) << CAP_NET_RAW : 0;
    int err = geteuid() == 0 ? root_leave(user, kept) : 0;
    if (!err)
        err = capabilities_cut(kept);
    if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        err = -errno;
    if (!err && geteuid() != 0) {
        /* The way back must be shut. */
        int back = setresuid((uid_t)-1, 0, (uid_t)-1);
        invariant(back != 0 && geteuid() != 0);
    }
    return err;
}

static void signals_reset(void)
{
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* All descriptors from 3 on are to be closed by exec, but those kept. */
static int descriptors_keep(const int *keep_fds, unsigned keep_count)
{
    if (close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC)) {
        long most = sysconf(_SC_OPEN_MAX); /* kernels before 5.11 */
        for (int fd = STDERR_FILENO + 1; fd < most; fd++)
            fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    for (unsigned i = 0; i < keep_count; i++)
        if (fcntl(keep_fds[i], F_SETFD, 0))
            return -errno;
    return 0;
}

no_return static void child_run(const char *path, char *const argv[], const int *keep_fds,
                                unsigned keep_count, int report)
{
    signals_reset();
    int err = descriptors_keep(keep_fds, keep_count);
    if (!err) {
        execv(path, argv);
        err = -errno;
    }
    ssize_t n = write(report, &err, sizeof err);
    _exit(n == sizeof err ? 127 : 126);
}

int process_spawn(const char *path, char *const argv[], const int *keep_fds, unsigned keep_count,
                  pid_t *ret_pid)
{
    /* exec closes the pipe; what comes through it before that is the error. */
    int report[2];
    if (pipe2(report, O_CLOEXEC))
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        child_run(path, argv, keep_fds, keep_count, report[1]);
    int err = pid < 0 ? -errno : 0;
    close(report[1]);
    if (pid > 0) {
        int child_err;
        ssize_t n;
        do
            n = read(report[0], &child_err, sizeof child_err);
        while (n < 0 && errno == EINTR);
        if (n == sizeof child_err) {
            err = child_err;
            while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                continue;
        }
    }
    close(report[0]);
    if (!err)
        *ret_pid = pid;
    return err;
}

void process_name(const char *name)
{
    prctl(PR_SET_NAME, name, 0, 0, 0);
}
