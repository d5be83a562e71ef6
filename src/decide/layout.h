/* What follows from a configuration alone: where its services, endpoints and targets stand in the
 * plan, which services others stand for, and the keys by which clients are told apart. Computed
 * once per configuration, read in every step. */
#pragma once

#include "model/plan.h"
#include "model/target.h"

struct layout {
    struct arena arena;
    const struct config *config; /* with fingerprint and epoch: which configuration this is of */
    uint64_t fingerprint;
    uint32_t epoch;
    struct target *targets;
    uint32_t target_count;
    uint32_t endpoint_count;
    uint32_t endpoints_max;    /* of one service */
    uint32_t *endpoint_first;  /* of each service, and the end */
    uint32_t *endpoint_target; /* [endpoint * IP_FAMILIES + family], or PLAN_NONE */
    uint32_t *name_beside;     /* of each target: that of the name beside it, or PLAN_NONE */
    uint32_t *order;           /* services, those that others stand for first */
    bool *is_nested;           /* of each service: does an endpoint stand for it? */
    uint32_t *key_first;       /* of each endpoint, and the end: into keys */
    uint32_t *keys;            /* geolocation: location_key(); ip-based: indices of collections */
    bool *any_key;             /* of each endpoint: "*" was said */
    uint32_t region_count;     /* regions get numbers, for comparing */
    uint32_t *region;          /* of each endpoint, or PLAN_NONE */
    const char **region_name;  /* of each number */
    uint32_t provider_count;   /* as regions */
    uint32_t *provider;        /* of each endpoint, or PLAN_NONE */
    bool *again;               /* of each target: one before it has the same address, or it is a
                                  name, which is no thing of its own */
    uint32_t group_count;      /* providers, for a vantage that doubts itself */
    uint32_t *group;           /* of each target */
    uint32_t *latency_region;  /* of each entry of the latency table */
    uint32_t *latency_next;    /* of each entry: the next one of the same network, or PLAN_NONE */
};

/* Makes `l` the layout of `config`, unless it is already. */
void layout_update(struct layout *l, const struct config *config, uint32_t epoch);
void layout_done(struct layout *l);

static inline const struct config_endpoint *layout_endpoint(const struct layout *l,
                                                            uint32_t service, uint32_t endpoint)
{
    return &l->config->services[service].endpoints[endpoint - l->endpoint_first[service]];
}
