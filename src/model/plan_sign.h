/* Signing steered names ahead of time: every answer that a plan can give gets its RRSIGs before the
 * plan is published, one by each key that signs the zone (RFC 4035 2.2), so that no signature is
 * ever made for a query.
 *
 * Signatures are kept by content from one plan to the next: a plan whose answers are those of the
 * one before, or of one some minutes ago, signs nothing. The original TTL (RFC 4034 3.1.4) is the
 * service's largest, so a TTL that moves with health signs nothing either; a validator takes a
 * lower TTL as that of a cache (RFC 4035 5.3.3). */
#pragma once

#include "base/attr.h"
#include "model/dnssec.h"
#include "model/plan.h"

enum { PLAN_SIGN_KEEP = 64 }; /* plans without use after which a signature is forgotten */

struct plan_signer; /* used by one thread at a time */

struct plan_signed {
    uint32_t made, reused; /* signatures */
    int64_t refresh;       /* seconds since 1970: sign again then; INT64_MAX without signatures */
    int64_t since;         /* the latest inception: a clock before it has to sign again too */
    int64_t end;           /* the first expiration; 0 without signatures */
    int64_t alarm;         /* signatures that were not renewed by then are late; 0 without */
};

struct plan_signer *plan_signer_new(void);
void plan_signer_free(struct plan_signer *s); /* NULL is fine */

/* *ret is `plan` with signatures; its new arrays are the signer's until the next call, the rest is
 * the plan's. keys: by the plan's file index, NULL where that zone is unsigned (or no zone). now:
 * seconds since 1970. ERR_LIMIT: more answers than there is room for; ERR_INVALID: OpenSSL
 * refuses. */
must_check int plan_sign(struct plan_signer *s, const struct plan *plan,
                         const struct dnssec_zone_keys *const *keys, int64_t now, struct plan *ret,
                         struct plan_signed *ret_signed);
