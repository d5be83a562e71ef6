/* Who is in and who has to go: accepting, ranks, and the bounds on streams, their memory, those of
 * one client and handshakes. */
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "seam/net.h"
#include "serve/dns/proxied.h"
#include "serve/dns/stream_own.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPTS = 64,      /* at once, so that those who are in are served too */
    BURST_US = 100000, /* of handshakes, at their rate */
    PAUSE_MS = 10,
};

/* ---- ranks ---- */

static void stream_unlink(struct stream *s)
{
    s->older->newer = s->newer;
    s->newer->older = s->older;
    s->streams->rank_count[s->rank]--;
}

static void stream_link(struct stream *s, enum stream_rank rank)
{
    struct stream *head = &s->streams->lists[rank];
    s->rank = rank;
    s->older = head->older;
    s->newer = head;
    s->older->newer = s;
    head->older = s;
    s->streams->rank_count[rank]++;
}

bool stream_is_busy(const struct stream *s)
{
    return s->out || s->pumping || s->owed;
}

/* Something happened that counts. */
void stream_touch(struct stream *s)
{
    s->active = s->streams->now;
    stream_unlink(s);
    stream_link(s, stream_is_busy(s) ? STREAM_BUSY : STREAM_IDLE);
}

struct stream *streams_oldest(struct streams *t, enum stream_rank rank)
{
    struct stream *s = t->lists[rank].newer;
    return s == &t->lists[rank] ? NULL : s;
}

/* ---- opening and closing ---- */

void stream_close(struct stream *s)
{
    struct streams *t = s->streams;
    if (s->closed)
        return;
    invariant(t->count > 0);
    stream_unlink(s);
    if (s->owed)
        owed_forget(&t->owed, s);
    if (s->counted)
        census_leave(t->setup.census, &s->client);
    t->memory -= s->charged;
    tls_stream_free(s->tls);
    s->tls = NULL;
    close(s->fd); /* leaves the epoll set with it */
    s->closed = true;
    s->older = t->closed;
    t->closed = s;
    t->count--;
}

void streams_free_closed(struct streams *t)
{
    while (t->closed) {
        struct stream *s = t->closed;
        t->closed = s->older;
        t->setup.speaker.closed(t->setup.speaker.context, s);
        free(s->in);
        free(s->out);
        free(s);
    }
    stats_set(t->setup.stats, t->setup.tls ? DNS_TLS_CLIENTS : DNS_TCP_CLIENTS, t->count);
}

/* A flood of connections that ask nothing drives out its own kind first, not those who do ask. */
static void room_make(struct streams *t)
{
    static const enum stream_rank order[] = {STREAM_IDLE, STREAM_FRESH, STREAM_BUSY};
    struct stream *victim = NULL;
    if (t->rank_count[STREAM_FRESH] > t->count / 2)
        victim = streams_oldest(t, STREAM_FRESH);
    for (unsigned i = 0; i < STREAM_RANKS && !victim; i++)
        victim = streams_oldest(t, order[i]);
    invariant(victim);
    stats_add(t->setup.stats, DNS_TCP_REFUSED, 1);
    stream_close(victim);
}

/* What the stream holds, as of now. */
void stream_charge(struct stream *s)
{
    size_t bytes = s->in_size + s->out_size + (s->tls ? TLS_STREAM_MEMORY : 0);
    s->streams->memory += bytes - s->charged;
    s->charged = bytes;
}

/* Where all hold too much, who has held what he has for longest goes. */
void streams_bound_memory(struct streams *t)
{
    while (t->memory > t->setup.limits.memory) {
        struct stream *victim = NULL;
        for (unsigned i = 0; i < STREAM_RANKS; i++) {
            struct stream *s = t->lists[i].newer;
            while (s != &t->lists[i] && !s->charged)
                s = s->newer;
            if (s != &t->lists[i] && (!victim || s->active < victim->active))
                victim = s;
        }
        invariant(victim);
        stats_add(t->setup.stats, DNS_CLOSED_MEMORY, 1);
        stream_close(victim);
    }
}

/* Each client has its bound, so that what it opens drives nobody else out. */
bool stream_count(struct stream *s)
{
    struct streams *t = s->streams;
    s->counted = t->setup.census && census_enter(t->setup.census, &s->client);
    if (t->setup.census && !s->counted)
        stats_add(t->setup.stats, DNS_CLOSED_EACH, 1);
    return s->counted || !t->setup.census;
}

/* Of a proxy's connection nothing is known but the proxy, which has to be one. */
static bool client_admit(struct stream *s)
{
    struct streams *t = s->streams;
    s->preamble = t->setup.proxies;
    if (!s->preamble)
        return stream_count(s);
    if (proxied_trusts(t->setup.proxies, &s->client))
        return true;
    stats_add(t->setup.stats, DNS_PROXY_REFUSED, 1);
    return false;
}

static void stream_open(struct streams *t, int fd, const struct sockaddr_storage *from)
{
    struct stream *s = mem_new(1, sizeof *s);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};
    uint16_t port;
    s->streams = t;
    s->fd = fd;
    s->interest = EPOLLIN;
    s->active = t->now;
    if (net_ip_of((const struct sockaddr *)from, &s->client, &port) || !client_admit(s)) {
        close(fd);
        free(s);
        return;
    }
    if (t->count >= t->setup.limits.clients)
        room_make(t);
    stream_link(s, STREAM_FRESH);
    t->count++;
    if (t->setup.limits.handshakes)
        t->handshakes_until += USEC_PER_SEC / t->setup.limits.handshakes;
    if (t->setup.tls)
        s->tls = tls_keep_begin(t->setup.tls, fd);
    stream_charge(s);
    if ((t->setup.tls && !s->tls) || epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0)
        stream_close(s);
    streams_bound_memory(t);
}

void streams_listen(struct streams *t, bool on)
{
    t->paused = !on;
    for (unsigned i = 0; i < t->setup.fd_count; i++) {
        struct epoll_event e = {.events = on ? EPOLLIN : 0, .data.ptr = (void *)&t->setup.fds[i]};
        if (epoll_ctl(t->epoll_fd, EPOLL_CTL_MOD, t->setup.fds[i], &e) < 0)
            log_event(LOG_ERROR, "dns.tcp.listen", {"reason", LOG_S(err_name(-errno))});
    }
}

/* L7: handshakes cost much more than queries; those who come too many at once wait in the kernel.
 */
static bool handshake_admit(struct streams *t)
{
    if (!t->setup.limits.handshakes)
        return true;
    if (t->handshakes_until < t->now - BURST_US)
        t->handshakes_until = t->now - BURST_US;
    if (t->handshakes_until < t->now)
        return true;
    stats_add(t->setup.stats, DNS_TLS_DELAYED, 1);
    streams_listen(t, false);
    return false;
}

void streams_accept(struct streams *t, int fd)
{
    for (unsigned i = 0; i < ACCEPTS && handshake_admit(t); i++) {
        struct sockaddr_storage from;
        socklen_t size = sizeof from;
        int client = accept4(fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0) {
            stream_open(t, client, &from);
            continue;
        }
        if (errno == EAGAIN)
            return;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_event(LOG_WARN, "dns.tcp.accept", {"reason", LOG_S(err_name(-errno))});
            if (t->count)
                room_make(t);
            else
                poll(NULL, 0, PAUSE_MS);
            return;
        }
    }
}
