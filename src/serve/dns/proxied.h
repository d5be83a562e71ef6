/* What comes behind the header of a proxy. */
#pragma once

#include "serve/dns/policy.h"
#include <stddef.h>

/* May this address speak for others? */
pure_function bool proxied_trusts(const struct query_policy *p, const struct ip *peer);
/* Bytes of the header, and the client: whom the proxy speaks for, or itself. 0: it is not whole,
 * not good, or from somebody who is not trusted. */
size_t proxied_header(const struct query_policy *p, const struct ip *peer, const uint8_t *data,
                      size_t length, struct ip *ret_client);
