/* Door one: a plan as a file. Offsets, not pointers; checksummed; read by mapping.
 *
 * header | section table | sections (8-byte aligned arrays of plan.h's records) ; all
 * little-endian, as the machine: a snapshot never leaves its host. The checksum (XXH3, 64 bits) is
 * over everything but itself. */
#pragma once

#include "base/attr.h"
#include "model/plan.h"
#include <stddef.h>

enum { SNAPSHOT_VERSION = 5, SNAPSHOT_KEEP = 3 };

/* The file's bytes for a plan (free with free()). */
must_check uint8_t *snapshot_encode(const struct plan *plan, size_t *ret_size);

/* Opens bytes (8-byte aligned) as a plan and checks them whole, in time linear in their number:
 * magic, version, size, checksum (ERR_MAGIC, ERR_VERSION, ERR_TRUNCATED, ERR_CHECKSUM), every index
 * and offset (ERR_BOUNDS), no loops and no deeper than PLAN_DEPTH_MAX (ERR_LOOP), and L3
 * (ERR_EMPTY_ANSWER): every service that lies in a zone leads, on every branch of every face that
 * is not absent, to at least one address, unless its when_all_down, or that of a service it stands
 * for, says NODATA or fallback, or its operator has disabled all its endpoints. A choice by network
 * may lead some networks straight to NODATA (they match nothing, by configuration), never all of
 * them. *ret_plan views `data`. *ret_where (may be NULL): a sentence naming the place, in static
 * per-thread storage, on failure. */
must_check int snapshot_decode(const void *data, size_t size, struct plan *ret_plan,
                               const char **ret_where);

/* May `next` replace `current` (NULL = nothing is served yet)? L2, checked at the moment of
 * application by the process that serves: a generation not above the current one gives ERR_OLDER.
 * L3: a name that is answered now and would have no answer or not exist in `next`, for all clients
 * or for those of some network, under an unchanged configuration fingerprint, gives
 * ERR_EMPTY_ANSWER. Both plans have passed snapshot_decode. */
must_check int snapshot_succeeds(const struct plan *current, const struct plan *next,
                                 const char **ret_where);
