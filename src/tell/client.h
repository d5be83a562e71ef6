/* One HTTP connection of tell: a small machine that is fed when its socket is ready.
 *
 *   READ --head whole or refused--> SEND --all sent--> READ (kept alive) | LINGER (closing)
 *   LINGER --the client closed, or time--> closed
 *
 * Any state but SEND gives way to a newcomer when all places are taken. */
#pragma once

#include "base/attr.h"
#include "base/time.h"
#include "wire/http1.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a page, shared by the clients that are being sent them. */
struct shared_bytes {
    unsigned references;
    size_t length;
    char *data; /* owned */
};

struct shared_bytes *shared_bytes_new(char *data, size_t length); /* takes data over; 1 reference */
struct shared_bytes *shared_bytes_ref(struct shared_bytes *s);
void shared_bytes_unref(struct shared_bytes *s); /* NULL is fine */

enum client_state { CLIENT_FREE, CLIENT_READ, CLIENT_SEND, CLIENT_LINGER };
enum { CLIENT_HEAD_MAX = 1024 };

struct client {
    enum client_state state;
    int fd;
    uint32_t serial;     /* tells a connection from the one that had this place before */
    bool writable_asked; /* epoll is asked for EPOLLOUT */
    usec_t since;        /* when it began to keep us waiting */
    usec_t deadline;
    size_t received;
    struct http1_parser parser;
    bool keep_alive;
    char head[CLIENT_HEAD_MAX];
    size_t head_length, sent;  /* of head and body together */
    struct shared_bytes *body; /* NULL: none (HEAD, errors without one) */
    uint8_t buffer[HTTP1_HEAD_MAX];
};

/* What a request gets; filled by the answerer. */
struct client_answer {
    unsigned status;
    const char *content_type, *extra;
    struct shared_bytes *body; /* a reference that the client takes over, or NULL */
};
typedef void client_answerer(void *context, const struct http1_request *r,
                             struct client_answer *ret);

struct client_rules {
    client_answerer *answer;
    void *context;
    usec_t now;
    int64_t wall_s;
};

void client_open(struct client *c, int fd, usec_t now);
/* Does what the socket allows, up to a number of steps, so that one client who sends request after
 * request does not keep the others waiting; false: the connection is over (then client_close). */
must_check bool client_step(struct client *c, const struct client_rules *rules);
/* Should it be called again as soon as the socket has room to send? Else when there is input. */
pure_function bool client_wants_turn(const struct client *c);
void client_close(struct client *c);
