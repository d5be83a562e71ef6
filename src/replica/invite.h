/* An invitation to the cluster: the token that a person carries, and the proof that whoever joins
 * has it. Pure.
 *
 *   token: "hf1" and base32 (RFC 4648, small letters) of
 *     cluster 16 | authority's key, SHA-256 32 | secret 16 | addresses u8 | (family u8, bytes, port
 *     u16)... | checksum u32
 *
 * The secret never travels: it is the seed of an Ed25519 key. The intent has the public one, so
 * that who reads the intent cannot join with it; and what is signed is the connection itself, so
 * that who sits in between can do nothing with what he sees. */
#pragma once

#include "base/attr.h"
#include "base/ip.h"
#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    INVITE_SECRET_SIZE = 16,
    INVITE_KEY_SIZE = 32, /* Ed25519, public */
    INVITE_PROOF_SIZE = 64,
    INVITE_NAME_SIZE = 13, /* with the NUL */
    INVITE_ADDRESSES_MAX = 4,
    INVITE_TOKEN_MAX = 400, /* characters */
};

struct invite_address {
    struct ip ip;
    uint16_t port;
};

struct invite {
    uint8_t cluster[16];
    uint8_t authority[32]; /* SHA-256 of its SubjectPublicKeyInfo */
    uint8_t secret[INVITE_SECRET_SIZE];
    struct invite_address addresses[INVITE_ADDRESSES_MAX];
    unsigned address_count;
};

/* Appends the token. */
void invite_format(const struct invite *invite, struct text *out);
/* Spaces and line ends in it are passed over. 0; ERR_SYNTAX: it is no token; ERR_VERSION: one of a
 * newer version; ERR_CHECKSUM: something is missing or mistyped. */
must_check int invite_parse(const char *token, struct invite *ret);

/* What the intent says of it: a name that tells nothing, and the public key. */
void invite_public(const uint8_t secret[static INVITE_SECRET_SIZE],
                   char ret_name[static INVITE_NAME_SIZE], uint8_t ret_key[static INVITE_KEY_SIZE]);
/* Signs a request on the connection that `binding` is of. */
void invite_prove(const uint8_t secret[static INVITE_SECRET_SIZE], const uint8_t binding[static 32],
                  const void *request, size_t size, uint8_t ret[static INVITE_PROOF_SIZE]);
bool invite_is_proved(const uint8_t key[static INVITE_KEY_SIZE], const uint8_t binding[static 32],
                      const void *request, size_t size,
                      const uint8_t proof[static INVITE_PROOF_SIZE]);
