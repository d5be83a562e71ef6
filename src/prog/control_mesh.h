/* A node among others: its links, its place in the membership and its certificates. Everything
 * follows the intent: whoever stands in it is linked, whoever does not is cut off. */
#pragma once

#include "prog/control.h"
#include "prog/mesh_files.h"
#include "replica/mesh_io.h"

enum {
    MESH_LOOK_MS = 1000,  /* is there an identity now? did the operator's files change? */
    MESH_RETRY_MS = 5000, /* what did not work is tried again */
};

struct control_mesh {
    struct mesh *mesh;
    struct node_identity identity;
    struct mesh_credentials credentials;
    char *authorities;          /* PEM, as trusted now; NULL with the operator's own files */
    uint64_t version;           /* of the intent that the links follow */
    bool asked;                 /* a change of ours is under way */
    usec_t ask_due;             /* no other one before this */
    struct mesh_counts counted; /* by the metrics */
};

/* On the beat: opens what can be opened now, follows the intent. */
void control_mesh_beat(struct control *c, usec_t now);
/* This node in the membership: NULL where it is in none. */
const struct intent_object *control_mesh_own(const struct control *c);
/* What somebody says who was invited (mesh_calls.guest; context: the control). */
void control_join(void *context, mesh_guest guest, const uint8_t binding[SECURE_HASH_SIZE],
                  const struct ip *from, const uint8_t *data, size_t size);
/* Makes an invitation; replies with its token. */
void control_invite(struct control *c, const struct command_node *wish, const char *author,
                    struct command_reply_to *to);
/* An order about nodes; replies, maybe later. */
void control_nodes(struct control *c, const struct command_node *wish, const char *author,
                   struct command_reply_to *to);
