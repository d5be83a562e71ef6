#include "model/zone_dump.h"
#include "model/zone_walk.h"
#include "wire/dns.h"
#include "wire/nsec3.h"
#include "wire/rdata.h"

static void records_dump(const uint8_t *owner, uint16_t type, uint32_t ttl, struct zone_record r,
                         struct text *out)
{
    char name[DNAME_TEXT_MAX], type_text[DNS_TYPE_TEXT_MAX];

    dname_format(owner, name);
    do {
        text_appendf(out, "%s%s %u IN %s ", name, owner[0] ? "." : "", ttl,
                     dns_type_format(type, type_text));
        rdata_format(type, r.rdata, r.length, out);
        text_append(out, "\n");
    } while (zone_record_next(&r));
}

static void set_dump(const struct zone *z, const struct zone_node *n, const struct zone_set *s,
                     struct text *out)
{
    struct zone_record r;

    records_dump(zone_node_name(n), s->type, s->ttl, zone_record_first(z, s), out);
    if (zone_signature_first(z, s, &r))
        records_dump(zone_node_name(n), DNS_RRSIG, s->ttl, r, out);
}

static void links_dump(const struct zone *z, struct text *out)
{
    const struct zone_header *h = z->header;
    const struct zone_link *links = (const struct zone_link *)(z->base + h->chain);
    uint8_t owner[DNAME_MAX];
    struct zone_record r;

    for (uint32_t i = 0; h->flags & ZONE_NSEC3 && i < h->chain_count; i++) {
        nsec3_label(links[i].hash, owner);
        memcpy(owner + NSEC3_LABEL_SIZE, h->origin, h->origin_length);
        records_dump(owner, DNS_NSEC3, links[i].ttl, zone_records_first(z, links[i].records), out);
        if (zone_records_signature_first(z, links[i].records, &r))
            records_dump(owner, DNS_RRSIG, links[i].ttl, r, out);
    }
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
    links_dump(z, out);
}
