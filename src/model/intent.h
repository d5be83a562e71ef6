/* What the operator wants: the configuration, and orders given at run time. Today one node's; the
 * replicated log of the design's second door will carry the same orders. */
#pragma once

#include "model/config.h"

enum admin_state {
    ADMIN_AUTO,      /* checks decide */
    ADMIN_DRAINED,   /* no new answers; still probed; answers again only when nothing else may */
    ADMIN_DISABLED,  /* never answered */
    ADMIN_FORCED_UP, /* counts as healthy whatever checks say */
};
enum { ADMIN_STATES = 4 };
const_function const char *admin_state_name(enum admin_state state); /* "auto" "drained" "disabled" "forced-up" */

/* An operator's order about one endpoint, kept by name so that it outlives a reload. */
struct intent_order {
    char *service, *endpoint;
    enum admin_state state;
    int64_t wall;  /* when, seconds since 1970 */
    char *author;  /* who: "uid 1000 (ana)" */
    char *reason;  /* may be NULL */
};

struct intent {
    const struct config *config;
    struct intent_order *orders;
    uint32_t order_count;
    uint64_t version; /* rises with every change */
};
