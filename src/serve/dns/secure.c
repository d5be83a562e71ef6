#include "base/invariant.h"
#include "model/zone_walk.h"
#include "serve/dns/additional.h"
#include "wire/nsec3.h"
#include "wire/rdata.h"

enum { POINTER_MAX = 0x3fff };

static void record_write(struct writer *w, uint16_t type, uint32_t ttl, const struct zone_record *r)
{
    writer_u16(w, type);
    writer_u16(w, DNS_IN);
    writer_u32(w, ttl);
    writer_u16(w, r->length);
    writer_bytes(w, r->rdata, r->length);
}

static void owner_write(struct writer *w, uint16_t owner, const uint8_t *name, size_t length)
{
    if (owner)
        writer_u16(w, owner);
    else
        writer_bytes(w, name, length);
}

uint16_t secure_signatures(const struct secure_place *p, uint32_t records, uint32_t ttl,
                           uint16_t owner, const uint8_t *name, size_t length)
{
    struct zone_record r;
    uint16_t count = 0;

    if (!zone_records_signature_first(p->z, records, &r))
        return 0;
    do {
        owner_write(p->w, owner, name, length);
        record_write(p->w, DNS_RRSIG, ttl, &r);
        count++;
    } while (zone_record_next(&r));
    return count;
}

uint16_t secure_steered(const struct secure_place *p, const struct query *q,
                        const struct served_zone *zone, const struct zone_node *node,
                        const struct steer_answer *pick, uint32_t ttl, uint16_t owner,
                        const uint8_t *name, size_t length)
{
    uint32_t count = 0;
    const struct plan_signature *s = served_signatures(q->served, zone, node, pick, &count);

    if (!s)
        p->w->failed = true; /* L3: nothing rather than an answer that looks forged */
    for (uint32_t i = 0; i < count; i++) {
        struct zone_record r = {.length = s[i].length};
        r.rdata = plan_signature_rdata(&q->served->plan, &s[i], pick->start);
        owner_write(p->w, owner, name, length);
        record_write(p->w, DNS_RRSIG, ttl, &r);
    }
    return (uint16_t)count;
}

/* A whole set with its signatures, the owner written out once. */
static uint16_t set_write(const struct secure_place *p, const struct zone_set *set,
                          const uint8_t *name, size_t length)
{
    struct zone_record r = zone_record_first(p->z, set);
    uint16_t count = 0, owner = 0;

    do {
        size_t at = p->w->position;
        owner_write(p->w, owner, name, length);
        record_write(p->w, set->type, set->ttl, &r);
        if (!owner && at <= POINTER_MAX)
            owner = (uint16_t)(0xc000 | at);
        count++;
    } while (zone_record_next(&r));
    return (uint16_t)(count + secure_signatures(p, set->records, set->ttl, owner, name, length));
}

/* ---- denial ---- */

/* A record of the chain: of a hash, or of a name. */
struct link {
    const struct zone_link *hashed;
    const struct zone_node *named;
};

/* Records of the chain that an answer needs, each once. They lie anywhere in the zone, so all of
 * them are found, and asked for from memory, before the first is written. */
enum { LINKS_MAX = 3, LINK_LINES = 3 }; /* of the cache: the record and an ECDSA signature */
struct links {
    struct secure_links *sent;
    struct secure_links own;
    uint32_t plain, variant; /* `variant` stands in for `plain`; 0 = nothing does */
    unsigned count;
    struct link wanted[LINKS_MAX];
};

/* The arrays are not cleared: most answers need two or three of them. */
static void links_start(struct links *l, const struct secure_place *p)
{
    l->own.count = l->count = 0;
    l->sent = p->links ? p->links : &l->own;
    l->plain = l->variant = 0;
}

static void link_want(const struct secure_place *p, struct links *l, struct link link,
                      uint32_t records)
{
    const uint8_t *at = p->z->base + (uint64_t)records * 8;

    for (unsigned i = 0; i < LINK_LINES; i++)
        __builtin_prefetch(at + i * 64u);
    invariant(l->count < LINKS_MAX);
    l->wanted[l->count++] = link;
}

static bool link_is_new(struct links *l, const struct zone *z, uint32_t records)
{
    const void *at = z->base + (uint64_t)records * 8;

    for (unsigned i = 0; i < l->sent->count; i++)
        if (l->sent->records[i] == at)
            return false;
    invariant(l->sent->count < SECURE_LINKS_MAX);
    l->sent->records[l->sent->count++] = at;
    return true;
}

/* Owner: labels before the origin, then the origin. */
static uint16_t link_write(const struct secure_place *p, const uint8_t *labels, size_t length,
                           uint16_t type, uint32_t ttl, uint32_t records)
{
    const struct zone_header *h = p->z->header;
    struct zone_record r = zone_records_first(p->z, records);
    size_t at = p->w->position;
    uint8_t name[DNAME_MAX];

    memcpy(name, labels, length);
    memcpy(name + length, h->origin, h->origin_length);
    writer_bytes(p->w, name, length);
    owner_write(p->w, p->origin, h->origin, h->origin_length);
    record_write(p->w, type, ttl, &r);
    uint16_t owner = !length && p->origin ? p->origin
                     : at <= POINTER_MAX  ? (uint16_t)(0xc000 | at)
                                          : 0;
    return (uint16_t)(1 +
                      secure_signatures(p, records, ttl, owner, name, length + h->origin_length));
}

static uint32_t link_records(const struct links *l, uint32_t records)
{
    return records == l->plain && l->variant ? l->variant : records;
}

/* The plan knowingly answers nothing where there are addresses by configuration: the name's record
 * that says so takes the place of its own. */
static void links_vary(const struct secure_place *p, struct links *l, const struct match *m)
{
    const struct zone_node *n = m->node;
    uint8_t hash[NSEC3_HASH_SIZE];

    if (!n || !(n->flags & NODE_STEERED) || (p->type != DNS_A && p->type != DNS_AAAA))
        return;
    l->variant = zone_variant(p->z, n->steered, p->type == DNS_AAAA);
    if (p->z->header->flags & ZONE_NSEC3) {
        zone_name_hash(p->z, zone_node_name(n), n->name_length, hash);
        l->plain = zone_link_find(p->z, hash)->records;
    } else {
        l->plain = zone_node_set(n, DNS_NSEC)->records;
    }
}

/* The NSEC3 record for a name: its own (*ret_own), or the one whose gap it falls into. */
static const struct zone_link *hashed_find(const struct zone *z, const uint8_t *name, size_t length,
                                           bool *ret_own)
{
    uint8_t hash[NSEC3_HASH_SIZE];

    zone_name_hash(z, name, length, hash);
    const struct zone_link *link = zone_link_find(z, hash);
    *ret_own = memcmp(link->hash, hash, sizeof hash) == 0;
    return link;
}

static void hashed_want(const struct secure_place *p, struct links *l, const struct zone_link *link)
{
    link_want(p, l, (struct link){.hashed = link}, link->records);
}

/* n: has an NSEC record */
static void named_want(const struct secure_place *p, struct links *l, const struct zone_node *n)
{
    const struct zone_set *nsec = zone_node_set(n, DNS_NSEC);

    invariant(nsec);
    link_want(p, l, (struct link){.named = n}, nsec->records);
}

/* The chain's record for a name: its own, or the one whose gap it falls into. */
static void name_want(const struct secure_place *p, struct links *l, const uint8_t *name,
                      size_t length)
{
    bool own;

    if (p->z->header->flags & ZONE_NSEC3)
        hashed_want(p, l, hashed_find(p->z, name, length, &own));
    else
        named_want(p, l, zone_named_find(p->z, name, length));
}

static uint16_t hashed_add(const struct secure_place *p, struct links *l,
                           const struct zone_link *link)
{
    uint8_t label[NSEC3_LABEL_SIZE];

    if (!link_is_new(l, p->z, link->records))
        return 0;
    nsec3_label(link->hash, label);
    return link_write(p, label, sizeof label, DNS_NSEC3, link->ttl, link_records(l, link->records));
}

static uint16_t named_add(const struct secure_place *p, struct links *l, const struct zone_node *n)
{
    const struct zone_set *nsec = zone_node_set(n, DNS_NSEC);

    if (!link_is_new(l, p->z, nsec->records))
        return 0;
    return link_write(p, zone_node_name(n), (size_t)n->name_length - p->z->header->origin_length,
                      DNS_NSEC, nsec->ttl, link_records(l, nsec->records));
}

static uint16_t links_add(const struct secure_place *p, struct links *l)
{
    uint16_t count = 0;

    for (unsigned i = 0; i < l->count; i++) {
        const struct link *link = &l->wanted[i];
        count = (uint16_t)(count + (link->hashed ? hashed_add(p, l, link->hashed)
                                                 : named_add(p, l, link->named)));
    }
    return count;
}

/* What is left of `name` when it is one label longer than the encloser. */
static size_t name_trim(const uint8_t **name, size_t length, size_t encloser_length)
{
    while (length - **name - 1u > encloser_length) {
        length -= **name + 1u;
        *name += **name + 1u;
    }
    return length;
}

/* RFC 5155 7.2.1: the closest encloser that has a record of its own (with opt-out the names on the
 * way to an unsigned delegation have none), and the gap below it that the name falls into. Moves
 * *encloser there. */
static void hashed_encloser_want(const struct secure_place *p, struct links *l,
                                 const struct zone_node **encloser, const uint8_t *name,
                                 size_t length)
{
    const struct zone_node *n = *encloser;
    const struct zone_link *link;
    bool own;

    for (;; n = zone_node_at(p->z, (uint64_t)n->parent * 8)) {
        link = hashed_find(p->z, zone_node_name(n), n->name_length, &own);
        if (own || n->flags & NODE_APEX)
            break;
    }
    *encloser = n;
    hashed_want(p, l, link);
    length = name_trim(&name, length, n->name_length);
    name_want(p, l, name, length);
}

/* The record of a name that is there. NSEC: its own, but for an empty non-terminal. NSEC3: its own,
 * but where opt-out leaves it out. */
static void node_want(const struct secure_place *p, struct links *l, const struct zone_node *n)
{
    bool own;

    if (!(p->z->header->flags & ZONE_NSEC3)) {
        if (zone_node_set(n, DNS_NSEC))
            named_want(p, l, n);
        else
            name_want(p, l, zone_node_name(n), n->name_length);
        return;
    }
    const struct zone_link *link = hashed_find(p->z, zone_node_name(n), n->name_length, &own);
    if (own || n->flags & NODE_APEX) {
        hashed_want(p, l, link);
        return;
    }
    const struct zone_node *encloser = zone_node_at(p->z, (uint64_t)n->parent * 8);
    hashed_encloser_want(p, l, &encloser, zone_node_name(n), n->name_length);
}

/* RFC 4035 3.1.3, RFC 5155 7.2, of a name that is not there: the closest encloser (NSEC3 only: NSEC
 * names are in the clear), the next closer name, the wildcard at the encloser. */
static void absence_want(const struct secure_place *p, struct links *l,
                         const struct zone_node *encloser, const uint8_t *name, size_t length,
                         bool positive)
{
    uint8_t wildcard[DNAME_MAX + 2] = {1, '*'};

    invariant(encloser->name_length < length);
    if (p->z->header->flags & ZONE_NSEC3 && !positive) {
        hashed_encloser_want(p, l, &encloser, name, length);
    } else {
        const uint8_t *next = name;
        size_t next_length = name_trim(&next, length, encloser->name_length);
        name_want(p, l, next, next_length);
    }
    if (positive || encloser->name_length + 2 > DNAME_MAX)
        return;
    memcpy(wildcard + 2, zone_node_name(encloser), encloser->name_length);
    name_want(p, l, wildcard, encloser->name_length + 2u);
}

/* A zone that came signed without a chain has nothing to show. */
uint16_t secure_denial(const struct secure_place *p, const uint8_t *name, size_t length,
                       const struct match *m, bool positive)
{
    struct links links;

    if (!p->z->header->chain_count)
        return 0;
    links_start(&links, p);
    if (!positive)
        links_vary(p, &links, m);
    if (m->encloser)
        absence_want(p, &links, m->encloser, name, length, positive);
    else
        node_want(p, &links, m->node);
    return links_add(p, &links);
}

uint16_t secure_delegation(const struct secure_place *p, const struct zone_node *cut)
{
    const struct zone_set *ds = zone_node_set(cut, DNS_DS);
    struct match m = {.kind = MATCH_NODE, .node = cut};

    return ds ? set_write(p, ds, zone_node_name(cut), cut->name_length)
              : secure_denial(p, zone_node_name(cut), cut->name_length, &m, false);
}

/* ---- whole answers ---- */

/* A writer behind what the answer holds; answer_end() takes its work over. */
static struct writer answer_writer(const struct answer *a)
{
    struct writer w = writer_init(a->data, a->limit);
    w.position = a->position;
    return w;
}

static bool answer_end(const struct query *q, struct answer *a, const struct writer *w)
{
    if (w->failed)
        answer_truncate(q, a);
    else
        a->position = w->position;
    return !w->failed;
}

static struct secure_place place_of(const struct query *q, struct writer *w)
{
    unsigned origin = DNS_HEADER_SIZE + q->name_length - q->zone->origin_length;
    return (struct secure_place){w, &q->zone->zone, (uint16_t)(0xc000 | origin), q->type};
}

void secure_set(struct query *q, struct query_context *ctx, struct answer *a, const struct match *m,
                const struct zone_set *set)
{
    const struct zone_image *image = zone_set_image(m->node, set);

    if (!answer_part(q, a, image, 0, image->required))
        return;
    struct writer w = answer_writer(a);
    struct secure_place p = place_of(q, &w);
    uint16_t count = secure_signatures(&p, set->records, set->ttl, 0xc000 + DNS_HEADER_SIZE,
                                       q->name, q->name_length);
    a->answers = (uint16_t)(image->answers + count);
    if (m->encloser)
        a->authorities = secure_denial(&p, q->name, q->name_length, m, true);
    if (answer_end(q, a, &w) && rdata_has_target(set->type))
        additional_behind(q, ctx, a, m->node, set, false);
}

void secure_negative(const struct query *q, struct answer *a, const struct match *m,
                     enum dns_rcode rcode)
{
    const struct zone *z = &q->zone->zone;
    const struct zone_image *image = q->zone->negative;
    const struct zone_set *soa = zone_node_set(zone_node_at(z, z->header->apex), DNS_SOA);

    a->rcode = rcode;
    if (!answer_part(q, a, image, 0, image->required))
        return;
    struct writer w = answer_writer(a);
    struct secure_place p = place_of(q, &w);
    uint16_t count = secure_signatures(&p, soa->records, z->header->proof_ttl, p.origin, NULL, 0);
    count = (uint16_t)(count + secure_denial(&p, q->name, q->name_length, m, false));
    a->authorities = (uint16_t)(image->authorities + count);
    answer_end(q, a, &w);
}

/* The node in the zone that a name server's addresses stand at; NULL where it has none. */
static const struct zone_node *server_node(const struct zone *z, const struct zone_record *r)
{
    const struct zone_header *h = z->header;
    return dname_below(r->rdata, r->length, h->origin, h->origin_length)
               ? zone_find(z, r->rdata, r->length, dname_hash(r->rdata, r->length))
               : NULL;
}

/* Addresses beside the referral that are no glue are signed, while there is room (RFC 4035 3.1.1).
 * Where the image holds some addresses only, there is none. */
static void referral_signatures(const struct secure_place *p, struct answer *a,
                                const struct zone_set *ns)
{
    static const uint16_t types[] = {DNS_A, DNS_AAAA};
    struct zone_record r = zone_record_first(p->z, ns);
    unsigned held = 0;
    bool one_signed = false;

    do {
        const struct zone_node *n = server_node(p->z, &r);
        for (unsigned i = 0; n && i < array_length(types); i++) {
            const struct zone_set *set = zone_node_set(n, types[i]);
            held += set ? set->record_count : 0;
            one_signed |= set && !(n->flags & (NODE_CUT | NODE_BELOW_CUT));
        }
    } while (zone_record_next(&r));
    if (held != a->additionals || !one_signed)
        return;
    r = zone_record_first(p->z, ns);
    do {
        const struct zone_node *n = server_node(p->z, &r);
        for (unsigned i = 0; n && i < array_length(types); i++) {
            const struct zone_set *set = zone_node_set(n, types[i]);
            struct writer before = *p->w;
            if (!set)
                continue;
            uint16_t count =
                secure_signatures(p, set->records, set->ttl, 0, zone_node_name(n), n->name_length);
            if (p->w->failed || p->w->position > ADDITIONAL_MAX)
                *p->w = before;
            else
                a->additionals = (uint16_t)(a->additionals + count);
        }
    } while (zone_record_next(&r));
}

void secure_referral(const struct query *q, struct answer *a, const struct zone_node *cut)
{
    const struct zone_image *image = zone_set_image(cut, zone_node_set(cut, DNS_NS));

    if (!answer_part(q, a, image, 0, image->required))
        return;
    struct writer w = answer_writer(a);
    struct secure_place p = place_of(q, &w);
    a->authorities = (uint16_t)(image->authorities + secure_delegation(&p, cut));
    if (!answer_end(q, a, &w))
        return;
    /* Pointers in the glue lead to the name servers' names, which have not moved. */
    if (image->length - image->required > (int)(a->limit - a->position))
        a->flags |= DNS_FLAG_TC; /* RFC 9471 3 */
    else if (answer_part(q, a, image, image->required, image->length)) {
        a->additionals = image->additionals;
        w = answer_writer(a);
        referral_signatures(&p, a, zone_node_set(cut, DNS_NS));
        a->position = w.position;
    }
}

void secure_picked(const struct query *q, struct answer *a, const struct match *m,
                   const struct steer_answer *pick, uint32_t ttl)
{
    struct writer w = answer_writer(a);
    struct secure_place p = place_of(q, &w);
    uint16_t count = secure_steered(&p, q, q->zone, m->node, pick, ttl, 0xc000 + DNS_HEADER_SIZE,
                                    q->name, q->name_length);

    a->answers = (uint16_t)(a->answers + count);
    if (m->encloser)
        a->authorities =
            (uint16_t)(a->authorities + secure_denial(&p, q->name, q->name_length, m, true));
    answer_end(q, a, &w);
}
