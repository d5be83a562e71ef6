/* One connection of an HTTP/1.1 server: a small machine that is fed when its socket is ready.
 *
 *   READ --head whole--> BODY --body whole--> ASKED --answer--> SEND --all sent--> READ (kept) |
 *   READ --head refused--> SEND                                                    LINGER
 *   LINGER --the client closed, or time--> closed
 *
 * A request without a body goes from READ to ASKED at once, and one that is answered at once from
 * there to SEND. Any state but ASKED and SEND gives way to a newcomer when all places are taken. */
#pragma once

#include "base/attr.h"
#include "base/time.h"
#include "http/transport.h"
#include "wire/http1.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a page, shared by the connections that are being sent them. */
struct shared_bytes {
    unsigned references;
    size_t length;
    char *data; /* owned */
};

struct shared_bytes *shared_bytes_new(char *data, size_t length); /* takes data over; 1 reference */
struct shared_bytes *shared_bytes_ref(struct shared_bytes *s);
void shared_bytes_unref(struct shared_bytes *s); /* NULL is fine */

enum connection_state {
    CONNECTION_FREE,
    CONNECTION_READ,
    CONNECTION_BODY,
    CONNECTION_ASKED,
    CONNECTION_SEND,
    CONNECTION_LINGER
};
enum { CONNECTION_HEAD_MAX = 1024 };

struct connection {
    enum connection_state state;
    struct transport transport;
    uint32_t serial; /* tells a connection from the one that had this place before */
    uint32_t events; /* what epoll is asked for */
    usec_t since;    /* when it began to keep us waiting */
    usec_t deadline; /* USEC_NEVER: it is we who keep it waiting */
    size_t received;
    struct http1_parser parser;
    struct http1_request request; /* BODY, ASKED: views buffer */
    size_t used;                  /* of buffer: the request's head */
    uint8_t *body;                /* of the request; owned */
    size_t body_received;
    bool keep_alive;
    char head[CONNECTION_HEAD_MAX];
    size_t head_length, sent;    /* of head and answer together */
    struct shared_bytes *answer; /* NULL: none (HEAD, errors without one) */
    uint8_t buffer[HTTP1_HEAD_MAX];
};

/* What a request gets. */
struct http_answer {
    unsigned status;
    const char *content_type, *extra; /* extra: further header lines, each ended by CRLF */
    struct shared_bytes *body;        /* a reference that the connection takes over, or NULL */
};

/* To whom an answer that comes later goes. */
struct http_ticket {
    unsigned place;
    uint32_t serial;
};

/* Fills *ret and returns true; or returns false, and then http_server_answer() is to come for this
 * ticket. request and body are valid during the call. */
typedef bool http_answerer(void *context, const struct http1_request *request, struct bytes body,
                           struct http_ticket ticket, struct http_answer *ret);

struct connection_rules {
    http_answerer *answer;
    void *context;
    size_t body_max; /* bytes of a request's body; 0: bodies are not read */
    usec_t now;
    int64_t wall_s;
};

/* tls: taken over; NULL: plain HTTP. */
void connection_open(struct connection *c, int fd, SSL *tls, usec_t now);
/* Does what the socket allows, up to a number of steps, so that one client who sends request after
 * request does not keep the others waiting; false: the connection is over (then connection_close).
 */
must_check bool connection_step(struct connection *c, unsigned place,
                                const struct connection_rules *rules);
/* The answer to what was asked; then connection_step() again. Takes the body's reference over. */
void connection_answer(struct connection *c, const struct connection_rules *rules,
                       const struct http_answer *a);
/* What to wait for: EPOLLIN, EPOLLOUT, or 0. */
pure_function uint32_t connection_events(const struct connection *c);
void connection_close(struct connection *c);
