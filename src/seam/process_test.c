#include "base/err.h"
#include "base/invariant.h"
#include "seam/log_io.h"
#include "seam/process.h"
#include "seam/thread.h"
#include "test/check_main.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static int line_value(const char *file, const char *key, char *ret, size_t size)
{
    FILE *f = fopen(file, "re");
    ck_assert_ptr_nonnull(f);
    char line[256];
    int found = 0;
    while (!found && fgets(line, sizeof line, f))
        if (!strncmp(line, key, strlen(key))) {
            snprintf(ret, size, "%s", line + strlen(key) + strspn(line + strlen(key), ": \t"));
            ret[strcspn(ret, "\n")] = '\0';
            found = 1;
        }
    fclose(f);
    return found;
}

static void assert_status(const char *key, const char *expected)
{
    char value[256];
    ck_assert_int_eq(line_value("/proc/self/status", key, value, sizeof value), 1);
    ck_assert_msg(!strcmp(value, expected), "%s is %s, not %s", key, value, expected);
}

static void assert_dropped(const char *capabilities)
{
    assert_status("CapEff", capabilities);
    assert_status("CapPrm", capabilities);
    assert_status("CapAmb", capabilities);
    assert_status("NoNewPrivs", "1");
    ck_assert_uint_ne(geteuid(), 0);
    ck_assert_int_ne(setuid(0), 0);
}

START_TEST(test_drop_keeps_nothing)
{
    const struct passwd *nobody = getpwnam("nobody");
    uid_t before = geteuid();
    ck_assert_ptr_nonnull(nobody);
    uid_t uid = nobody->pw_uid;
    ck_assert_int_eq(process_drop("nobody", false), 0);
    assert_dropped("0000000000000000");
    ck_assert_uint_eq(geteuid(), before ? before : uid);
    if (before)
        return;
    ck_assert_int_eq(getgroups(0, NULL), 1);
    ck_assert_int_eq(open("/etc/shadow", O_RDONLY | O_CLOEXEC), -1);
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(test_drop_keeps_net_raw)
{
    bool root = geteuid() == 0;
    ck_assert_int_eq(process_drop("nobody", true), 0);
    if (!root)
        return;
    assert_dropped("0000000000002000");
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    ck_assert_int_ge(fd, 0);
    close(fd);
}
END_TEST

START_TEST(test_drop_refuses)
{
    if (geteuid())
        return;
    ck_assert_int_eq(process_drop("no-such-user-here", false), ERR_MISSING);
    ck_assert_int_eq(process_drop("root", false), ERR_INVALID);
    ck_assert_uint_eq(geteuid(), 0);
}
END_TEST

static bool file_put(const char *path, const char *content)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, content, strlen(content)) > 0;
    close(fd);
    return done;
}

/* Root of a namespace where nobody else exists: `unshare --user --map-root-user`. */
static bool lonely_root_become(void)
{
    char users[32];
    snprintf(users, sizeof users, "0 %u 1", geteuid());
    return !unshare(CLONE_NEWUSER) && file_put("/proc/self/uid_map", users) && geteuid() == 0;
}

START_TEST(test_drop_of_a_root_with_nobody_to_become)
{
    bool root = geteuid() == 0;
    /* An ordinary user outside; as root this test is one of those that may not stay root. */
    if (!lonely_root_become())
        return;
    int err = process_drop("nobody", false);
    if (root) {
        ck_assert_int_ne(err, 0);
        return;
    }
    ck_assert_int_eq(err, 0);
    assert_status("CapEff", "0000000000000000");
    assert_status("CapPrm", "0000000000000000");
    assert_status("CapBnd", "0000000000000000");
    assert_status("NoNewPrivs", "1");
}
END_TEST

static void *thread_body(void *argument)
{
    return argument;
}

#ifndef SANITIZED
/* Of whoever runs the tests. */
static int niceness;

/* Runs `body` in a child that dropped its privileges and has the filter on; gives its wait status.
 */
static int filtered(enum process_profile profile, int (*body)(void))
{
    niceness = getpriority(PRIO_PROCESS, 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (process_drop("nobody", false) || process_seccomp(profile))
            _exit(99);
        _exit(body());
    }
    int status = -1;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static void assert_exits_with_zero(int status)
{
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
}

static void assert_killed(int status)
{
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "status %x", status);
}

static int try_exec(void)
{
    execl("/bin/true", "true", NULL);
    return 1;
}

static int try_setuid(void)
{
    return setuid(geteuid()) ? 1 : 2;
}

static int try_fork(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid == -1 && errno == EPERM ? 0 : 1;
}

/* Of this thread, as proc(5) tells: fields 19 and 41. The filters allow no call that would. */
static bool thread_is(int nice, int policy)
{
    char line[1024], *at = NULL;
    FILE *f = fopen("/proc/thread-self/stat", "re");
    if (f && fgets(line, sizeof line, f))
        at = strrchr(line, ')');
    for (int field = 2; at && field < 19; field++)
        at = strchr(at + 1, ' ');
    bool same = at && strtol(at, NULL, 10) == nice;
    for (int field = 19; at && field < 41; field++)
        at = strchr(at + 1, ' ');
    same = same && at && strtol(at, NULL, 10) == policy;
    if (f)
        fclose(f);
    return same;
}

static void *yielding_body(void *argument)
{
    (void)argument;
    thread_yields();
    return thread_is(niceness, SCHED_IDLE) || thread_is(19, SCHED_OTHER) ? NULL : (void *)1;
}

/* The lowest place for a thread, not for the others. */
static int try_yielding(void)
{
    pthread_t thread;
    void *wrong;
    if (pthread_create(&thread, NULL, yielding_body, NULL) || pthread_join(thread, &wrong) || wrong)
        return 1;
    return thread_is(niceness, SCHED_OTHER) ? 0 : 2;
}

/* A slice of the core of its own for who answers. */
static int try_priorities(void)
{
    uint64_t before[7] = {0}, after[7] = {0}; /* struct sched_attr: the fourth is the slice */
    if (syscall(SYS_sched_getattr, 0, before, sizeof before, 0))
        return 1;
    thread_answers();
    if (syscall(SYS_sched_getattr, 0, after, sizeof after, 0) ||
        (before[3] && after[3] >= before[3]))
        return 2;
    return try_yielding() ? 3 : 0;
}

static int try_dns_work(void)
{
    char byte;
    pthread_t thread;
    if (pthread_create(&thread, NULL, thread_body, NULL) || pthread_join(thread, NULL))
        return 1;
    int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &byte, 1) != 1)
        return 2;
    free(malloc(1 << 24));
    return 0;
}

static int try_dns_beyond_its_work(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd != -1 || errno != EPERM)
        return 1;
    if (unlink("/tmp/holdfast-no-such-file") != -1 || errno != EPERM)
        return 2;
    return rename("/tmp/holdfast-a", "/tmp/holdfast-b") == -1 && errno == EPERM ? 0 : 3;
}

static int try_control_work(void)
{
    if (try_dns_work())
        return 1;
    if (try_yielding())
        return 8;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 2;
    return unlink("/tmp/holdfast-no-such-file") == -1 && errno == ENOENT ? 0 : 3;
}

static int try_tell_work(void)
{
    if (try_dns_work())
        return 1;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 && errno == EPERM)
        return 2;
    return unlink("/tmp/holdfast-no-such-file") == -1 && errno == EPERM ? 0 : 3;
}

START_TEST(test_seccomp)
{
    for (int profile = PROFILE_DNS; profile <= PROFILE_TELL; profile++) {
        assert_killed(filtered((enum process_profile)profile, try_exec));
        assert_killed(filtered((enum process_profile)profile, try_setuid));
        assert_exits_with_zero(filtered((enum process_profile)profile, try_fork));
    }
    assert_exits_with_zero(filtered(PROFILE_DNS, try_dns_work));
    assert_exits_with_zero(filtered(PROFILE_DNS, try_priorities));
    assert_exits_with_zero(filtered(PROFILE_DNS, try_dns_beyond_its_work));
    assert_exits_with_zero(filtered(PROFILE_CONTROL, try_control_work));
    assert_exits_with_zero(filtered(PROFILE_TELL, try_tell_work));
}
END_TEST
#else
START_TEST(test_seccomp)
{
    ck_assert_int_eq(process_seccomp(PROFILE_DNS), 0); /* does nothing in such a build */
    ck_assert_ptr_null(thread_body(NULL));
}
END_TEST
#endif

/* Runs a shell line through process_spawn with its output in a pipe. */
static void shell_output(const char *line, const int *keep, unsigned keep_count, char *ret,
                         size_t size)
{
    int out[2], saved = dup(STDOUT_FILENO);
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    ck_assert_int_ge(dup2(out[1], STDOUT_FILENO), 0);
    pid_t pid = -1;
    char shell[] = "sh", option[] = "-c";
    char *const argv[] = {shell, option, (char *)(uintptr_t)line, NULL};
    int err = process_spawn("/bin/sh", argv, keep, keep_count, &pid);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(out[1]);
    ck_assert_int_eq(err, 0);
    size_t length = 0;
    for (ssize_t n; (n = read(out[0], ret + length, size - 1 - length)) > 0;)
        length += (size_t)n;
    ret[length] = '\0';
    close(out[0]);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

START_TEST(test_spawn_gives_exactly_these_descriptors)
{
    char got[256], expected[64];
    int kept = open("/dev/null", O_RDONLY | O_CLOEXEC), leaked = dup(kept);
    ck_assert_int_ge(leaked, 0);
    /* The pattern is expanded with a descriptor of the shell's own, which -e no longer finds. */
    shell_output("for f in /proc/$$/fd/*; do [ -e $f ] && printf '%s ' ${f##*/}; done; true", &kept,
                 1, got, sizeof got);
    snprintf(expected, sizeof expected, "0 1 2 %d ", kept);
    ck_assert_str_eq(got, expected);
    close(kept);
    close(leaked);
}
END_TEST

START_TEST(test_spawn_resets_signals)
{
    char got[256];
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    shell_output("while read k v; do case $k in SigBlk:|SigIgn:) printf '%s ' $v;; esac; done "
                 "</proc/$$/status",
                 NULL, 0, got, sizeof got);
    uint64_t blocked, ignored;
    ck_assert_int_eq(sscanf(got, "%" SCNx64 " %" SCNx64, &blocked, &ignored), 2);
    const uint64_t libc_own = UINT64_C(3) << 31; /* signals 32 and 33, which glibc hides */
    ck_assert_uint_eq(blocked & ~libc_own, 0);
    ck_assert_uint_eq(ignored & ~libc_own, 0);
}
END_TEST

START_TEST(test_spawn_reports_errors)
{
    pid_t pid = 7;
    char name[] = "x", *const argv[] = {name, NULL};
    int bad = 900;
    ck_assert_int_eq(process_spawn("/no/such/program", argv, NULL, 0, &pid), -ENOENT);
    ck_assert_int_eq(process_spawn("/etc/passwd", argv, NULL, 0, &pid), -EACCES);
    ck_assert_int_eq(process_spawn("/bin/true", argv, &bad, 1, &pid), -EBADF);
    ck_assert_int_eq(pid, 7);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* no zombie stays */
}
END_TEST

START_TEST(test_name)
{
    process_name("holdfast dns");
    assert_status("Name", "holdfast dns");
}
END_TEST

/* What the process says with its last breath is one log line like any other. */
START_TEST(test_log_and_last_words)
{
    int out[2];
    char got[1024];
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], STDERR_FILENO);
        log_setup_stderr("dns", LOG_INFO, LOG_LOGFMT);
        log_event(LOG_INFO, "started", {"n", LOG_I(1)});
        invariant(1 == 2);
    }
    close(out[1]);
    size_t length = 0;
    for (ssize_t n; (n = read(out[0], got + length, sizeof got - 1 - length)) > 0;)
        length += (size_t)n;
    got[length] = '\0';
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    ck_assert_int_eq(strncmp(got, "time=20", 7), 0);
    ck_assert_ptr_nonnull(strstr(got, " level=info role=dns event=started n=1\n"));
    ck_assert_ptr_nonnull(strstr(got, " level=error role=dns event=invariant.broken what=\"inv"));
    ck_assert_ptr_nonnull(strstr(got, "1 == 2"));
}
END_TEST

CHECK_MAIN("process", test_drop_keeps_nothing, test_drop_keeps_net_raw, test_drop_refuses,
           test_drop_of_a_root_with_nobody_to_become, test_seccomp,
           test_spawn_gives_exactly_these_descriptors, test_spawn_resets_signals,
           test_spawn_reports_errors, test_name, test_log_and_last_words)
