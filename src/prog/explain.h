/* Why a client gets the answer it gets, in sentences. */
#pragma once

#include "base/ip.h"
#include "base/random.h"
#include "base/text.h"
#include "tell/view.h"
#include <stdint.h>

enum { EXPLAIN_MAX = 16 << 20, EXPLAIN_CHAIN_MAX = 8 };

struct explain {
    const struct view *v;        /* with a plan */
    const char *data;            /* the node's folder */
    const struct config *config; /* for names that the plan does not carry; may be NULL */
    bool has_client;
    struct ip_prefix client; /* where has_client */
    uint16_t type;           /* RR type asked */
    struct random random;
    struct text *out;
};

/* explain_name.c: the whole story of a name (lower wire form). */
void explain_name(struct explain *x, const uint8_t *name);

/* explain_service.c: endpoints, mode, choice and TTL of a steered name. */
void explain_service(struct explain *x, uint32_t service);

/* explain_endpoint.c: one paragraph about each endpoint of a service; `depth` of nesting. */
void explain_endpoints(struct explain *x, uint32_t service, unsigned depth);
