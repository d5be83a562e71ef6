/* DNS over streams (RFC 7766): a worker thread. Queries are answered in the order they came, but
 * for transfers, whose messages go between the answers to what is asked meanwhile (RFC 9103 6.3),
 * and for messages that are answered later. */
#include "serve/dns/tcp_io.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "seam/thread.h"
#include "serve/dns/transfer_io.h"
#include "serve/dns/worker_io.h"
#include <stdlib.h>

enum {
    TCP_FRAME = 2,        /* the length before each message */
    TCP_WRITE = 16 << 10, /* so much gathered is sent before more is answered */
    TCP_WRITE_SIZE = TCP_WRITE + TCP_FRAME + DNS_MESSAGE_MAX,
    TCP_TRANSFERS = 32,        /* at once in one thread, with TRANSFER_BUFFER each */
    TCP_TRANSFER_MESSAGES = 4, /* of one transfer in a turn, so that others are served too */
};

struct tcp_worker {
    struct worker *w;
    struct streams *streams;
    unsigned transfers; /* on their way: streams whose `own` is one */
    uint8_t *write;     /* TCP_WRITE_SIZE */
};

/* ---- transfers ---- */

static void transfer_end(struct tcp_worker *t, struct stream *s)
{
    if (!s->own)
        return;
    invariant(t->transfers > 0);
    transfer_stream_close(s->own);
    s->own = NULL;
    t->transfers--;
}

/* Begins a transfer, or gives the length of a response that says why not. */
static size_t transfer_begin(struct tcp_worker *t, struct stream *s, struct query *q,
                             uint8_t *response)
{
    struct query_context *ctx = &t->w->ctx;
    struct transfer_stream *transfer;
    struct transfer_wish wish;
    size_t length = keyed_transfer(q, ctx, response, DNS_MESSAGE_MAX, &wish);
    if (length)
        return length;
    int err = t->transfers < TCP_TRANSFERS
                  ? transfer_stream_open(t->w->options->data, q, ctx, &wish, &transfer)
                  : ERR_LIMIT;
    if (err) {
        log_event(LOG_WARN, "dns.transfer", {"reason", LOG_S(err_text(err))});
        return keyed_fail(q, ctx, &wish, DNS_SERVFAIL, response, DNS_MESSAGE_MAX);
    }
    invariant(!s->own);
    s->own = transfer;
    t->transfers++;
    stats_add(ctx->stats, DNS_TRANSFERS, 1);
    stream_pump(s);
    return 0;
}

/* Writes some messages of the transfer; true when it is over. */
static bool transfer_pump(void *worker, struct stream *s)
{
    struct tcp_worker *t = worker;
    struct transfer_stream *transfer = s->own;
    for (unsigned i = 0; i < TCP_TRANSFER_MESSAGES && !s->closed && !s->out; i++) {
        struct bytes message;
        enum transfer_state state = transfer_step(transfer->transfer, t->w->ctx.wall(), &message);
        if (state == TRANSFER_END) {
            transfer_end(t, s);
            return true;
        }
        if (state == TRANSFER_WORKING)
            return false;
        stream_write(s, message.data, message.length);
    }
    return false;
}

/* ---- queries ---- */

/* UPDATE and NOTIFY: answered when control answers, perhaps behind other queries (RFC
 * 7766 6.2.1.1). */
static bool message_relay(struct tcp_worker *t, struct stream *s, const struct bytes *message)
{
    struct stream_ticket ticket = stream_owe(s);
    if (!ticket.mailbox)
        return false;
    if (relay_stream(t->w->relay, message, &s->client, ticket))
        return true;
    stream_ticket_drop(ticket);
    return false;
}

enum outcome { ANSWERED, SILENT, LATER };

/* LATER: nothing was done; it is for when the transfer that is on its way has ended. */
static enum outcome query_run(struct tcp_worker *t, struct stream *s, const struct served *served,
                              const struct bytes *wire, uint8_t *response, size_t *ret_length)
{
    struct query_client client = {s->client.bytes, s->client.family, true, (uint8_t)s->tls_version,
                                  stream_pin(s)};
    struct query q;
    query_prepare(&q, &t->w->ctx, served, wire->data, wire->length, &client);
    query_locate(&q);
    if (unlikely(q.course == QUERY_RELAY) && message_relay(t, s, wire))
        return SILENT;
    if (likely(!keyed_is_transfer(&q)))
        *ret_length = query_finish(&q, &t->w->ctx, response, DNS_MESSAGE_MAX);
    else if (s->own)
        return LATER;
    else
        *ret_length = transfer_begin(t, s, &q, response);
    return *ret_length ? ANSWERED : SILENT;
}

/* Answers whole queries at `data` while there is room. */
static size_t queries_answer(void *worker, struct stream *s, const uint8_t *data, size_t length)
{
    struct tcp_worker *t = worker;
    const struct served *served = worker_enter(t->w);
    t->w->ctx.keepalive = (uint16_t)(streams_idle(t->streams) / (100 * USEC_PER_MSEC));
    size_t at = 0, out = 0;
    unsigned count = 0;
    while (length - at >= TCP_FRAME && out <= TCP_WRITE) {
        size_t size = (size_t)(data[at] << 8 | data[at + 1]), n = 0;
        if (unlikely(size < DNS_HEADER_SIZE)) { /* no message; it is not to pass for activity */
            stream_finish(s);
            at = length;
            break;
        }
        if (length - at - TCP_FRAME < size)
            break;
        uint8_t *to = t->write + out;
        struct bytes wire = {data + at + TCP_FRAME, size};
        enum outcome outcome = query_run(t, s, served, &wire, to + TCP_FRAME, &n);
        if (outcome == LATER) {
            stream_hold(s);
            break;
        }
        at += TCP_FRAME + size;
        count++;
        if (outcome == SILENT)
            continue;
        to[0] = (uint8_t)(n >> 8);
        to[1] = (uint8_t)n;
        out += TCP_FRAME + n;
    }
    worker_leave(t->w);
    stats_add(t->w->ctx.stats, t->w->tls ? DNS_QUERIES_TLS : DNS_QUERIES_TCP, count);
    if (out)
        stream_write(s, t->write, out);
    return at;
}

static void stream_forget(void *worker, struct stream *s)
{
    transfer_end(worker, s);
}

void tcp_answer(struct stream_ticket ticket, const uint8_t *message, size_t length)
{
    const uint8_t frame[TCP_FRAME] = {(uint8_t)(length >> 8), (uint8_t)length};
    invariant(length <= DNS_MESSAGE_MAX);
    stream_pay(ticket, frame, sizeof frame, message, length);
}

void *tcp_worker_run(void *worker)
{
    struct tcp_worker t = {.w = worker, .write = mem_new(1, TCP_WRITE_SIZE)};
    const struct stream_setup setup = {
        .fds = t.w->fds,
        .fd_count = t.w->fd_count,
        .limits = t.w->limits,
        .census = t.w->census,
        .tls = t.w->tls,
        .proxies = t.w->proxied ? t.w->ctx.policy : NULL,
        .stats = t.w->ctx.stats,
        .speaker = {&t, queries_answer, transfer_pump, stream_forget},
    };
    thread_answers();
    int err = streams_open(&setup, &t.streams);
    if (err)
        log_event(LOG_ERROR, "dns.tcp.open", {"reason", LOG_S(err_text(err))});
    while (!err && !worker_stopped(t.w))
        streams_turn(t.streams);
    if (!err)
        streams_leave(t.streams);
    while (!err && !streams_left(t.streams))
        streams_turn(t.streams);
    streams_close(t.streams);
    free(t.write);
    atomic_store(&t.w->done, true);
    return NULL;
}
