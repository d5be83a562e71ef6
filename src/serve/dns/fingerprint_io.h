/* What the content of a large file is recognised by, taken by many threads at once. */
#pragma once

#include "base/hash.h"
#include "model/snapshot_io.h"

/* Of all its bytes and their number; of an empty file as well. all_cores: by as many threads as
 * there are cores, with this thread's priority; else by this thread alone. */
struct hash128 fingerprint_take(const struct mapped *file, bool all_cores);
