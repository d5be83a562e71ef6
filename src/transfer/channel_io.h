/* TLS to a primary (RFC 9103 8, RFC 8310): version 1.3 and ALPN "dot" alone, bytes in and bytes
 * out; whoever has the socket moves them. */
#pragma once

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHANNEL_PIN_SIZE = 32 };

enum channel_trust {
    CHANNEL_NAME, /* strict: a certificate of this name, signed by somebody we trust */
    CHANNEL_PIN,  /* strict: a certificate with this public key */
    CHANNEL_ANY,  /* opportunistic: against those who only listen */
};

struct channel_peer {
    enum channel_trust trust;
    const char *name; /* sent in the handshake; CHANNEL_NAME: verified. May be NULL */
    const char *ca;   /* CHANNEL_NAME: file with certificates; NULL: the system's */
    const char *cert; /* file with the certificate that is shown, and its key; NULL: none is */
    uint8_t pin[CHANNEL_PIN_SIZE]; /* SHA-256 of the SubjectPublicKeyInfo (RFC 7858 4.2) */
};

/* What is trusted, read from disk once; one for each file. */
struct channel_store;
void channel_store_free(struct channel_store *s);

struct channel;
/* *store: a list that grows; NULL at first. 0, or ERR_MISSING: the certificates cannot be read. */
must_check int channel_new(struct channel_store **store, const struct channel_peer *peer,
                           struct channel **ret);
void channel_free(struct channel *c);

/* Bytes that came from the peer. */
void channel_take(struct channel *c, const void *data, size_t length);
/* Text out of them: how many bytes; 0: no more for now; ERR_INVALID: the peer is not who it should
 * be, or does not follow the protocol (channel_reason); ERR_TRUNCATED: the peer ended it. */
must_check int channel_read(struct channel *c, void *buffer, size_t size);
/* Text for the peer; kept until the handshake is done. 0 or ERR_INVALID. */
must_check int channel_write(struct channel *c, const void *data, size_t length);
/* Bytes that have to be sent: how many; 0: none. */
must_check size_t channel_give(struct channel *c, void *buffer, size_t size);
/* A sentence; static storage, or valid until the next failure. NULL: no failure. */
const char *channel_reason(const struct channel *c);
