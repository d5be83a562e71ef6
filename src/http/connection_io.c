#include "http/connection.h"

#include "base/invariant.h"
#include "base/memory.h"
#include "http/server.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { LINGER_BYTES = 16384, STEPS_MAX = 64 };

struct shared_bytes *shared_bytes_new(char *data, size_t length)
{
    struct shared_bytes *s = mem_new(1, sizeof *s);
    *s = (struct shared_bytes){.references = 1, .length = length, .data = data};
    return s;
}

struct shared_bytes *shared_bytes_ref(struct shared_bytes *s)
{
    invariant(s->references > 0);
    s->references++;
    return s;
}

void shared_bytes_unref(struct shared_bytes *s)
{
    if (!s)
        return;
    invariant(s->references > 0);
    if (--s->references)
        return;
    free(s->data);
    free(s);
}

static void read_begin(struct connection *c, usec_t now, usec_t patience)
{
    c->state = CONNECTION_READ;
    c->parser = (struct http1_parser){0};
    c->since = now;
    c->deadline = now + patience;
}

void connection_open(struct connection *c, int fd, SSL *tls, usec_t now)
{
    invariant(c->state == CONNECTION_FREE);
    c->transport = (struct transport){.fd = fd, .tls = tls};
    c->serial++;
    c->received = 0;
    c->events = EPOLLIN;
    c->answer = NULL;
    c->body = NULL;
    read_begin(c, now, HTTP_HEAD_TIMEOUT_S * USEC_PER_SEC);
}

void connection_close(struct connection *c)
{
    invariant(c->state != CONNECTION_FREE);
    transport_close(&c->transport);
    shared_bytes_unref(c->answer);
    free(c->body);
    c->answer = NULL;
    c->body = NULL;
    c->state = CONNECTION_FREE;
}

/* ---- answering ---- */

static void answer_set(struct connection *c, const struct connection_rules *rules,
                       const struct http_answer *a, bool head_only, uint8_t minor)
{
    struct text head = text_init(CONNECTION_HEAD_MAX);
    http1_response_write(&head, &(struct http1_response){
                                    .status = a->status,
                                    .content_type = a->content_type,
                                    .content_length = a->body ? a->body->length : 0,
                                    .keep_alive = c->keep_alive,
                                    .minor = minor,
                                    .date = rules->wall_s,
                                    .extra = a->extra,
                                });
    invariant(!head.failed && head.length <= sizeof c->head);
    memcpy(c->head, text_string(&head), head.length);
    c->head_length = head.length;
    text_done(&head);
    c->sent = 0;
    c->answer = a->body;
    if (head_only) {
        shared_bytes_unref(c->answer);
        c->answer = NULL;
    }
    c->state = CONNECTION_SEND;
    c->since = rules->now;
    c->deadline = rules->now + HTTP_SEND_TIMEOUT_S * USEC_PER_SEC;
}

void connection_answer(struct connection *c, const struct connection_rules *rules,
                       const struct http_answer *a)
{
    invariant(c->state == CONNECTION_ASKED);
    answer_set(c, rules, a, c->request.method == HTTP1_HEAD, c->request.minor);
    free(c->body);
    c->body = NULL;
    c->received -= c->used;
    memmove(c->buffer, c->buffer + c->used, c->received);
}

static void request_ask(struct connection *c, unsigned place, const struct connection_rules *rules)
{
    struct http_answer a = {0};
    struct bytes body = {c->body, c->body_received};
    c->state = CONNECTION_ASKED;
    c->deadline = USEC_NEVER;
    if (rules->answer(rules->context, &c->request, body, (struct http_ticket){place, c->serial},
                      &a))
        connection_answer(c, rules, &a);
}

/* The connection ends with this answer: what follows cannot be told from a request. */
static void request_refuse(struct connection *c, const struct connection_rules *rules, int status)
{
    c->keep_alive = false;
    c->received = 0;
    answer_set(c, rules, &(struct http_answer){.status = (unsigned)status}, false, 1);
}

/* A body is to be read, as much of it as is there. */
static void body_begin(struct connection *c)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    size_t there = c->received - c->used, size = c->request.content_length;
    c->state = CONNECTION_BODY;
    c->body = mem_new(size, 1);
    c->body_received = there < size ? there : size;
    memcpy(c->body, c->buffer + c->used, c->body_received);
    memmove(c->buffer + c->used, c->buffer + c->used + c->body_received, there - c->body_received);
    c->received -= c->body_received;
    /* Where even this does not fit into the socket the client goes on after a while by itself
     * (RFC 9110 10.1.1). */
    struct iovec part = {(void *)go_on, sizeof go_on - 1};
    if (c->request.expect_continue && c->body_received < size)
        (void)transport_send(&c->transport, &part, 1);
}

static void request_take(struct connection *c, unsigned place, const struct connection_rules *rules)
{
    const struct http1_request *r = &c->request;
    bool body = r->chunked || r->content_length;
    c->body_received = 0;
    c->keep_alive = r->keep_alive && (!body || rules->body_max);
    if (!body || !rules->body_max)
        request_ask(c, place, rules);
    else if (r->chunked || r->content_length > rules->body_max)
        request_refuse(c, rules, r->chunked ? 411 : 413);
    else
        body_begin(c);
}

/* ---- the states ---- */

enum step { STEP_WAIT, STEP_ON, STEP_OVER };

static enum step step_parse(struct connection *c, unsigned place,
                            const struct connection_rules *rules)
{
    int status = http1_parse(&c->parser, c->buffer, c->received, &c->request, &c->used);
    invariant(status != HTTP1_MORE || c->received < sizeof c->buffer);
    if (status == HTTP1_MORE)
        return STEP_WAIT;
    if (status == HTTP1_DONE)
        request_take(c, place, rules);
    else
        request_refuse(c, rules, status);
    return STEP_ON;
}

static enum step received(ssize_t n)
{
    if (n > 0)
        return STEP_ON;
    return n < 0 && errno == EAGAIN ? STEP_WAIT : n < 0 && errno == EINTR ? STEP_ON : STEP_OVER;
}

static enum step step_read(struct connection *c, unsigned place,
                           const struct connection_rules *rules)
{
    if (c->received > c->parser.scanned)
        return step_parse(c, place, rules);
    ssize_t n =
        transport_receive(&c->transport, c->buffer + c->received, sizeof c->buffer - c->received);
    if (n <= 0)
        return received(n);
    /* The time for a request runs from its first byte: sending one byte now and then buys nothing.
     */
    if (c->received == 0) {
        c->since = rules->now;
        c->deadline = rules->now + HTTP_HEAD_TIMEOUT_S * USEC_PER_SEC;
    }
    c->received += (size_t)n;
    return STEP_ON;
}

static enum step step_body(struct connection *c, unsigned place,
                           const struct connection_rules *rules)
{
    size_t size = c->request.content_length;
    if (c->body_received == size) {
        request_ask(c, place, rules);
        return STEP_ON;
    }
    ssize_t n =
        transport_receive(&c->transport, c->body + c->body_received, size - c->body_received);
    if (n > 0)
        c->body_received += (size_t)n;
    return received(n);
}

static enum step step_send(struct connection *c, const struct connection_rules *rules)
{
    size_t body_length = c->answer ? c->answer->length : 0;
    struct iovec parts[2] = {{c->head, c->head_length},
                             {c->answer ? c->answer->data : NULL, body_length}};
    size_t skip = c->sent;
    for (int i = 0; i < 2; i++) {
        size_t n = skip < parts[i].iov_len ? skip : parts[i].iov_len;
        parts[i].iov_base = n ? (char *)parts[i].iov_base + n : parts[i].iov_base;
        parts[i].iov_len -= n;
        skip -= n;
    }
    ssize_t n = transport_send(&c->transport, parts, 2);
    if (n < 0)
        return errno == EAGAIN ? STEP_WAIT : errno == EINTR ? STEP_ON : STEP_OVER;
    c->sent += (size_t)n;
    if (c->sent < c->head_length + body_length)
        return STEP_ON;
    shared_bytes_unref(c->answer);
    c->answer = NULL;
    if (c->keep_alive) {
        bool next = c->received > 0;
        read_begin(c, rules->now,
                   (next ? HTTP_HEAD_TIMEOUT_S : HTTP_IDLE_TIMEOUT_S) * USEC_PER_SEC);
        return STEP_ON;
    }
    /* Closing with bytes unread would reset the connection and may take the answer with it. */
    if (transport_end(&c->transport))
        return STEP_OVER;
    c->state = CONNECTION_LINGER;
    c->since = rules->now;
    c->deadline = rules->now + HTTP_LINGER_TIMEOUT_S * USEC_PER_SEC;
    return STEP_ON;
}

static enum step step_linger(struct connection *c)
{
    uint8_t drop[LINGER_BYTES];
    ssize_t n = recv(c->transport.fd, drop, sizeof drop, 0);
    if (n < 0 && errno == EAGAIN)
        return STEP_WAIT;
    return n > 0 ? STEP_WAIT : STEP_OVER; /* level-triggered: the rest comes with the next turn */
}

bool connection_step(struct connection *c, unsigned place, const struct connection_rules *rules)
{
    invariant(c->state != CONNECTION_FREE);
    for (unsigned i = 0; i < STEPS_MAX; i++) {
        enum step step = c->state == CONNECTION_READ    ? step_read(c, place, rules)
                         : c->state == CONNECTION_BODY  ? step_body(c, place, rules)
                         : c->state == CONNECTION_SEND  ? step_send(c, rules)
                         : c->state == CONNECTION_ASKED ? STEP_WAIT
                                                        : step_linger(c);
        if (step != STEP_ON)
            return step == STEP_WAIT;
    }
    return true;
}

uint32_t connection_events(const struct connection *c)
{
    if (c->state == CONNECTION_ASKED) /* input stays in the kernel: nobody can make us buffer */
        return 0;
    if (c->transport.wants && c->state != CONNECTION_LINGER)
        return c->transport.wants;
    if (c->state == CONNECTION_SEND || transport_has_more(&c->transport) ||
        (c->state == CONNECTION_READ && c->received > c->parser.scanned))
        return EPOLLOUT; /* room to send, or another turn at once */
    return EPOLLIN;
}
