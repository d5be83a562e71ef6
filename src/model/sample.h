/* What one probe of one target saw. */
#pragma once

#include "base/attr.h"
#include "base/time.h"
#include <stdbool.h>
#include <stdint.h>

/* blackbox_exporter's names. */
enum phase { PHASE_RESOLVE, PHASE_CONNECT, PHASE_TLS, PHASE_PROCESSING, PHASE_TRANSFER };
enum { PHASES = 5 };

/* The closed list of reasons: identifier, name shown everywhere, phase it belongs to, sentence. */
#define REASON_LIST(X)                                                                             \
    X(REASON_OK, "ok", PHASE_TRANSFER, "it answered as it should")                                 \
    X(REASON_NOT_YET, "not-yet", PHASE_RESOLVE, "it was not probed yet")                           \
    X(REASON_RESOLVE_TIMEOUT, "resolve-timeout", PHASE_RESOLVE,                                    \
      "the name was not resolved in time")                                                         \
    X(REASON_RESOLVE_SERVFAIL, "resolve-servfail", PHASE_RESOLVE, "resolving the name failed")     \
    X(REASON_RESOLVE_NXDOMAIN, "resolve-nxdomain", PHASE_RESOLVE, "the name does not exist")       \
    X(REASON_RESOLVE_NODATA, "resolve-nodata", PHASE_RESOLVE, "the name has no such record")       \
    X(REASON_RESOLVE_WRONG, "resolve-wrong", PHASE_RESOLVE, "the name resolves to something else") \
    X(REASON_CONNECT_TIMEOUT, "connect-timeout", PHASE_CONNECT, "no connection in time")           \
    X(REASON_CONNECT_REFUSED, "connect-refused", PHASE_CONNECT, "the connection was refused")      \
    X(REASON_CONNECT_UNREACHABLE, "connect-unreachable", PHASE_CONNECT,                            \
      "the network says the address is unreachable")                                               \
    X(REASON_TLS_TIMEOUT, "tls-timeout", PHASE_TLS, "the TLS handshake did not end in time")       \
    X(REASON_TLS_ALERT, "tls-alert", PHASE_TLS, "the TLS handshake failed")                        \
    X(REASON_TLS_EXPIRED, "tls-expired", PHASE_TLS, "the certificate has expired")                 \
    X(REASON_TLS_WRONG_NAME, "tls-wrong-name", PHASE_TLS, "the certificate is for another name")   \
    X(REASON_TLS_UNTRUSTED, "tls-untrusted", PHASE_TLS,                                            \
      "the certificate is not signed by a trusted authority")                                      \
    X(REASON_FIRST_BYTE_TIMEOUT, "first-byte-timeout", PHASE_PROCESSING,                           \
      "the request was taken but no answer came in time")                                          \
    X(REASON_CLOSED, "closed", PHASE_PROCESSING, "the connection was closed before an answer")     \
    X(REASON_PROTOCOL, "protocol", PHASE_PROCESSING, "the answer was not of the protocol")         \
    X(REASON_STATUS, "status", PHASE_PROCESSING, "the answer had another status than accepted")    \
    X(REASON_BODY_TIMEOUT, "body-timeout", PHASE_TRANSFER, "the body did not end in time")         \
    X(REASON_CONTENT, "content", PHASE_TRANSFER, "the text looked for was not in the body")        \
    X(REASON_INTERNAL, "internal", PHASE_RESOLVE,                                                  \
      "the prober itself failed: no statement about the target")

enum reason {
#define X(id, name, phase, sentence) id,
    REASON_LIST(X)
#undef X
        REASONS
};

const_function const char *reason_name(enum reason reason);
const_function const char *reason_sentence(enum reason reason);
const_function enum phase reason_phase(enum reason reason);
const_function const char *phase_name(enum phase phase);

/* What losses are counted of. */
enum loss_of {
    LOSS_OF_PROBES,
    LOSS_OF_SEGMENTS, /* of TCP, that ask to be acknowledged: SYN and data */
};
enum { LOSS_KINDS = 2, SAMPLE_SEGMENTS_MAX = 16 };
struct loss_count {
    uint32_t tries, lost; /* lost <= tries */
};

struct sample {
    uint32_t target;           /* index of the target in the observer's list (model/target.h) */
    uint32_t epoch;            /* of that list: a sample of an older list is dropped */
    usec_t started;            /* when the probe began */
    usec_t ended;              /* when its result was known */
    uint8_t reason;            /* enum reason; REASON_OK = success */
    bool late;                 /* the prober was overloaded or late: freezes the verdict (L4, L8) */
    uint16_t status;           /* http status, DNS rcode; 0 where none */
    uint8_t segments;          /* sent, for LOSS_OF_SEGMENTS, at most SAMPLE_SEGMENTS_MAX; 0 where
                                  there are none */
    uint8_t segments_lost;     /* of them */
    uint32_t phase_us[PHASES]; /* 0 where the phase was not reached or does not exist */
    int64_t certificate_end;   /* seconds since 1970; 0 where no certificate was seen */
};
