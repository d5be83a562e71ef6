/* Cut off from its cluster a node may change what it wants by itself: an override, on this node
 * alone, marked wherever it can be seen, and laid aside with a report once a leader is there again.
 *
 *   DATA/override.json             what this node wants instead; survives restarts
 *   DATA/override.json.laid-aside  the last one */
#pragma once

#include "prog/control_intent.h"
#include "replica/replica.h"

/* Before the configuration is loaded: an override that was under way goes on. */
must_check int control_override_load(struct control *c);
/* The newest change of the cluster's that this node's intent has, under whatever overrides. */
uint64_t control_override_base(const struct control *c);
/* Carries the proposal out on this node alone, where no majority can be reached. */
void control_override(struct control *c, const char *proposal, const char *author,
                      control_intent_answer *answer, void *context);
/* On the beat. agreed: what the cluster wants. True: it counts again, and was taken into use. */
bool control_override_end(struct control *c, const struct replica_view *v,
                          const struct intent *agreed);
