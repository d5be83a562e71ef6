/* Answers that are put together at run time: aliases (RFC 1034 3.6.2) and redirections (RFC 6672)
 * followed from name to name, through every zone served here and on to steered names. */
#include "base/bytes.h"
#include "base/invariant.h"
#include "model/zone_walk.h"
#include "serve/dns/additional.h"

/* A name on the way that a wildcard answered for: DO wants a proof that itself is not there. */
struct expansion {
    const struct served_zone *zone;
    struct match match;
    uint8_t length;
    uint8_t name[DNAME_MAX];
};

enum { NAME_SLOTS = 128 }; /* some 96 names, so a chain's; what finds no place is written out */

/* The name that the chain has reached, with where the message already holds it. */
struct chain {
    struct query *q;
    struct query_context *ctx;
    struct answer *a;
    struct writer w; /* over the whole message; its size is the limit */
    const struct served_zone *zone;
    uint16_t owner; /* pointer word; 0 = not in the first 16 KiB: written out */
    uint8_t name[DNAME_MAX + 9];
    size_t length;
    unsigned seen_count;
    size_t seen[QUERY_CHAIN_MAX + 1]; /* where the message has the names passed, to cut loops */
    unsigned expansion_count;
    struct expansion expansions[QUERY_CHAIN_MAX + 1];
    const struct zone_node *last; /* whose set was answered, or NULL */
    const struct zone_set *last_set;
    struct secure_links links;
    struct names names;
    uint16_t name_slots[NAME_SLOTS];
};

/* For the name that was written there. */
static uint16_t pointer_to(const struct writer *w, size_t position)
{
    const uint8_t *at = w->data + position;
    if (*at >= 0xc0)
        return (uint16_t)(at[0] << 8 | at[1]);
    return position < 0x4000 ? (uint16_t)(0xc000 | position) : 0;
}

static void owner_write(struct chain *c, uint16_t owner, const uint8_t *name, size_t length)
{
    if (owner)
        writer_u16(&c->w, owner);
    else
        names_write(&c->names, &c->w, name, length);
}

/* What stands between owner and data. */
static void record_begin(struct chain *c, uint16_t type, uint32_t ttl)
{
    writer_u16(&c->w, type);
    writer_u16(&c->w, DNS_IN);
    writer_u32(&c->w, ttl);
}

/* All records of a set or, where they do not fit, a failed writer. */
static uint16_t set_write(struct chain *c, const struct zone_set *s, uint16_t owner,
                          const uint8_t *name, size_t length)
{
    struct zone_record r = zone_record_first(&c->zone->zone, s);
    uint16_t count = 0;
    do {
        owner_write(c, owner, name, length);
        record_begin(c, s->type, s->ttl);
        names_write_rdata(&c->names, &c->w, s->type, r.rdata, r.length);
        count++;
    } while (zone_record_next(&r));
    return count;
}

/* ---- what DO adds ---- */

static struct secure_place chain_place(struct chain *c, const struct served_zone *zone)
{
    const struct zone_header *h = zone->zone.header;
    uint16_t origin = names_find(&c->names, &c->w, h->origin, h->origin_length);
    return (struct secure_place){&c->w, &zone->zone, origin, c->q->type, &c->links, &c->names};
}

/* The signatures of a set at the name that the chain has reached. */
static uint16_t chain_signatures(struct chain *c, const struct zone_set *set)
{
    struct secure_place p = chain_place(c, c->zone);
    return secure_wanted(c->q, p.z)
               ? secure_signatures(&p, set->records, set->ttl, c->owner, c->name, c->length)
               : 0;
}

/* The signatures of what the plan picked for the node that the chain has reached. */
static uint16_t chain_signature(struct chain *c, const struct zone_node *node,
                                const struct steer_answer *pick, uint32_t ttl)
{
    struct secure_place p = chain_place(c, c->zone);
    return secure_wanted(c->q, p.z)
               ? secure_steered(&p, c->q, c->zone, node, pick, ttl, c->owner, c->name, c->length)
               : 0;
}

static void expansion_note(struct chain *c, const struct match *m)
{
    invariant(c->expansion_count < array_length(c->expansions));
    if (!m->encloser || !secure_wanted(c->q, &c->zone->zone))
        return;
    struct expansion *e = &c->expansions[c->expansion_count++];
    e->zone = c->zone;
    e->match = *m;
    e->length = (uint8_t)c->length;
    memcpy(e->name, c->name, c->length);
}

static void expansions_write(struct chain *c)
{
    for (unsigned i = 0; i < c->expansion_count; i++) {
        const struct expansion *e = &c->expansions[i];
        struct secure_place p = chain_place(c, e->zone);
        uint16_t count = secure_denial(&p, e->name, e->length, &e->match, true);
        c->a->authorities = (uint16_t)(c->a->authorities + count);
    }
}

/* ---- ends of a chain ---- */

/* RFC 2308 3: the SOA with the smaller of its TTL and its last field. RFC 6604 3: the last name's
 * RCODE. */
static void chain_negative(struct chain *c, const struct match *m, enum dns_rcode rcode)
{
    const struct zone *z = &c->zone->zone;
    const struct zone_node *apex = zone_node_at(z, z->header->apex);
    const struct zone_set *soa = zone_node_set(apex, DNS_SOA);
    invariant(soa);
    struct zone_record r = zone_record_first(z, soa);
    struct reader minimum = reader_init(r.rdata + r.length - 4, 4);
    uint32_t ttl = reader_u32(&minimum);
    ttl = ttl < soa->ttl ? ttl : soa->ttl;
    struct secure_place p = chain_place(c, c->zone);
    owner_write(c, p.origin, z->header->origin, z->header->origin_length);
    record_begin(c, DNS_SOA, ttl);
    names_write_rdata(&c->names, &c->w, DNS_SOA, r.rdata, r.length);
    c->a->rcode = rcode;
    c->a->authorities = 1;
    if (!secure_wanted(c->q, z))
        return;
    uint16_t count = secure_signatures(&p, soa->records, ttl, p.origin, z->header->origin,
                                       z->header->origin_length);
    count = (uint16_t)(count + secure_denial(&p, c->name, c->length, m, false));
    c->a->authorities = (uint16_t)(1 + count);
}

static bool glue_write(struct chain *c, const struct zone_node *n, uint16_t type)
{
    const struct zone_set *s = zone_node_set(n, type);
    struct writer before = c->w;
    if (!s)
        return true;
    uint16_t count = set_write(c, s, 0, zone_node_name(n), n->name_length);
    if (c->w.failed) {
        c->w = before;
        return false;
    }
    before = c->w;
    c->a->additionals = (uint16_t)(c->a->additionals + count);
    struct secure_place p = chain_place(c, c->zone);
    uint16_t owner = names_find(&c->names, &c->w, zone_node_name(n), n->name_length);
    count = secure_wanted(c->q, p.z) ? secure_signatures(&p, s->records, s->ttl, owner,
                                                         zone_node_name(n), n->name_length)
                                     : 0;
    if (c->w.failed)
        c->w = before; /* RFC 4035 3.1.1: the set may go without */
    else
        c->a->additionals = (uint16_t)(c->a->additionals + count);
    return true;
}

/* What helps the resolver on: left out without TC where it does not fit, for the alias itself is
 * answered. */
static void chain_referral(struct chain *c, const struct zone_node *cut)
{
    const struct zone *z = &c->zone->zone;
    const struct zone_set *ns = zone_node_set(cut, DNS_NS);
    invariant(cut->flags & NODE_CUT && ns);
    struct writer before = c->w;
    uint16_t count = set_write(c, ns, 0, zone_node_name(cut), cut->name_length);
    if (secure_wanted(c->q, z)) {
        struct secure_place p = chain_place(c, c->zone);
        count = (uint16_t)(count + secure_delegation(&p, cut));
    }
    if (c->w.failed) {
        c->w = before;
        return;
    }
    c->a->authorities = (uint16_t)(c->a->authorities + count);
    struct zone_record r = zone_record_first(z, ns);
    do {
        if (!dname_below(r.rdata, r.length, z->header->origin, z->header->origin_length))
            continue;
        const struct zone_node *n = zone_find(z, r.rdata, r.length, dname_hash(r.rdata, r.length));
        if (n && (!glue_write(c, n, DNS_A) || !glue_write(c, n, DNS_AAAA)))
            return;
    } while (zone_record_next(&r));
}

static void chain_set(struct chain *c, const struct zone_node *node, const struct zone_set *s)
{
    uint16_t count = set_write(c, s, c->owner, c->name, c->length);
    c->a->answers = (uint16_t)(c->a->answers + count + chain_signatures(c, s));
    c->last = node;
    c->last_set = s;
}

/* After all else: it goes where there is no room. */
static void chain_additional(struct chain *c)
{
    struct secure_place p = chain_place(c, c->zone);
    struct additional x = {.q = c->q, .ctx = c->ctx, .a = c->a, .zone = c->zone, .place = &p};
    x.owner = (struct bytes){c->name, c->length};
    additional_write(&x, c->last, c->last_set);
}

static void chain_addresses(struct chain *c, const struct zone_node *node,
                            const struct steer_answer *pick, uint32_t ttl)
{
    c->a->position = c->w.position;
    if (!c->owner || !answer_records(c->q->served, c->a, pick, ttl, c->owner))
        c->w.failed = true;
    c->w.position = c->a->position;
    c->a->answers = (uint16_t)(c->a->answers + chain_signature(c, node, pick, ttl));
}

/* ---- links ---- */

/* Writes the alias and returns where its target stands in the message. What signs it comes next. */
static size_t alias_write(struct chain *c, uint32_t ttl, const uint8_t *target, size_t length)
{
    owner_write(c, c->owner, c->name, c->length);
    record_begin(c, DNS_CNAME, ttl);
    size_t at = c->w.position + 2;
    names_write_rdata(&c->names, &c->w, DNS_CNAME, target, (uint16_t)length);
    c->a->answers++;
    return at;
}

/* Steps to the target. False where the chain ends: nothing more is known here, or it turns in a
 * circle. */
static bool alias_follow(struct chain *c, size_t written, const uint8_t *target, size_t length)
{
    if (c->w.failed)
        return false;
    c->owner = pointer_to(&c->w, written);
    for (unsigned i = 0; i < c->seen_count; i++)
        if (names_equal_at(&c->w, c->seen[i], target))
            return false;
    if (c->seen_count == QUERY_CHAIN_MAX)
        return false;
    c->seen[c->seen_count++] = written;
    memcpy(c->name, target, length);
    memset(c->name + length, 0, sizeof c->name - length);
    c->length = length;
    unsigned labels = dname_labels(c->name);
    c->zone = served_zone_for(c->q->served, c->name, length, labels, c->q->type);
    return c->zone != NULL && c->zone->state != PLAN_ZONE_DARK;
}

/* RFC 6672 2.2, 3.1: the name below the DNAME's owner gets its target for a suffix. The DNAME is
 * answered and signed, the CNAME made of it is neither in the zone nor signed, and has its TTL. A
 * name that grows too long is YXDOMAIN. */
static bool chain_redirect(struct chain *c, const struct zone_node *node)
{
    const struct zone_set *set = zone_node_set(node, DNS_DNAME);
    size_t prefix = c->length - node->name_length;
    struct zone_record r = zone_record_first(&c->zone->zone, set);
    const uint8_t *suffix = r.rdata;
    uint8_t target[DNAME_MAX];
    size_t length = r.length;
    invariant(c->length > node->name_length && length <= DNAME_MAX);
    uint16_t owner = names_find(&c->names, &c->w, c->name + prefix, node->name_length);
    uint16_t count = set_write(c, set, owner, c->name + prefix, node->name_length);
    struct secure_place p = chain_place(c, c->zone);
    if (secure_wanted(c->q, p.z))
        count = (uint16_t)(count + secure_signatures(&p, set->records, set->ttl, owner,
                                                     c->name + prefix, node->name_length));
    c->a->answers = (uint16_t)(c->a->answers + count);
    if (prefix + length > DNAME_MAX) {
        c->a->rcode = DNS_YXDOMAIN;
        return false;
    }
    memcpy(target, c->name, prefix);
    memcpy(target + prefix, suffix, length);
    size_t written = alias_write(c, set->ttl, target, prefix + length);
    if (c->q->type == DNS_CNAME || c->q->type == DNS_ANY)
        return false; /* the CNAME is the answer, made or not: BIND, NSD and Knot end here, too */
    return alias_follow(c, written, target, prefix + length);
}

/* The alias that stands at the node. */
static bool chain_alias(struct chain *c, const struct zone_node *node)
{
    const struct zone_set *set = &node->sets[0];
    struct zone_record r = zone_record_first(&c->zone->zone, set);
    invariant(set->type == DNS_CNAME);
    size_t written = alias_write(c, set->ttl, r.rdata, r.length);
    c->a->answers = (uint16_t)(c->a->answers + chain_signatures(c, set));
    return alias_follow(c, written, r.rdata, r.length);
}

/* What the plan answers at the node: addresses, nothing, or an alias. */
static bool chain_steered(struct chain *c, const struct match *m)
{
    const struct plan *p = &c->q->served->plan;
    enum ip_family family = c->q->type == DNS_AAAA ? IP_V6 : IP_V4;
    uint32_t ttl = 0;
    struct steer_answer pick = answer_pick(c->q, c->ctx, c->zone, m->node, family, &ttl);
    c->a->steered = true;
    if (pick.kind == STEER_NODATA) {
        chain_negative(c, m, DNS_NOERROR);
        return false;
    }
    expansion_note(c, m);
    if (pick.kind == STEER_ADDRESSES) {
        chain_addresses(c, m->node, &pick, ttl);
        return false;
    }
    const uint8_t *target = (const uint8_t *)p->text + p->choices[pick.choice].first;
    size_t length = dname_length(target), written = alias_write(c, ttl, target, length);
    c->a->answers = (uint16_t)(c->a->answers + chain_signature(c, m->node, &pick, ttl));
    return alias_follow(c, written, target, length);
}

/* No rule says what the answer to RRSIG is. NODATA would contradict its own proof, so it is as for
 * ANY: the signatures of one set stand for all (RFC 8482). */
static bool chain_rrsig(struct chain *c, const struct match *m)
{
    const struct zone_node *n = m->node;
    struct secure_place p = chain_place(c, c->zone);
    uint16_t count = 0;
    for (unsigned i = 0; i < n->set_count && !count; i++)
        count =
            secure_signatures(&p, n->sets[i].records, n->sets[i].ttl, c->owner, c->name, c->length);
    if (count)
        expansion_note(c, m);
    c->a->answers = (uint16_t)(c->a->answers + count);
    return count;
}

/* One name of the chain; true where it leads on to another. */
static bool chain_node(struct chain *c, const struct match *m)
{
    const struct zone_node *node = m->node;
    uint16_t type = c->q->type;
    if (m->kind == MATCH_DNAME)
        return chain_redirect(c, node);
    const struct zone_set *set = zone_node_set(node, type);
    if (type == DNS_RRSIG && !set && chain_rrsig(c, m))
        return false;
    if (node->flags & NODE_CNAME && !set) {
        expansion_note(c, m);
        return chain_alias(c, node);
    }
    if (node->flags & NODE_STEERED && (type == DNS_A || type == DNS_AAAA))
        return chain_steered(c, m);
    if (set && set->image) { /* without: hidden */
        expansion_note(c, m);
        chain_set(c, node, set);
    } else {
        chain_negative(c, m, DNS_NOERROR);
    }
    return false;
}

static struct match chain_match(const struct chain *c)
{
    return match_find(&c->zone->zone, c->name, c->length, dname_labels(c->name),
                      served_hash(c->name, c->length), c->q->type);
}

void chain_answer(struct query *q, struct query_context *ctx, struct answer *a, struct match match)
{
    struct chain c; /* large: what is not set here is not read */
    c.q = q;
    c.ctx = ctx;
    c.a = a;
    c.zone = q->zone;
    c.owner = 0xc00c;
    c.length = q->name_length;
    c.expansion_count = 0;
    c.links.count = 0;
    c.seen_count = 1;
    memcpy(c.name, q->name, sizeof c.name);
    c.seen[0] = DNS_HEADER_SIZE;
    c.last = NULL;
    c.w = writer_init(a->data, a->limit);
    c.w.position = a->position;
    c.names = names_init(c.name_slots, NAME_SLOTS);
    names_note(&c.names, &c.w, DNS_HEADER_SIZE, q->name, q->name_length);
    while ((match.kind == MATCH_NODE || match.kind == MATCH_DNAME) && chain_node(&c, &match))
        match = chain_match(&c);
    if (match.kind == MATCH_NONE)
        chain_negative(&c, &match, DNS_NXDOMAIN);
    expansions_write(&c);
    if (match.kind == MATCH_CUT)
        chain_referral(&c, match.node);
    if (c.last && !c.w.failed)
        chain_additional(&c);
    if (c.w.failed)
        answer_truncate(q, a);
    else
        a->position = c.w.position;
}
