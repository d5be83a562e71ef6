#include "serve/dns/answer.h"

static struct match match_cut(const struct zone *z, const struct zone_node *n)
{
    return (struct match){MATCH_CUT, zone_node_at(z, (uint64_t)n->cut * 8), NULL};
}

/* RFC 4592 3.3.1: only the wildcard right below the closest encloser counts. */
static struct match match_wildcard(const struct zone *z, const struct zone_node *up)
{
    size_t length = up->name_length;
    uint8_t name[DNAME_MAX + 9] = {1, '*'};
    memcpy(name + 2, zone_node_name(up), length);
    const struct zone_node *n = zone_find(z, name, length + 2, served_hash(name, length + 2));
    if (!n)
        return (struct match){MATCH_NONE, NULL, up};
    if (n->flags & (NODE_CUT | NODE_BELOW_CUT))
        return match_cut(z, n);
    return (struct match){MATCH_NODE, n, up};
}

/* The name does not exist: climbs to the closest encloser. The apex ends the climb. */
static struct match match_encloser(const struct zone *z, const uint8_t *name, size_t length,
                                   unsigned labels)
{
    const struct zone_header *h = z->header;
    const struct zone_node *n = NULL;
    while (!n) {
        length -= name[0] + 1u;
        name += name[0] + 1u;
        labels--;
        if (length == h->origin_length)
            n = zone_node_at(z, h->apex);
        else if (labels <= h->labels_max)
            n = zone_find(z, name, length, served_hash(name, length));
    }
    if (unlikely(n->flags & (NODE_CUT | NODE_BELOW_CUT)))
        return match_cut(z, n);
    if (unlikely(zone_node_set(n, DNS_DNAME)))
        return (struct match){MATCH_DNAME, n, NULL};
    if (n->flags & NODE_HAS_WILDCARD_CHILD && length + 2 <= DNAME_MAX)
        return match_wildcard(z, n);
    return (struct match){MATCH_NONE, NULL, n};
}

struct match match_find(const struct zone *z, const uint8_t *name, size_t length, unsigned labels,
                        uint64_t hash, uint16_t type)
{
    const struct zone_node *n = zone_find(z, name, length, hash);
    if (unlikely(!n))
        return match_encloser(z, name, length, labels);
    if (unlikely(n->flags & (NODE_CUT | NODE_BELOW_CUT))) {
        /* RFC 4035 3.1.4.1: DS belongs to the parent's side of the cut. */
        if (!(n->flags & NODE_CUT) || type != DNS_DS)
            return match_cut(z, n);
    }
    return (struct match){MATCH_NODE, n, NULL};
}
