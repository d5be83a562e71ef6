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
 *  3. Nodes that look at the same targets share the work: each target's moments of `of` nodes lie
 *     interval / of apart, reckoned from a moment that they have in common (the epoch of the wall
 *     clock). So what happens between two probes of one node is seen by others sooner, and how soon
 *     most of them have seen it is settled, not left to chance. Where the clocks do not agree it is
 *     chance again; nothing else depends on them.
 *  4. Work per target and probe is one heap operation, O(log n), the same in calm and crisis (L6).
 */
#pragma once

#include "base/attr.h"
#include "base/time.h"
#include "observe/heap.h"
#include <stdbool.h>
#include <stdint.h>

#define SCHEDULE_START (1 * USEC_PER_SEC)
enum {
    SCHEDULE_JITTER = 20, /* jitter(n) lies in [0, interval / 20) */
    SCHEDULE_LATE = 4,    /* interval / 4 late: skip */
};

/* Where this node stands among those that probe the same targets. */
struct schedule_place {
    usec_t origin;     /* the common moment, on this node's clock; may be negative */
    uint32_t rank, of; /* rank < of */
};

struct schedule_entry {
    usec_t interval;
    usec_t phase; /* in [0, interval) */
    uint64_t identity;
    int64_t moment; /* n: the moment that comes next */
};

struct schedule {
    struct schedule_place place;
    struct heap heap;
    struct schedule_entry *entries; /* by id */
    size_t entry_count;
    uint64_t seed;
    uint64_t skipped; /* moments given up by rule 1 */
};

/* seed: nodes that share the work have the same. */
struct schedule schedule_init(uint64_t seed);
void schedule_done(struct schedule *s);

/* id: a small dense number that is not in the schedule now. identity: what the target is (equal
 * over restarts and nodes), interval > 0. */
void schedule_add(struct schedule *s, uint32_t id, uint64_t identity, usec_t interval, usec_t now);
/* Another place: all targets move to the moments that they have there, none sooner than half of its
 * interval after its last one. At first it is {0, 0, 1}. */
void schedule_move(struct schedule *s, struct schedule_place place, usec_t now);
void schedule_remove(struct schedule *s, uint32_t id);

/* Earliest time at which something is due; USEC_NEVER while empty. */
static inline usec_t schedule_next(const struct schedule *s)
{
    return heap_when(&s->heap);
}

/* One target that is due at `now` and moves on to its next moment; false when none is due. */
bool schedule_take(struct schedule *s, usec_t now, uint32_t *ret_id);
