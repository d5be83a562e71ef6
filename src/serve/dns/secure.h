/* What DO adds to answers from a signed zone (RFC 4035 3.1, RFC 5155 7.2): signatures, and proofs
 * that a name or a type is not there. Everything was made when the zone was compiled; here it is
 * found and copied. */
#pragma once

#include "base/bytes.h"
#include "serve/dns/answer.h"
#include "wire/names.h"

static inline bool secure_wanted(const struct query *q, const struct zone *z)
{
    return q->edns.dnssec_ok && z->header->flags & ZONE_SIGNED;
}

/* Records of proofs that the message holds already, of any zone: each is sent once. */
enum { SECURE_LINKS_MAX = QUERY_CHAIN_MAX + 8 };
struct secure_links {
    unsigned count;
    const void *records[SECURE_LINKS_MAX];
};

/* Where a writer puts records: owners are pointers where the message holds the name already. */
struct secure_place {
    struct writer *w; /* over the whole message; fails where there is no room */
    const struct zone *z;
    uint16_t origin;            /* pointer word of the zone's origin; 0 = not in the message */
    uint16_t type;              /* that is asked for */
    struct secure_links *links; /* NULL: there is one proof only */
    struct names *names;        /* that the message holds; NULL: nobody knows */
};

/* Each returns how many records it wrote. */

/* The signatures behind the records at offset * 8 of the zone, for an owner that the message holds
 * at the pointer word `owner`, or that is written out (0). */
uint16_t secure_signatures(const struct secure_place *p, uint32_t records, uint32_t ttl,
                           uint16_t owner, const uint8_t *name, size_t length);
/* The signatures behind what was picked for a steered node of `zone`: its addresses, or the alias
 * that it answers with. Made ahead of time, like all others (model/plan_sign.h). */
uint16_t secure_steered(const struct secure_place *p, const struct query *q,
                        const struct served_zone *zone, const struct zone_node *node,
                        const struct steer_answer *pick, uint32_t ttl, uint16_t owner,
                        const uint8_t *name, size_t length);
/* That the match is right: what is not there of `name`. `positive`: records of the wildcard were
 * answered, so only the name's own absence is to be shown; else it is NODATA or NXDOMAIN. */
uint16_t secure_denial(const struct secure_place *p, const uint8_t *name, size_t length,
                       const struct match *m, bool positive);
/* The DS records of a delegation, or that it has none. */
uint16_t secure_delegation(const struct secure_place *p, const struct zone_node *cut);

/* Whole answers from the zone of the query. */
void secure_set(struct query *q, struct query_context *ctx, struct answer *a, const struct match *m,
                const struct zone_set *set);
void secure_negative(const struct query *q, struct answer *a, const struct match *m,
                     enum dns_rcode rcode);
void secure_referral(const struct query *q, struct answer *a, const struct zone_node *cut);
/* Behind steered records of the query's own name: the signature and, of a wildcard, the proof. */
void secure_picked(const struct query *q, struct answer *a, const struct match *m,
                   const struct steer_answer *pick, uint32_t ttl);
