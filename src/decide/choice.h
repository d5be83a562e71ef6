/* Making the choices of the plan. Each function adds one and gives its index.
 *
 * No chain of choices gets longer than PLAN_DEPTH_MAX: a split that would make it so is left out,
 * and its first branch stands for it. The configuration's limit on nesting keeps this from
 * happening. */
#pragma once

#include "decide/face.h"

/* branches[i].weight_end holds the weight of branch i on entry, with a sum above 0. */
uint32_t choice_weighted(struct face *f, struct plan_branch *branches, uint32_t count);
/* rows[i] is the choice of row i of the netmap in files[map]. */
uint32_t choice_network(struct face *f, uint32_t map, const uint32_t *rows, uint32_t count,
                        uint32_t otherwise);
uint32_t choice_nodata(struct face *f);
uint32_t choice_cname(struct face *f, uint32_t name);

/* The choice that leads to one member alone, made at most once; the member counts as answering. */
uint32_t member_choice(struct face *f, struct member *m);
/* The choice among members (indices into f->members, at least one), each with an equal chance. */
uint32_t members_choice(struct face *f, const uint32_t *list, uint32_t count, uint16_t pick);
