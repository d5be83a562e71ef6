/* What nodes share of the configuration, as a load sees it: a copy, so that a worker thread can
 * read it while operators change the intent. */
#pragma once

#include "model/intent.h"

struct load_shared;
/* Free with load_shared_free. */
must_check struct load_shared *load_shared_new(const struct intent *intent);
void load_shared_free(struct load_shared *s);

/* shared: NULL where nothing is. */
const struct config_parts *load_shared_parts(const struct load_shared *s);
/* Does the zone say the same in both? False also where one of them does not have it. */
bool load_shared_zone_is(const struct load_shared *a, const struct load_shared *b,
                         const char *name);
/* The same of its entry alone, whatever its records are. */
bool load_shared_entry_is(const struct load_shared *a, const struct load_shared *b,
                          const char *name);
/* Compiles a zone whose records are shared. A TSIG key that this node lacks is told in `problems`,
 * also on success. As zone_compile_sealed; ERR_INVALID too where it has no SOA record yet. */
struct zone_seal;
struct zone_alias_source;
must_check int load_shared_compile(const struct load_shared *s, const struct config_zone *z,
                                   const uint8_t *const *steered, unsigned steered_count,
                                   const struct zone_seal *seal, struct zone_alias_source *aliases,
                                   struct text *problems, uint8_t **ret_data, size_t *ret_size);
/* Values of the intent's objects `keys` (of this zone) and `seal`; NULL: there is none. */
const char *load_shared_keys(const struct load_shared *s, const char *zone);
const char *load_shared_seal(const struct load_shared *s);
