/* What the configuration grants to clients, on its way to the dns role: in a file without a name,
 * for there are secrets in it that no argument may hold. */
#pragma once

#include "base/attr.h"
#include "model/config.h"
#include "serve/dns/policy.h"

/* A descriptor that holds the policy: 0 or a negated errno. Where the configuration names no cookie
 * secret, DATA/run/cookie keeps one; where it cannot, this start has one of its own. */
must_check int policy_open(const struct config *c, int *ret_fd);
/* fd -1: nothing is granted. */
must_check int policy_read(int fd, struct query_policy *ret);
