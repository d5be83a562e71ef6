/* The expensive half of zone_open. Used inside zone*.c only. */
#pragma once

#include "model/zone.h"

/* Are all offsets, counts, names, images and links what zone_write would have made them? The header
 * has been checked. Nothing of the file is believed, not even that its checksum means well. */
bool zone_verify(const struct zone *z);
