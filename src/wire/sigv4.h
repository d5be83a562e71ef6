/* AWS Signature Version 4, the server's side (AWS General Reference, "Signing AWS API requests"):
 * what a request says about its signature, and whether it is true. Both forms: the Authorization
 * header, and the query of a presigned address. Pure: `wall` is seconds since 1970.
 *
 *   request --sigv4_find--> who claims to have signed --(the key's secret)--> sigv4_verify
 *
 * Sentences and error names are those of AWS's own front ends: clients and people know them. */
#pragma once

#include "base/attr.h"
#include "base/bytes.h"
#include "base/text.h"
#include "wire/http1.h"

enum {
    SIGV4_SKEW_S = 15 * 60,              /* clocks may differ by so much */
    SIGV4_EXPIRES_MAX_S = 7 * 24 * 3600, /* of a presigned request */
    SIGV4_PARAMETERS_MAX = 64,           /* of a query */
    SIGV4_NAMES_MAX = 1024,              /* bytes of the list of signed headers */
    SIGV4_SECRET_MAX = 128,              /* bytes; what AWS makes has 40 */
    SIGV4_CANONICAL_MAX = 64 << 10,      /* bytes of a canonical request */
    SIGV4_SIGNATURE_SIZE = 64,           /* hexadecimal digits */
    SIGV4_WHY_MAX = 2048,
};

/* Why a request is refused; clients know these as <name>Exception. */
enum sigv4_outcome {
    SIGV4_GOOD = 0,
    SIGV4_MISSING,    /* MissingAuthenticationToken: it is not signed */
    SIGV4_INCOMPLETE, /* IncompleteSignature: it does not say all that it has to */
    SIGV4_INVALID,    /* InvalidSignature: another signature, another time, another service */
};

struct sigv4_request {
    const char *method;       /* "GET" */
    struct bytes path, query; /* as sent, without "?" */
    const struct http1_header *headers;
    unsigned header_count;
    struct bytes body;
};

/* What a request says; views it. */
struct sigv4 {
    bool presigned; /* in the query; else in the Authorization header */
    struct bytes key_id;
    struct bytes date, region, service;   /* its scope */
    char signed_headers[SIGV4_NAMES_MAX]; /* "host;x-amz-date" */
    struct bytes signature;
    int64_t wall;    /* when it was signed */
    int64_t expires; /* presigned: good for so many seconds */
    bool has_token;  /* X-Amz-Security-Token: a session of temporary credentials */
};

/* Fills *ret, or says in `why` what is wrong: never SIGV4_INVALID. A presigned key id is the
 * decoded one only where it has no escapes, as all key ids of AWS are. */
must_check enum sigv4_outcome sigv4_find(const struct sigv4_request *r, struct sigv4 *ret,
                                         struct text *why);

struct sigv4_rules {
    const char *secret;    /* of the key s->key_id */
    const char *service;   /* that this is */
    int64_t wall;          /* now */
    bool unsigned_payload; /* x-amz-content-sha256: UNSIGNED-PAYLOAD will do: something else (TLS)
                              guards the body */
};

/* Was it signed with this secret, for this service, at about this time, and is the body the one
 * that was signed? The host and all x-amz- headers but the security token have to be signed, or
 * somebody on the way could change what is asked for. Compares in constant time. */
must_check enum sigv4_outcome sigv4_verify(const struct sigv4_request *r, const struct sigv4 *s,
                                           const struct sigv4_rules *rules, struct text *why);
