#include "prog/load_sign.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/memory.h"
#include "model/zone_sign_io.h"
#include "model/zone_walk.h"
#include "prog/load_shared.h"
#include "prog/shared_pairs.h"
#include <stdlib.h>

enum { SERVICES_DEEP_MAX = PLAN_DEPTH_MAX, RESIGN_MIN_S = 3600 };

/* The families that a service has addresses of, as bits. Nesting has no circles. */
static unsigned families_deep(const struct config *c, const struct config_service *s,
                              unsigned depth)
{
    unsigned bits = 0;
    for (uint32_t i = 0; i < s->endpoint_count && depth <= SERVICES_DEEP_MAX; i++) {
        const struct config_endpoint *e = &s->endpoints[i];
        for (unsigned f = 0; f < IP_FAMILIES; f++)
            bits |= e->has_address[f] ? 1u << f : 0;
        if (e->service != CONFIG_NONE)
            bits |= families_deep(c, &c->services[e->service], depth + 1);
    }
    return bits;
}

unsigned load_families(const struct config *c, uint32_t service)
{
    return families_deep(c, &c->services[service], 0);
}

static uint8_t *steered_families(const struct config *c, uint32_t zone)
{
    unsigned count = 0;
    for (int i = c->zones[zone].first_service; i != CONFIG_NONE; i = c->services[i].next_in_zone)
        count++;
    uint8_t *families = mem_new(count + (size_t)1, 1);
    count = 0;
    for (int i = c->zones[zone].first_service; i != CONFIG_NONE; i = c->services[i].next_in_zone)
        families[count++] = (uint8_t)load_families(c, (uint32_t)i);
    return families;
}

/* The zone that is served came with signatures of a key that is not here. */
static int given_refuse(const struct config_zone *z, struct text *problems)
{
    text_appendf(problems,
                 "%s: zone %s is served with the signatures it came with; the parent may have a DS "
                 "for their key, and has none for a new one. First have it served unsigned (no DS "
                 "at the parent, no signatures in the file), or go on signing it where it is "
                 "signed now\n",
                 z->file, z->name);
    return ERR_REFUSED;
}

/* L3: a zone with keys that cannot be opened goes on as it is served; one that is not served yet
 * waits. */
static int shared_open(const struct load_request *r, const struct config_zone *z, int64_t wall,
                       bool served_signed, struct text *problems, struct load_sign *ret)
{
    const struct shared_ring_request q = {.data = r->data,
                                          .zone = z,
                                          .keys = load_shared_keys(r->shared, z->name),
                                          .seal = load_shared_seal(r->shared),
                                          .wall = wall,
                                          .served_signed = served_signed};
    int err = shared_ring_open(&q, problems, &ret->ring);
    ret->locked = err != 0;
    return ret->has_old ? err : 0;
}

int load_sign_open(const struct zone_order *o, int64_t wall, struct text *problems,
                   struct load_sign *ret)
{
    const struct load_request *r = o->load;
    const struct config_zone *z = &o->config->zones[o->zone];
    uint64_t hash = o->was ? o->was->hash : 0;
    *ret = (struct load_sign){.seal.zonemd = z->zonemd};
    if (!r->data) /* only a check: no keys are made, nothing is signed */
        return 0;
    unsigned flags = 0; /* of what is served: those of a damaged file as well (L3) */
    if (hash && !store_map(r->data, PLAN_FILE_ZONE, hash, &ret->file)) {
        if (!zone_open_trusted(ret->file.data, ret->file.size, &ret->old))
            flags = ret->old.header->flags;
        ret->has_old = !zone_open(ret->file.data, ret->file.size, &ret->old);
        if (!ret->has_old)
            mapped_close(&ret->file);
    }
    struct dnssec_keys_request request = {
        .data = r->data,
        .zone = z,
        .wall = wall,
        /* Its file may be gone from the disk, and is served from memory all the same (L1). */
        .served_signed = flags & ZONE_SIGNED || (o->was_signed && !config_zone_is_shared(z)),
    };
    bool given = flags & ZONE_SIGNED && flags & ZONE_GIVEN;
    if (given) {
        if (z->dnssec.on && !dnssec_keys_exist(r->data, z->name) && !config_zone_is_shared(z))
            return given_refuse(z, problems);
        request.served_signed = false;
    }
    int err = config_zone_is_shared(z)
                  ? shared_open(r, z, wall, request.served_signed, problems, ret)
                  : dnssec_keys_load(&request, problems, &ret->ring);
    if (err || !ret->ring)
        return err;
    ret->families = steered_families(o->config, o->zone);
    ret->sign = (struct zone_sign){.keys = &ret->ring->keys,
                                   .steered_families = ret->families,
                                   .spread = zone_sign_threads,
                                   .previous = ret->has_old && !given ? &ret->old : NULL};
    ret->seal = zone_sign_seal(&ret->sign);
    ret->seal.zonemd = z->zonemd;
    return 0;
}

void load_sign_done(struct load_sign *s)
{
    if (s->has_old)
        mapped_close(&s->file);
    dnssec_keyring_unref(s->ring);
    free(s->families);
}

static uint32_t ttl_longest(const struct zone *z)
{
    uint32_t longest = 0;
    const struct zone_node *n = zone_node_at(z, z->header->apex);
    for (; n; n = zone_node_next(z, n))
        for (unsigned i = 0; i < n->set_count; i++)
            if (n->sets[i].ttl > longest)
                longest = n->sets[i].ttl;
    return longest;
}

/* Signatures end spread over days (jitter), so they are renewed in batches: at most one an hour,
 * and with three quarters of `refresh` in hand at least. */
void load_sign_sooner(const struct zone_sign *sign, int64_t wall, struct loaded_keys *ret)
{
    const struct dnssec_zone_keys *k = sign->keys;
    int64_t batch = k->refresh / 4 < RESIGN_MIN_S ? k->refresh / 4 : RESIGN_MIN_S;
    int64_t left = (int32_t)(sign->expires - (uint32_t)wall) - (int64_t)k->refresh;
    int64_t at = wall + (left > batch ? left : batch);
    if (sign->expires && at < ret->renew_at)
        ret->renew_at = at;
}

void load_sign_keep(struct load_sign *s, const struct zone *zone, int64_t wall,
                    struct loaded_keys *ret)
{
    *ret = (struct loaded_keys){.renew_at = KEY_NEVER};
    if (!s->ring)
        return;
    ret->ring = dnssec_keyring_ref(s->ring);
    ret->ttl_max = ttl_longest(zone);
    ret->signatures_end = s->sign.expires;
    ret->renew_at = KEY_NEVER;
    load_sign_sooner(&s->sign, wall, ret);
    if (s->ring->next_event < ret->renew_at && !dnssec_keyring_is_shared(s->ring))
        ret->renew_at = s->ring->next_event; /* of shared ones the nodes decide: control_keys.c */
}

static void end_note(const struct zone *z, uint32_t records, uint32_t *end)
{
    enum { RRSIG_EXPIRATION = 8 };
    struct zone_record r;
    bool more = zone_records_signature_first(z, records, &r);
    for (; more; more = zone_record_next(&r)) {
        struct reader expiration = reader_init(r.rdata + RRSIG_EXPIRATION, sizeof(uint32_t));
        uint32_t at = reader_u32(&expiration);
        if (!*end || (int32_t)(at - *end) < 0)
            *end = at;
    }
}

/* When the first signature of the zone ends; NSEC3 records and those of steered names are as old as
 * the sets. */
static uint32_t signatures_end(const struct zone *z)
{
    uint32_t end = 0;
    const struct zone_node *n = zone_node_at(z, z->header->apex);
    for (; n; n = zone_node_next(z, n))
        for (unsigned i = 0; i < n->set_count; i++)
            end_note(z, n->sets[i].records, &end);
    return end;
}

void load_sign_stuck(struct load_sign *s, int64_t wall, struct loaded_keys *ret)
{
    enum { AGAIN_S = 3600 };
    bool was_signed =
        s->has_old && (s->old.header->flags & (ZONE_SIGNED | ZONE_GIVEN)) == ZONE_SIGNED;
    if (!s->ring && !was_signed)
        return;
    *ret = (struct loaded_keys){.ring = dnssec_keyring_ref(s->ring),
                                .renew_at = wall + AGAIN_S,
                                .signatures_end = was_signed ? signatures_end(&s->old) : 0,
                                .kept = true};
}
