/* The additional section of a positive answer: addresses of what its records point at (RFC 1035
 * 3.3.9, RFC 2782, RFC 9460 4.1), as far as they fit. Sets of the zone that an answer without DO
 * has from its image are not written again; what the plan decides is known only here. */
#pragma once

#include "serve/dns/secure.h"

enum { ADDITIONAL_MAX = 1232 }; /* bytes of a message up to which addresses go along */

struct additional {
    struct query *q;
    struct query_context *ctx;
    struct answer *a;
    const struct served_zone *zone; /* that the records are of */
    const struct secure_place *place;
    struct bytes owner; /* of the records, as it was asked for */
    bool steered_only;  /* the rest stands there already */
};

/* Behind the records of `set` at `node`. The writer never fails by it. */
void additional_write(const struct additional *x, const struct zone_node *node,
                      const struct zone_set *set);
/* The same behind an answer from the query's zone that is whole. steered_only: but for what the
 * answer's image holds. */
void additional_behind(struct query *q, struct query_context *ctx, struct answer *a,
                       const struct zone_node *node, const struct zone_set *set, bool steered_only);
