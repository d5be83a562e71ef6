/* One thread, epoll (RFC 7766 6.2).
 *
 *   accepted --> FRESH --(a whole message)--> IDLE <--(all is sent)--> BUSY
 *                  |                            |                                        |
 *                  +---- closed: end of stream, error, time, or to make room for another +
 *
 * 1. Only a whole message counts as activity: who sends a byte now and then is closed as idle.
 * 2. A stream holds at most one message and STREAM_READ bytes of what came, and what the speaker
 * wrote and the client does not take; while it does not take it nothing more is read. Buffers exist
 * only while they are needed.
 * 3. The streams of a rank stand in one list, the least recently active first. */
#include "serve/dns/stream_io.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "seam/clock.h"
#include "seam/net.h"
#include "serve/dns/owed.h"
#include "serve/dns/proxied.h"
#include "serve/dns/tls_stream_io.h"
#include "wire/proxy2.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS = 64,
    ACCEPTS = 64, /* at once, so that those who are in are served too */
    READ_SIZE = STREAM_KEEP_MAX + STREAM_READ + TLS_RECORD,
    BURST_US = 100000, /* of handshakes, at their rate */
    PAUSE_MS = 10,
};

struct streams {
    struct stream_setup setup;
    int epoll_fd;
    unsigned count, rank_count[STREAM_RANKS];
    struct stream lists[STREAM_RANKS]; /* heads; .newer is the oldest */
    struct stream *closed;             /* through `older` */
    struct owed owed;
    struct mailbox *mailbox; /* answers that are owed */
    int mailbox_fd;
    usec_t now;
    size_t memory;
    usec_t handshakes_until; /* the rate is spent up to here */
    bool paused;             /* nothing is accepted for now */
    uint8_t *read;           /* READ_SIZE */
    uint8_t cipher[STREAM_READ];
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

static bool stream_is_busy(const struct stream *s)
{
    return s->out || s->pumping || s->owed;
}

/* Something happened that counts. */
static void stream_touch(struct stream *s)
{
    s->active = s->streams->now;
    stream_unlink(s);
    stream_link(s, stream_is_busy(s) ? STREAM_BUSY : STREAM_IDLE);
}

static struct stream *rank_oldest(struct streams *t, enum stream_rank rank)
{
    struct stream *s = t->lists[rank].newer;
    return s == &t->lists[rank] ? NULL : s;
}

/* ---- opening and closing ---- */

static void stream_close(struct stream *s)
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

static void closed_free(struct streams *t)
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
        victim = rank_oldest(t, STREAM_FRESH);
    for (unsigned i = 0; i < STREAM_RANKS && !victim; i++)
        victim = rank_oldest(t, order[i]);
    invariant(victim);
    stats_add(t->setup.stats, DNS_TCP_REFUSED, 1);
    stream_close(victim);
}

/* What the stream holds, as of now. */
static void stream_charge(struct stream *s)
{
    size_t bytes = s->in_size + s->out_size + (s->tls ? TLS_STREAM_MEMORY : 0);
    s->streams->memory += bytes - s->charged;
    s->charged = bytes;
}

/* Where all hold too much, who has held what he has for longest goes. */
static void memory_bound(struct streams *t)
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
static bool client_count(struct stream *s)
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
        return client_count(s);
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
    memory_bound(t);
}

static void listeners_watch(struct streams *t, bool on)
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
    listeners_watch(t, false);
    return false;
}

static void listener_accept(struct streams *t, int fd)
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

/* What is waited for, after anything has happened. */
static void stream_settle(struct stream *s)
{
    if (s->closed)
        return;
    bool busy = stream_is_busy(s);
    if (s->ended && !busy) {
        stream_close(s);
        return;
    }
    if ((s->rank == STREAM_BUSY) != busy)
        stream_touch(s);
    stream_charge(s);
    bool stuck = s->tls && tls_stream_stuck(s->tls);
    uint32_t interest = s->out || s->pumping || stuck ? EPOLLOUT : 0;
    if (!s->out && !s->held && !s->ended)
        interest |= EPOLLIN;
    struct epoll_event e = {.events = interest, .data.ptr = s};
    if (interest == s->interest)
        return;
    s->interest = interest;
    if (epoll_ctl(s->streams->epoll_fd, EPOLL_CTL_MOD, s->fd, &e) < 0)
        stream_close(s);
}

/* ---- writing ---- */

/* False where the connection broke. *ret_sent may be less than length. */
static bool stream_send(struct stream *s, const uint8_t *data, size_t length, size_t *ret_sent)
{
    size_t sent = 0;
    if (s->tls)
        return tls_stream_send(s->tls, data, length, ret_sent);
    while (sent < length) {
        ssize_t n = send(s->fd, data + sent, length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
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

static void out_keep(struct stream *s, const uint8_t *data, size_t length)
{
    if (!length)
        return;
    if (s->out_length + length > s->out_size) {
        s->out_size = s->out_length + length;
        s->out = mem_resize(s->out, s->out_size, 1);
    }
    memcpy(s->out + s->out_length, data, length);
    s->out_length += length;
}

void stream_write(struct stream *s, const uint8_t *data, size_t length)
{
    size_t sent = 0;
    if (s->closed)
        return;
    if (!s->out && !stream_send(s, data, length, &sent)) {
        stream_close(s);
        return;
    }
    out_keep(s, data + sent, length - sent);
}

static void out_free(struct stream *s)
{
    free(s->out);
    s->out = NULL;
    s->out_length = s->out_sent = s->out_size = 0;
}

void stream_pump(struct stream *s)
{
    s->pumping = true;
}

void stream_hold(struct stream *s)
{
    invariant(s->pumping || s->owed); /* else nothing would ever end it */
    s->held = true;
}

/* ---- reading ---- */

static void rest_keep(struct stream *s, const uint8_t *data, size_t length)
{
    if (!length) {
        free(s->in);
        s->in = NULL;
        s->in_length = s->in_size = 0;
        return;
    }
    if (length > s->in_size) {
        s->in = mem_resize(s->in, length, 1);
        s->in_size = length;
    }
    memcpy(s->in, data, length);
    s->in_length = length;
}

/* The header of a proxy, which comes first; returns its length, 0 while it is not whole. */
static size_t preamble_hear(struct stream *s, const uint8_t *data, size_t length)
{
    struct streams *t = s->streams;
    struct proxy2 header;
    int err = proxy2_parse(data, length, &header);
    if (err == ERR_TRUNCATED)
        return 0;
    s->preamble = false;
    if (!err && header.speaks_for)
        s->client = header.client;
    if (!err && client_count(s))
        return header.length;
    if (err)
        stats_add(t->setup.stats, DNS_PROXY_REFUSED, 1);
    stream_close(s);
    return 0;
}

/* All that can be heard now of what was read and kept; `data` is in t->read. */
static void stream_hear(struct stream *s, const uint8_t *data, size_t length)
{
    const struct stream_speaker *speaker = &s->streams->setup.speaker;
    if (s->preamble) {
        size_t header = preamble_hear(s, data, length);
        data += header;
        length -= header;
    }
    while (length && !s->preamble && !s->closed && !s->out && !s->held) {
        size_t used = speaker->heard(speaker->context, s, data, length);
        invariant(used <= length);
        if (!used)
            break;
        data += used;
        length -= used;
        if (!s->closed)
            stream_touch(s);
    }
    s->unheard = s->out || s->held;
    if (!s->closed)
        rest_keep(s, data, length);
}

/* What waited until there was room for its answer. */
static void stream_resume(struct stream *s)
{
    uint8_t *read = s->streams->read;
    size_t kept = s->in_length;
    if (!kept || !s->unheard)
        return;
    memcpy(read, s->in, kept);
    stream_hear(s, read, kept);
}

/* Counts the end of a handshake, good or not. */
static void handshake_note(struct stream *s, bool broken)
{
    unsigned version = tls_stream_version(s->tls);
    if (s->tls_version || (!version && !broken))
        return;
    s->tls_version = version;
    stats_add(s->streams->setup.stats,
              !version                     ? DNS_TLS_FAILED
              : tls_stream_resumed(s->tls) ? DNS_TLS_RESUMED
                                           : DNS_TLS_FULL,
              1);
}

/* As recv(2), through TLS; -EAGAIN: nothing of it is for the speaker. */
static ssize_t stream_decrypt(struct stream *s, const uint8_t *data, size_t length, uint8_t *to)
{
    long plain = tls_stream_feed(s->tls, data, length, to);
    handshake_note(s, plain < 0);
    if (plain < 0)
        return -EPROTO;
    if (tls_stream_ended(s->tls))
        s->ended = true;
    return plain || s->ended ? plain : -EAGAIN;
}

static ssize_t stream_receive(struct stream *s, uint8_t *to)
{
    uint8_t *cipher = s->streams->cipher;
    ssize_t n = recv(s->fd, s->tls ? cipher : to, STREAM_READ, MSG_DONTWAIT);
    if (n < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    s->ended = n == 0;
    return s->tls && n ? stream_decrypt(s, cipher, (size_t)n, to) : n;
}

static void stream_read(struct stream *s)
{
    uint8_t *read = s->streams->read;
    size_t kept = s->in_length;
    invariant(kept < STREAM_KEEP_MAX && !s->out && !s->held);
    ssize_t n = stream_receive(s, read + kept);
    if (n == -EAGAIN)
        return;
    if (n < 0) {
        stream_close(s);
        return;
    }
    if (kept)
        memcpy(read, s->in, kept);
    stream_hear(s, read, kept + (size_t)n);
}

/* Sends what waits, then has more made. */
static void stream_drain(struct stream *s)
{
    const struct stream_speaker *speaker = &s->streams->setup.speaker;
    size_t sent;
    if (s->tls && tls_stream_stuck(s->tls)) {
        if (stream_decrypt(s, NULL, 0, s->streams->read) == -EPROTO)
            stream_close(s);
        return;
    }
    if (s->out) {
        if (!stream_send(s, s->out + s->out_sent, s->out_length - s->out_sent, &sent)) {
            stream_close(s);
            return;
        }
        s->out_sent += sent;
        if (s->out_sent < s->out_length)
            return;
        out_free(s);
    }
    if (s->pumping && speaker->pump(speaker->context, s))
        s->pumping = s->held = false;
    if (s->closed || s->out)
        return;
    stream_touch(s);
    if (!s->held)
        stream_resume(s);
}

/* ---- answers that come later ---- */

struct stream_ticket stream_owe(struct stream *s)
{
    struct streams *t = s->streams;
    uint64_t token =
        s->owed < STREAM_OWED_MAX ? owed_add(&t->owed, s, t->now + t->setup.limits.patience) : 0;
    if (!token)
        return (struct stream_ticket){NULL, 0};
    s->owed++;
    return (struct stream_ticket){mailbox_ref(t->mailbox), token};
}

void stream_pay(struct stream_ticket ticket, const uint8_t *head, size_t head_length,
                const uint8_t *body, size_t body_length)
{
    mailbox_post(ticket.mailbox, ticket.token, head, head_length, body, body_length);
    mailbox_unref(ticket.mailbox);
}

void stream_ticket_drop(struct stream_ticket ticket)
{
    mailbox_unref(ticket.mailbox);
}

/* One less is waited for. */
static void stream_settle_owed(struct stream *s)
{
    invariant(s->owed > 0 && !s->closed);
    s->owed--;
    if (!s->pumping)
        s->held = false;
    if (!s->out) {
        stream_touch(s);
        stream_resume(s);
    }
    stream_settle(s);
}

static void letters_take(struct streams *t)
{
    for (struct letter *l = mailbox_take(t->mailbox), *next; l; l = next) {
        struct stream *s = owed_take(&t->owed, l->to);
        next = l->next;
        if (s) {
            stream_write(s, l->data, l->length);
            if (!s->closed)
                stream_settle_owed(s);
        }
        free(l);
    }
}

/* ---- the loop ---- */

static bool is_listener(const struct streams *t, const void *p)
{
    return (const int *)p >= t->setup.fds && (const int *)p < t->setup.fds + t->setup.fd_count;
}

static void event_handle(struct streams *t, const struct epoll_event *e)
{
    if (is_listener(t, e->data.ptr)) {
        listener_accept(t, *(const int *)e->data.ptr);
        return;
    }
    if (e->data.ptr == t->mailbox) {
        letters_take(t);
        return;
    }
    struct stream *s = e->data.ptr;
    if (s->closed)
        return;
    if (!(e->events & (EPOLLIN | EPOLLOUT)))
        stream_close(s);
    if (!s->closed && e->events & EPOLLOUT)
        stream_drain(s);
    if (!s->closed && e->events & EPOLLIN && !s->out && !s->held && !s->ended)
        stream_read(s);
    stream_settle(s);
}

usec_t streams_idle(const struct streams *t)
{
    return t->count > t->setup.limits.clients / 8 * 7 ? 0 : t->setup.limits.idle;
}

static usec_t rank_time(const struct streams *t, enum stream_rank rank)
{
    return rank == STREAM_BUSY ? t->setup.limits.patience : t->setup.limits.idle;
}

static void late_close(struct streams *t)
{
    for (struct stream *s; (s = owed_late(&t->owed, t->now));)
        stream_settle_owed(s);
    for (unsigned i = 0; i < STREAM_RANKS; i++)
        for (struct stream *s; (s = rank_oldest(t, (enum stream_rank)i)) &&
                               t->now - s->active >= rank_time(t, (enum stream_rank)i);) {
            stats_add(t->setup.stats, i == STREAM_BUSY ? DNS_CLOSED_SLOW : DNS_CLOSED_IDLE, 1);
            stream_close(s);
        }
}

static int wait_ms(struct streams *t)
{
    usec_t next = t->paused ? t->handshakes_until : USEC_NEVER;
    for (unsigned i = 0; i < STREAM_RANKS; i++) {
        const struct stream *s = rank_oldest(t, (enum stream_rank)i);
        if (s && s->active + rank_time(t, (enum stream_rank)i) < next)
            next = s->active + rank_time(t, (enum stream_rank)i);
    }
    if (next == USEC_NEVER)
        return -1;
    usec_t left = next - clock_now();
    return left < 0 ? 0 : (int)(left / USEC_PER_MSEC) + 1;
}

void streams_turn(struct streams *t)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(t->epoll_fd, events, EVENTS, wait_ms(t));
    t->now = clock_now();
    for (int i = 0; i < n; i++)
        event_handle(t, &events[i]);
    memory_bound(t);
    late_close(t);
    closed_free(t);
    if (t->paused && t->handshakes_until <= t->now)
        listeners_watch(t, true);
}

static int mailbox_add(struct streams *t)
{
    int err = mailbox_open(&t->mailbox, &t->mailbox_fd);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = t->mailbox};
    if (err)
        return err;
    return epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, t->mailbox_fd, &e) < 0 ? -errno : 0;
}

static int listeners_add(struct streams *t)
{
    for (unsigned i = 0; i < t->setup.fd_count; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = (void *)&t->setup.fds[i]};
        int err = net_nonblocking(t->setup.fds[i], true);
        if (err)
            return err;
        if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, t->setup.fds[i], &e) < 0)
            return -errno;
    }
    return 0;
}

int streams_open(const struct stream_setup *setup, struct streams **ret)
{
    struct streams *t = mem_new(1, sizeof *t);
    t->setup = *setup;
    for (unsigned i = 0; i < STREAM_RANKS; i++)
        t->lists[i].older = t->lists[i].newer = &t->lists[i];
    t->read = mem_new(1, READ_SIZE);
    t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int err = t->epoll_fd < 0 ? -errno : listeners_add(t);
    err = err ? err : mailbox_add(t);
    if (err) {
        streams_close(t);
        return err;
    }
    *ret = t;
    return 0;
}

void streams_close(struct streams *t)
{
    if (!t)
        return;
    for (unsigned i = 0; i < STREAM_RANKS; i++)
        for (struct stream *s; (s = rank_oldest(t, (enum stream_rank)i));)
            stream_close(s);
    closed_free(t);
    mailbox_unref(t->mailbox);
    if (t->epoll_fd >= 0)
        close(t->epoll_fd);
    free(t->read);
    free(t);
}
