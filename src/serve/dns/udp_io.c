/* A UDP worker: one socket, one thread. It takes what has come with one system call, answers, and
 * sends with one; the kernel's cost of a query is several times ours, so the number of calls is
 * what matters. */
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "seam/net.h"
#include "seam/thread.h"
#include "serve/dns/bundle.h"
#include "serve/dns/proxied.h"
#include "serve/dns/udp_outbox_io.h"
#include "serve/dns/worker_io.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    UDP_BATCH = 32,
    UDP_QUERY_SIZE = 1472 + 64, /* a longer query is cut, and so FORMERR; odd multiples of a */
    UDP_CONTROL_SIZE = 64,      /* cache line, so that neighbours do not share cache sets */
    UDP_PAUSE_MS = 10,          /* after an error of the socket: no busy loop */
};

union udp_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct udp_control {
    uint64_t bytes[UDP_CONTROL_SIZE / 8];
};

struct udp_batch {
    struct mmsghdr received[UDP_BATCH];
    struct iovec in[UDP_BATCH];
    union udp_address addresses[UDP_BATCH];
    struct udp_control control[UDP_BATCH];
    struct query_client clients[UDP_BATCH];
    struct ip proxied[UDP_BATCH]; /* for whom proxies speak */
    bool any_address; /* bound to no address: answers leave from where queries came to */
    uint8_t *queries, *responses;
    size_t response_size, response_stride;
    struct query jobs[UDP_BATCH];
    struct udp_outbox *outbox;
};
_Static_assert((int)UDP_BATCH <= (int)BUNDLE_ANSWERS_MAX, "the answers to a batch leave together");

static struct udp_batch *batch_new(int fd, size_t udp_size)
{
    struct udp_batch *b = mem_new(1, sizeof *b);
    struct ip ip = {0};
    static const struct ip none = {0};
    uint16_t port;
    if (!net_local(fd, &ip, &port))
        b->any_address = memcmp(ip.bytes, none.bytes, sizeof ip.bytes) == 0;
    b->response_size = udp_size;
    b->response_stride = (udp_size + 127) / 128 * 128 + 64;
    b->queries = mem_new(UDP_BATCH, UDP_QUERY_SIZE);
    b->responses = mem_new(UDP_BATCH, b->response_stride);
    b->outbox = udp_outbox_new(fd);
    for (unsigned i = 0; i < UDP_BATCH; i++) {
        b->in[i] = (struct iovec){b->queries + (size_t)i * UDP_QUERY_SIZE, UDP_QUERY_SIZE};
        b->received[i].msg_hdr = (struct msghdr){
            .msg_name = &b->addresses[i],
            .msg_namelen = sizeof b->addresses[i],
            .msg_iov = &b->in[i],
            .msg_iovlen = 1,
            .msg_control = b->any_address ? &b->control[i] : NULL,
            .msg_controllen = b->any_address ? sizeof b->control[i] : 0,
        };
    }
    return b;
}

static void batch_free(struct udp_batch *b)
{
    free(b->queries);
    free(b->responses);
    udp_outbox_free(b->outbox);
    free(b);
}

/* The source address of the answer is the one asked; by which interface it leaves is for the routes
 * to say, but for link-local addresses, which mean nothing without their interface. */
static void control_turn(struct msghdr *m)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    if (!c)
        return;
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo *info = (void *)CMSG_DATA(c);
        info->ipi_ifindex = 0;
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo *info = (void *)CMSG_DATA(c);
        if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr))
            info->ipi6_ifindex = 0;
    }
}

/* The query behind a proxy's header, and whose it is; none where there is no such header, or nobody
 * trusts who sent it. */
static struct bytes proxied_query(struct udp_batch *b, const struct worker *w, unsigned i)
{
    struct bytes query = {b->in[i].iov_base, b->received[i].msg_len};
    struct ip peer = {0};
    uint16_t port;
    int err = net_ip_of(&b->addresses[i].any, &peer, &port);
    size_t header =
        err ? 0 : proxied_header(w->ctx.policy, &peer, query.data, query.length, &b->proxied[i]);
    if (!header) {
        stats_add(w->ctx.stats, DNS_PROXY_REFUSED, 1);
        return (struct bytes){query.data, 0};
    }
    b->clients[i] = (struct query_client){b->proxied[i].bytes, b->proxied[i].family, false};
    return (struct bytes){query.data + header, query.length - header};
}

static void batch_prepare(struct udp_batch *b, const struct worker *w, const struct served *s,
                          unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const union udp_address *from = &b->addresses[i];
        struct query_client *c = &b->clients[i];
        if (from->any.sa_family == AF_INET6)
            *c = (struct query_client){from->v6.sin6_addr.s6_addr, IP_V6, false};
        else
            *c = (struct query_client){(const uint8_t *)&from->v4.sin_addr, IP_V4, false};
        struct bytes query = {b->in[i].iov_base, b->received[i].msg_len};
        if (unlikely(w->proxied))
            query = proxied_query(b, w, i);
        query_prepare(&b->jobs[i], &w->ctx, s, query.data, query.length, c);
    }
    for (unsigned i = 0; i < count; i++)
        query_locate(&b->jobs[i]);
    for (unsigned i = 0; i < count; i++)
        query_reach(&b->jobs[i]);
}

/* UPDATE and NOTIFY: the answer leaves as ours would, when control gives it. */
static bool message_relay(struct udp_batch *b, const struct worker *w, unsigned i)
{
    const struct query *q = &b->jobs[i];
    struct msghdr *m = &b->received[i].msg_hdr;
    struct ip client = {.family = q->client->family};
    const struct bytes message = {q->wire, q->length};
    memcpy(client.bytes, q->client->address, ip_size(&client));
    if (b->any_address)
        control_turn(m);
    return relay_datagram(w->relay, &message, &client, w->fds[0], m);
}

static void batch_finish(struct udp_batch *b, struct worker *w, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint8_t *to = b->responses + i * b->response_stride;
        if (unlikely(b->jobs[i].course == QUERY_RELAY) && message_relay(b, w, i))
            continue;
        size_t length = query_finish(&b->jobs[i], &w->ctx, to, b->response_size);
        if (!length)
            continue;
        if (b->any_address)
            control_turn(&b->received[i].msg_hdr);
        udp_outbox_add(b->outbox, &b->received[i].msg_hdr, to, length);
    }
}

/* The headers as recvmmsg wants them; after sending, for the outbox reads them. */
static void batch_reset(struct udp_batch *b, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct msghdr *m = &b->received[i].msg_hdr;
        m->msg_namelen = sizeof b->addresses[i];
        m->msg_controllen = b->any_address ? sizeof b->control[i] : 0;
    }
}

static void receive_failed(int error)
{
    if (error == EINTR)
        return;
    log_event(LOG_WARN, "dns.udp.receive", {"reason", LOG_S(err_name(-error))});
    poll(NULL, 0, UDP_PAUSE_MS);
}

void *udp_worker_run(void *worker)
{
    struct worker *w = worker;
    struct udp_batch *b = batch_new(w->fds[0], w->ctx.udp_size);
    thread_answers();
    while (!worker_stopped(w)) {
        int n = recvmmsg(w->fds[0], b->received, UDP_BATCH, MSG_WAITFORONE, NULL);
        if (n <= 0) {
            receive_failed(errno);
            continue;
        }
        stats_add(w->ctx.stats, DNS_QUERIES_UDP, (uint64_t)n);
        batch_prepare(b, w, worker_enter(w), (unsigned)n);
        batch_finish(b, w, (unsigned)n);
        worker_leave(w);
        udp_outbox_send(b->outbox, w->ctx.stats);
        batch_reset(b, (unsigned)n);
    }
    batch_free(b);
    atomic_store(&w->done, true);
    return NULL;
}
