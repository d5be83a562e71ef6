/* The demo's node: a real one, `holdfast run` with a configuration in a temporary folder. */
#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/stats.h"
#include "prog/demo.h"
#include "seam/clock.h"
#include "seam/disk.h"
#include "seam/entropy.h"
#include "seam/net.h"
#include "seam/process.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { START_WAIT_MS = 10000, STOP_WAIT_MS = 8000 };

const char *const demo_name = "api.example.com";

static const char zone_text[] = "$ORIGIN example.com.\n"
                                "$TTL 300\n"
                                "@    SOA ns1 hostmaster 1 3600 600 86400 60\n"
                                "     NS  ns1\n"
                                "ns1  A   127.0.0.1\n"
                                "www  CNAME api\n"
                                "mail A   192.0.2.25\n"
                                "@    MX  10 mail\n";

static const char config_text[] =
    "node: {name: demo-1, site: here, network: AS64500, data: \"%s\"}\n"
    "dns:  {listen: [\"127.0.0.1:%u\"], threads: 1}\n"
    "tell: {listen: [\"127.0.0.1:%u\"]}\n"
    "zones:\n"
    "  - {name: example.com, file: example.com.zone}\n"
    "checks:\n"
    "  web: {http: \"http://{address}:%u/healthz\", host: api.example.com,\n"
    "        interval: 250ms, timeout: 200ms, rise: 2, fall: 3, hold_down: 2s}\n"
    "services:\n"
    "  - name: api.example.com\n"
    "    policy: failover\n"
    "    ttl: 5s\n"
    "    velocity: off   # the story below cuts more often than real regions die\n"
    "    endpoints:\n"
    "      - {name: use1, address: %s, region: us-east-1, provider: aws, role: primary,\n"
    "         capacity: 40000/s, check: web}\n"
    "      - {name: euw1, address: %s, region: eu-west-1, provider: aws, role: secondary,\n"
    "         capacity: 40000/s, check: web}\n";

void demo_line(struct demo *d, const char *format, ...)
{
    if (d->line_count == DEMO_LINES_MAX) {
        memmove(d->lines, d->lines + 1, sizeof d->lines - sizeof d->lines[0]);
        d->line_count--;
    }
    va_list args;
    va_start(args, format);
    d->lines[d->line_count].at = clock_now() - d->started;
    vsnprintf(d->lines[d->line_count].text, sizeof d->lines[0].text, format, args);
    va_end(args);
    d->line_count++;
}

/* A port that is free for UDP and TCP now. The kernel gives clients their ports from 32768 on, at
 * any moment, so these are lower; what else may take it before the node does, which then says so,
 * is another demonstration. */
static int port_choose(uint16_t *ret)
{
    enum { FIRST = 20000, COUNT = 12000, TRIES = 20 };
    struct ip ip = {.bytes = {127, 0, 0, 1}, .family = IP_V4};
    int err = -EADDRINUSE;
    for (int try = 0; try < TRIES && err; try++) {
        uint16_t port = (uint16_t)(FIRST + entropy_u64() % COUNT);
        int udp, tcp;
        err = net_tcp_listen(&ip, port, false, 1, &tcp);
        if (err)
            continue;
        err = net_udp_open(&ip, port, false, &udp);
        close(tcp);
        if (err)
            continue;
        close(udp);
        *ret = port;
    }
    return err;
}

static int file_write(const struct demo *d, const char *name, const char *content)
{
    struct text path = text_init(4096);
    text_appendf(&path, "%s/%s", d->folder, name);
    int err = disk_write_atomic(text_string(&path), content, strlen(content), 0644);
    text_done(&path);
    return err;
}

static int files_write(struct demo *d)
{
    char first[IP_TEXT_MAX], second[IP_TEXT_MAX];
    struct text config = text_init(8192);
    text_appendf(&config, config_text, d->data, d->dns_port, d->tell_port, d->origin_port,
                 ip_format(&d->origins[0].ip, first), ip_format(&d->origins[1].ip, second));
    int err = file_write(d, "example.com.zone", zone_text);
    err = err ? err : file_write(d, "holdfast.yaml", text_string(&config));
    text_done(&config);
    return err;
}

static char *path_make(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = mem_new(size, 1);
    snprintf(path, size, "%s/%s", folder, name);
    return path;
}

static int folder_make(struct demo *d)
{
    const char *parent = getenv("TMPDIR");
    d->folder = path_make(parent && *parent ? parent : "/tmp", "holdfast-demo-XXXXXX");
    if (!mkdtemp(d->folder))
        return -errno;
    /* The roles may run as another user than root: they must get to their files. */
    if (chmod(d->folder, 0755))
        return -errno;
    d->data = path_make(d->folder, "data");
    d->config = path_make(d->folder, "holdfast.yaml");
    return 0;
}

static int node_spawn(struct demo *d)
{
    struct text path = text_init(4096);
    text_appendf(&path, "%s/log", d->folder);
    int log = open(text_string(&path), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    text_done(&path);
    if (log < 0)
        return -errno;
    int errors = fcntl(2, F_DUPFD_CLOEXEC, 3);
    dup2(log, 2); /* the node's log; the demo's own errors come back below */
    char name[] = "holdfast", command[] = "run", option[] = "--with-parent";
    char *argv[] = {name, command, option, d->config, NULL};
    int err = process_spawn("/proc/self/exe", argv, NULL, 0, &d->node);
    dup2(errors, 2);
    close(errors);
    close(log);
    return err;
}

static int node_wait(struct demo *d)
{
    struct ip ip;
    for (usec_t until = clock_now() + START_WAIT_MS * USEC_PER_MSEC; clock_now() < until;) {
        if (waitpid(d->node, NULL, WNOHANG) == d->node) {
            d->node = 0;
            break;
        }
        if (client_answer(&d->client, &ip))
            return 0;
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    struct text path = text_init(4096);
    char *log = NULL;
    size_t length;
    text_appendf(&path, "%s/log", d->folder);
    if (!disk_read(text_string(&path), 1 << 20, &log, &length))
        fprintf(stderr, "%s", log);
    free(log);
    text_done(&path);
    fputs("holdfast demo: the node did not come up; its log is above\n", stderr);
    return -ETIMEDOUT;
}

int demo_node_start(struct demo *d)
{
    int err = folder_make(d);
    err = err ? err : port_choose(&d->dns_port);
    err = err ? err : port_choose(&d->tell_port);
    err = err ? err : origin_start(&d->origins[0], "us-east-1", "127.0.10.1", 0);
    if (!err) {
        d->origin_port = d->origins[0].port;
        err = origin_start(&d->origins[1], "eu-west-1", "127.0.20.1", d->origin_port);
    }
    err = err ? err : files_write(d);
    err = err ? err : node_spawn(d);
    if (err) {
        fprintf(stderr, "holdfast demo: cannot start: %s\n", err_text(err));
        return err;
    }
    client_start(&d->client, d->dns_port, demo_name);
    err = node_wait(d);
    d->started = clock_now();
    /* What was asked before the node was up does not count. */
    atomic_store(&d->client.asked, 0);
    atomic_store(&d->client.answered, 0);
    atomic_store(&d->client.lost, 0);
    atomic_store(&d->client.wrong, 0);
    atomic_store(&d->client.empty, 0);
    return err;
}

static int path_remove(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st;
    (void)kind;
    (void)walk;
    return remove(path);
}

void demo_node_stop(struct demo *d)
{
    if (d->client.name)
        client_stop(&d->client);
    if (d->node) {
        kill(d->node, SIGTERM);
        for (int waited = 0; waited < STOP_WAIT_MS; waited += 20) {
            if (waitpid(d->node, NULL, WNOHANG) == d->node)
                break;
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        }
    }
    for (unsigned i = 0; i < DEMO_REGIONS; i++)
        if (d->origins[i].region)
            origin_stop(&d->origins[i]);
    if (d->folder)
        nftw(d->folder, path_remove, 16, FTW_DEPTH | FTW_PHYS);
    free(d->folder);
    free(d->data);
    free(d->config);
}
