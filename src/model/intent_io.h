/* The orders on disk:
 *
 *   DATA/intent.json            what holds, replaced as a whole with each order
 *   DATA/intent.json.previous   what held before, taken when the first is damaged
 *   DATA/intent.json.damaged-N  copies of files that could not be read */
#pragma once

#include "model/intent.h"

/* Bytes: objects (INTENT_BYTES_MAX), changes, the newest of which may have as many as those, and
 * outcomes (model/told.h) have room in it. */
enum { INTENT_FILE_MAX = 64 << 20, INTENT_DAMAGED_MAX = 9 };

/* Fills *ret (config NULL); no file is an intent without orders. A damaged file is copied aside;
 * then the previous one holds, and a log line says so. Where that cannot be read either, the
 * damaged file stays in place and the error is returned, so that no order is dropped before
 * somebody has looked: ERR_SYNTAX, ERR_VERSION, ERR_INVALID, or a negated errno. */
must_check int intent_load(const char *data, struct intent *ret);

/* On disk when it returns 0; on failure what was there stays. */
must_check int intent_save(const char *data, const struct intent *intent);
