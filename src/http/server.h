/* An HTTP/1.1 server on listening sockets: connections, limits, time (L7, L9). It has no loop of
 * its own: whoever has one waits for http_server_fd() and calls http_server_turn(), which never
 * waits. */
#pragma once

#include "base/attr.h"
#include "http/connection.h"

enum {
    HTTP_CLIENTS_MAX = 256, /* connections at once; a newcomer takes the place of the one that has
                               kept us waiting longest */
    HTTP_HEAD_TIMEOUT_S =
        10, /* from the first byte of a request, or from the connection, to its last */
    HTTP_IDLE_TIMEOUT_S = 60,  /* between requests */
    HTTP_SEND_TIMEOUT_S = 60,  /* for a whole response */
    HTTP_LINGER_TIMEOUT_S = 2, /* for the client to close after us */
    HTTP_TICK_MS = 1000,       /* time is looked at so often */
    HTTP_TURN_US = 5000,       /* a turn takes no longer, but for what one client asks */
};

struct http_server;

struct http_server_options {
    const int *listen_fds; /* listening TCP sockets; become non-blocking; stay the caller's */
    unsigned listen_count;
    http_answerer *answer;
    void *context;
    size_t body_max; /* bytes of a request's body; 0: requests with a body end the connection */
    bool tls;        /* HTTPS: nobody is served before http_server_tls() */
};

/* Takes connections from now on; 0, or a negated errno. */
must_check int http_server_new(const struct http_server_options *o, struct http_server **ret);
/* Readable when there is something to do: a descriptor for poll, epoll or a loop. */
int http_server_fd(const struct http_server *s);
/* Does what there is to do; at least every HTTP_TICK_MS. now: monotonic; wall_s: since 1970. */
void http_server_turn(struct http_server *s, usec_t now, int64_t wall_s);
/* The answer to a request that was not answered at once; nobody may be there any more. Takes the
 * body's reference over. */
void http_server_answer(struct http_server *s, struct http_ticket to, const struct http_answer *a);
/* What is shown to clients from now on (counted). */
void http_server_tls(struct http_server *s, SSL_CTX *context);
/* Connections that there are. */
unsigned http_server_clients(const struct http_server *s);
/* Connections that were turned away before a handshake (http/admission.h). */
uint64_t http_server_refused(const struct http_server *s);
/* NULL is fine. */
void http_server_free(struct http_server *s);
