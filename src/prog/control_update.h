/* DNS UPDATE into zones whose records nodes share (command/update_shared.h). One message after the
 * other:
 *
 *   waits --all that was decided before is known here--> looked at, in a worker
 *     looked at --nothing to change, or refused--> answered
 *     looked at --a request--> under way --done, and wanted here--> answered
 *     under way --the zone was changed meanwhile--> looked at, again
 *
 *  1. NOERROR is said of what is decided and wanted here, or of what was so before. Without a
 *     majority nothing is said to be done: SERVFAIL.
 *  2. A message that comes twice, here or at another node, is done once: its requests have tokens
 *     made of its signature, the same at every node, one for each try. */
#pragma once

#include "prog/update_work.h"

struct control;

enum {
    UPDATES_WAITING_MAX = 256, /* more are answered SERVFAIL */
    UPDATE_TRIES_MAX = 8,      /* of one message, where others change the zone again and again */
    UPDATE_PATIENCE_MS = 8000, /* what waited for longer is not begun: its client has gone (L7) */
};

/* A message that was verified; taken over. */
void control_update(struct control *c, struct relayed *r);
/* A worker uses the configuration: a reload that has ended waits until it is done. */
bool control_update_works(void);
