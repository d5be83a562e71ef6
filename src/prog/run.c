/* `holdfast run CONFIG`: opens what needs privileges, then supervises. */
#include "base/err.h"
#include "base/log.h"
#include "base/text.h"
#include "model/config.h"
#include "model/snapshot_io.h"
#include "model/stats.h"
#include "prog/commands.h"
#include "prog/load.h"
#include "prog/options.h"
#include "prog/supervise.h"
#include "seam/disk.h"
#include "seam/log_io.h"
#include "seam/net.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <unistd.h>

static const char run_usage[] =
    "usage: holdfast run CONFIG\n\n"
    "Starts a node from one YAML file and stays in the foreground; logs go to standard error. The\n"
    "supervisor opens the sockets and starts the roles control, dns and tell, each with no more\n"
    "privileges than it needs, and starts again what dies. SIGHUP (or `holdfast reload`) reads "
    "the\n"
    "configuration again; SIGTERM ends the node.\n";

/* Who the roles become when root starts the node; NULL = they stay who they are. */
static int user_choose(const struct config *c, const char **ret_user)
{
    if (geteuid() != 0) {
        *ret_user = NULL;
        return 0;
    }
    const char *user = c->user ? c->user : getpwnam("holdfast") ? "holdfast" : "nobody";
    if (!getpwnam(user)) {
        fprintf(stderr,
                "%s: node.user: there is no user \"%s\" on this machine; create it (see "
                "packaging/holdfast.sysusers) or name another\n",
                c->path, user);
        return ERR_MISSING;
    }
    *ret_user = user;
    return 0;
}

static void owner_set(const char *folder, const char *user)
{
    const struct passwd *pw = getpwnam(user);
    DIR *dir = opendir(folder);
    if (!pw || !dir) {
        if (dir)
            closedir(dir);
        return;
    }
    int fd = dirfd(dir);
    if (fchown(fd, pw->pw_uid, pw->pw_gid))
        log_event(LOG_WARN, "run.owner", {"folder", LOG_S(folder)},
                  {"reason", LOG_S(strerror(errno))});
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_type == DT_REG &&
            fchownat(fd, e->d_name, pw->pw_uid, pw->pw_gid, AT_SYMLINK_NOFOLLOW))
            log_event(LOG_WARN, "run.owner", {"file", LOG_S(e->d_name)},
                      {"reason", LOG_S(strerror(errno))});
    closedir(dir);
}

/* Makes DATA and the folders below it, owned by the roles' user. */
static int folders_make(const struct config *c, const char *user)
{
    static const char *const below[] = {"", "/run", "/plan", "/store"};
    for (size_t i = 0; i < array_length(below); i++) {
        struct text path = text_init(4096);
        text_appendf(&path, "%s%s", c->data, below[i]);
        int err = disk_folder_create(text_string(&path), 0755);
        if (err)
            fprintf(stderr,
                    "%s: cannot make the folder: %s; create it or set node.data to another\n",
                    text_string(&path), err_text(err));
        else if (user)
            owner_set(text_string(&path), user);
        text_done(&path);
        if (err)
            return err;
    }
    return 0;
}

static void holders_print(const char *data)
{
    static const char *const roles[] = {"supervisor", "control", "dns", "tell"};
    fprintf(stderr, "holdfast: another node runs on %s:", data);
    for (size_t i = 0; i < array_length(roles); i++) {
        struct stats_file stats;
        if (stats_open(data, roles[i], &stats))
            continue;
        pid_t pid = (pid_t)stats.header->pid;
        if (pid > 0 && !kill(pid, 0))
            fprintf(stderr, " %s is process %d;", roles[i], (int)pid);
        stats_close(&stats);
    }
    fputs(" end it first, or give this one a node.data of its own. (Roles go on serving when their "
          "supervisor is killed: end them by their numbers.)\n",
          stderr);
}

/* One node a folder: the lock is inherited by the roles, so that it holds as long as one of them
 * lives. */
static int lock_take(const char *data, int *ret_fd)
{
    struct text path = text_init(4096);
    text_appendf(&path, "%s/run/lock", data);
    int fd = open(text_string(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    int err = fd < 0 ? -errno : 0;
    if (err)
        fprintf(stderr, "%s: %s\n", text_string(&path), err_text(err));
    text_done(&path);
    if (!err && flock(fd, LOCK_EX | LOCK_NB)) {
        err = -errno;
        holders_print(data);
        close(fd);
    }
    if (!err)
        *ret_fd = fd;
    return err;
}

static int listen_problem(const struct config *c, const struct config_listen *l, const char *what,
                          int err)
{
    char address[IP_PORT_TEXT_MAX];
    fprintf(stderr, "%s:%u:%u: cannot listen on %s (%s): %s; %s\n", c->path, l->place.line,
            l->place.column, ip_port_format(&l->ip, l->port, address), what, err_text(err),
            err == -EADDRINUSE ? "another program has this address: end it or choose another"
            : err == -EACCES   ? "start as root, or give CAP_NET_BIND_SERVICE"
                               : "is the address on this host?");
    return err;
}

/* Ports are taken first without SO_REUSEPORT, so that another program of the same user on this port
 * is seen as the conflict it is and does not silently share the queries. */
static int port_probe(const struct config_listen *l)
{
    int udp, tcp, err = net_udp_open(&l->ip, l->port, false, &udp);
    if (err)
        return err;
    err = net_tcp_listen(&l->ip, l->port, false, 1, &tcp);
    close(udp);
    if (!err)
        close(tcp);
    return err;
}

static int dns_sockets_open(const struct config *c, unsigned threads, struct role_options *dns)
{
    for (uint32_t i = 0; i < c->dns_listen_count; i++) {
        const struct config_listen *l = &c->dns_listen[i];
        int err = port_probe(l);
        for (unsigned t = 0; !err && t < threads; t++) {
            if (dns->udp_count == ROLE_FDS_MAX)
                return listen_problem(c, l, "dns", ERR_LIMIT);
            err = net_udp_open(&l->ip, l->port, true, &dns->udp_fds[dns->udp_count]);
            if (!err) {
                dns->udp_count++;
                err = net_tcp_listen(&l->ip, l->port, true, 1024, &dns->tcp_fds[dns->tcp_count]);
            }
            if (!err)
                dns->tcp_count++;
        }
        if (err)
            return listen_problem(c, l, "dns", err);
    }
    return 0;
}

static int tell_sockets_open(const struct config *c, struct role_options *tell)
{
    for (uint32_t i = 0; i < c->tell_listen_count && tell->tcp_count < ROLE_FDS_MAX; i++) {
        const struct config_listen *l = &c->tell_listen[i];
        int err = net_tcp_listen(&l->ip, l->port, false, 1024, &tell->tcp_fds[tell->tcp_count]);
        if (err)
            return listen_problem(c, l, "tell", err);
        tell->tcp_count++;
    }
    return 0;
}

static unsigned threads_choose(const struct config *c)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned most = c->dns_listen_count ? ROLE_FDS_MAX / c->dns_listen_count : 1;
    unsigned threads = c->dns_threads ? c->dns_threads : cores > 0 ? (unsigned)cores : 1;
    return threads > most ? most : threads;
}

static int node_run(const struct config *c, const char *path)
{
    const char *user;
    struct supervisor_options o = {.data = c->data, .lock_fd = -1};
    if (user_choose(c, &user) || folders_make(c, user) || lock_take(c->data, &o.lock_fd))
        return 1;
    unsigned threads = threads_choose(c);
    for (unsigned i = 0; i < ROLES; i++)
        o.roles[i] = (struct role_options){.data = c->data,
                                           .user = user,
                                           .ready_fd = -1,
                                           .log_level = c->log_level,
                                           .log_format = (int)c->log_format,
                                           .threads = threads,
                                           .udp_size = c->dns_udp_size,
                                           .tcp_clients = c->dns_tcp_clients,
                                           .tcp_idle = c->dns_tcp_idle,
                                           .client_subnet = c->dns_client_subnet};
    char *config = realpath(path, NULL);
    o.roles[ROLE_CONTROL].config = config;
    int status = 1;
    if (config && !dns_sockets_open(c, threads, &o.roles[ROLE_DNS]) &&
        !tell_sockets_open(c, &o.roles[ROLE_TELL]))
        status = supervise(&o);
    free(config);
    return status;
}

int cmd_run(int argc, char **argv)
{
    bool with_parent = false; /* for the demo: a node that ends when whoever started it is gone */
    const struct option_spec specs[] = {{.name = "with-parent", .flag = &with_parent}};
    struct words words;
    int status = options_parse(argc, argv, run_usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    if (words.count != 1)
        return options_wrong(run_usage, "name one configuration file");
    if (with_parent)
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    struct config *config;
    if (load_config(words.list[0], stderr, &config))
        return 1;
    log_setup_stderr("supervisor", (enum log_level)config->log_level,
                     (enum log_format)config->log_format);
    status = node_run(config, words.list[0]);
    config_free(config);
    return status;
}
