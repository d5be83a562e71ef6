/* Changes of what nodes share of their configuration: tried before they are proposed, loaded once
 * they are decided. */
#pragma once

#include "prog/control.h"

typedef void control_shared_answer(void *context, int err, const char *problems);
/* In a worker thread: would this node's own file and what `next` shares be a configuration, and
 * would the zones that `next` changes be zones? Answered from the loop: 0, or an error and at least
 * one line of problems. `next` may go after the call. */
void control_shared_try(struct control *c, const struct intent *next, control_shared_answer *answer,
                        void *context);
/* The intent was this before: what is shared now is loaded where it is another. */
void control_shared_take(struct control *c, const struct intent *before);
