/* UPDATE messages for zones that come from elsewhere, passed on to the primary as they came, TSIG
 * and all (RFC 2136 6, RFC 8945 5.5); its answer goes back the same way. Nothing is verified here
 * but that they are signed and from where they come: the primary knows its keys. */
#pragma once

#include "prog/update_work.h"

struct control;

enum { FORWARDS_MAX = 64 /* messages under way; one more is answered SERVFAIL */ };

/* Is it an update for a zone that passes them on? Its zone was looked up. */
bool control_forward_wanted(const struct control *c, const struct relayed *r);
/* Passes it on, or answers it; it is the callee's. */
void control_forward(struct control *c, struct relayed *r);
