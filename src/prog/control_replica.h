/* A node's part in deciding what operators want: the replicated log of its cluster. What was agreed
 * becomes the node's intent; where nothing can be agreed, it goes on with what it has (L1). */
#pragma once

#include "prog/control_intent.h"
#include "replica/replica.h"

struct control_replica;

/* On the beat, on a node that has an identity: begins when this node stands in the intent. */
void control_replica_beat(struct control *c, usec_t now);
/* What the links say. */
void control_replica_take(struct control *c, uint64_t node, enum replica_channel channel,
                          struct bytes data);
void control_replica_linked(struct control *c, uint64_t node, bool up);
/* A proposal that command_apply() is to carry out on every node; as control_intent_submit(). */
void control_replica_propose(struct control *c, const char *proposal, control_intent_answer *answer,
                             void *context);
/* False: this node belongs to no cluster (yet). */
bool control_replica_look(const struct control *c, struct replica_view *ret);
/* The process ends: somebody else shall lead, whoever waits is answered, what is wanted is saved.
 * True: `done` is called, within about a second, maybe at once. */
bool control_replica_leave(struct control *c, void (*done)(struct control *c));
