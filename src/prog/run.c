/* `holdfast run CONFIG`: opens what needs privileges, then supervises. */
#include "base/err.h"
#include "base/log.h"
#include "base/text.h"
#include "model/config.h"
#include "model/snapshot_io.h"
#include "model/stats.h"
#include "prog/account.h"
#include "prog/commands.h"
#include "prog/handover.h"
#include "prog/load.h"
#include "prog/options.h"
#include "prog/policy.h"
#include "prog/sockets.h"
#include "prog/supervise.h"
#include "prog/xdp.h"
#include "seam/disk.h"
#include "seam/log_io.h"
#include "seam/thread.h"
#include <errno.h>
#include <fcntl.h>
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

static int folder_make(const char *path)
{
    int err = disk_folder_create(path, 0755);
    if (err)
        fprintf(stderr, "%s: cannot make the folder: %s; create it or set node.data to another\n",
                path, err_text(err));
    return err;
}

/* Makes DATA and the folders below it, owned by the roles' user. */
static int folders_make(const struct config *c, const char *user)
{
    static const char *const below[] = {"", "/run", "/plan", "/store"};
    struct text path = text_init(PATH_MAX);
    int err = 0;
    for (size_t i = 0; i < array_length(below) && !err; i++) {
        text_reset(&path);
        text_appendf(&path, "%s%s", c->data, below[i]);
        err = folder_make(text_string(&path));
        if (!err && user)
            account_give(text_string(&path), user);
    }
    text_reset(&path);
    text_appendf(&path, "%s/mesh", c->data);
    if (!err && user)
        account_give(text_string(&path), user); /* made by init or join, where they ran */
    text_done(&path);
    return err ? err : snapshot_folders_create(c->data);
}

static void holders_print(const char *data)
{
    static const char *const roles[] = {"supervisor", "control", "dns", "tell"};
    fprintf(stderr, "holdfast: another node runs on %s:", data);
    for (size_t i = 0; i < array_length(roles); i++) {
        uint32_t pid; /* also of a program with another list of counters */
        if (!stats_pid(data, roles[i], &pid) && pid && !kill((pid_t)pid, 0))
            fprintf(stderr, " %s is process %u;", roles[i], pid);
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

static unsigned threads_choose(const struct config *c)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned listens = c->dns_listen_count + c->dns_tls.listen_count + c->dns_proxy.listen_count +
                       c->dns_proxy.tls_count;
    unsigned most = listens ? ROLE_FDS_MAX / listens : 1;
    unsigned threads = c->dns_threads ? c->dns_threads : cores > 0 ? (unsigned)cores : 1;
    return threads > most ? most : threads;
}

/* Answers do not wait for it (L1). */
static void policy_begin(const struct config *c, struct role_options *dns)
{
    int err = policy_open(c, &dns->policy_fd);
    if (err)
        log_event(LOG_ERROR, "policy.open", {"reason", LOG_S(err_text(err))},
                  {"consequence", LOG_S("no cookies, no NSID, no rate limit")});
}

static int node_run(const struct config *c, const char *path)
{
    const char *user;
    static struct handover before; /* large */
    struct supervisor_options o = {.data = c->data, .lock_fd = -1};
    int err = handover_receive(&before);
    bool upgrade = !err;
    if (err && err != -ENOENT) {
        log_event(LOG_ERROR, "upgrade.received", {"reason", LOG_S(err_text(err))});
        return 1;
    }
    if (upgrade)
        o.lock_fd = before.lock_fd;
    if (account_choose(c, &user) || folders_make(c, user) ||
        (!upgrade && lock_take(c->data, &o.lock_fd)))
        return 1;
    unsigned threads = threads_choose(c);
    for (unsigned i = 0; i < ROLES; i++)
        o.roles[i] = (struct role_options){.data = c->data,
                                           .user = user,
                                           .ready_fd = -1,
                                           .policy_fd = -1,
                                           .log_level = c->log_level,
                                           .log_format = (int)c->log_format,
                                           .threads = threads,
                                           .udp_size = c->dns_udp_size,
                                           .client_subnet = c->dns_client_subnet};
    char *config = realpath(path, NULL);
    o.roles[ROLE_CONTROL].config = config;
    int status = 1;
    if (config && !sockets_dns(c, threads, &before, &o.roles[ROLE_DNS]) &&
        !sockets_tell(c, &before, &o.roles[ROLE_TELL]) &&
        !sockets_api(c, &before, &o.roles[ROLE_CONTROL])) {
        handover_close(&before);
        policy_begin(c, &o.roles[ROLE_DNS]);
        xdp_begin(c, upgrade ? before.xdp_release_fd : -1, &o.roles[ROLE_DNS]);
        memcpy(o.running, before.pids, sizeof o.running);
        o.identity = identity_init(c, user);
        o.cookies = cookies_init(c, user);
        status = supervise(&o);
    }
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
    threads_lead();
    log_setup_stderr("supervisor", (enum log_level)config->log_level,
                     (enum log_format)config->log_format);
    status = node_run(config, words.list[0]);
    config_free(config);
    return status;
}
