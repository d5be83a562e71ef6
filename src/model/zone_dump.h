/* A compiled zone as text. */
#pragma once

#include "base/text.h"
#include "model/zone.h"

/* Appends the zone as a master file: one record a line, absolute names, canonical order but for the
 * SOA, which comes first; steered names as comments. The zone must have been opened. */
void zone_dump(const struct zone *z, struct text *out);
