/* The chain of names that are there (RFC 4035 2.3, RFC 5155 7.1). Used inside zone_*.c only. */
#pragma once

#include "model/zone_build.h"

/* Adds an NSEC record to each name that is ours and holds something. steered_families: as in struct
 * zone_sign. */
void zone_chain_named(struct zone_builder *b, const uint8_t *steered_families);
/* Makes b->links: an NSEC3 record for each name that is ours, empty non-terminals included. */
void zone_chain_hashed(struct zone_builder *b, const uint8_t *steered_families);
