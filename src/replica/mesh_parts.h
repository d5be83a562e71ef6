/* What mesh*_io.c share. */
#pragma once

#include "base/random.h"
#include "replica/dial.h"
#include "replica/mesh_io.h"

enum { MESH_READ_SIZE = 64 << 10 }; /* bytes that are read, or encrypted, at once */

enum conn_state {
    CONN_CONNECTING,
    CONN_SHAKING,
    CONN_GREETING,
    CONN_GUEST,
    CONN_UP,
    CONN_RETIRING,
    CONN_ENDING,
    CONN_CLOSED,
};

struct conn {
    struct mesh *mesh; /* NULL once it is gone */
    struct conn *next, **before;
    uv_tcp_t tcp;
    uv_connect_t connect;
    enum conn_state state;
    bool dialed;
    bool asked;       /* a guest: it has said what it wants */
    uint64_t id;      /* the peer's: known when dialed, else after the handshake; 0 = not yet */
    mesh_guest guest; /* its number */
    uint8_t key[SECURE_HASH_SIZE];
    struct ip from;
    usec_t begun, deadline;
    struct secure *secure;
    const struct secure_context *shown; /* what `secure` was made with, which keeps it */
    struct link *link;
};

struct peer {
    struct mesh_member member;
    struct conn *conn;  /* UP; NULL: none */
    struct conn *tried; /* dialed and not UP yet; NULL: none */
    struct dial dial;
    usec_t since;
    char reason[MESH_REASON_MAX];
};

struct mesh {
    uv_loop_t *loop;
    struct link_self self;
    struct mesh_calls calls;
    struct secure_context *secure;
    uv_tcp_t *listeners;
    unsigned listener_count, handles;
    uv_timer_t beat;
    struct random random;
    struct dial_budget budget;
    double strangers; /* how many more may shake hands now */
    usec_t strangers_filled;
    struct link_state state;
    struct conn *conns;
    struct peer peers[MESH_PEERS_MAX];
    unsigned peer_count;
    mesh_guest guests;
    struct mesh_counts counts;
    char read_buffer[MESH_READ_SIZE];
};

/* mesh_io.c: NULL: nobody. */
struct peer *mesh_peer_find(struct mesh *m, uint64_t id);
struct peer *mesh_peer_by_key(struct mesh *m, const uint8_t key[static SECURE_HASH_SIZE]);

/* mesh_conn_io.c. Every call but conn_begin may end the connection. */
/* Reads from now on: 0 or a negated errno. */
must_check int conn_begin(struct conn *c);
/* Goes on with what was read, and with the handshake. */
void conn_work(struct conn *c);
/* Writes what waits, as far as it goes. */
void conn_flush(struct conn *c);
/* Ends it; with last words (`say`) where the other side would understand them. */
void conn_end(struct conn *c, const char *reason, bool say);
/* Ends one of somebody who is no node of ours, or not in a way that we understand. */
void conn_refuse(struct conn *c, const char *reason, bool say);
/* Without a word; no link any more. */
void conn_close(struct conn *c);

/* mesh_open_io.c */
/* One more listener: 0 or a negated errno. */
must_check int mesh_listener_open(struct mesh *m, const struct mesh_listen *at);
/* Tries once; what comes of it is told to p->dial. */
void mesh_peer_dial(struct mesh *m, struct peer *p);
