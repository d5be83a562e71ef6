/* Signing one zone while it is loaded: keys, the zone as it was served, and what control has to do
 * later. */
#pragma once

#include "model/dnssec_keys_io.h"
#include "model/snapshot_io.h"
#include "model/zone_sign.h"
#include "prog/load_zone.h"

/* One zone's load. */
struct load_sign {
    struct dnssec_keyring *ring; /* NULL: the zone is not signed */
    struct zone_sign sign;
    struct zone_seal seal; /* of any zone, signed or not */
    uint8_t *families;     /* by number of the steered name */
    struct mapped file;    /* the zone as it was served until now */
    struct zone old;
    bool has_old;
    bool locked; /* its keys are shared, and this node cannot open them (yet) */
};

/* wall: seconds since 1970. 0, or an error with a line in `problems`; load_sign_done in either
 * case. A zone that is locked and was never served is no error; it must not be served unsigned. */
must_check int load_sign_open(const struct zone_order *o, int64_t wall, struct text *problems,
                              struct load_sign *ret);
/* The families that a service has addresses of, those that it stands for included: bits 1 << enum
 * ip_family. */
unsigned load_families(const struct config *c, uint32_t service);
void load_sign_done(struct load_sign *s);
/* Signatures of the zone end as noted in `sign`: it is made anew in time. */
void load_sign_sooner(const struct zone_sign *sign, int64_t wall, struct loaded_keys *ret);
/* After the zone was compiled: what is to be kept until it is in service. */
void load_sign_keep(struct load_sign *s, const struct zone *zone, int64_t wall,
                    struct loaded_keys *ret);
/* Where it could not be made and goes on as it was: what it is signed with, if it is, and when to
 * try again. */
void load_sign_stuck(struct load_sign *s, int64_t wall, struct loaded_keys *ret);
