/* For tests and the fuzz target: uses everything that the query path may use of an opened zone, so
 * that a sanitizer sees what zone_open should have refused. */
#pragma once

#include "base/invariant.h"
#include "model/zone_dump.h"
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

static inline void walk_zone(const struct zone *z)
{
    struct text out = text_init(1 << 24);
    uint32_t nodes = 0;

    walk_image((const struct zone_image *)(z->base + z->header->negative), 7);
    for (const struct zone_node *n = zone_node_at(z, z->header->apex); n; nodes++) {
        walk_node(z, n);
        n = zone_node_next(z, n);
    }
    invariant(nodes == z->header->node_count);
    zone_dump(z, &out);
    text_done(&out);
}
