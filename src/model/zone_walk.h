/* Walking the names and records of an opened zone in canonical order: for transfers, dumps and
 * comparisons, not for answers. */
#pragma once

#include "model/zone.h"

/* The first node is zone_node_at(z, z->header->apex). The one behind `n`, or NULL. */
const struct zone_node *zone_node_next(const struct zone *z, const struct zone_node *n);

/* One set's records: start with zone_record_first; false at the end. */
struct zone_record {
    const uint8_t *rdata;
    uint16_t length;
    uint16_t left; /* behind this one */
};
struct zone_record zone_record_first(const struct zone *z, const struct zone_set *s);
bool zone_record_next(struct zone_record *r);
