/* Keys of signed zones that nodes share (model/shared_keys.h): who can open them, and what is due.
 *
 *  1. Each node puts a public key of its own into the intent. Whoever has the secret wraps it for
 *     the others, once they are nodes; for the first one it is made.
 *  2. What is due is proposed by the leader, or where that does not, by any other after a while;
 *     whether it is due is settled when the change is carried out. Tokens make one of two the same.
 *  3. A node that cannot open the keys proposes nothing, and serves what it served (L3). */
#pragma once

#include "prog/control.h"

/* On the beat. */
void control_keys_beat(struct control *c, usec_t now);
/* Are signatures of this zone made anew when the nodes say so, and not when this one does? */
bool control_keys_decide(const struct control *c, uint32_t zone);
/* An order about the keys of a zone that is shared; replies, maybe later. */
void control_keys_order(struct control *c, const struct config_zone *zone,
                        const struct command_result *wish, const char *author,
                        struct command_reply_to *to);
