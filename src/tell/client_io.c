#include "base/invariant.h"
#include "base/memory.h"
#include "tell/client.h"
#include "tell/tell_io.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

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

static void read_begin(struct client *c, usec_t now, usec_t patience)
{
    c->state = CLIENT_READ;
    c->parser = (struct http1_parser){0};
    c->since = now;
    c->deadline = now + patience;
}

void client_open(struct client *c, int fd, usec_t now)
{
    invariant(c->state == CLIENT_FREE);
    c->fd = fd;
    c->serial++;
    c->received = 0;
    c->writable_asked = false;
    c->body = NULL;
    read_begin(c, now, TELL_HEAD_TIMEOUT_S * USEC_PER_SEC);
}

void client_close(struct client *c)
{
    invariant(c->state != CLIENT_FREE);
    close(c->fd);
    shared_bytes_unref(c->body);
    c->body = NULL;
    c->state = CLIENT_FREE;
    c->fd = -1;
}

/* ---- answering ---- */

static void answer_set(struct client *c, const struct client_rules *rules,
                       const struct client_answer *a, bool head_only, uint8_t minor)
{
    struct text head = text_init(CLIENT_HEAD_MAX);
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
    c->body = a->body;
    if (head_only) {
        shared_bytes_unref(c->body);
        c->body = NULL;
    }
    c->state = CLIENT_SEND;
    c->since = rules->now;
    c->deadline = rules->now + TELL_SEND_TIMEOUT_S * USEC_PER_SEC;
}

/* The head is whole or refused: prepare the response. Nothing here takes a body, so where one is
 * announced the connection ends with the answer. */
static void request_take(struct client *c, const struct client_rules *rules, int status,
                         const struct http1_request *r, size_t used)
{
    struct client_answer a = {.status = (unsigned)status};
    if (status != HTTP1_DONE) {
        c->keep_alive = false;
        c->received = 0;
        answer_set(c, rules, &a, false, 1);
        return;
    }
    c->keep_alive = r->keep_alive && !r->chunked && !r->content_length;
    rules->answer(rules->context, r, &a);
    answer_set(c, rules, &a, r->method == HTTP1_HEAD, r->minor);
    c->received -= used;
    memmove(c->buffer, c->buffer + used, c->received);
}

/* ---- the three states ---- */

enum step { STEP_WAIT, STEP_ON, STEP_OVER };

static enum step step_parse(struct client *c, const struct client_rules *rules)
{
    struct http1_request r;
    size_t used = 0;
    int status = http1_parse(&c->parser, c->buffer, c->received, &r, &used);
    invariant(status != HTTP1_MORE || c->received < sizeof c->buffer);
    if (status == HTTP1_MORE)
        return STEP_WAIT;
    request_take(c, rules, status, &r, used);
    return STEP_ON;
}

static enum step step_read(struct client *c, const struct client_rules *rules)
{
    if (c->received > c->parser.scanned)
        return step_parse(c, rules);
    ssize_t n = recv(c->fd, c->buffer + c->received, sizeof c->buffer - c->received, 0);
    if (n < 0)
        return errno == EAGAIN ? STEP_WAIT : errno == EINTR ? STEP_ON : STEP_OVER;
    if (n == 0)
        return STEP_OVER;
    /* The time for a head runs from its first byte: sending one byte now and then buys nothing. */
    if (c->received == 0) {
        c->since = rules->now;
        c->deadline = rules->now + TELL_HEAD_TIMEOUT_S * USEC_PER_SEC;
    }
    c->received += (size_t)n;
    return STEP_ON;
}

static enum step step_send(struct client *c, const struct client_rules *rules)
{
    size_t body_length = c->body ? c->body->length : 0;
    struct iovec parts[2] = {{c->head, c->head_length},
                             {c->body ? c->body->data : NULL, body_length}};
    size_t skip = c->sent;
    for (int i = 0; i < 2; i++) {
        size_t n = skip < parts[i].iov_len ? skip : parts[i].iov_len;
        parts[i].iov_base = n ? (char *)parts[i].iov_base + n : parts[i].iov_base;
        parts[i].iov_len -= n;
        skip -= n;
    }
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN ? STEP_WAIT : errno == EINTR ? STEP_ON : STEP_OVER;
    c->sent += (size_t)n;
    if (c->sent < c->head_length + body_length)
        return STEP_ON;
    shared_bytes_unref(c->body);
    c->body = NULL;
    if (c->keep_alive) {
        bool next = c->received > 0;
        read_begin(c, rules->now,
                   (next ? TELL_HEAD_TIMEOUT_S : TELL_IDLE_TIMEOUT_S) * USEC_PER_SEC);
        return STEP_ON;
    }
    /* Closing with bytes unread would reset the connection and may take the answer with it. */
    if (shutdown(c->fd, SHUT_WR))
        return STEP_OVER;
    c->state = CLIENT_LINGER;
    c->since = rules->now;
    c->deadline = rules->now + TELL_LINGER_TIMEOUT_S * USEC_PER_SEC;
    return STEP_ON;
}

static enum step step_linger(struct client *c)
{
    uint8_t drop[LINGER_BYTES];
    ssize_t n = recv(c->fd, drop, sizeof drop, 0);
    if (n < 0 && errno == EAGAIN)
        return STEP_WAIT;
    return n > 0 ? STEP_WAIT : STEP_OVER; /* level-triggered: the rest comes with the next turn */
}

bool client_step(struct client *c, const struct client_rules *rules)
{
    invariant(c->state != CLIENT_FREE);
    for (unsigned i = 0; i < STEPS_MAX; i++) {
        enum step step = c->state == CLIENT_READ   ? step_read(c, rules)
                         : c->state == CLIENT_SEND ? step_send(c, rules)
                                                   : step_linger(c);
        if (step != STEP_ON)
            return step == STEP_WAIT;
    }
    return true;
}

bool client_wants_turn(const struct client *c)
{
    return c->state == CLIENT_SEND || (c->state == CLIENT_READ && c->received > c->parser.scanned);
}
