/* What a key may change in a zone. */
#pragma once

#include "command/update.h"

/* Has the key any rule of this zone? */
pure_function bool update_key_known(const struct config_update *u, int key);
/* May it change records of this type at this name? `type` DNS_ANY: all that its rule lets it. */
pure_function bool update_allowed(const struct update_request *r, const uint8_t *name,
                                  size_t length, uint16_t type);
/* May it take away a third of the zone at once? */
pure_function bool update_may_shrink(const struct config_update *u, int key);
/* Does the name match a pattern? Labels of both in wire form: those of the name that stand before
 * the zone's own. "*" at the end matches any number of labels, elsewhere one or more. */
pure_function bool update_name_matches(const uint8_t *pattern, const uint8_t *name,
                                       size_t name_length);
