/* Zones that catalogs list (RFC 9432): each becomes a zone of the configuration, with what was said
 * of the catalog. */
#pragma once

#include "prog/load.h"

/* What the catalogs of a configuration list, while it is loaded. */
struct load_catalogs;

/* Reads them and appends their members to the configuration's zones. What cannot be read, is
 * broken, or would take a third of a catalog's members away unasked (L3), leaves its members as
 * they were; `problems` says so. NULL where there are none. */
struct load_catalogs *load_catalogs_open(const struct load_request *r, struct config *config,
                                         struct text *problems);
/* It is in use: whose members they are is noted, and what was held of those that are gone is
 * removed. */
void load_catalogs_commit(struct load_catalogs *l);
void load_catalogs_close(struct load_catalogs *l);
