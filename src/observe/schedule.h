/* When is which target due? Pure: the time is an argument.
 *
 * A target's moments lie on a fixed grid of its own: n * interval + phase + jitter(n), where phase
 * and jitter come from the target's identity by hash. So targets are spread evenly whatever their
 * number, a restart or a reload does not move them, nothing drifts however late a single probe
 * started, and the jitter breaks step with anything periodic at the other end.
 *
 *  1. A target that is late by a quarter of its interval or more skips to its next moment. So after
 *     a long stall nothing is due at once, after a short one a quarter of the targets at most;
 *     never a backlog (L7).
 *  2. A new target is first due within SCHEDULE_START (or its interval, where that is shorter), so
 *     that a check of once an hour is not unknown for an hour; then it joins its grid.
 *  3. Work per target and probe is one heap operation, O(log n), the same in calm and crisis (L6).
 */
#pragma once

#include "base/attr.h"
#include "base/time.h"
#include "observe/heap.h"
#include <stdbool.h>
#include <stdint.h>

#define SCHEDULE_START (1 * USEC_PER_SEC)
enum {
    SCHEDULE_JITTER = 10, /* jitter(n) lies in [0, interval / 10) */
    SCHEDULE_LATE = 4,    /* interval / 4 late: skip */
};

struct schedule_entry {
    usec_t interval;
    usec_t phase; /* in [0, interval) */
    uint64_t identity;
    int64_t moment; /* n: the moment that comes next */
};

struct schedule {
    struct heap heap;
    struct schedule_entry *entries; /* by id */
    size_t entry_count;
    uint64_t seed;
    uint64_t skipped; /* moments given up by rule 1 */
};

struct schedule schedule_init(uint64_t seed);
void schedule_done(struct schedule *s);

/* id: a small dense number that is not in the schedule now. identity: what the target is (equal
 * over restarts), interval > 0. */
void schedule_add(struct schedule *s, uint32_t id, uint64_t identity, usec_t interval, usec_t now);
void schedule_remove(struct schedule *s, uint32_t id);

/* Earliest time at which something is due; USEC_NEVER while empty. */
static inline usec_t schedule_next(const struct schedule *s)
{
    return heap_when(&s->heap);
}

/* One target that is due at `now` and moves on to its next moment; false when none is due. */
bool schedule_take(struct schedule *s, usec_t now, uint32_t *ret_id);
