/* What is probed: one address of one endpoint, with its check. Derived from a config by
 * target_list(); its index names it in samples and in the plan (plan_target has the same order). */
#pragma once

#include "model/config.h"

struct target {
    uint32_t service;  /* index in config */
    uint32_t endpoint; /* index in the service */
    uint8_t family;    /* enum ip_family */
    struct ip address;
    const struct config_check *check; /* NULL: not probed, counts as healthy */
};

/* All targets in order of service, endpoint, family; nested endpoints have none. *ret_count
 * elements; allocated in `arena`. */
must_check struct target *target_list(const struct config *config, struct arena *arena,
                                      uint32_t *ret_count);
