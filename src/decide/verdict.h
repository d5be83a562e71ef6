/* The verdict on one target.
 *
 *              rise successes               fall failures in a row
 *   UNREADY -------------------> UP -----------------------------------> DOWN
 *      |                          ^                                        |
 *      | (failures change         |  rise successes in a row, and          |
 *      |  nothing)                +------- hold_until has come ------------+
 *
 *  1. Late samples and those of a prober that failed itself count for nothing (L4, L8).
 *  2. A target whose newest sample is too old is frozen: its state stays as it is, and counting
 *     begins anew with the next sample.
 *  3. UNREADY is left only upwards: what was never seen healthy is not unhealthy (L4).
 *  4. A target that is not probed on purpose, and for so long that its last sample says nothing any
 *     more, is UNREADY: back in service, it has to be seen healthy again. */
#pragma once

#include "model/plan.h"

/* Takes one sample into account; `check` is not NULL. */
void verdict_sample(struct plan_target *t, const struct config_check *check, const struct sample *s,
                    usec_t now);

/* Counts one sample, with what it measured, and changes no state. False: it counts for nothing. */
must_check bool verdict_note(struct plan_target *t, const struct config_check *check,
                             const struct sample *s, usec_t now);
/* How old the newest sample may be. */
usec_t verdict_fresh_us(const struct config_check *check);
/* Nothing is known any more. */
void verdict_void(struct plan_target *t, usec_t now);

/* What time alone does: hold-downs end, old samples freeze, certificates come near their end.
 * `check` may be NULL; `paused`: not probed on purpose. wall: microseconds since
 * 1970. */
void verdict_settle(struct plan_target *t, const struct config_check *check, bool paused,
                    usec_t now, int64_t wall);

/* Time until the state could change at the earliest; USEC_NEVER where no sample can change it. */
usec_t verdict_change_us(const struct plan_target *t, const struct config_check *check, usec_t now);
