/* Names that have the addresses of a service by an ALIAS record: each is one more service of the
 * plan whose faces are those of the service itself, so that everything that goes by services
 * (answers, signatures, transfers, status) knows it without knowing of aliases.
 *
 * They are added when a plan is published, not where it is decided: what a zone holds may change
 * without the configuration. */
#pragma once

#include "base/memory.h"
#include "model/plan.h"

struct plan_alias {
    const uint8_t *name; /* lower wire form */
    uint32_t zone;       /* index into the plan's files: where the name lies */
    uint32_t service;    /* index of the service whose answers it gives */
};

/* *ret is `plan` with the aliases behind its services, in their order; its new arrays are the
 * arena's, the rest is the plan's. The plan carries no signatures yet. Its fingerprint tells other
 * aliases from these: taking one away is an order like taking a service away. */
void plan_alias(const struct plan *plan, const struct plan_alias *aliases, size_t count,
                struct arena *arena, struct plan *ret);
