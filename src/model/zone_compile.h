/* From a master file to a compiled zone, in one call. */
#pragma once

#include "base/text.h"
#include "model/zone.h"
#include "wire/zonefile.h"

/* origin_text: "example.com". path: for messages. steered_names: lower wire forms of the names that
 * are answered from the plan; the n-th gets number n. include and context: as in struct zonefile.
 * Every problem is appended as "path:line:column: sentence\n". 0 and the file's bytes (free with
 * free()); ERR_SYNTAX (the text), ERR_INVALID (the zone as a whole, or a bad origin). */
must_check int zone_compile(const char *origin_text, const char *path, const char *data,
                            size_t length, const uint8_t *const *steered_names,
                            unsigned steered_count, zonefile_include *include, void *context,
                            struct text *problems, uint8_t **ret_data, size_t *ret_size);

/* The same, with the zone signed on the way (model/zone_sign.h) and ALIAS records that lead to the
 * rest of the node; both may be NULL. -EAGAIN: `aliases` said ALIAS_LATER. */
must_check int zone_compile_sealed(const char *origin_text, const char *path, const char *data,
                                   size_t length, const uint8_t *const *steered_names,
                                   unsigned steered_count, zonefile_include *include, void *context,
                                   const struct zone_seal *seal, struct zone_alias_source *aliases,
                                   struct text *problems, uint8_t **ret_data, size_t *ret_size);

/* L3: would replacing `old` by `next` lose a third or more of the names that hold something, or of
 * the records, of a zone with more than a handful of them? *ret_lost and *ret_total count what the
 * verdict is about (names, unless only the records shrink); both are set in either case. */
bool zone_shrinks(const struct zone *old, const struct zone *next, unsigned *ret_lost,
                  unsigned *ret_total);
