/* The serial of a zone that is compiled already: whether a version needs another one is known only
 * once it can be compared with the one before. */
#pragma once

#include "model/zone_sign.h"

/* Do both versions hold the same, but for the serial and the signatures of the SOA? Names that are
 * answered from the plan count where they hold something else as well. */
bool zone_same(const struct zone *a, const struct zone *b);

/* Writes the serial into every place of a compiled zone, which is in memory and whole, and the
 * checksum anew. sign: as the zone was signed with; NULL where it was not. A signature of the
 * previous zone over just this SOA is taken over while it is fresh. Returns how many were made
 * (0 also where the zone is unsigned), or a negative error, and then the bytes are of no use. */
must_check int zone_serial_set(uint8_t *data, uint32_t serial, struct zone_sign *sign);
