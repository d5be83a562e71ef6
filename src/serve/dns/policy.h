/* What the operator lets the name server say of itself, and what it grants to whom: constant while
 * the process lives. */
#pragma once

#include "base/ip.h"
#include "serve/dns/limit.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    POLICY_NSID_MAX = 128,
    POLICY_TEXT_MAX = 255, /* one character-string */
    POLICY_PROXIES_MAX = 64,
};

struct query_policy {
    uint8_t nsid[POLICY_NSID_MAX];     /* RFC 5001 */
    uint8_t nsid_length;               /* 0: none */
    char version[POLICY_TEXT_MAX + 1]; /* CHAOS version.bind, version.server; "": refused */
    char id[POLICY_TEXT_MAX + 1];      /* CHAOS hostname.bind, id.server (RFC 4892); "": refused */
    bool cookies;                      /* RFC 7873, with the secrets of cookie_keep_io.h */
    uint64_t
        stale_after; /* control silent for so many us: steered answers are called stale; 0: never */
    bool cookie_required; /* BADCOOKIE over UDP to who sends one that is not good */
    struct ip_prefix proxies[POLICY_PROXIES_MAX]; /* who is believed about who asks */
    uint32_t proxy_count;
    struct limit_rates limits; /* over all threads */
    uint32_t limit_slip;       /* one in so many that are held back is sent truncated; 0: none */
    uint32_t limit_size;       /* networks and names known at once, for each thread */
};
