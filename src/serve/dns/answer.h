/* The writing half of query.h: what the files of the query path share. */
#pragma once

#include "serve/dns/query.h"

/* A response being made. Bytes from the question's end to `position` are answer, authority and
 * additional section; the OPT record comes last and its room is already taken off `limit`. */
struct answer {
    uint8_t *data;
    size_t position;
    size_t limit;
    uint16_t flags; /* AA, TC */
    enum dns_rcode rcode;
    uint16_t answers, authorities, additionals;
    bool steered;
};

/* Where a name leads in a zone (RFC 1034 4.3.2, RFC 4592). */
enum match_kind {
    MATCH_NODE,  /* the name itself, or the wildcard that covers it */
    MATCH_CUT,   /* at or below a delegation: refer to `node` */
    MATCH_DNAME, /* below `node`, which redirects all that is below it (RFC 6672) */
    MATCH_NONE,  /* NXDOMAIN */
};
struct match {
    enum match_kind kind;
    const struct zone_node *node;     /* NULL for MATCH_NONE */
    const struct zone_node *encloser; /* RFC 4592 3.3.1: of a name that is not there, so that `node`
                                         is a wildcard or NULL; NULL where the name itself is */
};

/* name: lower, followed by 8 zero bytes; hash = its dname_hash. The name is in the zone. */
struct match match_find(const struct zone *z, const uint8_t *name, size_t length, unsigned labels,
                        uint64_t hash, uint16_t type);

/* The plan's pick for a steered node and a family; PLAN_NONE in `choice` means NODATA (and so does
 * STEER_NODATA). The scope of the client subnet is noted in the query. */
struct steer_answer answer_pick(struct query *q, struct query_context *ctx,
                                const struct served_zone *zone, const struct zone_node *node,
                                enum ip_family family, uint32_t *ret_ttl);

/* Copies the picked records; `owner`: the pointer word of their owner. False where they do not fit.
 */
bool answer_records(const struct served *s, struct answer *a, const struct steer_answer *pick,
                    uint32_t ttl, uint16_t owner);

/* Copies bytes [from, to) of the image, cut where sections end, with its pointers put right; false,
 * with the answer truncated, where they do not fit. Counts are the caller's. */
bool answer_part(const struct query *q, struct answer *a, const struct zone_image *image,
                 size_t from, size_t to);

/* Empty, with TC: the client is to come back over TCP. */
void answer_truncate(const struct query *q, struct answer *a);

/* The answer of a name that is an alias, or redirected: follows it through the zones served here,
 * up to QUERY_CHAIN_MAX. */
void chain_answer(struct query *q, struct query_context *ctx, struct answer *a, struct match match);
