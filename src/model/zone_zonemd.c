#include "model/zone_zonemd.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/zone_build.h"
#include "model/zone_walk.h"
#include "wire/zonemd.h"
#include <stdlib.h>

enum {
    ALGORITHMS = ZONEMD_SHA512 + 1,
    SERIAL_BEFORE_END = 20, /* of SOA data: five numbers, the serial first */
};

static const char *algorithm_name(uint8_t algorithm)
{
    return algorithm == ZONEMD_SHA384 ? "SHA-384" : "SHA-512";
}

static uint32_t load_u32(const uint8_t *p)
{
    struct reader r = reader_init(p, sizeof(uint32_t));
    return reader_u32(&r);
}

static uint32_t soa_serial(const uint8_t *rdata, size_t length)
{
    return load_u32(rdata + length - SERIAL_BEFORE_END);
}

/* ---- records as they came ---- */

/* RFC 8976 3.3.1. */
static bool is_digested(const struct zone_entry *e)
{
    const uint8_t *rdata = zone_entry_rdata(e);
    if (e->key_length || e->type == ZONE_ENTRY_STEERED)
        return e->type != ZONE_ENTRY_STEERED;
    return e->type != DNS_ZONEMD &&
           !(e->type == DNS_RRSIG && (rdata[0] << 8 | rdata[1]) == DNS_ZONEMD);
}

static bool same_record(const struct zone_entry *a, const struct zone_entry *b)
{
    return a->type == b->type && a->key_length == b->key_length &&
           a->rdata_length == b->rdata_length &&
           memcmp(a->bytes, b->bytes, (size_t)a->key_length + a->rdata_length) == 0;
}

/* Of sorted items. */
static void items_digest(const struct zone_builder *b, uint8_t algorithm,
                         uint8_t ret[static ZONEMD_DIGEST_MAX])
{
    struct zonemd_hash *h = zonemd_hash_new(algorithm);
    const struct zone_entry *last = NULL;
    uint8_t name[DNAME_MAX];
    struct bytes owner = {name, 0};

    for (uint32_t i = 0; i < b->item_count; i++) {
        const struct zone_entry *e = b->items[i].entry;
        if (!is_digested(e) || (last && same_record(last, e)))
            continue;
        if (!last || last->key_length != e->key_length ||
            memcmp(last->bytes, e->bytes, e->key_length) != 0)
            owner.length = zone_key_name(b, e->bytes, e->key_length, name);
        zonemd_hash_record(h, owner, e->type, e->ttl,
                           (struct bytes){zone_entry_rdata(e), e->rdata_length});
        last = e;
    }
    zonemd_hash_end(h, ret);
}

/* ---- verifying ---- */

/* What was found out about the records of the apex. */
struct verdict {
    bool matches, unknown;
    const struct zone_entry *wrong; /* the first that is understood and does not match */
    const char *why;
};

static void verdict_wrong(struct verdict *v, const struct zone_entry *e, const char *why)
{
    if (v->wrong)
        return;
    v->wrong = e;
    v->why = why;
}

/* RFC 8976 2.2.2, 2.2.3: of one scheme and algorithm there is one record, or none counts. */
static bool is_single(const struct zone_builder *b, const struct zone_entry *e)
{
    const uint8_t *rdata = zone_entry_rdata(e);
    for (uint32_t i = 0; i < b->item_count && !b->items[i].entry->key_length; i++) {
        const struct zone_entry *other = b->items[i].entry;
        if (other->type == DNS_ZONEMD && !same_record(other, e) &&
            memcmp(zone_entry_rdata(other) + 4, rdata + 4, 2) == 0)
            return false;
    }
    return true;
}

/* RFC 8976 4, step 5. */
static void record_verify(const struct zone_builder *b, const struct zone_entry *e, uint32_t serial,
                          struct verdict *v)
{
    uint8_t digest[ZONEMD_DIGEST_MAX];
    struct zonemd m;
    bool whole = zonemd_read(zone_entry_rdata(e), e->rdata_length, &m);
    invariant(whole); /* rdata_check */
    size_t size = zonemd_digest_size(m.algorithm);
    if (m.scheme != ZONEMD_SIMPLE || !size) {
        v->unknown = true;
    } else if (m.serial != serial) {
        verdict_wrong(v, e, "is of another serial than the SOA");
    } else if (!is_single(b, e)) {
        verdict_wrong(v, e, "is one of several with the same scheme and algorithm");
    } else if (m.digest.length != size) {
        verdict_wrong(v, e, "has a digest of the wrong length");
    } else {
        items_digest(b, m.algorithm, digest);
        if (memcmp(digest, m.digest.data, size) == 0)
            v->matches = true;
        else
            verdict_wrong(v, e, "does not match what the zone holds");
    }
}

static const struct zone_entry *apex_soa(const struct zone_builder *b)
{
    for (uint32_t i = 0; i < b->item_count && !b->items[i].entry->key_length; i++)
        if (b->items[i].entry->type == DNS_SOA)
            return b->items[i].entry;
    return NULL;
}

static void verdict_say(struct zone_builder *b, const struct verdict *v)
{
    static const char remedy[] =
        "make it anew where the zone is made, or say zonemd: ignore for this zone";
    struct zonemd m;
    if (v->wrong) {
        bool whole = zonemd_read(zone_entry_rdata(v->wrong), v->wrong->rdata_length, &m);
        invariant(whole);
        zone_problem(b, v->wrong, "the zone's digest (ZONEMD, %s) %s; %s",
                     algorithm_name(m.algorithm), v->why, remedy);
    } else if (b->zonemd == ZONEMD_REQUIRE) {
        zone_problem(b, NULL,
                     "the zone has no digest (ZONEMD)%s, and zonemd: require is said for it",
                     v->unknown ? " of a kind that is understood" : "");
    }
}

static void items_verify(struct zone_builder *b)
{
    struct verdict v = {0};
    const struct zone_entry *soa = apex_soa(b);
    if (!soa)
        return; /* that will be said */
    uint32_t serial = soa_serial(zone_entry_rdata(soa), soa->rdata_length);
    for (uint32_t i = 0; i < b->item_count && !b->items[i].entry->key_length; i++)
        if (b->items[i].entry->type == DNS_ZONEMD && !v.matches)
            record_verify(b, b->items[i].entry, serial, &v);
    if (!v.matches)
        verdict_say(b, &v);
}

/* ---- a zone on its way ---- */

static bool is_dropped(const struct zone_builder *b, const struct zone_entry *e)
{
    bool changed = b->seal || b->steered_count || b->alias_count;
    if (e->type == DNS_ZONEMD && !e->key_length)
        return changed || b->zonemd == ZONEMD_GENERATE || b->zonemd == ZONEMD_DROP;
    return b->seal && zone_type_is_made(e->type);
}

/* What is true of the zone no longer, or will be made, goes. Returns the SOA. */
static const struct zone_entry *entries_drop(struct zone_builder *b)
{
    const struct zone_entry *soa = NULL;
    for (struct zone_chunk *c = b->first; c; c = c->next)
        for (size_t at = 0; at < c->used;) {
            struct zone_entry *e = (struct zone_entry *)(c->data + at);
            at += zone_entry_size(e);
            if (e->type == DNS_SOA && !e->key_length)
                soa = e;
            if (is_dropped(b, e))
                e->type = ZONE_ENTRY_GONE;
        }
    return soa;
}

/* RFC 8976 3.1: as long as the digest will be. */
static int placeholder_add(struct zone_builder *b, const struct zone_entry *soa)
{
    uint8_t rdata[ZONEMD_DIGEST_MAX];
    struct writer w = writer_init(rdata, sizeof rdata);
    writer_u32(&w, soa_serial(zone_entry_rdata(soa), soa->rdata_length));
    writer_u8(&w, ZONEMD_SIMPLE);
    writer_u8(&w, ZONEMD_SHA384);
    memset(rdata + w.position, 0, zonemd_digest_size(ZONEMD_SHA384));
    uint16_t length = (uint16_t)(w.position + zonemd_digest_size(ZONEMD_SHA384));
    return zone_builder_add(b, b->origin, DNS_ZONEMD, soa->ttl, rdata, length, 0);
}

void zone_zonemd_settle(struct zone_builder *b)
{
    if (!b->zonemd_count && !b->made_count && b->zonemd != ZONEMD_REQUIRE &&
        b->zonemd != ZONEMD_GENERATE)
        return;
    if (zone_zonemd_is_checked(b)) {
        zone_entries_sort(b);
        items_verify(b);
        free(b->items);
        b->items = NULL;
    }
    const struct zone_entry *soa = entries_drop(b);
    if (b->zonemd == ZONEMD_GENERATE && soa && placeholder_add(b, soa) < 0)
        zone_problem(b, NULL, "the zone's digest (ZONEMD) does not fit into the zone");
}

/* ---- a compiled zone ---- */

struct signature {
    struct bytes rdata;
    uint32_t ttl;
};

/* The records of one compiled zone on their way into a digest. */
struct walk {
    struct zonemd_hash *hash;
    const struct zone *z;
    uint32_t link; /* next NSEC3 record */
    struct signature *signatures;
    size_t count, size; /* of one name */
};

static int signature_compare(const void *left, const void *right)
{
    const struct signature *a = left, *b = right;
    size_t shorter = a->rdata.length < b->rdata.length ? a->rdata.length : b->rdata.length;
    int order = memcmp(a->rdata.data, b->rdata.data, shorter);
    return order ? order
                 : (a->rdata.length > b->rdata.length) - (a->rdata.length < b->rdata.length);
}

static void signatures_gather(struct walk *w, uint32_t records, uint32_t ttl)
{
    struct zone_record r;
    bool more = zone_records_signature_first(w->z, records, &r);
    for (; more; more = zone_record_next(&r)) {
        w->signatures = mem_grow(w->signatures, w->count, &w->size, sizeof *w->signatures);
        w->signatures[w->count++] = (struct signature){{r.rdata, r.length}, ttl};
    }
}

static void signatures_digest(struct walk *w, struct bytes owner)
{
    if (w->count > 1)
        qsort(w->signatures, w->count, sizeof *w->signatures, signature_compare);
    for (size_t i = 0; i < w->count; i++)
        zonemd_hash_record(w->hash, owner, DNS_RRSIG, w->signatures[i].ttl, w->signatures[i].rdata);
    w->count = 0;
}

static void records_digest(struct walk *w, struct bytes owner, uint16_t type, uint32_t ttl,
                           uint32_t records)
{
    struct zone_record r = zone_records_first(w->z, records);
    do
        zonemd_hash_record(w->hash, owner, type, ttl, (struct bytes){r.rdata, r.length});
    while (zone_record_next(&r));
}

static void link_digest(struct walk *w, const struct zone_link *link, struct bytes owner)
{
    signatures_gather(w, link->records, link->ttl);
    signatures_digest(w, owner); /* 46, before NSEC3's 50 */
    records_digest(w, owner, DNS_NSEC3, link->ttl, link->records);
}

/* NSEC3 records whose names come before this one; all that are left for NULL. */
static void links_digest(struct walk *w, const uint8_t *name)
{
    const struct zone_header *h = w->z->header;
    const struct zone_link *links = (const struct zone_link *)(w->z->base + h->chain);
    uint8_t owner[NSEC3_LABEL_SIZE + DNAME_MAX];

    for (; h->flags & ZONE_NSEC3 && w->link < h->chain_count; w->link++) {
        nsec3_label(links[w->link].hash, owner);
        memcpy(owner + NSEC3_LABEL_SIZE, h->origin, h->origin_length);
        if (name && dname_compare(owner, name) >= 0)
            return;
        link_digest(w, &links[w->link],
                    (struct bytes){owner, (size_t)NSEC3_LABEL_SIZE + h->origin_length});
    }
}

static void node_digest(struct walk *w, const struct zone_node *n)
{
    struct bytes owner = {zone_node_name(n), n->name_length};
    bool signatures_out = false;

    for (unsigned i = 0; i < n->set_count; i++)
        if (n->sets[i].type != DNS_ZONEMD || !(n->flags & NODE_APEX))
            signatures_gather(w, n->sets[i].records, n->sets[i].ttl);
    for (unsigned i = 0; i < n->set_count; i++) {
        const struct zone_set *s = &n->sets[i];
        if (zone_type_is_hidden(s->type) || (s->type == DNS_ZONEMD && n->flags & NODE_APEX))
            continue;
        if (s->type > DNS_RRSIG && !signatures_out) {
            signatures_digest(w, owner);
            signatures_out = true;
        }
        records_digest(w, owner, s->type, s->ttl, s->records);
    }
    signatures_digest(w, owner);
}

static void zone_digest(const struct zone *z, uint8_t algorithm,
                        uint8_t ret[static ZONEMD_DIGEST_MAX])
{
    struct walk w = {.hash = zonemd_hash_new(algorithm), .z = z};
    const struct zone_node *n = zone_node_at(z, z->header->apex);
    for (; n; n = zone_node_next(z, n)) {
        links_digest(&w, zone_node_name(n));
        node_digest(&w, n);
    }
    links_digest(&w, NULL);
    free(w.signatures);
    zonemd_hash_end(w.hash, ret);
}

/* The image holds the data as it is: behind owner, type, class, TTL and length, record after
 * record. */
static void image_store(uint8_t *data, const struct zone_node *apex, const struct zone_set *set,
                        unsigned index, struct bytes rdata)
{
    enum { FIXED = 12 };
    const struct zone_image *image = zone_set_image(apex, set);
    size_t at = (size_t)(zone_image_bytes(image) - data);
    invariant(image->answers == set->record_count);
    for (; index; index--)
        at += (size_t)FIXED + (size_t)(data[at + FIXED - 2] << 8 | data[at + FIXED - 1]);
    invariant((size_t)(data[at + FIXED - 2] << 8 | data[at + FIXED - 1]) == rdata.length);
    memcpy(data + at + FIXED, rdata.data, rdata.length);
}

int zone_zonemd_renew(const struct zone *z, uint8_t *data, zone_renew *renew, void *context)
{
    const struct zone_node *apex = zone_node_at(z, z->header->apex);
    const struct zone_set *set = zone_node_set(apex, DNS_ZONEMD);
    uint8_t digest[ZONEMD_DIGEST_MAX];
    struct zonemd m;
    unsigned index = 0;
    if (!set)
        return 0;
    struct zone_record r = zone_record_first(z, set);
    do {
        size_t size;
        bool whole = zonemd_read(r.rdata, r.length, &m);
        invariant(whole);
        size = zonemd_digest_size(m.algorithm);
        if (m.scheme != ZONEMD_SIMPLE || m.digest.length != size)
            continue; /* RFC 8976 4: who does not know it either goes by its serial */
        uint8_t *to = data + (r.rdata - data);
        zone_digest(z, m.algorithm, digest);
        struct writer w = writer_init(to, r.length);
        writer_u32(&w, z->header->serial);
        memcpy(to + ZONEMD_DIGEST_AT, digest, size);
        image_store(data, apex, set, index, (struct bytes){to, r.length});
    } while (index++, zone_record_next(&r));
    return renew ? renew(context, z, data, DNS_ZONEMD) : 0;
}
