/* A TCP worker (RFC 7766): connections of some listeners, one thread, epoll.
 *
 *   accepted --> reading --> answering --(kernel takes all)--> reading
 *                   |            |
 *                   |            +--(kernel takes part)--> flushing --> reading
 *                   +--> closed: end of stream, error, idle for too long, or the oldest when the
 * limit is reached
 *
 * 1. Only a whole query counts as activity: who sends a byte now and then is closed as idle.
 * 2. A connection holds at most TCP_READ_SIZE of queries and TCP_WRITE_SIZE of responses that its
 * client does not take; while it does not take them nothing more is read from it. Both buffers
 * exist only while they are needed.
 * 3. Connections stand in one list, the least recently active first; the first is what the limit
 * and the idle time close. */
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "seam/clock.h"
#include "seam/net.h"
#include "serve/dns/transfer_io.h"
#include "serve/dns/worker_io.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    TCP_EVENTS = 64,
    TCP_ACCEPTS = 64, /* at once, so that those who are in are served too */
    TCP_FRAME = 2,    /* the length before each message */
    TCP_MESSAGE = TCP_FRAME + DNS_MESSAGE_MAX,
    TCP_READ = 16 << 10, /* taken from a connection at once */
    TCP_READ_SIZE = TCP_MESSAGE + TCP_READ,
    TCP_WRITE = 16 << 10, /* so much gathered is sent before more is answered */
    TCP_WRITE_SIZE = TCP_WRITE + TCP_MESSAGE,
    TCP_PAUSE_MS = 10,
    TCP_TRANSFERS = 32,        /* at once in one thread, with TRANSFER_BUFFER each */
    TCP_TRANSFER_MESSAGES = 4, /* of one transfer in a turn, so that others are served too */
};

struct connection {
    struct connection *older, *newer;
    int fd;
    bool closed; /* unlinked; freed after the events of this turn */
    bool ended;  /* the client sends no more: closes once all is flushed */
    uint8_t family;
    uint8_t address[16];
    usec_t active;
    uint8_t *in,
        *out; /* a query that is not whole; responses not yet taken. NULL where there are none */
    size_t in_length, in_size, out_length, out_sent;
    struct transfer_stream *transfer; /* a zone on its way; queries behind it wait */
};

struct tcp_worker {
    struct worker *w;
    int epoll_fd;
    unsigned count;
    struct connection list;    /* head; list.newer is the oldest */
    struct connection *closed; /* through `older` */
    unsigned transfers;        /* on their way */
    usec_t now;
    uint8_t *read, *write; /* TCP_READ_SIZE, TCP_WRITE_SIZE */
};

/* ---- connections ---- */

static void connection_unlink(struct connection *c)
{
    c->older->newer = c->newer;
    c->newer->older = c->older;
}

static void connection_link(struct tcp_worker *t, struct connection *c)
{
    c->older = t->list.older;
    c->newer = &t->list;
    c->older->newer = c;
    t->list.older = c;
}

static void connection_touch(struct tcp_worker *t, struct connection *c)
{
    c->active = t->now;
    connection_unlink(c);
    connection_link(t, c);
}

static void connection_close(struct tcp_worker *t, struct connection *c)
{
    if (c->closed)
        return;
    invariant(t->count > 0);
    connection_unlink(c);
    close(c->fd); /* leaves the epoll set with it */
    c->closed = true;
    c->older = t->closed;
    t->closed = c;
    t->count--;
}

static void transfer_end(struct tcp_worker *t, struct connection *c)
{
    if (!c->transfer)
        return;
    invariant(t->transfers > 0);
    transfer_stream_close(c->transfer);
    c->transfer = NULL;
    t->transfers--;
}

static void closed_free(struct tcp_worker *t)
{
    while (t->closed) {
        struct connection *c = t->closed;
        t->closed = c->older;
        free(c->in);
        free(c->out);
        transfer_end(t, c);
        free(c);
    }
    stats_set(t->w->ctx.stats, DNS_TCP_CLIENTS, t->count);
}

static void connection_want(struct tcp_worker *t, struct connection *c, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = c};
    if (epoll_ctl(t->epoll_fd, EPOLL_CTL_MOD, c->fd, &e) < 0)
        connection_close(t, c);
}

static void address_set(struct connection *c, const struct sockaddr_storage *from)
{
    struct ip ip = {0};
    uint16_t port;
    if (net_ip_of((const struct sockaddr *)from, &ip, &port))
        return;
    c->family = ip.family;
    memcpy(c->address, ip.bytes, sizeof c->address);
}

static void connection_open(struct tcp_worker *t, int fd, const struct sockaddr_storage *from)
{
    if (t->count >= t->w->client_limit) {
        stats_add(t->w->ctx.stats, DNS_TCP_REFUSED, 1);
        connection_close(t, t->list.newer);
    }
    struct connection *c = mem_new(1, sizeof *c);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    c->fd = fd;
    c->active = t->now;
    address_set(c, from);
    if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0) {
        close(fd);
        free(c);
        return;
    }
    connection_link(t, c);
    t->count++;
}

static void listener_accept(struct tcp_worker *t, int fd)
{
    for (unsigned i = 0; i < TCP_ACCEPTS; i++) {
        struct sockaddr_storage from;
        socklen_t size = sizeof from;
        int client = accept4(fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0) {
            connection_open(t, client, &from);
            continue;
        }
        if (errno == EAGAIN)
            return;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_event(LOG_WARN, "dns.tcp.accept", {"reason", LOG_S(err_name(-errno))});
            if (t->count)
                connection_close(t, t->list.newer);
            else
                poll(NULL, 0, TCP_PAUSE_MS);
            return;
        }
    }
}

/* ---- writing ---- */

/* Sends what is at `data`; false where the connection broke. *ret_sent may be less than length. */
static bool connection_send(struct connection *c, const uint8_t *data, size_t length,
                            size_t *ret_sent)
{
    size_t sent = 0;
    while (sent < length) {
        ssize_t n = send(c->fd, data + sent, length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            return false;
        if (n < 0)
            break;
        sent += (size_t)n;
    }
    *ret_sent = sent;
    return true;
}

static void connection_write(struct tcp_worker *t, struct connection *c, size_t length)
{
    size_t sent;
    invariant(!c->out);
    if (!connection_send(c, t->write, length, &sent)) {
        connection_close(t, c);
        return;
    }
    if (sent == length)
        return;
    c->out = mem_new(1, length - sent);
    memcpy(c->out, t->write + sent, length - sent);
    c->out_length = length - sent;
    c->out_sent = 0;
    connection_want(t, c, EPOLLOUT);
}

/* ---- reading ---- */

/* What is left of a query that is not whole is kept for the next turn. */
static void rest_keep(struct connection *c, const uint8_t *data, size_t length)
{
    if (!length) {
        free(c->in);
        c->in = NULL;
        c->in_length = c->in_size = 0;
        return;
    }
    if (length > c->in_size) {
        c->in = mem_resize(c->in, length, 1);
        c->in_size = length;
    }
    memcpy(c->in, data, length);
    c->in_length = length;
}

/* Begins a transfer, or gives the length of a response that says why not. */
static size_t transfer_begin(struct tcp_worker *t, struct connection *c, struct query *q,
                             uint8_t *response)
{
    struct query_context *ctx = &t->w->ctx;
    struct transfer_wish wish;
    size_t length = keyed_transfer(q, ctx, response, DNS_MESSAGE_MAX, &wish);
    if (length)
        return length;
    int err = t->transfers < TCP_TRANSFERS
                  ? transfer_stream_open(t->w->options->data, q, ctx, &wish, &c->transfer)
                  : ERR_LIMIT;
    if (err) {
        log_event(LOG_WARN, "dns.transfer", {"reason", LOG_S(err_text(err))});
        return keyed_fail(q, ctx, &wish, DNS_SERVFAIL, response, DNS_MESSAGE_MAX);
    }
    t->transfers++;
    stats_add(ctx->stats, DNS_TRANSFERS, 1);
    return 0;
}

/* One query; 0: nothing is sent, or a transfer began. */
static size_t query_run(struct tcp_worker *t, struct connection *c, const struct served *s,
                        const struct bytes *wire, uint8_t *response)
{
    struct query_client client = {c->address, c->family, true};
    struct query q;
    query_prepare(&q, &t->w->ctx, s, wire->data, wire->length, &client);
    query_locate(&q);
    if (unlikely(keyed_is_transfer(&q)))
        return transfer_begin(t, c, &q, response);
    return query_finish(&q, &t->w->ctx, response, DNS_MESSAGE_MAX);
}

/* Answers whole queries at `data` while there is room; returns the bytes consumed. */
static size_t queries_answer(struct tcp_worker *t, struct connection *c, const uint8_t *data,
                             size_t length, size_t *ret_out, unsigned *ret_count)
{
    const struct served *s = worker_enter(t->w);
    size_t at = 0, out = 0;
    unsigned count = 0;
    while (length - at >= TCP_FRAME && out <= TCP_WRITE && !c->transfer) {
        size_t size = (size_t)(data[at] << 8 | data[at + 1]);
        if (length - at - TCP_FRAME < size)
            break;
        uint8_t *to = t->write + out;
        struct bytes wire = {data + at + TCP_FRAME, size};
        size_t n = query_run(t, c, s, &wire, to + TCP_FRAME);
        at += TCP_FRAME + size;
        count++;
        if (!n)
            continue;
        to[0] = (uint8_t)(n >> 8);
        to[1] = (uint8_t)n;
        out += TCP_FRAME + n;
    }
    worker_leave(t->w);
    *ret_out = out;
    *ret_count = count;
    return at;
}

/* All that can be answered now of what was read (in t->read) and kept. */
static void connection_work(struct tcp_worker *t, struct connection *c, size_t length)
{
    const uint8_t *data = t->read;
    while (!c->closed && !c->out && !c->transfer) {
        size_t out = 0;
        unsigned count = 0;
        size_t used = queries_answer(t, c, data, length, &out, &count);
        data += used;
        length -= used;
        if (!count)
            break;
        stats_add(t->w->ctx.stats, DNS_QUERIES_TCP, count);
        connection_touch(t, c);
        if (out)
            connection_write(t, c, out);
    }
    if (c->closed)
        return;
    rest_keep(c, data, length);
    if (c->transfer && !c->out)
        connection_want(t, c, EPOLLOUT);
    else if (c->ended && !c->out)
        connection_close(t, c);
}

/* Sends some messages of the transfer; true when it is over. */
static bool transfer_pump(struct tcp_worker *t, struct connection *c)
{
    struct transfer_stream *s = c->transfer;
    for (unsigned i = 0; i < TCP_TRANSFER_MESSAGES; i++) {
        size_t sent;
        if (!s->ready.length) {
            enum transfer_state state = transfer_step(s->transfer, t->w->ctx.wall(), &s->ready);
            if (state == TRANSFER_END)
                return true;
            if (state == TRANSFER_WORKING)
                return false;
        }
        if (!connection_send(c, s->ready.data, s->ready.length, &sent)) {
            connection_close(t, c);
            return false;
        }
        if (sent)
            connection_touch(t, c);
        s->ready = (struct bytes){s->ready.data + sent, s->ready.length - sent};
        if (s->ready.length)
            return false;
    }
    return false;
}

/* What waited until there was room for its answer. */
static void connection_resume(struct tcp_worker *t, struct connection *c)
{
    connection_want(t, c, EPOLLIN);
    if (c->closed)
        return;
    size_t kept = c->in_length;
    memcpy(t->read, c->in ? c->in : t->read, kept);
    connection_work(t, c, kept);
}

static void connection_read(struct tcp_worker *t, struct connection *c)
{
    size_t kept = c->in_length;
    invariant(kept < TCP_MESSAGE && !c->out);
    ssize_t n = recv(c->fd, t->read + kept, TCP_READ, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        connection_close(t, c);
        return;
    }
    memcpy(t->read, c->in ? c->in : t->read, kept);
    c->ended = n == 0;
    connection_work(t, c, kept + (size_t)n);
}

static void connection_flush(struct tcp_worker *t, struct connection *c)
{
    size_t sent;
    invariant(c->out || c->transfer);
    if (!c->out) {
        if (transfer_pump(t, c)) {
            transfer_end(t, c);
            connection_resume(t, c);
        }
        return;
    }
    if (!connection_send(c, c->out + c->out_sent, c->out_length - c->out_sent, &sent)) {
        connection_close(t, c);
        return;
    }
    c->out_sent += sent;
    if (c->out_sent < c->out_length)
        return;
    free(c->out);
    c->out = NULL;
    connection_touch(t, c);
    if (!c->transfer)
        connection_resume(t, c);
}

/* ---- the loop ---- */

static bool is_listener(const struct tcp_worker *t, const void *p)
{
    return (const int *)p >= t->w->fds && (const int *)p < t->w->fds + t->w->fd_count;
}

static void event_handle(struct tcp_worker *t, const struct epoll_event *e)
{
    if (is_listener(t, e->data.ptr)) {
        listener_accept(t, *(const int *)e->data.ptr);
        return;
    }
    struct connection *c = e->data.ptr;
    if (c->closed)
        return;
    if (e->events & EPOLLOUT)
        connection_flush(t, c);
    else if (e->events & EPOLLIN)
        connection_read(t, c);
    else
        connection_close(t, c);
}

static void idle_close(struct tcp_worker *t)
{
    usec_t idle = t->w->options->tcp_idle;
    while (t->count && t->now - t->list.newer->active >= idle)
        connection_close(t, t->list.newer);
}

static int wait_ms(const struct tcp_worker *t)
{
    if (!t->count)
        return -1;
    usec_t left = t->list.newer->active + t->w->options->tcp_idle - clock_now();
    return left < 0 ? 0 : (int)(left / USEC_PER_MSEC) + 1;
}

static void tcp_turn(struct tcp_worker *t)
{
    struct epoll_event events[TCP_EVENTS];
    int n = epoll_wait(t->epoll_fd, events, TCP_EVENTS, wait_ms(t));
    t->now = clock_now();
    for (int i = 0; i < n; i++)
        event_handle(t, &events[i]);
    idle_close(t);
    closed_free(t);
}

static int tcp_open(struct tcp_worker *t)
{
    t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (t->epoll_fd < 0)
        return -errno;
    for (unsigned i = 0; i < t->w->fd_count; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = (void *)&t->w->fds[i]};
        int err = net_nonblocking(t->w->fds[i], true);
        if (err)
            return err;
        if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, t->w->fds[i], &e) < 0)
            return -errno;
    }
    return 0;
}

void *tcp_worker_run(void *worker)
{
    struct tcp_worker t = {.w = worker, .epoll_fd = -1};
    t.list.older = t.list.newer = &t.list;
    t.read = mem_new(1, TCP_READ_SIZE);
    t.write = mem_new(1, TCP_WRITE_SIZE);
    int err = tcp_open(&t);
    if (err)
        log_event(LOG_ERROR, "dns.tcp.open", {"reason", LOG_S(err_text(err))});
    while (!err && !worker_stopped(t.w))
        tcp_turn(&t);
    while (t.count)
        connection_close(&t, t.list.newer);
    closed_free(&t);
    if (t.epoll_fd >= 0)
        close(t.epoll_fd);
    free(t.read);
    free(t.write);
    atomic_store(&t.w->done, true);
    return NULL;
}
