/* A node among others: its links, its place in the membership and its certificates. Everything
 * follows the intent: whoever stands in it is linked, whoever does not is cut off. */
#pragma once

#include "prog/control.h"
#include "prog/mesh_files.h"
#include "replica/mesh_io.h"
#include "seam/disk.h"
#include <jansson.h>

/* How a node comes to another certificate (control_renew.c). */
enum renew_stage {
    RENEW_IDLE,
    RENEW_SIGN,   /* there is a key; a certificate for it is waited for */
    RENEW_LIST,   /* the membership does not list it yet */
    RENEW_SPREAD, /* it does; the others get a moment to hear of it */
};

struct renewal {
    enum renew_stage stage;
    bool wanted; /* by an operator */
    char *key;   /* PEM, of the next certificate; NULL with the operator's own files */
    char *pair;  /* PEM, once it is signed */
    uint8_t hash[SECURE_HASH_SIZE];
    unsigned turn; /* whom to ask */
    usec_t due, begun;
    usec_t settle_by; /* until then the old key is listed, while a link is by it */
    struct disk_identity seen[3], taken[3]; /* the operator's own files */
    usec_t look_due;
};

enum {
    MESH_LOOK_MS = 1000,  /* is there an identity now? did the operator's files change? */
    MESH_RETRY_MS = 5000, /* what did not work is tried again */
    MESH_ASK_MS = 1000,   /* another node is asked after this */
    MESH_SPREAD_MS = 2000,
    MESH_SETTLE_S = 30,
    MESH_RENEWAL_LATE_S = 60, /* a renewal that takes longer is complained of */
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
    struct renewal renewal;
    usec_t authority_due;
};

/* On the beat: opens what can be opened now, follows the intent. */
void control_mesh_beat(struct control *c, usec_t now);
/* This node in the membership: NULL where it is in none. */
const struct intent_object *control_mesh_own(const struct control *c);
/* Does it say that this node does not belong to the cluster any more? */
bool control_mesh_expelled(const struct control *c);
/* What the configuration says of this node, into its object. */
void control_mesh_describe(const struct control *c, json_t *value);
/* A change of ours, in JSON: its edits (stolen), and why. One at a time: `asked` until it is
 * decided, and after a refusal none before `ask_due`. */
void control_mesh_change(struct control *c, json_t *edits, const char *reason);
/* Reads identity and trust anew (authorities: PEM, taken over), and has the links go over to them.
 */
int control_mesh_credentials(struct control *c, char *authorities);
/* Sends JSON (stolen) on the channel of identities. */
void control_mesh_say(struct control *c, uint64_t id, json_t *message);

/* control_renew.c: this node's own certificate is renewed in time, or when somebody asks for it. */
void control_renew_beat(struct control *c, usec_t now);
/* What another node says about identities. */
void control_renew_take(struct control *c, uint64_t id, const json_t *message);

/* control_authority.c: the cluster's authority. The newest one that the intent lists; NULL. */
const struct intent_object *control_authority_newest(const struct control *c);
/* The certificate and key of this authority, where this node has them: places in its text. */
bool control_authority_find(const struct control *c, const char *name, const char **ret_certificate,
                            const char **ret_key);
/* Signs for a node: PEM, free(); NULL: this node cannot. */
char *control_authority_sign(const struct control *c, const char *request, const char *name,
                             uint64_t id);
void control_authority_beat(struct control *c, usec_t now);
void control_authority_take(struct control *c, uint64_t id, const json_t *message);
/* Begins with another authority; replies. */
void control_authority_replace(struct control *c, const char *author, struct command_reply_to *to);

/* What somebody says who was invited (mesh_calls.guest; context: the control). */
void control_join(void *context, mesh_guest guest, const uint8_t binding[SECURE_HASH_SIZE],
                  const struct ip *from, const uint8_t *data, size_t size);
/* Makes an invitation; replies with its token. */
void control_invite(struct control *c, const struct command_node *wish, const char *author,
                    struct command_reply_to *to);
/* An order about nodes; replies, maybe later. */
void control_nodes(struct control *c, const struct command_node *wish, const char *author,
                   struct command_reply_to *to);
