#include "model/zone_sign.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/ip.h"
#include "base/memory.h"
#include "model/zone_build.h"
#include "model/zone_chain.h"
#include "model/zone_walk.h"
#include "wire/nsec3.h"
#include "wire/rdata.h"

enum {
    RRSIG_ALGORITHM = 2, /* offsets in RRSIG rdata (RFC 4034 3.1) */
    RRSIG_TTL = 4,
    RRSIG_EXPIRATION = 8,
    RRSIG_INCEPTION = 12,
    RRSIG_TAG = 16,
};

/* Slices of a zone are signed apart from one another, each with memory of its own. */
enum { SLICES_MAX = 64, SLICE_SETS_MIN = 64, SIGNERS_MAX = 16 };

struct signing {
    const struct zone_sign *s;
    struct zone_builder *b; /* read, but for the places of the slice's own signatures */
    struct arena *arena;    /* of the signatures */
    size_t first, end;      /* nodes, or links */
    size_t index;           /* of the first node's first set */
    struct dnssec_signer *signers[SIGNERS_MAX]; /* of the zone's key_signers, then zone_signers */
    uint8_t *records; /* of the set at hand, as struct dnssec_set wants them */
    size_t size;
    uint8_t *made; /* its signatures */
    size_t made_size;
    uint32_t count_made, count_reused, expires;
    int err; /* and what could not be signed: */
    const struct zone_entry *failed;
};

/* ---- keys at the apex ---- */

static int keys_add(struct zone_builder *b, struct dnssec_key *const *keys, unsigned count,
                    uint16_t type, uint32_t ttl)
{
    uint8_t ds[DNSSEC_DS_SIZE];

    for (unsigned i = 0; i < count; i++) {
        size_t length = sizeof ds;
        const uint8_t *rdata = ds;
        if (type == DNS_CDS)
            dnssec_key_ds(keys[i], b->origin, ds);
        else
            rdata = dnssec_key_rdata(keys[i], &length);
        int err = zone_builder_add(b, b->origin, type, ttl, rdata, (uint16_t)length, 0);
        if (err < 0)
            return err;
    }
    return 0;
}

/* RFC 8078 4. */
static int deletion_add(struct zone_builder *b, uint32_t ttl)
{
    static const uint8_t cds[] = {0, 0, 0, 0, 0}, cdnskey[] = {0, 0, 3, 0, 0};

    int err = zone_builder_add(b, b->origin, DNS_CDS, ttl, cds, sizeof cds, 0);
    return err ? err : zone_builder_add(b, b->origin, DNS_CDNSKEY, ttl, cdnskey, sizeof cdnskey, 0);
}

static int sign_prepare(void *context, struct zone_builder *b)
{
    static const uint8_t parameters[] = {1, 0, 0, 0, 0}; /* RFC 9276 3.1 */
    struct zone_sign *s = context;
    const struct dnssec_zone_keys *k = s->keys;

    if (!k->published_count || !k->zone_signer_count || !k->key_signer_count)
        return ERR_MISSING;
    int err = keys_add(b, k->published, k->published_count, DNS_DNSKEY, k->dnskey_ttl);
    if (!err)
        err = keys_add(b, k->delegated, k->delegated_count, DNS_CDS, k->dnskey_ttl);
    if (!err)
        err = keys_add(b, k->delegated, k->delegated_count, DNS_CDNSKEY, k->dnskey_ttl);
    if (!err && k->delete_delegation)
        err = deletion_add(b, k->dnskey_ttl);
    if (!err && k->nsec3)
        err = zone_builder_add(b, b->origin, DNS_NSEC3PARAM, 0, parameters, sizeof parameters, 0);
    return err;
}

/* ---- signatures that are still good ---- */

static uint32_t load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Times compare as serial numbers (RFC 4034 3.1.5). */
static bool is_fresh(const struct dnssec_zone_keys *k, const uint8_t *rrsig)
{
    int32_t left = (int32_t)(load_u32(rrsig + RRSIG_EXPIRATION) - k->now);
    int32_t age = (int32_t)(k->now - load_u32(rrsig + RRSIG_INCEPTION));
    return age >= 0 && left > (int64_t)k->refresh && left <= (int64_t)k->lifetime;
}

static bool made_by(const uint8_t *rrsig, const struct dnssec_key *key)
{
    return rrsig[RRSIG_ALGORITHM] == dnssec_key_algorithm(key) &&
           (rrsig[RRSIG_TAG] << 8 | rrsig[RRSIG_TAG + 1]) == dnssec_key_tag(key);
}

/* Does the zone hold exactly these records there? */
static bool records_same(const struct zone *z, uint32_t records, const struct dnssec_set *set)
{
    const struct zone_records *r = (const struct zone_records *)(z->base + (uint64_t)records * 8);
    return r->count == set->count && r->length >= set->length &&
           memcmp(r + 1, set->records, set->length) == 0;
}

/* Where a zone holds exactly these records (offset / 8), or 0. */
static uint32_t records_find(const struct zone *z, const struct dnssec_set *set,
                             const struct build_link *link)
{
    if (link) {
        const struct zone_link *old = zone_link_find(z, link->hash);
        bool there = old && memcmp(old->hash, link->hash, ZONE_HASH_SIZE) == 0;
        return there && records_same(z, old->records, set) ? old->records : 0;
    }
    size_t length = dname_length(set->owner);
    const struct zone_node *n = zone_find(z, set->owner, length, dname_hash(set->owner, length));
    const struct zone_set *old = n ? zone_node_set(n, set->type) : NULL;
    return old && records_same(z, old->records, set) ? old->records : 0;
}

/* A signature by this key over exactly this set that was made before, or NULL. */
static const uint8_t *signature_lent(const struct zone_sign *s, const struct dnssec_set *set,
                                     const struct build_link *link, const struct dnssec_key *key,
                                     uint16_t *ret_length)
{
    const struct zone *const lenders[] = {s->previous, s->lender};
    struct zone_record r;

    for (unsigned i = 0; i < array_length(lenders); i++) {
        uint32_t records = lenders[i] ? records_find(lenders[i], set, link) : 0;
        if (!records || !zone_records_signature_first(lenders[i], records, &r))
            continue;
        do {
            if (made_by(r.rdata, key) && load_u32(r.rdata + RRSIG_TTL) == set->ttl &&
                is_fresh(s->keys, r.rdata)) {
                *ret_length = r.length;
                return r.rdata;
            }
        } while (zone_record_next(&r));
    }
    return NULL;
}

/* ---- one set ---- */

static bool is_of_keys(uint16_t type)
{
    return type == DNS_DNSKEY || type == DNS_CDS || type == DNS_CDNSKEY;
}

static void expires_note(uint32_t *expires, uint32_t expiration)
{
    if (!*expires || (int32_t)(expiration - *expires) < 0)
        *expires = expiration;
}

/* Appends one signature to the set's. */
static int signature_add(struct signing *g, const struct dnssec_set *set,
                         const struct build_link *link, const struct dnssec_key *key,
                         struct dnssec_signer *signer, size_t *used)
{
    uint8_t *at = g->made + *used + sizeof(uint16_t);
    uint32_t inception, expiration;
    uint16_t length = 0;

    const uint8_t *old = signature_lent(g->s, set, link, key, &length);
    if (old) {
        memcpy(at, old, length);
        g->count_reused++;
    } else {
        dnssec_times(g->s->keys, set->owner, set->type, &inception, &expiration);
        int made = dnssec_signer_sign(signer, set, g->b->origin, inception, expiration, at,
                                      DNSSEC_RRSIG_MAX);
        if (made < 0)
            return made;
        length = (uint16_t)made;
        g->count_made++;
    }
    expires_note(&g->expires, load_u32(at + RRSIG_EXPIRATION));
    memcpy(g->made + *used, &length, sizeof length);
    *used += sizeof length + length;
    return 0;
}

/* The set's records in g->records. */
static void records_gather(struct signing *g, const struct build_set *set,
                           struct dnssec_set *ret_set)
{
    size_t used = 0, wanted = 0;

    for (uint32_t i = 0; i < set->count; i++)
        wanted += sizeof(uint16_t) + set->items[i].entry->rdata_length;
    if (wanted > g->size) {
        g->size = wanted * 2;
        g->records = mem_resize(g->records, g->size, 1);
    }
    for (uint32_t i = 0; i < set->count; i++) {
        const struct zone_entry *e = set->items[i].entry;
        memcpy(g->records + used, &e->rdata_length, sizeof e->rdata_length);
        used += sizeof e->rdata_length;
        memcpy(g->records + used, zone_entry_rdata(e), e->rdata_length);
        used += e->rdata_length;
    }
    ret_set->records = g->records;
    ret_set->length = used;
    ret_set->count = (uint16_t)set->count;
}

static int set_sign(struct signing *g, const uint8_t *owner, const struct build_set *set,
                    const struct build_link *link, struct build_signatures *ret)
{
    const struct dnssec_zone_keys *k = g->s->keys;
    bool of_keys = is_of_keys(set->type);
    struct dnssec_key *const *signers = of_keys ? k->key_signers : k->zone_signers;
    unsigned count = of_keys ? k->key_signer_count : k->zone_signer_count;
    struct dnssec_signer **at_work = g->signers + (of_keys ? 0 : k->key_signer_count);
    struct dnssec_set s = {.owner = owner, .type = set->type, .ttl = set->ttl};
    size_t used = 0, most = count * (sizeof(uint16_t) + DNSSEC_RRSIG_MAX);

    records_gather(g, set, &s);
    if (most > g->made_size) {
        g->made = mem_resize(g->made, most, 1);
        g->made_size = most;
    }
    for (unsigned i = 0; i < count; i++) {
        int err = signature_add(g, &s, link, signers[i], at_work[i], &used);
        if (err < 0) {
            g->failed = set->items[0].entry;
            return err;
        }
    }
    uint8_t *data = arena_new(g->arena, used, 1);
    memcpy(data, g->made, used);
    *ret = (struct build_signatures){data, (uint32_t)used, (uint16_t)count};
    return 0;
}

/* ---- the zone ---- */

static int nodes_sign(struct signing *g)
{
    struct zone_builder *b = g->b;
    size_t index = g->index;

    for (size_t i = g->first; i < g->end; i++) {
        const struct build_node *n = &b->nodes[i];
        uint8_t name[DNAME_MAX];
        struct build_set set;
        zone_key_name(b, n->key, n->key_length, name);
        for (uint32_t position = 0; build_set_next(b, n, &position, &set); index++) {
            if (!build_set_is_ours(n, set.type))
                continue;
            int err = set_sign(g, name, &set, NULL, &b->signatures[index]);
            if (err < 0)
                return err;
        }
    }
    return 0;
}

static int links_sign(struct signing *g)
{
    struct zone_builder *b = g->b;
    uint8_t owner[NSEC3_LABEL_SIZE + DNAME_MAX];
    int err = 0;

    memcpy(owner + NSEC3_LABEL_SIZE, b->origin, b->origin_length);
    for (size_t i = g->first; i < g->end && !err; i++) {
        struct build_link *l = &b->links[i];
        struct zone_item item = {.entry = l->entry};
        struct build_set set = {
            .type = DNS_NSEC3, .ttl = l->entry->ttl, .count = 1, .items = &item};
        nsec3_label(l->hash, owner);
        err = set_sign(g, owner, &set, l, &l->signatures);
    }
    return err;
}

/* Few, and the zone before holds others under their owners: made anew each time. */
static int variants_sign(struct signing *g)
{
    struct zone_builder *b = g->b;
    uint8_t owner[NSEC3_LABEL_SIZE + DNAME_MAX];
    int err = 0;

    for (size_t i = g->first; i < g->end && !err; i++) {
        struct build_link *v = &b->variants[i];
        if (!v->entry)
            continue;
        const struct build_node *n = &b->nodes[v->node];
        struct zone_item item = {.entry = v->entry};
        struct build_set set = {
            .type = v->entry->type, .ttl = v->entry->ttl, .count = 1, .items = &item};
        if (set.type == DNS_NSEC3) {
            nsec3_label(v->hash, owner);
            memcpy(owner + NSEC3_LABEL_SIZE, b->origin, b->origin_length);
        } else {
            zone_key_name(b, n->key, n->key_length, owner);
        }
        err = set_sign(g, owner, &set, NULL, &v->signatures);
    }
    return err;
}

/* ---- slices ---- */

struct slices {
    struct signing list[SLICES_MAX];
    unsigned count;
    int (*sign)(struct signing *g);
};

static int signers_start(struct signing *g)
{
    const struct dnssec_zone_keys *k = g->s->keys;
    unsigned count = 0;
    int err = 0;

    invariant(k->key_signer_count + k->zone_signer_count <= SIGNERS_MAX);
    for (unsigned i = 0; i < k->key_signer_count && !err; i++)
        err = dnssec_signer_new(k->key_signers[i], &g->signers[count++]);
    for (unsigned i = 0; i < k->zone_signer_count && !err; i++)
        err = dnssec_signer_new(k->zone_signers[i], &g->signers[count++]);
    return err;
}

static void slice_task(void *context, unsigned i)
{
    struct slices *all = context;
    struct signing *g = &all->list[i];

    g->err = signers_start(g);
    if (!g->err)
        g->err = all->sign(g);
    for (unsigned k = 0; k < SIGNERS_MAX; k++)
        dnssec_signer_free(g->signers[k]);
    free(g->records);
    free(g->made);
}

/* What the slices did, in their order: the same however they were spread. */
static int slices_end(struct slices *all, struct zone_sign *s, struct zone_builder *b)
{
    char type[DNS_TYPE_TEXT_MAX], text[DNAME_TEXT_MAX];
    uint8_t name[DNAME_MAX];
    int err = 0;

    for (unsigned i = 0; i < all->count; i++) {
        const struct signing *g = &all->list[i];
        s->made += g->count_made;
        s->reused += g->count_reused;
        if (g->expires)
            expires_note(&s->expires, g->expires);
        if (err || !g->err)
            continue;
        err = g->err;
        if (!g->failed)
            continue;
        zone_key_name(b, g->failed->bytes, g->failed->key_length, name);
        zone_problem(b, g->failed, "cannot sign the %s records of %s: %s",
                     dns_type_format(g->failed->type, type), dname_format(name, text),
                     err_text(err));
    }
    return err;
}

static void slice_add(struct slices *all, struct zone_sign *s, struct zone_builder *b, size_t first,
                      size_t end, size_t index)
{
    b->arenas = mem_resize(b->arenas, b->arena_count + 1, sizeof *b->arenas);
    b->arenas[b->arena_count++] = arena_init();
    invariant(all->count < SLICES_MAX);
    all->list[all->count++] =
        (struct signing){.s = s, .b = b, .first = first, .end = end, .index = index};
}

static int slices_run(struct slices *all, struct zone_sign *s, struct zone_builder *b,
                      int (*sign)(struct signing *g))
{
    all->sign = sign;
    for (unsigned i = 0; i < all->count; i++) /* the array does not move any more */
        all->list[i].arena = &b->arenas[b->arena_count - all->count + i];
    if (s->spread)
        s->spread(slice_task, all, all->count);
    else
        for (unsigned i = 0; i < all->count; i++)
            slice_task(all, i);
    int err = slices_end(all, s, b);
    all->count = 0;
    return err;
}

static size_t slice_size(size_t count)
{
    size_t size = (count + SLICES_MAX - 1) / SLICES_MAX;
    return size < SLICE_SETS_MIN ? SLICE_SETS_MIN : size;
}

static int nodes_spread(struct slices *all, struct zone_sign *s, struct zone_builder *b)
{
    size_t first = 0, index = 0, start = 0;
    struct build_set set;

    b->signature_count = build_sets_count(b);
    b->signatures = arena_new(&b->arena, b->signature_count, sizeof *b->signatures);
    size_t size = slice_size(b->signature_count);
    for (size_t i = 0; i < b->node_count; i++) {
        for (uint32_t position = 0; build_set_next(b, &b->nodes[i], &position, &set);)
            index++;
        if (index - start < size && i + 1 < b->node_count)
            continue;
        slice_add(all, s, b, first, i + 1, start);
        first = i + 1;
        start = index;
    }
    invariant(index == b->signature_count);
    return slices_run(all, s, b, nodes_sign);
}

static int list_spread(struct slices *all, struct zone_sign *s, struct zone_builder *b,
                       size_t count, int (*sign)(struct signing *g))
{
    size_t size = slice_size(count);

    for (size_t first = 0; first < count; first += size)
        slice_add(all, s, b, first, first + size < count ? first + size : count, 0);
    return slices_run(all, s, b, sign);
}

static int sign_run(void *context, struct zone_builder *b)
{
    struct zone_sign *s = context;

    invariant(s->keys->zone_signer_count > 0 && !b->signatures);
    if (s->keys->nsec3 && b->origin_length + NSEC3_LABEL_SIZE > DNAME_MAX) {
        zone_problem(b, NULL, "the zone's name is too long for NSEC3");
        return ERR_LIMIT;
    }
    b->seal_flags = ZONE_SIGNED;
    if (s->keys->nsec3) {
        b->seal_flags |= ZONE_NSEC3;
        zone_chain_hashed(b, s->steered_families);
    } else {
        zone_chain_named(b, s->steered_families);
    }
    struct slices *all = mem_new(1, sizeof *all);
    int err = nodes_spread(all, s, b);
    if (!err)
        err = list_spread(all, s, b, b->link_count, links_sign);
    if (!err)
        err = list_spread(all, s, b, b->variant_count, variants_sign);
    free(all);
    return err;
}

/* ---- one set of the apex alone ---- */

void zone_sign_expires(struct zone_sign *s, uint32_t expires)
{
    if (expires)
        expires_note(&s->expires, expires);
}

static const struct dnssec_key *signer_find(const struct dnssec_zone_keys *k, const uint8_t *rrsig)
{
    for (unsigned i = 0; i < k->zone_signer_count; i++)
        if (made_by(rrsig, k->zone_signers[i]))
            return k->zone_signers[i];
    return NULL;
}

/* Writes a signature over one that is as long. 1: it had to be made. */
static int set_renew(struct zone_sign *s, const struct dnssec_set *set,
                     const struct zone_record *at, uint8_t *to)
{
    const struct dnssec_key *key = signer_find(s->keys, at->rdata);
    uint8_t made[DNSSEC_RRSIG_MAX];
    uint32_t inception, expiration;
    uint16_t old_length = 0;

    if (!key)
        return ERR_MISSING; /* signed with keys that are not known here */
    const uint8_t *old = signature_lent(s, set, NULL, key, &old_length);
    int length = old_length;
    if (!old) {
        dnssec_times(s->keys, set->owner, set->type, &inception, &expiration);
        length = dnssec_sign(key, set, set->owner, inception, expiration, made, sizeof made);
    }
    if (length < 0)
        return length;
    invariant(length == at->length);
    memcpy(to, old ? old : made, at->length);
    expires_note(&s->expires, load_u32(to + RRSIG_EXPIRATION));
    return !old;
}

int zone_sign_renew(void *context, const struct zone *z, uint8_t *data, uint16_t type)
{
    struct zone_sign *s = context;
    const struct zone_node *apex = zone_node_at(z, z->header->apex);
    const struct zone_set *one = zone_node_set(apex, type);
    invariant(one && one->record_count == 1);
    struct zone_record at, r = zone_record_first(z, one);
    struct dnssec_set set = {.owner = z->header->origin,
                             .type = type,
                             .ttl = one->ttl,
                             .records = r.rdata - sizeof r.length,
                             .length = sizeof r.length + r.length,
                             .count = 1};
    int made = 0;

    for (bool more = zone_signature_first(z, one, &at); more; more = zone_record_next(&at)) {
        int err = set_renew(s, &set, &at, data + (at.rdata - data));
        if (err < 0)
            return err;
        made += err;
    }
    s->made += (uint32_t)made;
    return made;
}

struct zone_seal zone_sign_seal(struct zone_sign *s)
{
    return (struct zone_seal){sign_prepare, sign_run, zone_sign_renew, s, ZONEMD_VERIFY};
}
