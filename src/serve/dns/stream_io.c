/* What goes to and fro, in one thread, with epoll (RFC 7766 6.2).
 *
 *   accepted --> FRESH --(a whole message)--> IDLE <--(all is sent)--> BUSY
 *                  |                            |                       |
 *                  +--> closed: end of stream, error, time, or to make room for another
 *
 * 1. Only a whole message counts as activity: who sends a byte now and then is closed as idle.
 * 2. A stream holds at most one message and STREAM_READ bytes of what came, and what the speaker
 * wrote and the client does not take; while it does not take it nothing more is read. Buffers exist
 * only while they are needed.
 * 3. The streams of a rank stand in one list, the least recently active first. */
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "seam/clock.h"
#include "seam/net.h"
#include "serve/dns/stream_own.h"
#include "serve/dns/tls_stream_io.h"
#include "wire/proxy2.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 64 };

/* The client has all that it asked for; its own end of the stream is waited for, since closing
 * while something of it is unread would take back what it has not read yet (RFC 1122 4.2.2.13). */
static void stream_part(struct stream *s)
{
    if (s->parted)
        return;
    s->parted = true;
    stream_touch(s);
    if (s->tls)
        tls_stream_end(s->tls);
    if (shutdown(s->fd, SHUT_WR) < 0)
        stream_close(s);
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
    if (s->parting && !busy)
        stream_part(s);
    if (s->closed)
        return;
    stream_charge(s);
    bool stuck = s->tls && tls_stream_stuck(s->tls);
    uint32_t interest = s->out || s->pumping || stuck ? EPOLLOUT : 0;
    if (s->parting ? s->parted : !s->out && !s->held && !s->ended)
        interest |= EPOLLIN;
    struct epoll_event e = {.events = interest, .data.ptr = s};
    if (interest == s->interest)
        return;
    s->interest = interest;
    if (epoll_ctl(s->streams->epoll_fd, EPOLL_CTL_MOD, s->fd, &e) < 0)
        stream_close(s);
}

const uint8_t *stream_pin(const struct stream *s)
{
    return s->tls ? tls_stream_pin(s->tls) : NULL;
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

void stream_finish(struct stream *s)
{
    s->ended = true;
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
    if (!err && stream_count(s))
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

/* In front of TLS the header is not encrypted, and what is kept of it neither; its time is that of
 * who has asked nothing yet. As stream_receive(). */
static ssize_t preamble_receive(struct stream *s, uint8_t *to)
{
    uint8_t *cipher = s->streams->cipher;
    size_t kept = s->in_length;
    invariant(kept < PROXY2_MAX);
    ssize_t n = recv(s->fd, cipher + kept, STREAM_READ - kept, MSG_DONTWAIT);
    if (n <= 0)
        return n && (errno == EINTR || errno == EAGAIN) ? -EAGAIN : -ECONNRESET;
    if (kept)
        memcpy(cipher, s->in, kept);
    size_t length = kept + (size_t)n, header = preamble_hear(s, cipher, length);
    if (s->closed)
        return -EAGAIN;
    rest_keep(s, cipher, header ? 0 : length);
    return header ? stream_decrypt(s, cipher + header, length - header, to) : -EAGAIN;
}

static void stream_read(struct stream *s)
{
    uint8_t *read = s->streams->read;
    bool preamble = s->tls && s->preamble;
    size_t kept = preamble ? 0 : s->in_length;
    invariant(kept < STREAM_KEEP_MAX && !s->out && !s->held);
    ssize_t n = preamble ? preamble_receive(s, read) : stream_receive(s, read + kept);
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

/* Of a stream that is parted nothing is heard; it only comes to its end. */
static void stream_discard(struct stream *s)
{
    ssize_t n = recv(s->fd, s->streams->cipher, STREAM_READ, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        stream_close(s);
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
        streams_accept(t, *(const int *)e->data.ptr);
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
    if (!s->closed && e->events & EPOLLIN && s->parted)
        stream_discard(s);
    else if (!s->closed && e->events & EPOLLIN && !s->out && !s->held && !s->ended && !s->parting)
        stream_read(s);
    stream_settle(s);
}

usec_t streams_idle(const struct streams *t)
{
    bool leave = t->part_at != USEC_NEVER || t->count > t->setup.limits.clients / 8 * 7;
    return leave ? 0 : t->setup.limits.idle;
}

static usec_t rank_time(const struct streams *t, enum stream_rank rank)
{
    const usec_t quiet = STREAM_LEAVE_QUIET_MS * USEC_PER_MSEC;
    if (rank != STREAM_BUSY && t->part_at != USEC_NEVER && quiet < t->setup.limits.idle)
        return quiet;
    return rank == STREAM_BUSY ? t->setup.limits.patience : t->setup.limits.idle;
}

/* Did it say something in its last moment? Then its time begins anew. */
static bool stream_speaks(struct stream *s)
{
    usec_t before = s->active;
    if (s->held || s->ended || s->parting || s->in_length >= STREAM_KEEP_MAX)
        return false;
    stream_read(s);
    stream_settle(s);
    return s->closed || s->active != before;
}

static void late_close(struct streams *t)
{
    for (struct stream *s; (s = owed_late(&t->owed, t->now));)
        stream_settle_owed(s);
    for (unsigned i = 0; i < STREAM_RANKS; i++)
        for (struct stream *s; (s = streams_oldest(t, (enum stream_rank)i)) &&
                               t->now - s->active >= rank_time(t, (enum stream_rank)i);) {
            if (i != STREAM_BUSY && t->part_at != USEC_NEVER && stream_speaks(s))
                continue;
            stats_add(t->setup.stats, i == STREAM_BUSY ? DNS_CLOSED_SLOW : DNS_CLOSED_IDLE, 1);
            stream_close(s);
        }
}

static int wait_ms(struct streams *t)
{
    usec_t next = t->paused ? t->handshakes_until : USEC_NEVER;
    for (unsigned i = 0; i < STREAM_RANKS; i++) {
        const struct stream *s = streams_oldest(t, (enum stream_rank)i);
        if (s && s->active + rank_time(t, (enum stream_rank)i) < next)
            next = s->active + rank_time(t, (enum stream_rank)i);
    }
    if (t->part_at < next)
        next = t->now < t->part_at ? t->part_at : t->part_at + STREAM_PART_MS * USEC_PER_MSEC;
    if (next == USEC_NEVER)
        return -1;
    usec_t left = next - clock_now();
    return left < 0 ? 0 : (int)(left / USEC_PER_MSEC) + 1;
}

/* From now on nothing is read. */
static void all_part(struct streams *t)
{
    for (unsigned i = 0; i < STREAM_RANKS; i++)
        for (struct stream *s = t->lists[i].newer, *next; s != &t->lists[i]; s = next) {
            next = s->newer;
            if (s->parting)
                continue;
            s->parting = true;
            stream_settle(s);
        }
}

void streams_leave(struct streams *t)
{
    t->now = clock_now();
    t->part_at = t->now + STREAM_LEAVE_MS * USEC_PER_MSEC;
    streams_listen(t, false);
}

bool streams_left(const struct streams *t)
{
    return !t->count || t->now >= t->part_at + STREAM_PART_MS * USEC_PER_MSEC;
}

void streams_turn(struct streams *t)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(t->epoll_fd, events, EVENTS, wait_ms(t));
    t->now = clock_now();
    for (int i = 0; i < n; i++)
        event_handle(t, &events[i]);
    streams_bound_memory(t);
    late_close(t);
    if (t->now >= t->part_at)
        all_part(t);
    streams_free_closed(t);
    if (t->paused && t->part_at == USEC_NEVER && t->handshakes_until <= t->now)
        streams_listen(t, true);
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
    t->part_at = USEC_NEVER;
    for (unsigned i = 0; i < STREAM_RANKS; i++)
        t->lists[i].older = t->lists[i].newer = &t->lists[i];
    t->read = mem_new(1, STREAM_ROOM);
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
        for (struct stream *s; (s = streams_oldest(t, (enum stream_rank)i));)
            stream_close(s);
    streams_free_closed(t);
    mailbox_unref(t->mailbox);
    if (t->epoll_fd >= 0)
        close(t->epoll_fd);
    free(t->read);
    free(t);
}
