/* What several vantages found, in one sentence each:
 *
 *   us-east-1 answers from inside and from AS64501; unreachable from AS64500 and AS64502 since
 *   14:02:07: connect timeout; transit, not the region */
#pragma once

#include "base/text.h"
#include "model/plan.h"

/* clock: wall time (microseconds since 1970) less monotonic time, of one moment; times of day are
 * UTC. The sentences have neither a capital nor a full stop of their own. */

/* Of a target of a plan with views, in its words for it ("api.example.com/use1 198.51.100.10").
 * Nothing is written where nothing was found. */
void finding_write(const struct plan *p, uint32_t target, const char *subject, int64_t clock,
                   struct text *out);
/* Of what several targets share. */
void cause_write(const struct plan *p, const struct plan_cause *cause, int64_t clock,
                 struct text *out);
/* Why a vantage does not vote; nothing where it does. */
void vantage_write_state(const struct plan *p, uint32_t vantage, int64_t clock, struct text *out);
/* "of 5 networks 3 say down, 2 up" */
void votes_write(const struct plan_view *v, struct text *out);
