/* For tests and the fuzz target: uses everything that the query path may use of an opened zone, so
 * that a sanitizer sees what zone_open should have refused. */
#pragma once

#include "base/invariant.h"
#include "model/zone_dump.h"
#include "model/zone_verify.h"
#include "model/zone_walk.h"
#include "wire/dns.h"

static inline void walk_image(const struct zone_image *i, unsigned delta)
{
    uint8_t bytes[DNS_MESSAGE_MAX];

    invariant(i->length <= sizeof bytes && i->required <= i->length);
    memcpy(bytes, zone_image_bytes(i), i->length);
    for (unsigned f = 0; f < i->fixup_count; f++) {
        uint8_t *p = bytes + zone_image_fixups(i)[f];
        unsigned word = p[0] * 256u + p[1] + delta;
        p[0] = (uint8_t)(word >> 8);
        p[1] = (uint8_t)word;
    }
}

static inline void walk_node(const struct zone *z, const struct zone_node *n)
{
    const uint8_t *name = zone_node_name(n);

    invariant(zone_find(z, name, n->name_length, dname_hash(name, n->name_length)) == n);
    for (const struct zone_node *up = n; !(up->flags & NODE_APEX);) {
        const struct zone_node *next = zone_node_at(z, (uint64_t)up->parent * 8);
        invariant(next < up);
        up = next;
    }
    if (n->flags & (NODE_CUT | NODE_BELOW_CUT)) {
        const struct zone_node *cut = zone_node_at(z, (uint64_t)n->cut * 8);
        invariant(cut->flags & NODE_CUT && zone_node_set(cut, DNS_NS));
    }
    if (n->flags & NODE_STEERED)
        invariant(n->steered < z->header->steered_count);
    for (unsigned s = 0; s < n->set_count; s++)
        if (n->sets[s].image)
            walk_image(zone_set_image(n, &n->sets[s]), 100);
}

/* What proves that a name is there or not, and every signature. */
static inline void walk_chain(const struct zone *z, const struct zone_node *n)
{
    uint8_t hash[ZONE_HASH_SIZE] = {(uint8_t)n->name_length, zone_node_name(n)[0]};
    struct zone_record r;

    bool given = z->header->flags & ZONE_GIVEN;
    if (!(z->header->flags & ZONE_SIGNED))
        return;
    if (given && !z->header->chain_count)
        ; /* it came without */
    else if (z->header->flags & ZONE_NSEC3)
        invariant(zone_records_signature_first(z, zone_link_find(z, hash)->records, &r) || given);
    else
        invariant(zone_node_set(zone_named_find(z, zone_node_name(n), n->name_length), DNS_NSEC));
    for (unsigned f = 0; n->flags & NODE_STEERED && f < 2; f++) {
        uint32_t variant = zone_variant(z, n->steered, f);
        invariant(!variant || zone_records_signature_first(z, variant, &r));
    }
    for (unsigned s = 0; s < n->set_count; s++)
        if (zone_signature_first(z, &n->sets[s], &r))
            while (zone_record_next(&r))
                ;
}

static inline void walk_zone(const struct zone *z)
{
    struct text out = text_init(1 << 24);
    uint32_t nodes = 0;

    walk_image((const struct zone_image *)(z->base + z->header->negative), 7);
    for (const struct zone_node *n = zone_node_at(z, z->header->apex); n; nodes++) {
        walk_node(z, n);
        walk_chain(z, n);
        n = zone_node_next(z, n);
    }
    invariant(nodes == z->header->node_count);
    zone_dump(z, &out);
    text_done(&out);
}

/* What is found where it is cut into spans of so many nodes: the same as in one, whatever the order
 * they are looked at. */
static inline int walk_cut(const void *data, size_t size, uint32_t nodes)
{
    struct zone_opening *o;
    struct zone z;
    int err = zone_opening_cut(data, size, nodes, &o);
    if (err)
        return err;
    for (unsigned i = zone_opening_parts(o); i-- > 0;)
        zone_opening_part(o, i);
    return zone_opening_end(o, &z);
}
