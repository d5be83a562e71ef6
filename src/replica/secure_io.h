/* TLS between nodes: version 1.3 alone, both sides verified, bytes in and bytes out; whoever has
 * the socket moves them. Nothing is resumed: every connection shows its certificate anew. */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SECURE_HASH_SIZE = 32 };

/* Who speaks: a node, which shows a certificate, or somebody invited, who has none yet. */
enum secure_kind { SECURE_NODE, SECURE_GUEST };

/* An identity and who is trusted to sign those of others; counted. */
struct secure_context;
/* PEM: certificate and those that lead to it; key; authorities. certificate and key NULL: a guest,
 * who has none. ERR_INVALID: `why` gets a sentence. */
must_check int secure_context_new(const char *certificate, const char *key, const char *authorities,
                                  struct secure_context **ret, struct text *why);
void secure_context_ref(struct secure_context *c);
void secure_context_unref(struct secure_context *c);

struct secure;
/* The side that connects: of that kind. */
struct secure *secure_connect(struct secure_context *c, enum secure_kind kind)
    __attribute__((returns_nonnull));
struct secure *secure_accept(struct secure_context *c) __attribute__((returns_nonnull));
void secure_free(struct secure *s);

/* Bytes that came from the peer. */
void secure_take(struct secure *s, const void *data, size_t length);
/* Goes on with the handshake: 1: done, and the peer is trusted by its chain (a guest shows none);
 * 0: not yet; ERR_INVALID (secure_reason). */
must_check int secure_shake(struct secure *s);
/* After that. Plain bytes: how many; 0: no more for now; ERR_INVALID or ERR_TRUNCATED: it ended. */
must_check int secure_read(struct secure *s, void *buffer, size_t size);
/* 0 or ERR_INVALID. */
must_check int secure_write(struct secure *s, const void *data, size_t length);
/* Bytes that have to be sent: how many; 0: none. */
must_check size_t secure_give(struct secure *s, void *buffer, size_t size);

/* After the handshake. */
enum secure_kind secure_peer_kind(const struct secure *s);
/* SHA-256 of the peer's SubjectPublicKeyInfo; false: it shows none. */
bool secure_peer_key(const struct secure *s, uint8_t ret[static SECURE_HASH_SIZE]);
/* Is what the peer showed signed by the authority with this key, and in time? For one who has only
 * that hash. 0, or ERR_INVALID (secure_reason). */
must_check int secure_peer_is_by(struct secure *s, const uint8_t hash[static SECURE_HASH_SIZE]);
/* What both sides of this connection know and nobody else (RFC 8446 7.5). */
void secure_binding(const struct secure *s, uint8_t ret[static SECURE_HASH_SIZE]);
/* A sentence; static storage, or valid until the next failure. */
const char *secure_reason(const struct secure *s);
