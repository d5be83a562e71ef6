/* For tests: signed zones for the rig, and a rig whose zone and steered answers are signed. */
#pragma once

#include "model/plan_sign.h"
#include "model/zone_compile.h"
#include "model/zone_sign.h"
#include "serve/dns/query_rig.h"

enum { RIG_NOW = 1700000000, RIG_DAY = 86400 };

/* A key, and what it signs with; not to be moved. */
struct rig_signer {
    struct dnssec_key *key;
    struct dnssec_zone_keys keys;
    struct plan_signer *plans;
};

static inline void rig_signer_init(struct rig_signer *s, bool nsec3)
{
    if (dnssec_key_generate(DNSSEC_ECDSAP256SHA256, 257, &s->key))
        abort();
    s->keys = (struct dnssec_zone_keys){.published = &s->key,
                                        .published_count = 1,
                                        .key_signers = &s->key,
                                        .key_signer_count = 1,
                                        .zone_signers = &s->key,
                                        .zone_signer_count = 1,
                                        .nsec3 = nsec3,
                                        .dnskey_ttl = 3600,
                                        .now = RIG_NOW,
                                        .lifetime = 14 * RIG_DAY,
                                        .refresh = 7 * RIG_DAY};
    s->plans = plan_signer_new();
}

static inline void rig_signer_done(struct rig_signer *s)
{
    plan_signer_free(s->plans);
    dnssec_key_free(s->key);
}

/* The compiled zone of a text, signed; aborts with the problems where it has some. */
static inline struct rig_file rig_zone_signed(const struct rig_signer *s, const char *origin,
                                              const char *text, const char *const *steered,
                                              unsigned steered_count)
{
    struct rig_file f = {NULL, 0};
    struct text problems = text_init(1 << 16);
    uint8_t wire[DNAME_MAX], names[RIG_STEERED][DNAME_MAX];
    const uint8_t *list[RIG_STEERED];
    struct zone_sign sign = {.keys = &s->keys};
    struct zone_seal seal = zone_sign_seal(&sign);
    if (dname_parse(origin, strlen(origin), NULL, wire) < 0 || steered_count > RIG_STEERED)
        abort();
    for (unsigned i = 0; i < steered_count; i++) {
        if (dname_parse(steered[i], strlen(steered[i]), wire, names[i]) < 0)
            abort();
        list[i] = names[i];
    }
    if (zone_compile_sealed(origin, "z", text, strlen(text), list, steered_count, NULL, NULL, &seal,
                            NULL, &problems, &f.data, &f.size)) {
        fprintf(stderr, "%s\n", text_string(&problems));
        abort();
    }
    text_done(&problems);
    return f;
}

/* The rig with its first zone (and `more` in it) signed, and what it steers. */
static inline struct rig *rig_new_signed(struct rig_signer *s, const char *more)
{
    struct rig *r = rig_new();
    struct text text = text_init(1 << 16);
    const struct dnssec_zone_keys *by_file[3] = {&s->keys, NULL, NULL};
    struct plan plan;
    struct plan_signed out;
    text_append(&text, rig_example);
    text_append(&text, more);
    free(r->files[0].data);
    served_free(r->served);
    r->files[0] = rig_zone_signed(s, "example.com", text_string(&text), rig_steered, RIG_STEERED);
    r->maker.files[0].hash = rig_hash(&r->files[0]);
    if (plan_sign(s->plans, &r->maker.plan, by_file, RIG_NOW, &plan, &out) ||
        served_build(&plan, &r->source, NULL, &r->served, r->where)) {
        fprintf(stderr, "%s\n", r->where);
        abort();
    }
    text_done(&text);
    return r;
}
