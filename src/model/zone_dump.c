#include "model/zone_dump.h"
#include "model/zone_walk.h"
#include "wire/dns.h"
#include "wire/rdata.h"

static void set_dump(const struct zone *z, const struct zone_node *n, const struct zone_set *s,
                     struct text *out)
{
    char name[DNAME_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];
    struct zone_record r = zone_record_first(z, s);
    const uint8_t *owner = zone_node_name(n);

    dname_format(owner, name);
    do {
        text_appendf(out, "%s%s %u IN %s ", name, owner[0] ? "." : "", s->ttl,
                     dns_type_format(s->type, type));
        rdata_format(s->type, r.rdata, r.length, out);
        text_append(out, "\n");
    } while (zone_record_next(&r));
}

void zone_dump(const struct zone *z, struct text *out)
{
    const struct zone_node *apex = zone_node_at(z, z->header->apex);
    const struct zone_set *soa = zone_node_set(apex, DNS_SOA);
    char name[DNAME_TEXT_MAX];

    if (soa)
        set_dump(z, apex, soa, out);
    for (const struct zone_node *n = apex; n; n = zone_node_next(z, n)) {
        if (n->flags & NODE_STEERED)
            text_appendf(out, "; %s. answers from the plan\n",
                         dname_format(zone_node_name(n), name));
        for (unsigned i = 0; i < n->set_count; i++)
            if (&n->sets[i] != soa)
                set_dump(z, n, &n->sets[i], out);
    }
}
