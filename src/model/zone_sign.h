/* Signing a zone while it is compiled (RFC 4035 2): keys at the apex, a chain of NSEC or NSEC3
 * records that proves what is not there, and signatures over every set that is ours. Signatures of
 * the zone as it was served until now are taken over while they are fresh and the set is the same,
 * so that a reload signs what changed and not a million records. */
#pragma once

#include "model/dnssec.h"
#include "model/zone.h"

/* Runs task(context, i) for each i below count, perhaps several at a time and in any order, and
 * returns when all are done. */
typedef void zone_sign_spread(void (*task)(void *context, unsigned i), void *context,
                              unsigned count);

struct zone_sign {
    const struct dnssec_zone_keys *keys;
    const uint8_t *steered_families; /* by number of the steered name: bits 1 << enum ip_family of
                                        the families it has by configuration; NULL = all of both */
    const struct zone *previous, *lender; /* lend signatures, in this order; NULL = none */
    zone_sign_spread *spread; /* zone_sign_io.h has one with threads; NULL = one after the other */
    uint32_t made, reused;    /* signatures, counted here */
    uint32_t expires; /* the first expiration of all signatures made or taken over, seconds since
                         1970 */
};

/* Signatures that end at `expires` (0: there are none) are used beside those that were made. */
void zone_sign_expires(struct zone_sign *s, uint32_t expires);
/* Signs the one record of a type at the apex of a compiled zone anew, in place, where it was
 * changed: the SOA with its serial, the digest. As struct zone_seal has it; context: struct
 * zone_sign. ERR_MISSING: the keys are none of these. */
must_check int zone_sign_renew(void *context, const struct zone *z, uint8_t *data, uint16_t type);

/* For zone_builder_seal and zone_compile_sealed; `s` and what it refers to outlive the builder. */
struct zone_seal zone_sign_seal(struct zone_sign *s);
