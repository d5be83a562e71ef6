/* From the bytes of a query to the bytes of its response. Pure: no clock, no socket, no allocation,
 * no lock.
 *
 * A query passes four stages, so that a batch of packets can wait for memory together: each stage
 * ends by asking for the cache lines that the next one reads.
 *
 *   query_prepare   parse, lower, hash, find the zone  -> prefetch the slot of the zone's table
 *   query_locate    read the slot                      -> prefetch the node
 *   query_reach     where signatures are due, the node -> prefetch what they lie in
 *   query_finish    answer into the response buffer
 *
 * query_answer() is all of them in a row. The same functions will serve raw packets (XDP) and TLS:
 * all they know of the transport is `struct query_client`. */
#pragma once

#include "base/random.h"
#include "base/time.h"
#include "model/stats.h"
#include "serve/dns/cookie.h"
#include "serve/dns/limit.h"
#include "serve/dns/policy.h"
#include "serve/dns/served.h"
#include "wire/dns.h"

enum {
    QUERY_CHAIN_MAX = 16, /* CNAMEs followed for one answer */
    QUERY_UDP_SIZE =
        1232, /* EDNS size offered by default: what passes unfragmented (DNS flag day 2020) */
};

struct query_client {
    const uint8_t *address; /* network order, 4 or 16 bytes; readable until query_finish */
    uint8_t family;         /* enum ip_family */
    bool tcp;               /* a stream: responses up to 64 KiB */
    uint8_t tls;            /* 12 or 13, its version; 0: what is said can be read by others */
    const uint8_t *tls_pin; /* of the key that the client showed: its SHA-256; NULL: none */
};

/* One thread's. */
struct query_context {
    struct random random;
    struct stats_thread *stats;        /* that thread's counters */
    uint16_t udp_size;                 /* EDNS size offered, and the most sent over UDP; >= 512 */
    uint64_t (*wall)(void);            /* seconds since 1970, for TSIG; NULL: 0 */
    bool client_subnet;                /* heed RFC 7871; else the option is unknown */
    const struct query_policy *policy; /* may be NULL: nothing is granted */
    struct cookie_secrets cookies;     /* none: no cookies */
    struct limit *limit;               /* NULL: no limit */
    usec_t now;                        /* where there is a limit: clock_now() of the batch */
    bool stale;                        /* health has not been looked at for long */
    uint16_t keepalive;                /* streams: may be idle for so many 100 ms (RFC 7828) */
};

/* EDNS of a query (RFC 6891), and its client subnet (RFC 7871). */
struct query_edns {
    bool present, dnssec_ok, subnet_given;
    uint8_t version;
    uint16_t size;          /* what the client takes; >= 512 */
    uint16_t subnet_family; /* 0 (only with a source of 0), 1, 2 */
    uint8_t subnet_source;  /* prefix length that the client told */
    uint8_t subnet_scope;   /* prefix length that the answer holds for: ours */
    uint8_t subnet_bytes[16];
    uint8_t extras; /* enum query_extra */
    uint8_t cookie_length;
    const uint8_t *cookie; /* in the query */
};

enum query_course {
    QUERY_DROP,   /* nothing is sent */
    QUERY_HEADER, /* an error with the header only: there is no question to repeat */
    QUERY_ERROR,  /* an error with the question */
    QUERY_COOKIE, /* nothing is asked but a cookie: OPT alone (RFC 7873 5.4) */
    QUERY_RELAY,  /* for control: relay_io.h; where that cannot be, SERVFAIL */
    QUERY_KEYED,  /* signed, or for a transfer: keyed.h */
    QUERY_GO,
};

/* A query on its way through the stages. */
struct query {
    const struct served *served;
    const uint8_t *wire;
    size_t length;
    const struct query_client *client;
    enum query_course course;
    enum dns_rcode rcode; /* QUERY_HEADER, QUERY_ERROR, QUERY_COOKIE */
    bool is_signed;       /* has a TSIG record */
    uint16_t type, class;
    uint16_t name_length;  /* with the root label */
    uint16_t question_end; /* header and question, in bytes */
    uint8_t labels;        /* without the root label */
    const struct served_zone *zone;
    uint64_t hash;    /* of `name` */
    uint64_t account; /* where there is a limit: what is answered */
    uint16_t ede;     /* RFC 8914: EXTRA_EDE */
    bool cookie_good; /* the client is where it says it is */
    struct query_edns edns;
    uint8_t name[DNAME_MAX + 9]; /* lower, then zeros (served_hash) */
};

/* The query's bytes and the client stay the caller's until query_finish. served may be NULL (no
 * plan yet: SERVFAIL). */
void query_prepare(struct query *q, const struct query_context *ctx, const struct served *served,
                   const uint8_t *wire, size_t length, const struct query_client *client);
void query_locate(const struct query *q);
void query_reach(const struct query *q);
/* Writes the response, at most `response_size` (>= 512 for UDP, 65535 for TCP) and never more than
 * the client takes. Returns its length; 0 = send nothing. */
size_t query_finish(struct query *q, struct query_context *ctx, uint8_t *response,
                    size_t response_size);

size_t query_answer(struct query_context *ctx, const struct served *served, const uint8_t *wire,
                    size_t length, const struct query_client *client, uint8_t *response,
                    size_t response_size);
