/* What this node tells the others: its own judgement of each target, from its newest plan. */
#pragma once

#include "model/plan.h"
#include "model/sample_table.h"
#include "model/slow.h"

/* One entry for each target of the plan, in its order. identities: of the targets; slow: of each,
 * or NULL. now: on the plan's clock. */
void sample_own(const struct plan *plan, const uint64_t *identities, const struct slow_fact *slow,
                usec_t now, struct sample_entry *ret_entries);
