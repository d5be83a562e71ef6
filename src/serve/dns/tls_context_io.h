/* What this server shows to clients over TLS (RFC 7858, RFC 8310, BCP 195): certificate, key,
 * settings. OpenSSL's context, which counts who holds it. Pure: bytes in. */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include <openssl/types.h>
#include <stdint.h>

enum {
    TLS_IDENTITY_MAX = 1 << 20, /* bytes of certificates and key in PEM */
    TLS_TICKET_SECRET = 32,
    TLS_TICKET_LIFE_S = 6 * 3600, /* a session can be resumed for so long, and at most twice that */
};

/* What tickets are made with: keys follow from the secret and the time, so that sessions survive a
 * restart, and each is used for TLS_TICKET_LIFE_S. */
struct tls_tickets {
    uint8_t secret[TLS_TICKET_SECRET];
    uint64_t (*wall)(void); /* seconds since 1970 */
};

/* pem: the certificate, those that lead to it, and the key, in any order. tickets outlive all that
 * comes of the context; NULL: none are given. 0 and *ret (SSL_CTX_free), or ERR_INVALID and a
 * clause in *why that says what is wrong. A certificate that ended before `wall` (seconds since
 * 1970) is refused. */
/* Clients are asked for a certificate; none is as good as any, since what counts is the key, and
 * whose it is others know (tls_stream_pin). */
void tls_context_ask(SSL_CTX *context);
must_check int tls_context_new(const char *pem, size_t length, const struct tls_tickets *tickets,
                               int64_t wall, struct text *why, SSL_CTX **ret);

/* When the certificate ends, in seconds since 1970. */
int64_t tls_context_ends(const SSL_CTX *context);
