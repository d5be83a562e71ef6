/* What differs between two plans. */
#pragma once

#include "model/plan.h"

/* enum plan_change of `next`, of now, against the plan before. */
unsigned plan_compare(const struct plan *previous, const struct plan *next, usec_t now);
