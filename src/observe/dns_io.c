/* Checks of kind dns: one query over UDP, from a socket (so a port) of its own. */
#include "observe/probe_io.h"

#include "base/err.h"
#include "base/memory.h"
#include "observe/dnsprobe.h"
#include "seam/entropy.h"
#include "seam/net.h"
#include "wire/dns.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READS_MAX = 16, PORT = 53 };

struct dns {
    struct dnsprobe probe;
    uint16_t id; /* of the running probe */
};

static bool dns_prepare(struct slot *s)
{
    struct dns *d = mem_new(1, sizeof *d);
    const struct config_check *c = s->check;
    int length = c->query ? dname_parse(c->query, strlen(c->query), NULL, d->probe.name) : -1;
    d->probe.name_length = length > 0 ? (size_t)length : 0;
    d->probe.type = c->query_type ? c->query_type : DNS_A;
    d->probe.has_expect = c->expect != NULL;
    if (length <= 0 || (c->expect && ip_parse(c->expect, &d->probe.expect))) {
        free(d);
        return false;
    }
    s->state = d;
    return true;
}

static void dns_release(struct slot *s)
{
    free(s->state);
    s->state = NULL;
}

static int query_send(struct slot *s)
{
    struct dns *d = s->state;
    struct sockaddr_storage to;
    uint8_t query[DNSPROBE_QUERY_MAX];
    socklen_t length = net_sockaddr(&s->address, s->check->port ? s->check->port : PORT, &to);
    int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    d->id = (uint16_t)entropy_u64();
    size_t size = dnsprobe_write(&d->probe, d->id, query);
    /* connected: the kernel drops what comes from elsewhere, and reports ICMP errors */
    if (connect(fd, (struct sockaddr *)&to, length) || send(fd, query, size, MSG_NOSIGNAL) < 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    return slot_watch(s, fd, EPOLLIN);
}

static void dns_start(struct slot *s)
{
    int err = query_send(s);
    if (err)
        stream_failed(s, -err);
}

static enum reason reply_reason(const struct dnsprobe *p, const struct dnsprobe_reply *r)
{
    if (r->rcode != DNS_NOERROR)
        return classify_rcode(r->rcode);
    if (p->has_expect ? r->expected : r->answers > 0)
        return REASON_OK;
    /* the rest would be had over TCP, which this prober does not try: no verdict from half an
     * answer */
    if (r->truncated)
        return p->has_expect ? REASON_INTERNAL : REASON_OK;
    return r->answers ? REASON_RESOLVE_WRONG : REASON_RESOLVE_NODATA;
}

static void dns_event(struct slot *s, uint32_t events)
{
    (void)events;
    struct dns *d = s->state;
    uint8_t data[4096];
    for (int i = 0; i < READS_MAX; i++) {
        ssize_t length = recv(s->fd, data, sizeof data, 0);
        if (length < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (length < 0) {
            stream_failed(s, errno);
            return;
        }
        struct dnsprobe_reply reply;
        int err = dnsprobe_read(&d->probe, d->id, data, (size_t)length, &reply);
        if (err == ERR_MISSING)
            continue;
        slot_phase(s, PHASE_RESOLVE, s->sample.started);
        s->sample.status = err ? 0 : reply.rcode;
        slot_finish(s, err ? REASON_PROTOCOL : reply_reason(&d->probe, &reply));
        return;
    }
}

static void dns_expire(struct slot *s)
{
    slot_phase(s, PHASE_RESOLVE, s->sample.started);
    slot_finish(s, REASON_RESOLVE_TIMEOUT);
}

const struct probe_kind probe_dns = {.prepare = dns_prepare,
                                     .release = dns_release,
                                     .start = dns_start,
                                     .event = dns_event,
                                     .expire = dns_expire,
                                     .stop = slot_close};
