#include "prog/supervise.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/snapshot_io.h"
#include "model/stats.h"
#include "prog/handover.h"
#include "prog/restart.h"
#include "prog/role_spawn.h"
#include "seam/clock.h"
#include "seam/entropy.h"
#include "seam/process.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STOP_WAIT_MS = 5000,
    HEAD_START_MS = 100,
};

struct child {
    struct role_options *options;
    pid_t pid;       /* 0 = not running */
    pid_t old;       /* of the program before an upgrade: serves until `pid` is ready; 0 = none */
    usec_t start_at; /* when to start it, while not running */
    struct restart restart;
    int ready_read, ready_write;
    bool ready;
};

struct supervisor {
    struct supervisor_options *options;
    struct child children[ROLES];
    struct stats_file stats;
    struct random random;
    int signal_fd;
    char *program; /* path of the binary, as it was when this one started */
    pid_t checker; /* the new binary, trying the configuration before an upgrade; 0 = none */
    bool stopping, told_ready;
    usec_t kill_at;
};

static void child_start(struct supervisor *s, enum role_kind role, usec_t now)
{
    struct child *c = &s->children[role];
    restart_began(&c->restart, now);
    pid_t pid;
    int err = role_spawn(role, c->options, c->ready_write, s->options->lock_fd, &pid);
    if (err) {
        c->start_at = now + restart_delay(&c->restart, now, &s->random);
        log_event(LOG_ERROR, "role.start", {"of", LOG_S(role_name(role))},
                  {"reason", LOG_S(err_text(err))});
        return;
    }
    c->pid = pid;
    log_event(LOG_INFO, "role.started", {"of", LOG_S(role_name(role))}, {"pid", LOG_I(pid)});
}

static void child_ended(struct supervisor *s, enum role_kind role, int status, usec_t now)
{
    static const enum stat_id restarts[ROLES] = {SUPERVISOR_RESTARTS_CONTROL,
                                                 SUPERVISOR_RESTARTS_DNS, SUPERVISOR_RESTARTS_TELL};
    struct child *c = &s->children[role];
    c->pid = 0;
    c->ready = false;
    if (s->stopping)
        return;
    c->start_at = now + restart_delay(&c->restart, now, &s->random);
    stats_add(s->stats.threads, restarts[role], 1);
    log_event(LOG_WARN, "role.ended", {"of", LOG_S(role_name(role))},
              {WIFSIGNALED(status) ? "signal" : "status",
               LOG_I(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status))},
              {"restart_in", LOG_D(c->start_at - now)});
}

/* ---- upgrade ---- */

/* exec keeps process number, descriptors and children; on failure everything goes on as it was. */
static void upgrade_exec(struct supervisor *s)
{
    static struct handover h; /* large */
    const struct role_options *dns = s->children[ROLE_DNS].options;
    const struct role_options *tell = s->children[ROLE_TELL].options;
    const struct role_options *control = s->children[ROLE_CONTROL].options;
    char name[] = "holdfast", command[] = "run";
    char *config = mem_string(s->children[ROLE_CONTROL].options->config);
    char *argv[] = {name, command, config, NULL};
    h = (struct handover){.lock_fd = s->options->lock_fd,
                          .udp_count = dns->udp_count,
                          .tcp_count = dns->tcp_count,
                          .tell_count = tell->tcp_count,
                          .api_count = control->tcp_count,
                          .xdp_release_fd = dns->xdp_count ? dns->xdp_release_fd : -1};
    memcpy(h.udp_fds, dns->udp_fds, sizeof h.udp_fds);
    memcpy(h.tcp_fds, dns->tcp_fds, sizeof h.tcp_fds);
    memcpy(h.tell_fds, tell->tcp_fds, sizeof h.tell_fds);
    memcpy(h.api_fds, control->tcp_fds, sizeof h.api_fds);
    for (unsigned i = 0; i < ROLES; i++)
        h.pids[i] = s->children[i].pid;
    int err = handover_give(&h);
    if (!err) {
        log_event(LOG_INFO, "upgrade.exec", {"program", LOG_S(s->program)});
        execv(s->program, argv);
        err = -errno;
    }
    unsetenv(HANDOVER_VARIABLE);
    free(config);
    log_event(LOG_ERROR, "upgrade.exec", {"program", LOG_S(s->program)},
              {"reason", LOG_S(err_text(err))}, {"consequence", LOG_S("this program goes on")});
}

/* The new binary has tried the configuration: only where it understands it does it take over. */
static void upgrade_checked(struct supervisor *s, int status)
{
    s->checker = 0;
    if (s->stopping)
        return;
    if (WIFEXITED(status) && !WEXITSTATUS(status))
        upgrade_exec(s);
    else
        log_event(LOG_ERROR, "upgrade.refused", {"program", LOG_S(s->program)},
                  {"consequence",
                   LOG_S("the new program does not accept the configuration; this one goes on")});
}

static void upgrade_begin(struct supervisor *s)
{
    char name[] = "holdfast", command[] = "check";
    char *config = mem_string(s->children[ROLE_CONTROL].options->config);
    char *argv[] = {name, command, config, NULL};
    int err = !s->program  ? -ENOENT
              : s->checker ? -EALREADY
                           : process_spawn(s->program, argv, NULL, 0, &s->checker);
    free(config);
    log_event(err ? LOG_ERROR : LOG_INFO, "upgrade.begin", {"program", LOG_S(s->program)},
              {"reason", LOG_S(err ? err_text(err) : "asked for")});
}

static void children_reap(struct supervisor *s, usec_t now)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid == s->checker)
            upgrade_checked(s, status);
        for (unsigned i = 0; i < ROLES; i++) {
            struct child *c = &s->children[i];
            if (c->pid == pid)
                child_ended(s, (enum role_kind)i, status, now);
            if (c->old == pid)
                c->old = 0;
        }
    }
}

static void children_signal(struct supervisor *s, int signal_number)
{
    for (unsigned i = 0; i < ROLES; i++) {
        if (s->children[i].pid)
            kill(s->children[i].pid, signal_number);
        if (s->children[i].old)
            kill(s->children[i].old, signal_number);
    }
}

static void signals_take(struct supervisor *s, usec_t now)
{
    struct signalfd_siginfo info;
    while (read(s->signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD) {
            children_reap(s, now);
        } else if (info.ssi_signo == SIGHUP) {
            if (s->children[ROLE_CONTROL].pid)
                kill(s->children[ROLE_CONTROL].pid, SIGHUP);
            identity_look(&s->options->identity, now, true, s->stats.threads);
            cookies_look(&s->options->cookies, now, clock_wall() / USEC_PER_SEC, true);
        } else if (info.ssi_signo == SIGUSR2) {
            if (!s->stopping)
                upgrade_begin(s);
        } else if (!s->stopping) {
            s->stopping = true;
            s->kill_at = now + STOP_WAIT_MS * USEC_PER_MSEC;
            log_event(LOG_INFO, "node.stopping", {"signal", LOG_U(info.ssi_signo)});
            children_signal(s, SIGTERM);
        }
    }
}

/* sd_notify(3): one datagram; nobody listens outside systemd. */
static void manager_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!path || !*path || strlen(path) >= sizeof to.sun_path)
        return;
    memcpy(to.sun_path, path, strlen(path));
    if (to.sun_path[0] == '@')
        to.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, length) < 0)
        log_event(LOG_WARN, "node.notify", {"reason", LOG_S(strerror(errno))});
    close(fd);
}

/* The others would share the cores with what answers (L1). Where there is a plan on the disk they
 * begin when the name server answers from it, or HEAD_START_MS later; where there is none it waits
 * for control, and all begin at once. */
static void head_start_begin(struct supervisor *s)
{
    uint64_t highest = 0;
    if (s->children[ROLE_DNS].old || snapshot_highest(s->options->data, &highest) || !highest)
        return;
    for (unsigned i = 0; i < ROLES; i++)
        if (i != ROLE_DNS)
            s->children[i].start_at = clock_now() + HEAD_START_MS * USEC_PER_MSEC;
}

static void head_start_end(struct supervisor *s)
{
    for (unsigned i = 0; i < ROLES; i++)
        if (!s->children[i].restart.started)
            s->children[i].start_at = 0;
}

static void ready_take(struct supervisor *s, struct child *c)
{
    char byte[16];
    if (read(c->ready_read, byte, sizeof byte) <= 0)
        return;
    c->ready = true;
    if (c == &s->children[ROLE_DNS])
        head_start_end(s);
    if (c->old)
        kill(c->old, SIGTERM); /* what it holds in its hands it still answers */
    for (unsigned i = 0; i < ROLES; i++)
        if (!s->children[i].ready)
            return;
    if (s->told_ready)
        return;
    s->told_ready = true;
    manager_notify("READY=1");
    log_event(LOG_INFO, "node.ready", {"data", LOG_S(s->options->data)});
}

static usec_t children_start_due(struct supervisor *s, usec_t now)
{
    static const enum role_kind order[ROLES] = {ROLE_DNS, ROLE_CONTROL, ROLE_TELL};
    usec_t next = USEC_NEVER;
    for (unsigned n = 0; n < ROLES; n++) {
        enum role_kind i = order[n];
        struct child *c = &s->children[i];
        if (i == ROLE_CONTROL && c->old)
            continue; /* one at a time decides and publishes */
        if (!c->pid && c->start_at <= now)
            child_start(s, i, now);
        if (!c->pid && c->start_at < next)
            next = c->start_at;
    }
    return next;
}

static bool children_any(const struct supervisor *s)
{
    for (unsigned i = 0; i < ROLES; i++)
        if (s->children[i].pid || s->children[i].old)
            return true;
    return false;
}

static int wait_ms(usec_t until, usec_t now)
{
    if (until == USEC_NEVER)
        return -1;
    usec_t left = until > now ? until - now : 0;
    return (int)((left + USEC_PER_MSEC - 1) / USEC_PER_MSEC);
}

/* What is handed to the roles while they run; when to look again. */
static usec_t secrets_look(struct supervisor *s, usec_t now)
{
    usec_t identity = identity_look(&s->options->identity, now, false, s->stats.threads);
    usec_t cookies = cookies_look(&s->options->cookies, now, clock_wall() / USEC_PER_SEC, false);
    return identity < cookies ? identity : cookies;
}

static void supervise_loop(struct supervisor *s)
{
    for (;;) {
        usec_t now = clock_now(), next;
        if (s->stopping) {
            if (!children_any(s))
                return;
            if (now >= s->kill_at)
                children_signal(s, SIGKILL);
            next = now >= s->kill_at ? now + USEC_PER_SEC : s->kill_at;
        } else {
            next = secrets_look(s, now);
            usec_t start = children_start_due(s, now);
            next = start < next ? start : next;
        }
        struct pollfd polls[ROLES + 1] = {{.fd = s->signal_fd, .events = POLLIN}};
        for (unsigned i = 0; i < ROLES; i++)
            polls[i + 1] = (struct pollfd){.fd = s->children[i].ready_read, .events = POLLIN};
        if (poll(polls, ROLES + 1, wait_ms(next, now)) < 0 && errno != EINTR)
            return;
        now = clock_now();
        if (polls[0].revents)
            signals_take(s, now);
        for (unsigned i = 0; i < ROLES; i++)
            if (polls[i + 1].revents & POLLIN)
                ready_take(s, &s->children[i]);
    }
}

static int signals_open(void)
{
    static const int numbers[] = {SIGCHLD, SIGHUP, SIGTERM, SIGINT, SIGUSR2};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < array_length(numbers); i++)
        sigaddset(&set, numbers[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Where an upgrade will find the new binary: the path that this one was started from. NULL where it
 * cannot be known. */
static char *program_path(void)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0)
        return NULL;
    path[length] = 0;
    return mem_string(path);
}

int supervise(struct supervisor_options *o)
{
    struct supervisor s = {.options = o, .random = random_init(entropy_u64())};
    signal(SIGPIPE, SIG_IGN);
    s.signal_fd = signals_open();
    int err = s.signal_fd < 0 ? -errno : stats_create(o->data, "supervisor", 1, &s.stats);
    for (unsigned i = 0; !err && i < ROLES; i++) {
        struct child *c = &s.children[i];
        int pipe_fds[2];
        c->options = &o->roles[i];
        c->old = o->running[i];
        if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK))
            err = -errno;
        c->ready_read = pipe_fds[0];
        c->ready_write = pipe_fds[1];
    }
    if (err) {
        log_event(LOG_ERROR, "node.start", {"reason", LOG_S(err_text(err))});
        return 1;
    }
    s.program = program_path();
    if (s.children[ROLE_CONTROL].old)
        kill(s.children[ROLE_CONTROL].old, SIGTERM); /* its successor starts when it has ended */
    head_start_begin(&s);
    supervise_loop(&s);
    manager_notify("STOPPING=1");
    log_event(LOG_INFO, "node.stopped", {"data", LOG_S(o->data)});
    stats_close(&s.stats);
    free(s.program);
    return 0;
}
