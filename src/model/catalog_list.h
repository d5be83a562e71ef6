/* Catalog zones (RFC 9432): a list of zones, as a zone. */
#pragma once

#include "model/config.h"

enum { CATALOG_TEXT_MAX = 64 << 20 };

/* The master file of a catalog that this configuration generates: its members are the zones that
 * name it, and those that are taken over from it (coo), in canonical order of their ids. A member's
 * id is a hash of its name: the same on every node and after every start, as consumers take another
 * id for another zone (5.4). */
void catalog_text(const struct config *config, uint32_t zone, struct text *out);
