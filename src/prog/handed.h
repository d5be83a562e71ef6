/* Secrets that the supervisor hands to the roles while they run: files of DATA/run, for the roles'
 * user alone. What the operator keeps may be for root's eyes only. */
#pragma once

#include "base/attr.h"
#include <stddef.h>

/* user: who the roles are; NULL: who this is. 0 or a negated errno. */
must_check int handed_put(const char *data, const char *name, const char *user, const void *bytes,
                          size_t size);
