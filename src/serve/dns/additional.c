#include "serve/dns/additional.h"
#include "base/invariant.h"
#include "model/zone_walk.h"
#include "wire/rdata.h"

enum { TARGETS_MAX = 32, NAME_SLOTS = 128 };

static uint16_t owner_write(const struct secure_place *p, uint16_t owner, struct bytes name)
{
    if (!owner)
        return names_write(p->names, p->w, name.data, name.length);
    writer_u16(p->w, owner);
    return owner;
}

static void record_write(const struct secure_place *p, uint16_t type, uint32_t ttl,
                         const uint8_t *rdata, uint16_t length)
{
    writer_u16(p->w, type);
    writer_u16(p->w, DNS_IN);
    writer_u32(p->w, ttl);
    writer_u16(p->w, length);
    writer_bytes(p->w, rdata, length);
}

/* A set with its signatures. */
static uint16_t set_write(const struct additional *x, const struct zone_set *set, struct bytes name)
{
    const struct secure_place *p = x->place;
    struct zone_record r = zone_record_first(p->z, set);
    uint16_t count = 0, owner = 0;
    do {
        owner = owner_write(p, owner, name);
        record_write(p, set->type, set->ttl, r.rdata, r.length);
        count++;
    } while (zone_record_next(&r));
    if (secure_wanted(x->q, p->z))
        count = (uint16_t)(count + secure_signatures(p, set->records, set->ttl, owner, name.data,
                                                     name.length));
    return count;
}

/* RFC 7871 7.3.1, RFC 9460 4.4.1: what goes along holds for everybody, so what was picked for a
 * client's subnet does not. */
static bool pick_is_for_all(struct query *q, const struct steer_answer *pick)
{
    return pick->kind == STEER_ADDRESSES && !(pick->by_network && q->edns.subnet_given);
}

/* What the plan picks for the name. */
static uint16_t steered_write(const struct additional *x, const struct zone_node *n, uint16_t type,
                              struct bytes name)
{
    const struct secure_place *p = x->place;
    const struct served *s = x->q->served;
    enum ip_family family = type == DNS_AAAA ? IP_V6 : IP_V4;
    uint8_t scope = x->q->edns.subnet_scope; /* of the answer, which this is no part of */
    uint32_t ttl = 0;
    struct steer_answer pick = answer_pick(x->q, x->ctx, x->zone, n, family, &ttl);
    x->q->edns.subnet_scope = scope;
    if (!pick_is_for_all(x->q, &pick))
        return 0;
    size_t each = family == IP_V6 ? SERVED_RECORD_V6 : SERVED_RECORD_V4;
    uint16_t length = family == IP_V6 ? 16 : 4, owner = 0;
    const uint8_t *record = s->records + s->records_of[pick.choice].offset + each * pick.start;
    for (uint32_t i = 0; i < pick.count; i++, record += each) {
        owner = owner_write(p, owner, name);
        record_write(p, type, ttl, record + each - length, length);
    }
    uint16_t count = (uint16_t)pick.count;
    if (secure_wanted(x->q, p->z))
        count = (uint16_t)(count + secure_steered(p, x->q, x->zone, n, &pick, ttl, owner, name.data,
                                                  name.length));
    return count;
}

/* The set of one type, whole or not at all. */
static void type_write(const struct additional *x, const struct zone_node *n, uint16_t type,
                       struct bytes name)
{
    const struct zone_set *set = zone_node_set(n, type);
    bool steered = n->flags & NODE_STEERED && (type == DNS_A || type == DNS_AAAA);
    struct writer before = *x->place->w;
    uint16_t count = 0;
    if (steered)
        count = steered_write(x, n, type, name);
    else if (set && !x->steered_only)
        count = set_write(x, set, name);
    if (x->place->w->failed || x->place->w->position > ADDITIONAL_MAX)
        *x->place->w = before;
    else
        x->a->additionals = (uint16_t)(x->a->additionals + count);
}

/* Each target once. */
static bool target_is_new(const struct zone_node **added, unsigned *count,
                          const struct zone_node *n)
{
    for (unsigned i = 0; i < *count; i++)
        if (added[i] == n)
            return false;
    if (*count == TARGETS_MAX)
        return false;
    added[(*count)++] = n;
    return true;
}

void additional_write(const struct additional *x, const struct zone_node *node,
                      const struct zone_set *set)
{
    const struct zone *z = x->place->z;
    const struct zone_node *added[TARGETS_MAX];
    unsigned count = 0;
    struct rdata_target target;
    if (!rdata_has_target(set->type))
        return;
    struct zone_record r = zone_record_first(z, set);
    do {
        if (!rdata_target(set->type, r.rdata, &target))
            continue;
        struct bytes name = {target.name, target.length};
        const struct zone_node *n = node;
        if (target.length)
            n = zone_find(z, name.data, name.length, dname_hash(name.data, name.length));
        else
            name = x->owner;
        if (!n || n->flags & (NODE_CUT | NODE_BELOW_CUT) || !target_is_new(added, &count, n))
            continue;
        if (target.alias && n != node)
            type_write(x, n, set->type, name);
        type_write(x, n, DNS_A, name);
        type_write(x, n, DNS_AAAA, name);
    } while (x->place->w->position < ADDITIONAL_MAX && zone_record_next(&r));
}

void additional_behind(struct query *q, struct query_context *ctx, struct answer *a,
                       const struct zone_node *node, const struct zone_set *set, bool steered_only)
{
    uint16_t slots[NAME_SLOTS];
    struct writer w = writer_init(a->data, a->limit);
    w.position = a->position;
    struct names names = names_init(slots, NAME_SLOTS);
    struct secure_place p = {.w = &w, .z = &q->zone->zone, .type = q->type, .names = &names};
    struct additional x = {q, ctx, a, q->zone, &p, {q->name, q->name_length}, steered_only};
    names_note(&names, &w, DNS_HEADER_SIZE, q->name, q->name_length);
    additional_write(&x, node, set);
    a->position = w.position;
}
