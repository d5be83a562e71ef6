/* What this node tells the others: its own judgement of each target, from its newest plan. */
#pragma once

#include "model/plan.h"
#include "model/sample_table.h"
#include "model/slow.h"

/* What is told of one target of the plan. identity: the target's; slow: of it, or NULL. now: on the
 * plan's clock. */
struct sample_entry sample_own(const struct plan *plan, uint32_t target, uint64_t identity,
                               const struct slow_fact *slow, usec_t now);
