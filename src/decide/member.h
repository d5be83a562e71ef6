/* Members of a face: who they are, what their checks and the operator say of them. */
#pragma once

#include "decide/face.h"

/* Fills f->members from the endpoints of the service. */
void members_collect(struct face *f);

/* Where the bookkeeping of the velocity limit is kept: with the target, or with a nested endpoint.
 */
usec_t *member_removed(const struct face *f, const struct member *m);

static inline bool member_is_nested(const struct member *m)
{
    return m->target == PLAN_NONE;
}
