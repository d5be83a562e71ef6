/* What the operator wants: the configuration, and orders given at run time. Today one node's; the
 * replicated log of the design's second door will carry the same orders. */
#pragma once

#include "model/config.h"

enum { INTENT_ORDERS_MAX = 10000, INTENT_TEXT_MAX = 500 /* bytes of an author or a reason */ };

enum admin_state {
    ADMIN_AUTO,      /* checks decide */
    ADMIN_DRAINED,   /* no new answers; still probed; answers again only when nothing else may */
    ADMIN_DISABLED,  /* never answered */
    ADMIN_FORCED_UP, /* counts as healthy whatever checks say */
};
enum { ADMIN_STATES = 4 };
/* "auto" "drained" "disabled" "forced-up" */
const_function const char *admin_state_name(enum admin_state state);
/* By that name: 0 or ERR_INVALID. */
must_check int admin_state_parse(const char *name, enum admin_state *ret);

/* An operator's order about one endpoint, kept by name so that it outlives a reload. */
struct intent_order {
    char *service, *endpoint;
    enum admin_state state;
    int64_t wall; /* when, seconds since 1970 */
    char *author; /* who: "uid 1000 (ana)" */
    char *reason; /* may be NULL */
};

struct intent {
    const struct config *config;
    struct intent_order *orders; /* sorted by service, then endpoint; none says ADMIN_AUTO; owned */
    uint32_t order_count;
    uint64_t version; /* rises with every change */
};

/* Frees the orders; an empty intent remains. */
void intent_done(struct intent *intent);

/* What holds for an endpoint: ADMIN_AUTO where nothing was ordered. */
pure_function enum admin_state intent_admin(const struct intent *intent, const char *service,
                                            const char *endpoint);

/* Fills *ret with a copy of `old` in which `order` (copied) has replaced what was ordered about its
 * endpoint; ADMIN_AUTO takes an order back. The version is one higher. ERR_LIMIT at
 * INTENT_ORDERS_MAX. */
must_check int intent_apply(const struct intent *old, const struct intent_order *order,
                            struct intent *ret);

/* The endpoint meant by "api.example.com/use1", or by "use1" where only one service has it.
 * ERR_MISSING, ERR_AMBIGUOUS. */
must_check int intent_endpoint_find(const struct config *config, const char *name,
                                    uint32_t *ret_service, uint32_t *ret_endpoint);

/* The orders and the version as a JSON text (free()), and back; ret->config is left NULL. Decoding
 * checks everything: ERR_SYNTAX, ERR_VERSION, ERR_INVALID, and then a sentence in *ret_why
 * (static). */
enum { INTENT_FILE_VERSION = 1 };
must_check char *intent_encode(const struct intent *intent) __attribute__((returns_nonnull));
must_check int intent_decode(const char *data, size_t length, struct intent *ret,
                             const char **ret_why);
