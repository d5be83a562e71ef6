/* What ALIAS records of a zone lead to beyond it: services, and names of the node's other zones. */
#pragma once

#include "model/zone.h"
#include "prog/load_zone.h"

struct load_alias {
    struct zone_alias_source source; /* for zone_compile_file_watched */
    const struct zone_order *order;
    struct mapped file; /* the other zone that was looked at last */
    struct zone zone;   /* where that is open */
};

void load_alias_open(struct load_alias *a, const struct zone_order *order);
void load_alias_done(struct load_alias *a);

/* The names of a compiled zone that are bound to services. False where a service is gone (*ret is
 * what is left). Free with load_aliases_done. */
bool load_aliases_read(const struct config *c, const struct zone *z, struct loaded_aliases *ret);
/* The same of a zone in the store. */
bool load_aliases_stored(const struct config *c, const char *data, uint64_t hash,
                         struct loaded_aliases *ret);
void load_aliases_done(struct loaded_aliases *a);
