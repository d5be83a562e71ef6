/* The dns role: snapshot in, answers out. It talks to clients and reads files, nothing else (L1).
 */
#include "base/err.h"
#include "base/log.h"
#include "model/stats.h"
#include "prog/policy.h"
#include "prog/role.h"
#include "serve/dns/server_io.h"

static void ready(void *context)
{
    role_ready(context);
}

int role_dns(const struct role_options *o)
{
    struct stats_file stats;
    unsigned threads = o->udp_count + o->xdp_socket_count + o->tcp_count + 1;
    int err = stats_create(o->data, "dns", threads, &stats);
    if (err) { /* a full or read-only disk stops no answer (L1) */
        log_event(LOG_ERROR, "stats.create", {"data", LOG_S(o->data)},
                  {"reason", LOG_S(err_text(err))},
                  {"consequence", LOG_S("this role's counters are not seen by others")});
        stats_private("dns", threads, &stats);
    }
    stats_note_set(&stats, o->xdp_note);
    struct dns_grants grants;
    err = policy_read(o->policy_fd, &grants);
    if (err)
        log_event(LOG_ERROR, "policy.read", {"reason", LOG_S(err_text(err))},
                  {"consequence", LOG_S("no cookies, no NSID, no rate limit")});
    struct dns_server_options server = {
        .data = o->data,
        .udp_fds = o->udp_fds,
        .udp_count = o->udp_count,
        .tcp_fds = o->tcp_fds,
        .tcp_count = o->tcp_count,
        .tls_count = o->tls_count,
        .proxy_udp_count = o->proxy_udp_count,
        .proxy_tcp_count = o->proxy_tcp_count,
        .proxy_tls_count = o->proxy_tls_count,
        .xdp = o->xdp_sockets,
        .xdp_count = o->xdp_socket_count,
        .xdp_release_fd = o->xdp_release_fd,
        .threads = o->threads,
        .udp_size = o->udp_size,
        .client_subnet = o->client_subnet,
        .policy = &grants.policy,
        .tcp = grants.tcp,
        .tls = grants.tls,
        .tls_ask = grants.tls_ask,
        .ticket_secret = grants.ticket_secret,
        .stats = &stats,
        .stop_fd = role_stop_fd(),
        .ready = ready,
        .context = (void *)o,
    };
    err = dns_server_run(&server);
    if (err)
        log_event(LOG_ERROR, "dns.stopped", {"reason", LOG_S(err_text(err))});
    stats_close(&stats);
    return err ? 1 : 0;
}
