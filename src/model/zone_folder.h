/* Where the files of one zone lie in a node's folder. */
#pragma once

#include "base/attr.h"
#include <limits.h>

/* DATA/<kind>/<zone>, the zone's name (presentation form) written so that it is one plain file
 * name: what could lead elsewhere becomes %2F. 0, or -ENAMETOOLONG. */
must_check int zone_folder(const char *data, const char *kind, const char *zone,
                           char ret_path[static PATH_MAX]);
