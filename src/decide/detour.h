/* Detours: which networks do not reach a target that is up for the others, so that clients near
 * them are led past it (locality.h).
 *
 *  1. One begins when nobody of the network reaches the target, others do, and that is a finding
 *     (transit or path, locate.h).
 *  2. It ends a hold-down (the check's) after the last moment at which a vantage of the network
 *     voted that the target is down: a path that flaps faster than that moves its clients once. The
 *     hold-down is fixed. Without it they would go back and forth, each time through the caches.
 *  3. It is part of the plan, so that a restart or a reload gives nobody back too soon.
 *
 * There are none, and nothing is done, while no path is broken. */
#pragma once

#include "decide/step.h"

/* After the findings. */
void detours_update(struct step *step);
/* The networks of quorum.networks, as bits, whose clients are led past the target; *ret_since: of
 * each of them, when that began. */
uint64_t detours_of(const struct step *step, uint32_t target,
                    usec_t ret_since[static PLAN_VANTAGES_MAX]);
