/* Small servers for the tests and benches of observe: each a child process on a loopback port, with
 * whatever manners the caller's handler has, and certificates made on the spot. */
#pragma once

#include "base/ip.h"
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct origin {
    pid_t pid; /* 0: nobody accepts */
    int fd;    /* the listener (kept open where nobody accepts), or -1 */
    uint16_t port;
};

/* Serves one accepted connection in the child; ssl is NULL without TLS. The connection is closed
 * afterwards. */
typedef void origin_handler(int fd, SSL *ssl, const void *context);

struct origin_how {
    const char *address;     /* "127.0.0.1" or "::1" */
    int type;                /* SOCK_STREAM, SOCK_DGRAM (the handler reads and answers on fd) */
    int backlog;             /* 0: 4096 */
    SSL_CTX *tls;            /* handshake before the handler; may be NULL */
    origin_handler *handler; /* NULL: the connection is closed at once */
    const void *context;
};

/* Aborts the program where something cannot be made: tests need no errors here. */
struct origin origin_start(const struct origin_how *how);
/* A port on which connections hang: a listener whose queue is full. */
struct origin origin_blackhole(const char *address);
/* A port that nobody listens on; the process keeps it from others, for TCP. */
uint16_t origin_free_port(const char *address);
/* A network namespace of our own, with nothing but loopback; false where we may not (not root). */
bool origin_alone(void);
/* Makes this the only local port of the namespace. */
bool origin_one_port(uint16_t port);
/* Runs `ip` with these words, split at spaces: its exit status. */
int origin_ip(const char *words);
void origin_stop(struct origin *o); /* ends the child and waits for it */

/* An authority that signs certificates; its own certificate is written to `path`. */
struct authority {
    EVP_PKEY *key;
    X509 *certificate;
};
struct authority authority_new(const char *path);
void authority_free(struct authority *a);
/* A server's context with a certificate for `names` ("DNS:a.test,IP:127.0.0.1") that is valid from
 * now + from_s until now + until_s; signed by `a`, by itself where a is NULL. */
SSL_CTX *authority_server(const struct authority *a, const char *names, long from_s, long until_s);

/* Reads a request's header (until an empty line), over TLS where ssl is not NULL; what was read is
 * NUL-terminated in buffer. Returns the length, -1 when the peer closed. */
int origin_read(int fd, SSL *ssl, char *buffer, size_t size);
void origin_write(int fd, SSL *ssl, const char *string);
/* Handlers: context is the string to answer to a request; and the same, after reading nothing. */
origin_handler origin_answer;
