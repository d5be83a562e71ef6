/* For tests: small zones signed with one key. */
#pragma once

#include "model/zone_fixture.h"
#include "model/zone_rfc4035.h"
#include "model/zone_sign.h"

enum { NOW = 1700000000, DAY = 86400 };

/* A zone signed with one key. */
struct rig {
    struct dnssec_key *key;
    struct dnssec_zone_keys keys;
    struct zone_sign sign;
    struct fixture f;
};

static inline void rig_keys(struct rig *r, unsigned algorithm, bool nsec3)
{
    ck_assert_int_eq(dnssec_key_generate(algorithm, DNSSEC_FLAG_ZONE | DNSSEC_FLAG_SEP, &r->key),
                     0);
    r->keys = (struct dnssec_zone_keys){.published = &r->key,
                                        .published_count = 1,
                                        .key_signers = &r->key,
                                        .key_signer_count = 1,
                                        .zone_signers = &r->key,
                                        .zone_signer_count = 1,
                                        .nsec3 = nsec3,
                                        .dnskey_ttl = 3600,
                                        .now = NOW,
                                        .lifetime = 14 * DAY,
                                        .refresh = 7 * DAY,
                                        .jitter = DAY};
}

static inline struct fixture zone_signed(struct rig *r, const char *origin, const char *text,
                                         const struct zone *previous, struct text *problems)
{
    struct fixture f = {0};
    r->sign = (struct zone_sign){.keys = &r->keys, .previous = previous};
    struct zone_seal seal = zone_sign_seal(&r->sign);
    int err = zone_compile_sealed(origin, "z", text, strlen(text), NULL, 0, NULL, NULL, &seal, NULL,
                                  problems, &f.data, &f.size);
    ck_assert_int_eq(err<0, problems->length> 0);
    if (!err)
        ck_assert_int_eq(zone_open(f.data, f.size, &f.zone), 0);
    return f;
}

static inline void rig_open(struct rig *r, const char *origin, const char *text, bool nsec3)
{
    struct text problems = text_init(1 << 16);
    *r = (struct rig){0};
    rig_keys(r, DNSSEC_ECDSAP256SHA256, nsec3);
    r->f = zone_signed(r, origin, text, NULL, &problems);
    ck_assert_str_eq(text_string(&problems), "");
    text_done(&problems);
}

static inline void rig_done(struct rig *r)
{
    fixture_done(&r->f);
    dnssec_key_free(r->key);
}

static const char rfc4035[] = RFC4035_ZONE("3600");
