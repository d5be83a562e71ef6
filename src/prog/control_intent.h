/* The one door through which control changes what operators want: orders, controls, users, nodes.
 * Whoever asks is answered when it is done, or will not be done. */
#pragma once

#include "prog/control.h"

/* Exactly one call for each request, from within the submission or any time later from the loop.
 * err: 0, or why not (as command_run() and command_apply(), or what kept it from being saved);
 * message: a sentence for a person, valid during the call. */
typedef void control_intent_answer(void *context, int err, const char *message);

/* A request to change the intent: one of "order", "change", "undo", "switch", "incident" and "user"
 * as command/command.h has them, with its author ("uid 1000 (ana)", "user checkout-bot"). Both may
 * go after the call. */
void control_intent_submit(struct control *c, const char *line, size_t length, const char *author,
                           control_intent_answer *answer, void *context);

/* A proposal of the node's own (command_apply()), with its author and token in it. */
void control_intent_propose(struct control *c, const char *proposal, const char *author,
                            control_intent_answer *answer, void *context);

/* Answers once this node wants all that was decided before this call; err as of a request. */
void control_intent_agree(struct control *c, control_intent_answer *answer, void *context);

/* Incidents that are not over, in a file for those who tell of them. */
void control_incidents_tell(struct control *c);
/* What is wanted from now on; `next` is taken over. */
void control_intent_use(struct control *c, struct intent *next);
