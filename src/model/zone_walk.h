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
/* The RRSIG records of the set; false where it has none. Goes on with zone_record_next. */
bool zone_signature_first(const struct zone *z, const struct zone_set *s,
                          struct zone_record *ret_record);
/* The same by the offset / 8 of struct zone_records (the chain's NSEC3 records have no set). */
struct zone_record zone_records_first(const struct zone *z, uint32_t records);
bool zone_records_signature_first(const struct zone *z, uint32_t records,
                                  struct zone_record *ret_record);
