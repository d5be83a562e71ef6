#include "transfer/fetch_io.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "base/random.h"
#include "seam/clock.h"
#include "seam/net.h"
#include "transfer/refresh.h"
#include "wire/dns.h"
#include <string.h>

enum { TICK_MS = 250, READ_SIZE = 65536, LENGTH_SIZE = 2 };

struct fetcher {
    uv_loop_t *loop;
    struct random random;
    struct channel_store *store;
    uint8_t read[READ_SIZE]; /* one read at a time: libuv hands it back at once */
};

struct fetcher *fetcher_new(uv_loop_t *loop, uint64_t seed)
{
    struct fetcher *f = mem_new(1, sizeof *f);
    f->loop = loop;
    f->random = random_init(seed);
    return f;
}

void fetcher_renew(struct fetcher *f)
{
    channel_store_free(f->store);
    f->store = NULL;
}

void fetcher_free(struct fetcher *f)
{
    fetcher_renew(f);
    free(f);
}

static uint64_t wall_seconds(void)
{
    return (uint64_t)(clock_wall() / USEC_PER_SEC);
}

/* ---- the serial, over UDP ---- */

struct asking {
    struct fetcher *fetcher;
    uv_udp_t socket;
    uv_timer_t timer;
    unsigned handles; /* not closed yet */
    unsigned tries;
    uint16_t id;
    uint8_t zone[DNAME_MAX];
    struct tsig_key key;
    bool has_key, ended;
    struct tsig_session session;
    fetch_asked *done;
    void *context;
};

static void asking_closed(uv_handle_t *handle)
{
    struct asking *a = handle->data;
    if (--a->handles)
        return;
    explicit_bzero(&a->key, sizeof a->key);
    free(a);
}

static void asking_end(struct asking *a, int err, uint32_t serial)
{
    struct fetch_result result = {.err = err};
    invariant(!a->ended);
    a->ended = true;
    uv_close((uv_handle_t *)&a->timer, asking_closed);
    uv_close((uv_handle_t *)&a->socket, asking_closed);
    a->done(a->context, &result, serial);
}

static void asking_buffer(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct asking *a = handle->data;
    (void)size;
    *buf = uv_buf_init((char *)a->fetcher->read, READ_SIZE);
}

static void asking_received(uv_udp_t *socket, ssize_t length, const uv_buf_t *buf,
                            const struct sockaddr *from, unsigned flags)
{
    struct asking *a = socket->data;
    uint32_t serial = 0;
    (void)flags;
    if (a->ended || length == 0 || (length > 0 && !from))
        return;
    if (length < 0) { /* nobody listens there */
        asking_end(a, (int)length, 0);
        return;
    }
    int err = refresh_answered((const uint8_t *)buf->base, (size_t)length, a->id, a->zone,
                               &a->session, wall_seconds(), &serial);
    if (err != ERR_MISSING)
        asking_end(a, err, serial);
}

static int asking_send(struct asking *a)
{
    uint8_t wire[REFRESH_SIZE_MAX];
    a->session = (struct tsig_session){.key = a->has_key ? &a->key : NULL};
    a->id = (uint16_t)random_u64(&a->fetcher->random);
    int length = refresh_write(a->id, a->zone, &a->session, wall_seconds(), wire);
    if (length < 0)
        return length;
    uv_buf_t buf = uv_buf_init((char *)wire, (unsigned)length);
    int sent = uv_udp_try_send(&a->socket, &buf, 1, NULL);
    return sent < 0 ? sent : 0;
}

static void asking_tick(uv_timer_t *timer)
{
    struct asking *a = timer->data;
    if (a->ended)
        return;
    int err = a->tries++ < FETCH_ASK_TRIES ? asking_send(a) : UV_ETIMEDOUT;
    if (err)
        asking_end(a, err, 0);
}

void fetch_serial(struct fetcher *f, const uint8_t *zone, const struct fetch_peer *peer,
                  fetch_asked *done, void *context)
{
    struct sockaddr_storage to;
    struct asking *a = mem_new(1, sizeof *a);
    *a = (struct asking){.fetcher = f, .done = done, .context = context, .handles = 2};
    memcpy(a->zone, zone, dname_length(zone));
    if (peer->key) {
        a->key = *peer->key;
        a->has_key = true;
    }
    a->socket.data = a->timer.data = a;
    int err = uv_timer_init(f->loop, &a->timer);
    invariant(err == 0);
    err = uv_udp_init(f->loop, &a->socket);
    invariant(err == 0);
    net_sockaddr(&peer->ip, peer->port, &to);
    err = uv_udp_connect(&a->socket, (struct sockaddr *)&to);
    if (!err)
        err = uv_udp_recv_start(&a->socket, asking_buffer, asking_received);
    if (err) /* told by the first tick, never from within this call */
        a->tries = FETCH_ASK_TRIES;
    err = uv_timer_start(&a->timer, asking_tick, 0, FETCH_ASK_WAIT_S * 1000);
    invariant(err == 0);
}

/* ---- the zone, over TCP or TLS ---- */

struct fetch {
    struct fetcher *fetcher;
    uv_tcp_t socket;
    uv_timer_t timer;
    uv_connect_t connect;
    unsigned handles;
    bool ended, connected;
    usec_t began, heard;
    int failed;              /* to be told by the first tick */
    struct channel *channel; /* NULL: plain */
    struct inbound *in;
    uint8_t *message; /* instead of `in`: with its length before it; owned */
    size_t message_length;
    const uint8_t *answer; /* to that */
    size_t answer_length;
    uint8_t *have; /* what came and is no whole message yet */
    size_t have_length;
    fetch_done *done;
    fetch_passed *passed;
    void *context;
};

enum { HAVE_SIZE = LENGTH_SIZE + DNS_MESSAGE_MAX };

struct sending {
    uv_write_t write;
    uint8_t data[];
};

static void fetch_closed(uv_handle_t *handle)
{
    struct fetch *f = handle->data;
    if (--f->handles)
        return;
    channel_free(f->channel);
    free(f->message);
    free(f->have);
    free(f);
}

static void fetch_end(struct fetch *f, int err, const char *reason)
{
    struct fetch_result result = {err, reason, f->connected};
    invariant(!f->ended);
    f->ended = true;
    uv_close((uv_handle_t *)&f->timer, fetch_closed);
    uv_close((uv_handle_t *)&f->socket, fetch_closed);
    if (f->passed)
        f->passed(f->context, &result, err ? NULL : f->answer, f->answer_length);
    else
        f->done(f->context, &result, f->in);
}

static void sent(uv_write_t *write, int status)
{
    struct sending *s = write->data;
    (void)status; /* a connection that broke is seen by the reader */
    free(s);
}

static int bytes_send(struct fetch *f, const void *data, size_t length)
{
    struct sending *s = mem_new(1, sizeof *s + length);
    memcpy(s->data, data, length);
    s->write.data = s;
    uv_buf_t buf = uv_buf_init((char *)s->data, (unsigned)length);
    int err = uv_write(&s->write, (uv_stream_t *)&f->socket, &buf, 1, sent);
    if (err)
        free(s);
    return err;
}

static int channel_flush(struct fetch *f)
{
    uint8_t out[4096];
    size_t length;
    while ((length = channel_give(f->channel, out, sizeof out)) > 0) {
        int err = bytes_send(f, out, length);
        if (err)
            return err;
    }
    return 0;
}

/* 1: it is the answer; else it is none of ours. */
static int answer_take(struct fetch *f, const uint8_t *data, size_t length)
{
    enum { FLAGS = 2 };
    const uint8_t *asked = f->message + LENGTH_SIZE;
    if (length < DNS_HEADER_SIZE || memcmp(data, asked, 2) != 0 ||
        !(data[FLAGS] & DNS_FLAG_QR >> 8) || (data[FLAGS] ^ asked[FLAGS]) & 0x78)
        return ERR_INVALID;
    f->answer = data;
    f->answer_length = length;
    return 1;
}

/* The messages that are whole; 1 once the last one was. */
static int messages_take(struct fetch *f)
{
    size_t at = 0;
    int result = 0;
    while (!result && f->have_length - at >= LENGTH_SIZE) {
        size_t length = (size_t)f->have[at] << 8 | f->have[at + 1];
        if (f->have_length - at < LENGTH_SIZE + length)
            break;
        const uint8_t *data = f->have + at + LENGTH_SIZE;
        result = f->in ? inbound_message(f->in, data, length, wall_seconds())
                       : answer_take(f, data, length);
        at += LENGTH_SIZE + length;
    }
    if (f->answer)
        return result; /* it lies in there */
    f->have_length -= at;
    memmove(f->have, f->have + at, f->have_length);
    return result;
}

static int plain_take(struct fetch *f, const uint8_t *data, size_t length)
{
    int result = 0;
    while (length && !result) {
        size_t room = HAVE_SIZE - f->have_length, part = length < room ? length : room;
        memcpy(f->have + f->have_length, data, part);
        f->have_length += part;
        data += part;
        length -= part;
        result = messages_take(f);
    }
    return result;
}

static int channel_pass(struct fetch *f, const uint8_t *data, size_t length)
{
    channel_take(f->channel, data, length);
    for (;;) {
        int got = channel_read(f->channel, f->have + f->have_length, HAVE_SIZE - f->have_length);
        int err = channel_flush(f);
        if (got <= 0)
            return got < 0 ? got : err;
        f->have_length += (size_t)got;
        int result = messages_take(f);
        if (result || err)
            return result ? result : err;
    }
}

static void fetch_buffer(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct fetch *f = handle->data;
    (void)size;
    *buf = uv_buf_init((char *)f->fetcher->read, READ_SIZE);
}

static const char *fetch_reason(const struct fetch *f)
{
    const char *reason = f->in ? inbound_reason(f->in) : NULL;
    return reason || !f->channel ? reason : channel_reason(f->channel);
}

static void fetch_received(uv_stream_t *stream, ssize_t length, const uv_buf_t *buf)
{
    struct fetch *f = stream->data;
    int result;
    if (f->ended || !length)
        return;
    if (length == UV_EOF) {
        fetch_end(f, ERR_TRUNCATED, "the primary closed the connection");
        return;
    }
    f->heard = clock_now();
    if (length < 0)
        result = (int)length;
    else if (f->channel)
        result = channel_pass(f, (const uint8_t *)buf->base, (size_t)length);
    else
        result = plain_take(f, (const uint8_t *)buf->base, (size_t)length);
    if (result)
        fetch_end(f, result < 0 ? result : 0, fetch_reason(f));
}

static int text_send(struct fetch *f, const uint8_t *data, size_t length)
{
    if (!f->channel)
        return bytes_send(f, data, length);
    int err = channel_write(f->channel, data, length);
    return err ? err : channel_flush(f);
}

static int question_send(struct fetch *f)
{
    uint8_t wire[LENGTH_SIZE + INBOUND_REQUEST_MAX];
    if (f->message)
        return text_send(f, f->message, f->message_length);
    int length = inbound_ask(f->in, wall_seconds(), wire + LENGTH_SIZE);
    if (length < 0)
        return length;
    wire[0] = (uint8_t)(length >> 8);
    wire[1] = (uint8_t)length;
    return text_send(f, wire, LENGTH_SIZE + (size_t)length);
}

static void connected(uv_connect_t *connect, int status)
{
    struct fetch *f = connect->data;
    if (f->ended)
        return;
    f->heard = clock_now();
    f->connected = !status;
    int err = status;
    if (!err)
        err = question_send(f);
    if (!err)
        err = uv_read_start((uv_stream_t *)&f->socket, fetch_buffer, fetch_received);
    if (err)
        fetch_end(f, err, fetch_reason(f));
}

static void fetch_tick(uv_timer_t *timer)
{
    struct fetch *f = timer->data;
    usec_t now = clock_now();
    if (f->ended)
        return;
    usec_t connect = f->message ? FETCH_PASS_CONNECT_S : FETCH_CONNECT_S;
    usec_t patience = (f->connected ? FETCH_IDLE_S : connect) * USEC_PER_SEC;
    usec_t total = (f->message ? FETCH_PASS_S : FETCH_TOTAL_S) * USEC_PER_SEC;
    if (f->failed)
        fetch_end(f, f->failed, NULL);
    else if (now - f->heard > patience)
        fetch_end(f, UV_ETIMEDOUT, NULL);
    else if (now - f->began > total)
        fetch_end(f, UV_ETIMEDOUT, "the answer took too long");
}

static int fetch_connect(struct fetch *f, const struct fetch_peer *peer)
{
    struct sockaddr_storage to;
    int err = peer->tls ? channel_new(&f->fetcher->store, peer->tls, &f->channel) : 0;
    if (err)
        return err;
    net_sockaddr(&peer->ip, peer->port, &to);
    return uv_tcp_connect(&f->connect, &f->socket, (struct sockaddr *)&to, connected);
}

static struct fetch *fetch_new(struct fetcher *fetcher, void *context)
{
    struct fetch *f = mem_new(1, sizeof *f);
    *f = (struct fetch){.fetcher = fetcher,
                        .handles = 2,
                        .began = clock_now(),
                        .have = mem_new(HAVE_SIZE, 1),
                        .context = context};
    f->heard = f->began;
    f->socket.data = f->timer.data = f->connect.data = f;
    return f;
}

static void fetch_begin(struct fetch *f, const struct fetch_peer *peer)
{
    int err = uv_timer_init(f->fetcher->loop, &f->timer);
    invariant(err == 0);
    err = uv_tcp_init(f->fetcher->loop, &f->socket);
    invariant(err == 0);
    f->failed = fetch_connect(f, peer);
    err = uv_timer_start(&f->timer, fetch_tick, f->failed ? 0 : TICK_MS, TICK_MS);
    invariant(err == 0);
}

void fetch_zone(struct fetcher *fetcher, struct inbound_request request,
                const struct fetch_peer *peer, fetch_done *done, void *context)
{
    struct fetch *f = fetch_new(fetcher, context);
    request.key = peer->key;
    request.padded = peer->tls != NULL;
    request.id = (uint16_t)random_u64(&fetcher->random);
    f->in = inbound_new(&request);
    f->done = done;
    fetch_begin(f, peer);
}

void fetch_pass(struct fetcher *fetcher, const uint8_t *message, size_t length,
                const struct fetch_peer *peer, fetch_passed *done, void *context)
{
    struct fetch *f = fetch_new(fetcher, context);
    invariant(length >= DNS_HEADER_SIZE && length <= DNS_MESSAGE_MAX);
    f->message = mem_new(LENGTH_SIZE + length, 1);
    f->message[0] = (uint8_t)(length >> 8);
    f->message[1] = (uint8_t)length;
    memcpy(f->message + LENGTH_SIZE, message, length);
    f->message_length = LENGTH_SIZE + length;
    f->passed = done;
    fetch_begin(f, peer);
}
