#include "model/zone_cursor.h"
#include "base/invariant.h"
#include "wire/dns.h"
#include "wire/nsec3.h"

static const struct zone_link *link_at(const struct zone_cursor *c)
{
    const struct zone_header *h = c->zone->header;
    return (const struct zone_link *)(c->zone->base + h->chain) + c->link;
}

/* From c->link on. */
static void link_enter(struct zone_cursor *c)
{
    const struct zone_header *h = c->zone->header;
    c->node = NULL;
    c->ended = !(h->flags & ZONE_NSEC3) || c->link >= h->chain_count;
    if (c->ended)
        return;
    nsec3_label(link_at(c)->hash, c->link_owner);
    memcpy(c->link_owner + NSEC3_LABEL_SIZE, h->origin, h->origin_length);
    c->owner = c->link_owner;
    c->type = DNS_NSEC3;
    c->ttl = link_at(c)->ttl;
    c->signature = false;
    c->record = zone_records_first(c->zone, link_at(c)->records);
}

/* At the first set from the one at hand on that others may see. */
static bool set_find(struct zone_cursor *c)
{
    while (c->set < c->node->set_count && zone_type_is_hidden(c->node->sets[c->set].type))
        c->set++;
    return c->set < c->node->set_count;
}

/* At the first record of the first set from c->node on; empty non-terminals have none. */
static void node_enter(struct zone_cursor *c)
{
    for (c->set = 0; c->node && !set_find(c); c->set = 0)
        c->node = zone_node_next(c->zone, c->node);
    if (c->node)
        c->owner = zone_node_name(c->node);
}

static void set_enter(struct zone_cursor *c)
{
    const struct zone_set *s = &c->node->sets[c->set];
    c->type = s->type;
    c->ttl = s->ttl;
    c->signature = false;
    c->record = zone_record_first(c->zone, s);
}

void zone_cursor_init(struct zone_cursor *c, const struct zone *zone)
{
    *c = (struct zone_cursor){.zone = zone, .node = zone_node_at(zone, zone->header->apex)};
    node_enter(c);
    if (c->node)
        set_enter(c);
    else
        link_enter(c);
}

static bool signature_enter(struct zone_cursor *c)
{
    if (c->signature)
        return false;
    c->signature = c->node ? zone_signature_first(c->zone, &c->node->sets[c->set], &c->record)
                           : zone_records_signature_first(c->zone, link_at(c)->records, &c->record);
    if (c->signature)
        c->type = DNS_RRSIG;
    return c->signature;
}

void zone_cursor_next(struct zone_cursor *c)
{
    invariant(!c->ended);
    if (zone_record_next(&c->record) || signature_enter(c))
        return;
    if (!c->node) {
        c->link++;
        link_enter(c);
        return;
    }
    c->set++;
    if (set_find(c)) {
        set_enter(c);
        return;
    }
    c->node = zone_node_next(c->zone, c->node);
    node_enter(c);
    if (c->node)
        set_enter(c);
    else
        link_enter(c);
}

static int numbers_compare(uint32_t a, uint32_t b)
{
    return a < b ? -1 : a > b;
}

static int data_compare(const struct zone_cursor *a, const struct zone_cursor *b)
{
    uint16_t shorter = a->record.length < b->record.length ? a->record.length : b->record.length;
    int order = memcmp(a->record.rdata, b->record.rdata, shorter);
    return order ? order : numbers_compare(a->record.length, b->record.length);
}

/* The type that the set goes by, also at its signatures. */
static uint16_t set_type(const struct zone_cursor *c)
{
    return c->node ? c->node->sets[c->set].type : DNS_NSEC3;
}

int zone_cursor_compare(const struct zone_cursor *a, const struct zone_cursor *b)
{
    if (a->ended || b->ended)
        return numbers_compare(a->ended, b->ended);
    int order = numbers_compare(!a->node, !b->node);
    order = order ? order : dname_compare(a->owner, b->owner);
    order = order ? order : numbers_compare(set_type(a), set_type(b));
    order = order ? order : numbers_compare(a->signature, b->signature);
    order = order ? order : data_compare(a, b);
    return order ? order : numbers_compare(a->ttl, b->ttl);
}
