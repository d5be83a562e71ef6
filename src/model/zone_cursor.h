/* Walking all records of a compiled zone one by one, in an order that two versions of a zone share:
 * what differs between them is found by walking both at once. For transfers. */
#pragma once

#include "model/zone_walk.h"

/* At one record. The zone must have been opened and stay mapped; its SOA comes with the others. */
struct zone_cursor {
    const struct zone *zone;
    const struct zone_node *node; /* NULL: past the last node */
    unsigned set;
    struct zone_record record;
    bool signature; /* at a signature of the set (or of the link) */
    uint32_t link;  /* past the nodes: the NSEC3 link */
    bool ended;
    const uint8_t *owner; /* lower wire form */
    uint16_t type;
    uint32_t ttl;
    uint8_t link_owner[DNAME_MAX];
};

/* At the first record. */
void zone_cursor_init(struct zone_cursor *c, const struct zone *zone);
/* To the next; c->ended past the last. */
void zone_cursor_next(struct zone_cursor *c);
/* The order of the records that two cursors are at, <0, 0, >0; an ended one is last. 0: the same
 * record with the same TTL. */
int zone_cursor_compare(const struct zone_cursor *a, const struct zone_cursor *b);
