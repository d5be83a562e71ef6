/* What a name answers now, in a few words. Pure. */
#pragma once

#include "base/text.h"
#include "model/plan.h"

/* Appends what the choice gives: "198.51.100.10", "70% 198.51.100.10, 30% 203.0.113.10",
 * "by network: ... | ...", "NODATA", "CNAME name". PLAN_NONE appends "-". */
void answers_append(struct text *out, const struct plan *p, uint32_t choice);
