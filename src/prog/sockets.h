/* The sockets that a node listens on: handed over by the program before this one, or opened. */
#pragma once

#include "model/config.h"
#include "prog/handover.h"
#include "prog/role.h"

/* `threads` UDP and TCP sockets for each address of dns.listen, one TCP socket for each of
 * tell.listen and of api.listen. What `before` holds for an address is taken from it. A problem is
 * printed with its place in the file. */
must_check int sockets_dns(const struct config *c, unsigned threads, struct handover *before,
                           struct role_options *dns);
must_check int sockets_tell(const struct config *c, struct handover *before,
                            struct role_options *tell);
must_check int sockets_api(const struct config *c, struct handover *before,
                           struct role_options *control);
