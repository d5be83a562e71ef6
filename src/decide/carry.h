/* What goes on from the plan before: which of its services, endpoints and targets are which of
 * ours, and its times as times of this boot.
 *
 * Under one configuration everything keeps its index. After a reload things are the same when their
 * names are the same (for a target: its address too), so that a verdict, a hold-down or a removal
 * survives whatever else the operator edited. */
#pragma once

#include "decide/decide.h"
#include "decide/layout.h"

struct carry {
    const struct plan *previous;           /* never NULL; an empty plan on the first step */
    bool identity;                         /* the same indices in both */
    bool same_boot;                        /* times can be compared */
    uint32_t *service, *endpoint, *target; /* ours -> previous, or PLAN_NONE; unless identity */
    uint32_t *target_back;                 /* previous -> ours, or PLAN_NONE */
    struct arena arena;
};

void carry_begin(struct carry *c, const struct plan *previous, const struct layout *l,
                 uint64_t boot_id);
void carry_done(struct carry *c);

static inline const struct plan_service *carry_service(const struct carry *c, uint32_t i)
{
    uint32_t old = c->identity ? i : c->service[i];
    return old == PLAN_NONE ? NULL : &c->previous->services[old];
}
static inline const struct plan_endpoint *carry_endpoint(const struct carry *c, uint32_t i)
{
    uint32_t old = c->identity ? i : c->endpoint[i];
    return old == PLAN_NONE ? NULL : &c->previous->endpoints[old];
}
static inline uint32_t carry_target_index(const struct carry *c, uint32_t i)
{
    return c->identity ? i : c->target[i];
}
/* Ours for a target of the previous plan, or PLAN_NONE. */
static inline uint32_t carry_target_back(const struct carry *c, uint32_t old)
{
    return c->identity ? old : c->target_back[old];
}

/* The state of target i as the step begins, written to *ret (whose service, endpoint and address
 * are set): what it was, or that of a target that was never probed. */
void carry_target(const struct carry *c, uint32_t i, const struct config_check *check,
                  usec_t velocity_window, usec_t now, struct plan_target *ret);
/* A time of the past, for velocity windows: 0 = never. */
usec_t carry_removed(const struct carry *c, usec_t removed, usec_t window, usec_t now);
