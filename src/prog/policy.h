/* What the configuration grants to clients, on its way to the dns role: in a file without a name,
 * for there are secrets in it that no argument may hold. */
#pragma once

#include "base/attr.h"
#include "model/config.h"
#include "serve/dns/policy.h"
#include "serve/dns/stream_limits.h"
#include "serve/dns/tls_context_io.h"

/* All that the dns role is told so. */
struct dns_grants {
    struct query_policy policy;
    struct stream_limits tcp, tls;
    uint8_t ticket_secret[TLS_TICKET_SECRET];
    bool tls_ask; /* clients for their certificates */
};

/* A descriptor that holds the grants: 0 or a negated errno. */
must_check int policy_open(const struct config *c, int *ret_fd);
/* fd -1, and on failure: nothing is granted but connections, within the usual limits. */
must_check int policy_read(int fd, struct dns_grants *ret);
