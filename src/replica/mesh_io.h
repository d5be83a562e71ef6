/* The links of a node: one connection to each other node of the cluster, over TLS 1.3 with both
 * sides verified, on the caller's loop.
 *
 * Who is trusted: whose certificate leads to one of the cluster's authorities AND whose key stands
 * in the membership (mesh_members). Whoever is taken out of it is cut off by that same call, and a
 * certificate alone, though the authority signed it, opens nothing (doc/internals/mesh.md).
 *
 * Both sides connect, the one with the lower number first; where two connections meet, both sides
 * keep the same one. What is sent while there is no link is refused, what waits is bounded, and
 * what was on its way when a link broke may be lost: whoever uses it repeats. */
#pragma once

#include "base/attr.h"
#include "base/ip.h"
#include "replica/link.h"
#include "replica/secure_io.h"
#include <uv.h>

enum {
    MESH_PEERS_MAX = 64,
    MESH_PENDING_MAX = 64,    /* connections that are not links yet; for one more the oldest goes */
    MESH_HANDSHAKE_MS = 5000, /* until it is one */
    MESH_GUEST_MS = 30000,    /* an invited node that joins */
    MESH_STRANGERS = 100,     /* handshakes at once with who is at no node's address; */
    MESH_STRANGERS_PER_S = 50, /* more come back so fast */
    MESH_BEAT_MS = 100,
    MESH_OUT_MAX = 128 << 10, /* bytes of a connection that are encrypted ahead */
    MESH_NAME_MAX = 64,
    MESH_REASON_MAX = 200,
};

/* Another node. */
struct mesh_member {
    uint64_t id;
    char name[MESH_NAME_MAX];
    struct ip ip;
    uint16_t port;
    uint8_t keys[2][SECURE_HASH_SIZE]; /* that it may show; two while it changes */
    unsigned key_count;
};

struct mesh;
/* Somebody who was invited and wants to join; gone with the connection. */
typedef uint64_t mesh_guest;

struct mesh_calls {
    /* A message of that node. */
    void (*take)(void *context, uint64_t id, enum mesh_channel channel, const uint8_t *data,
                 size_t size);
    /* A link is up or down. */
    void (*linked)(void *context, uint64_t id, bool up);
    /* What a guest says (NULL: nobody is invited here); `binding` is of its connection
     * (secure_binding), `from` its address. */
    void (*guest)(void *context, mesh_guest guest, const uint8_t binding[SECURE_HASH_SIZE],
                  const struct ip *from, const uint8_t *data, size_t size);
    void *context;
};

struct mesh_listen {
    struct ip ip;
    uint16_t port;
};

/* `secure` is referred to. Listens at once: 0, or a negated errno. */
must_check int mesh_new(uv_loop_t *loop, const struct link_self *self,
                        const struct mesh_listen *listen, unsigned listen_count,
                        struct secure_context *secure, const struct mesh_calls *calls,
                        uint64_t seed, struct mesh **ret);
/* Closes everything; run the loop afterwards so that handles can close. Not from a callback. */
void mesh_free(struct mesh *m);

/* Who belongs to the cluster now, without this node itself (copied). */
void mesh_members(struct mesh *m, const struct mesh_member *members, unsigned count);
/* Another certificate: for new connections, and every link is made anew beside the old one. */
void mesh_secure(struct mesh *m, struct secure_context *secure);
/* What the others are told on the beat; seen is filled in here. */
void mesh_state(struct mesh *m, uint64_t applied, int64_t certificate_end);

/* 0; ERR_MISSING: there is no link; ERR_LIMIT: too much waits, or it is too long. */
must_check int mesh_send(struct mesh *m, uint64_t id, enum mesh_channel channel, const void *data,
                         size_t size);
/* The answer to a guest, after which it is let go. */
void mesh_guest_reply(struct mesh *m, mesh_guest guest, const void *data, size_t size);

/* Another node as seen from here. */
struct mesh_peer_view {
    const struct mesh_member *member;
    const struct link_view *link; /* NULL: there is none */
    usec_t since;                 /* the link is up or down */
    const char *reason;           /* why it is down, or was the last time; "" */
};
unsigned mesh_count(const struct mesh *m);
struct mesh_peer_view mesh_peer(const struct mesh *m, unsigned number);

struct mesh_counts {
    uint64_t bytes_in, bytes_out;
    uint64_t connected; /* links that came up */
    uint64_t refused;   /* connections that were no link: unknown keys, bad handshakes, noise */
    uint64_t dropped;   /* tables of samples that made room for newer ones */
    unsigned up;
    unsigned stale; /* of these, made with another certificate than the newest */
};
struct mesh_counts mesh_counts(const struct mesh *m);
