/* TLS on one stream: between what the socket gives and takes and what the speaker hears and says.
 */
#pragma once

#include "base/attr.h"
#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_stream;

enum {
    TLS_RECORD = 16 << 10,        /* plain bytes of a record, at most */
    TLS_STREAM_MEMORY = 40 << 10, /* what one costs, about, with its buffers */
};

/* Holds the context as long as it lives. NULL: no memory. */
struct tls_stream *tls_stream_new(SSL_CTX *context, int fd);
/* Says that nothing more is sent, where that is possible without waiting. */
void tls_stream_end(struct tls_stream *t);
/* Ends it, and frees it. NULL is fine. */
void tls_stream_free(struct tls_stream *t);

/* Takes what the socket gave, all of it, which may be nothing; goes on with the handshake. Returns
 * how many plain bytes there are at `to`, which has room for length + TLS_RECORD; or -1: the stream
 * is to be closed. */
long tls_stream_feed(struct tls_stream *t, const uint8_t *data, size_t length, uint8_t *to);
/* As send(2) that does not wait: false where it is broken; *ret_sent may be less than length, and
 * then the same bytes come first the next time. */
bool tls_stream_send(struct tls_stream *t, const uint8_t *data, size_t length, size_t *ret_sent);

/* 0 before the end of the handshake, then 12 or 13. */
unsigned tls_stream_version(const struct tls_stream *t);
/* SHA-256 of the SubjectPublicKeyInfo (RFC 7858 4.2) that the client showed and proved to have;
 * NULL: none. */
const uint8_t *tls_stream_pin(const struct tls_stream *t);
bool tls_stream_resumed(const struct tls_stream *t);
/* The client has said that it sends no more. */
bool tls_stream_ended(const struct tls_stream *t);
/* The handshake goes on when the socket takes more. */
bool tls_stream_stuck(const struct tls_stream *t);
