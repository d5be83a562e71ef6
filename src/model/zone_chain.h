/* The chain of names that are there (RFC 4035 2.3, RFC 5155 7.1). Used inside zone_*.c only. */
#pragma once

#include "model/zone_build.h"

/* Adds an NSEC record to each name that is ours and holds something. steered_families: as in struct
 * zone_sign. */
void zone_chain_named(struct zone_builder *b, const uint8_t *steered_families);
/* Makes b->links: an NSEC3 record for each name that is ours, empty non-terminals included. */
void zone_chain_hashed(struct zone_builder *b, const uint8_t *steered_families);

enum {
    ZONE_BITMAP_TYPES = 255 + 4,
    ZONE_BITMAP_WINDOW = 2 + 32,
    ZONE_BITMAP_MAX = ZONE_BITMAP_TYPES * ZONE_BITMAP_WINDOW,
};
/* The types that the chain's record of a name has to list (RFC 4034 4.1.2, RFC 5155 7.1); families:
 * those of a steered name, bits. Returns the length. */
size_t zone_chain_bitmap(const struct zone_builder *b, const struct build_node *n,
                         unsigned families, bool hashed, uint8_t ret[static ZONE_BITMAP_MAX]);
