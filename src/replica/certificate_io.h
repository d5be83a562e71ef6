/* Keys and certificates of nodes, and the cluster's own authority: ECDSA on P-256, SHA-256. */
#pragma once

#include "base/attr.h"
#include "base/time.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    CERTIFICATE_HASH_SIZE = 32,
    CERTIFICATE_TEXT_MAX = 65536, /* bytes of PEM that are read */
    CERTIFICATE_NODE_DAYS = 90,
    CERTIFICATE_AUTHORITY_DAYS = 3650,
    CERTIFICATE_SLACK_S = 3600, /* begins so long before now: clocks differ */
};

/* OpenSSL's EVP_PKEY and X509. */
struct evp_pkey_st;
struct x509_st;

/* What a node's certificate says of it. */
struct certificate_subject {
    const char *name;    /* common name */
    const char *cluster; /* with the number in the alternative name holdfast://CLUSTER/node/ID */
    uint64_t id;
};

struct evp_pkey_st *certificate_key_new(void) __attribute__((returns_nonnull));
/* PEM; free() after wiping. */
char *certificate_key_text(struct evp_pkey_st *key) __attribute__((returns_nonnull));
/* NULL: there is none in the text. */
struct evp_pkey_st *certificate_key_read(const char *text);
void certificate_key_free(struct evp_pkey_st *key);
/* SHA-256 of its SubjectPublicKeyInfo. */
void certificate_key_hash(struct evp_pkey_st *key, uint8_t ret[static CERTIFICATE_HASH_SIZE]);

/* A certificate that the key signs itself. */
struct x509_st *certificate_authority_new(struct evp_pkey_st *key, const char *cluster,
                                          int64_t wall_s) __attribute__((returns_nonnull));
/* A request (PKCS #10) for this key, PEM; free(). */
char *certificate_request_new(struct evp_pkey_st *key) __attribute__((returns_nonnull));
/* The certificate for a request: 0, or ERR_INVALID: it is no request, its signature is wrong, or
 * its key is no P-256 one. */
must_check int certificate_sign(const char *request, struct evp_pkey_st *authority_key,
                                struct x509_st *authority,
                                const struct certificate_subject *subject, int64_t wall_s,
                                int64_t days, struct x509_st **ret);

/* The first one in the text; NULL: there is none. */
struct x509_st *certificate_read(const char *text);
char *certificate_text(struct x509_st *certificate) __attribute__((returns_nonnull));
void certificate_free(struct x509_st *certificate);
/* Seconds since 1970. */
int64_t certificate_begin(const struct x509_st *certificate);
int64_t certificate_end(const struct x509_st *certificate);
/* SHA-256 of its SubjectPublicKeyInfo. */
void certificate_hash(const struct x509_st *certificate, uint8_t ret[static CERTIFICATE_HASH_SIZE]);
/* Did this authority sign it? */
bool certificate_is_by(struct x509_st *certificate, struct x509_st *authority);
