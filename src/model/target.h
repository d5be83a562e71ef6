/* What is probed: one address of one endpoint with its check, or the name under which others find
 * that endpoint. Derived from a config by target_list(); its index names it in samples and in the
 * plan (plan_target has the same order). */
#pragma once

#include "model/config.h"

enum {
    NAME_INTERVAL_LEAST_MS = 2000, /* names are resolved by others' servers: no more often */
    NAME_RESOLVE_MS = 1000,        /* what resolving may take, beside the check's timeout */
};

struct target {
    uint32_t service;                 /* index in config */
    uint32_t endpoint;                /* index in the service */
    uint8_t family;                   /* enum ip_family */
    struct ip address;                /* all zeros where there is a hostname */
    const struct config_check *check; /* NULL: not probed, counts as healthy */
    /* Of a name, else NULL. `check` is then that of the address with the rhythm of a name. */
    const char *hostname;
    uint32_t beside; /* of a name: the target of the address */
};

/* All targets in order of service and endpoint: its addresses by family, then its name by the
 * families of its addresses. Nested endpoints have none. *ret_count elements; allocated in `arena`.
 */
must_check struct target *target_list(const struct config *config, struct arena *arena,
                                      uint32_t *ret_count);
