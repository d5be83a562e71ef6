#include "prog/sockets.h"
#include "base/err.h"
#include "seam/net.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

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
static int port_probe(const struct config_listen *l, bool with_udp)
{
    int udp = -1, tcp, err = with_udp ? net_udp_open(&l->ip, l->port, false, &udp) : 0;
    if (err)
        return err;
    err = net_tcp_listen(&l->ip, l->port, false, 1, &tcp);
    if (with_udp)
        close(udp);
    if (!err)
        close(tcp);
    return err;
}

static int udp_one(const struct config_listen *l, struct handover *before, struct role_options *dns)
{
    if (dns->udp_count == ROLE_FDS_MAX)
        return ERR_LIMIT;
    int fd = handover_take(before->udp_fds, before->udp_count, &l->ip, l->port);
    int err = fd < 0 ? net_udp_open(&l->ip, l->port, true, &fd) : 0;
    if (!err)
        dns->udp_fds[dns->udp_count++] = fd;
    return err;
}

static int tcp_one(const struct config_listen *l, struct handover *before, struct role_options *dns)
{
    if (dns->tcp_count == ROLE_FDS_MAX)
        return ERR_LIMIT;
    int fd = handover_take(before->tcp_fds, before->tcp_count, &l->ip, l->port);
    int err = fd < 0 ? net_tcp_listen(&l->ip, l->port, true, BACKLOG, &fd) : 0;
    if (!err)
        dns->tcp_fds[dns->tcp_count++] = fd;
    return err;
}

static bool is_held(const struct config_listen *l, const int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct ip ip;
        uint16_t port;
        if (fds[i] >= 0 && !net_local(fds[i], &ip, &port) && port == l->port &&
            ip_equal(&ip, &l->ip))
            return true;
    }
    return false;
}

/* Over TCP alone. */
static int sockets_tcp(const struct config *c, const struct config_listen *listens, uint32_t count,
                       const char *what, unsigned threads, struct handover *before,
                       struct role_options *dns)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct config_listen *l = &listens[i];
        int err = is_held(l, before->tcp_fds, before->tcp_count) ? 0 : port_probe(l, false);
        for (unsigned t = 0; !err && t < threads; t++)
            err = tcp_one(l, before, dns);
        if (err)
            return listen_problem(c, l, what, err);
    }
    return 0;
}

/* Over UDP and TCP. */
static int sockets_both(const struct config *c, const struct config_listen *listens, uint32_t count,
                        const char *what, unsigned threads, struct handover *before,
                        struct role_options *dns)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct config_listen *l = &listens[i];
        int err = is_held(l, before->udp_fds, before->udp_count) ? 0 : port_probe(l, true);
        for (unsigned t = 0; !err && t < threads; t++) {
            err = udp_one(l, before, dns);
            err = err ? err : tcp_one(l, before, dns);
        }
        if (err)
            return listen_problem(c, l, what, err);
    }
    return 0;
}

int sockets_dns(const struct config *c, unsigned threads, struct handover *before,
                struct role_options *dns)
{
    int err = sockets_both(c, c->dns_listen, c->dns_listen_count, "dns", threads, before, dns);
    unsigned udp = dns->udp_count, tcp = dns->tcp_count;
    err = err ? err
              : sockets_both(c, c->dns_proxy.listen, c->dns_proxy.listen_count, "dns.proxy",
                             threads, before, dns);
    dns->proxy_udp_count = dns->udp_count - udp;
    dns->proxy_tcp_count = dns->tcp_count - tcp;
    tcp = dns->tcp_count;
    err = err ? err
              : sockets_tcp(c, c->dns_tls.listen, c->dns_tls.listen_count, "dns.tls", threads,
                            before, dns);
    dns->tls_count = dns->tcp_count - tcp;
    tcp = dns->tcp_count;
    err = err ? err
              : sockets_tcp(c, c->dns_proxy.tls, c->dns_proxy.tls_count, "dns.proxy.tls", threads,
                            before, dns);
    dns->proxy_tls_count = dns->tcp_count - tcp;
    return err;
}

/* One socket for each, taken from the program before this one where it has it. */
static int sockets_http(const struct config *c, const struct config_listen *listens, uint32_t count,
                        const char *what, int *before, unsigned before_count,
                        struct role_options *role)
{
    for (uint32_t i = 0; i < count && role->tcp_count < ROLE_FDS_MAX; i++) {
        const struct config_listen *l = &listens[i];
        int fd = handover_take(before, before_count, &l->ip, l->port);
        int err = fd < 0 ? net_tcp_listen(&l->ip, l->port, false, BACKLOG, &fd) : 0;
        if (err)
            return listen_problem(c, l, what, err);
        role->tcp_fds[role->tcp_count++] = fd;
    }
    return 0;
}

int sockets_tell(const struct config *c, struct handover *before, struct role_options *tell)
{
    return sockets_http(c, c->tell_listen, c->tell_listen_count, "tell", before->tell_fds,
                        before->tell_count, tell);
}

int sockets_api(const struct config *c, struct handover *before, struct role_options *control)
{
    return sockets_http(c, c->api_listen, c->api_listen_count, "api", before->api_fds,
                        before->api_count, control);
}
