/* Steering: from the face of a service to the records of one answer, for one client.
 *
 * All that health can decide is already decided in the plan; what is left is chance (weights,
 * rotation) and the client's network. The name server and `holdfast explain` walk with the same
 * function, so that what is explained is what is answered. */
#pragma once

#include "base/random.h"
#include "model/netmap.h"
#include "model/plan.h"

/* A plan and its netmaps. maps[i] belongs to plan->files[i]; NULL where that file is no netmap. */
struct steer {
    const struct plan *plan;
    const struct netmap *const *maps;
};

enum steer_kind { STEER_ADDRESSES, STEER_NODATA, STEER_CNAME };

struct steer_answer {
    enum steer_kind kind;
    uint32_t choice; /* the choice that the walk ended at */
    uint32_t start;  /* STEER_ADDRESSES: the first sent is addresses[first + start], then round the
                        list */
    uint32_t count;  /* STEER_ADDRESSES: how many are sent, 1..pick */
    bool by_network; /* the client's network was looked at */
    uint8_t scope;   /* RFC 7871: prefix length for which the answer holds; 0 unless by_network */
};

/* One choice on the way, for people. */
struct steer_step {
    uint32_t choice;
    uint8_t kind;  /* enum choice_kind */
    uint8_t scope; /* CHOICE_NETWORK */
    uint32_t row;  /* CHOICE_NETWORK: row of the client or NETMAP_NO_ROW (`otherwise` was taken) */
    uint32_t draw; /* CHOICE_WEIGHTED: what was drawn, in [0, total) */
    uint32_t branch; /* index in branches that was taken; PLAN_NONE where none was */
};
struct steer_trace {
    struct steer_step steps[PLAN_DEPTH_MAX + 1];
    unsigned count;
};

/* Walks from `choice` (not PLAN_NONE; of a plan that was checked). `trace` may be NULL. */
void steer_pick(const struct steer *s, uint32_t choice, const struct ip *client,
                struct random *random, struct steer_answer *ret, struct steer_trace *trace);

/* The choice that answers for a family: the face's own, or (where the service has no address of the
 * family) the CNAME that the other family falls back to, since a CNAME holds for every type (RFC
 * 1034 3.6.2). PLAN_NONE: NODATA. *ret_ttl is set where it is not PLAN_NONE. */
uint32_t steer_root(const struct plan_service *service, enum ip_family family, uint32_t *ret_ttl);
