/* What a zone must be as a whole before it may be served. */
#include "base/err.h"
#include "base/invariant.h"
#include "model/zone_build.h"
#include "wire/rdata.h"

enum { NODE_SETS_MAX = 255, SET_RECORDS_MAX = 65535 };

static void apex_check(struct zone_builder *b)
{
    struct build_set set;
    char text[DNAME_TEXT_MAX];

    dname_format(b->origin, text);
    if (!build_set_find(b, &b->nodes[0], DNS_SOA, &set))
        zone_problem(b, NULL, "the zone has no SOA record at %s", text);
    else if (set.count > 1)
        zone_problem(b, set.items[1].entry, "there is a second SOA record at %s", text);
    if (!build_set_find(b, &b->nodes[0], DNS_NS, &set))
        zone_problem(b, NULL, "the zone has no NS record at %s", text);
}

/* RFC 1034 3.6.2: an alias stands alone, but for DNSSEC's records (RFC 4034 2.2.. 4). */
static bool may_join_cname(uint16_t type)
{
    return type == DNS_RRSIG || type == DNS_NSEC;
}

static void set_check(struct zone_builder *b, const struct build_node *n,
                      const struct build_set *set)
{
    const struct zone_entry *e = set->items[0].entry;
    bool single = set->type == DNS_CNAME || set->type == DNS_DNAME;
    char text[DNAME_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];

    if (set->type == DNS_SOA && !(n->flags & NODE_APEX))
        zone_problem(b, e, "an SOA record belongs to the apex, not to %s",
                     zone_node_text(b, n, text));
    if (set->type == DNS_DS && n->flags & NODE_APEX)
        zone_problem(b, e, "%s has a DS record, which belongs to the parent zone (RFC 4035 2.4)",
                     zone_node_text(b, n, text));
    if (single && set->count > 1)
        zone_problem(b, set->items[1].entry, "%s has more than one %s record",
                     zone_node_text(b, n, text), dns_type_format(set->type, type));
    if (n->flags & NODE_CNAME && set->type != DNS_CNAME && !may_join_cname(set->type))
        zone_problem(b, e, "%s has a CNAME record, so it cannot have %s too",
                     zone_node_text(b, n, text), dns_type_format(set->type, type));
    if (n->flags & NODE_WILDCARD && (set->type == DNS_NS || set->type == DNS_DNAME))
        zone_problem(b, e, "%s: a wildcard cannot have %s records (RFC 4592 4.2)",
                     zone_node_text(b, n, text), dns_type_format(set->type, type));
    if (n->flags & NODE_CUT && set->type == DNS_DNAME)
        zone_problem(b, e, "%s is delegated, so it cannot have a DNAME record",
                     zone_node_text(b, n, text));
    if (set->count > SET_RECORDS_MAX)
        zone_problem(b, e, "%s has more than 65535 records of type %s", zone_node_text(b, n, text),
                     dns_type_format(set->type, type));
}

static void steered_check(struct zone_builder *b, const struct build_node *n)
{
    static const uint16_t ours[] = {DNS_A, DNS_AAAA, DNS_CNAME};
    struct build_set set;
    char text[DNAME_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];

    zone_node_text(b, n, text);
    if (n->count > 1 && b->items[n->first + 1].entry->type == ZONE_ENTRY_STEERED)
        zone_problem(b, NULL, "%s is steered by more than one service", text);
    if (n->flags & (NODE_CUT | NODE_BELOW_CUT))
        zone_problem(b, NULL, "%s is a service, but the zone delegates it to other name servers",
                     text);
    for (unsigned i = 0; i < array_length(ours); i++)
        if (build_set_find(b, n, ours[i], &set))
            zone_problem(b, set.items[0].entry,
                         "%s is a service, so its addresses cannot stand in the zone too: remove "
                         "this %s record",
                         text, dns_type_format(ours[i], type));
}

/* ---- name servers ---- */

static bool has_addresses(const struct zone_builder *b, const struct build_node *n)
{
    struct build_set set;
    return n->flags & NODE_STEERED || build_set_find(b, n, DNS_A, &set) ||
           build_set_find(b, n, DNS_AAAA, &set);
}

/* The node that answers for a name: its own, or the wildcard that covers it (RFC 4592 3.3.1). */
static const struct build_node *node_answering(const struct zone_builder *b, const uint8_t *name,
                                               size_t length)
{
    const struct build_node *n = zone_index_find(b, name, length);
    uint8_t wildcard[DNAME_MAX + 2] = {1, '*'};
    const uint8_t *at = name;

    if (n)
        return n;
    while (!n) {
        length -= at[0] + 1u;
        at += at[0] + 1u;
        n = zone_index_find(b, at, length);
    }
    if (n->flags & (NODE_CUT | NODE_BELOW_CUT))
        return n;
    memcpy(wildcard + 2, at, length);
    return length + 2 > DNAME_MAX ? NULL : zone_index_find(b, wildcard, length + 2);
}

/* At the apex: a name server within the zone needs an address, and must not be an alias (RFC 2181
 * 10.3). At a cut: one below the cut needs glue (RFC 9471). What lies under another cut is the
 * business of that zone. */
static void name_server_check(struct zone_builder *b, const struct build_node *n,
                              const struct zone_entry *e)
{
    const uint8_t *target = zone_entry_rdata(e);
    uint8_t name[DNAME_MAX];
    char text[DNAME_TEXT_MAX], owner[DNAME_TEXT_MAX];
    size_t length = e->rdata_length;

    if (!dname_below(target, length, b->origin, b->origin_length))
        return;
    const struct build_node *at = node_answering(b, target, length);
    bool occluded = at && at->flags & (NODE_CUT | NODE_BELOW_CUT);
    if (at && !occluded && at->flags & NODE_CNAME) {
        zone_problem(b, e, "the name server %s is an alias (RFC 2181 10.3)",
                     dname_format(target, text));
        return;
    }
    unsigned name_length = zone_key_name(b, n->key, n->key_length, name);
    bool ours = n->flags & NODE_APEX ? !occluded : dname_below(target, length, name, name_length);
    bool known = at && at->name_length == length; /* a wildcard is no glue */
    if (!ours || (at && (known || !occluded) && has_addresses(b, at)) ||
        (b->glue_later && !(n->flags & NODE_APEX)))
        return;
    zone_problem(b, e, "%s has the name server %s, but there is no address for it here",
                 zone_node_text(b, n, owner), dname_format(target, text));
}

static void name_servers_check(struct zone_builder *b, const struct build_node *n)
{
    struct build_set set;

    if (!(n->flags & (NODE_APEX | NODE_CUT)) || !build_set_find(b, n, DNS_NS, &set))
        return;
    for (uint32_t i = 0; i < set.count; i++)
        name_server_check(b, n, set.items[i].entry);
}

/* ---- */

static void node_check(struct zone_builder *b, const struct build_node *n)
{
    struct build_set set;
    uint32_t position = 0;
    unsigned sets = 0;
    char text[DNAME_TEXT_MAX];

    for (; build_set_next(b, n, &position, &set); sets++)
        set_check(b, n, &set);
    if (sets > NODE_SETS_MAX)
        zone_problem(b, b->items[n->first].entry, "%s has records of more than 255 types",
                     zone_node_text(b, n, text));
    if (n->flags & NODE_STEERED)
        steered_check(b, n);
    if (!(n->flags & NODE_APEX) && n->count && b->nodes[n->parent].flags & BUILD_BELOW_DNAME)
        zone_problem(b, b->items[n->first].entry,
                     "%s lies below a DNAME record, where nothing can be (RFC 6672 2.4)",
                     zone_node_text(b, n, text));
    name_servers_check(b, n);
}

void zone_check(struct zone_builder *b)
{
    invariant(b->node_count > 0 && b->nodes[0].flags & NODE_APEX);
    apex_check(b);
    for (size_t i = 0; i < b->node_count; i++)
        node_check(b, &b->nodes[i]);
}
