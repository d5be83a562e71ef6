/* `holdfast role NAME`: where the supervisor's children begin. The options are the supervisor's;
 * nobody types them. */
#include "prog/role.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/log.h"
#include "base/text.h"
#include "model/stats.h"
#include "prog/commands.h"
#include "prog/xdp.h"
#include "seam/log_io.h"
#include "seam/process.h"
#include "seam/thread.h"
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const char *const role_names[ROLES] = {"control", "dns", "tell"};

const char *role_name(enum role_kind role)
{
    return role_names[role];
}

void role_ready(const struct role_options *o)
{
    if (o->ready_fd < 0)
        return;
    ssize_t ignored = write(o->ready_fd, "", 1); /* a supervisor that is gone waits for nothing */
    (void)ignored;
}

int role_stop_fd(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static unsigned fds_parse(const char *list, int fds[static ROLE_FDS_MAX])
{
    unsigned count = 0;
    for (const char *p = list; *p && count < ROLE_FDS_MAX;) {
        char *end;
        long fd = strtol(p, &end, 10);
        if (end == p || fd < 0)
            return 0;
        fds[count++] = (int)fd;
        p = *end == ',' ? end + 1 : end;
    }
    return count;
}

static unsigned number_parse(const char *text)
{
    int64_t n = 0;
    return integer_parse(text, 0, INT32_MAX, &n) ? 0 : (unsigned)n;
}

static void option_apply(struct role_options *o, int option, const char *value)
{
    switch (option) {
    case 'd':
        o->data = value;
        break;
    case 'c':
        o->config = value;
        break;
    case 'u':
        o->user = value;
        break;
    case 'r':
        o->ready_fd = (int)number_parse(value);
        break;
    case 'U':
        o->udp_count = fds_parse(value, o->udp_fds);
        break;
    case 'T':
        o->tcp_count = fds_parse(value, o->tcp_fds);
        break;
    case 't':
        o->threads = number_parse(value);
        break;
    case 's':
        o->udp_size = number_parse(value);
        break;
    case 'p':
        o->proxy_udp_count = number_parse(value);
        break;
    case 'q':
        o->proxy_tcp_count = number_parse(value);
        break;
    case 'z':
        o->proxy_tls_count = number_parse(value);
        break;
    case 'L':
        o->tls_count = number_parse(value);
        break;
    case 'S':
        o->client_subnet = number_parse(value);
        break;
    case 'P':
        o->policy_fd = (int)number_parse(value);
        break;
    case 'x':
        xdp_parse(value, o);
        break;
    case 'l':
        o->log_level = (int)number_parse(value);
        break;
    case 'f':
        o->log_format = (int)number_parse(value);
        break;
    default:
        break;
    }
}

static const struct option role_option_list[] = {
    {"data", required_argument, NULL, 'd'},          {"config", required_argument, NULL, 'c'},
    {"user", required_argument, NULL, 'u'},          {"ready-fd", required_argument, NULL, 'r'},
    {"udp-fds", required_argument, NULL, 'U'},       {"tcp-fds", required_argument, NULL, 'T'},
    {"threads", required_argument, NULL, 't'},       {"udp-size", required_argument, NULL, 's'},
    {"tls", required_argument, NULL, 'L'},           {"proxy-udp", required_argument, NULL, 'p'},
    {"proxy-tcp", required_argument, NULL, 'q'},     {"proxy-tls", required_argument, NULL, 'z'},
    {"client-subnet", required_argument, NULL, 'S'}, {"policy-fd", required_argument, NULL, 'P'},
    {"log-level", required_argument, NULL, 'l'},     {"log-format", required_argument, NULL, 'f'},
    {"xdp", required_argument, NULL, 'x'},           {NULL, 0, NULL, 0},
};

int cmd_role(int argc, char **argv)
{
    static const struct {
        int (*run)(const struct role_options *o);
        enum process_profile profile;
    } roles[ROLES] = {
        {role_control, PROFILE_CONTROL}, {role_dns, PROFILE_DNS}, {role_tell, PROFILE_TELL}};
    struct role_options o = {
        .ready_fd = -1, .policy_fd = -1, .xdp_release_fd = -1, .log_level = LOG_INFO};
    unsigned role = 0;
    while (argc > 1 && role < ROLES && strcmp(argv[1], role_names[role]))
        role++;
    if (argc < 2 || role == ROLES) {
        fputs("usage: holdfast role control|dns|tell ...; `holdfast run` starts these\n", stderr);
        return 2;
    }
    for (int option; (option = getopt_long(argc - 1, argv + 1, "", role_option_list, NULL)) != -1;)
        option_apply(&o, option, optarg);
    if (!o.data)
        return 2;
    log_setup_stderr(role_names[role], (enum log_level)o.log_level, (enum log_format)o.log_format);
    char name[32];
    snprintf(name, sizeof name, "holdfast %s", role_names[role]);
    process_name(name);
    signal(SIGPIPE, SIG_IGN);
    if (role != ROLE_DNS) /* which has threads that answer to start first */
        thread_follows();
    static struct xdp_socket *sockets[XDP_INTERFACES_MAX * XDP_QUEUES_MAX];
    struct text note = text_init(STATS_NOTE_MAX);
    o.xdp_socket_count = xdp_open(&o, sockets, &note);
    o.xdp_sockets = sockets;
    o.xdp_note = text_string(&note);
    int err = process_drop(o.user, role == ROLE_CONTROL);
    if (err) {
        log_event(LOG_ERROR, "role.privileges", {"user", LOG_S(o.user)},
                  {"reason", LOG_S(err_text(err))});
        return 1;
    }
    err = process_seccomp(roles[role].profile);
    if (err)
        log_event(LOG_WARN, "role.seccomp", {"reason", LOG_S(err_text(err))});
    return roles[role].run(&o);
}
