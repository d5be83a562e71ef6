/* Requests in one order on every node: a replicated log on libraft (doc/internals/replica.md).
 *
 *   replica_submit --(forwarded)--> leader: batch, time --> log on a majority's disks --> apply
 *
 * What requests mean is the owner's (struct replica_machine); reading is the owner's too, and never
 * waits for anybody (L1). Everything happens in calls of the owner's loop; only what blocks runs in
 * a worker (replica/port.h).
 *
 * A replica whose disk is damaged or full halts: it takes no part in decisions any more; what it
 * had applied stays with the owner. One that could not write or read tries again by itself, one
 * that is damaged waits for an operator. */
#pragma once

#include "base/attr.h"
#include "base/bytes.h"
#include "base/text.h"
#include "replica/port.h"

enum {
    REPLICA_BEAT_MS = 50,
    REPLICA_ELECTION_MS = 350, /* to twice of it without a leader: a follower stands for election */
    REPLICA_TIMEOUT_MS = 5000, /* of a request */
    REPLICA_LEADERLESS_MS = 2000, /* for so long requests wait for a leader */
    REPLICA_PENDING_MAX = 1024,   /* requests of this node under way */
    REPLICA_GATHERED_MAX = 8192,  /* requests at the leader that wait for their entry */
    REPLICA_MEMBERS_MAX = 64,
    REPLICA_WHY_MAX = 1000,
};

struct replica_member {
    uint64_t id;
    bool voter; /* else it follows */
};

/* What the requests are about. All but name() are the same on every node for the same calls. */
struct replica_machine {
    void *context;
    /* Carries a request out: 0 or an error, and a sentence. */
    int (*apply)(void *context, struct bytes request, int64_t wall_ms, struct text *sentence);
    /* Everything as bytes (free()), and back: 0, or an error and nothing has changed. */
    char *(*encode)(void *context, size_t *ret_size);
    int (*decode)(void *context, struct bytes data);
    /* Who shall belong to the cluster; how many, at most `max`. */
    unsigned (*members)(void *context, struct replica_member *ret, unsigned max);
    const char *(*name)(void *context, uint64_t id);
};

struct replica_options {
    uint64_t id;
    const struct replica_port *port;
    const struct replica_machine *machine;
    unsigned snapshot_entries, trailing_entries; /* of the log; 0: as usual */
    size_t segment_max;                          /* bytes; 0: as usual */
};

struct replica;

/* A first node: its folder becomes that of a cluster of itself with this content. */
must_check int replica_found(const struct replica_disk *disk, uint64_t id, struct bytes content);

/* Loads (blocks) and takes part. Never fails: see replica_view.halted. The machine gets what the
 * newest snapshot held; the rest of the log follows when it is known to be agreed. */
struct replica *replica_new(const struct replica_options *o) __attribute__((returns_nonnull));
/* Stops: `closed` is called once nothing is under way any more, maybe at once; pending requests are
 * answered first. Then replica_free(). */
void replica_close(struct replica *r, void (*closed)(void *context), void *context);
void replica_free(struct replica *r);

/* Every REPLICA_BEAT_MS. */
void replica_tick(struct replica *r);
/* A message of another node. */
void replica_take(struct replica *r, uint64_t node, enum replica_channel channel,
                  struct bytes data);
/* A link is up or down. */
void replica_linked(struct replica *r, uint64_t node, bool up);

/* Exactly one call for each request, also from within replica_submit(). err: what apply() gave on
 * every node, or
 *  ERR_QUORUM  not taken: no majority can be reached; the sentence says who is missing
 *  ERR_UNSURE  it may be taken or not: ask again with the same token
 *  ERR_LIMIT   not taken: too much is under way
 *  ERR_REFUSED not taken: this replica has halted */
typedef void replica_answer(void *context, int err, const char *sentence);
/* The bytes are copied. They must bear being carried out twice (a token of their own): when a
 * leader dies the request is tried again. When it is answered with 0 this node has applied it. */
void replica_submit(struct replica *r, struct bytes request, replica_answer *answer, void *context);

/* Hands leadership to another voter, if this node leads; replica_view tells whether it worked. */
void replica_hand_over(struct replica *r);

enum replica_state { REPLICA_HALTED, REPLICA_FOLLOWS, REPLICA_STANDS, REPLICA_LEADS };
struct replica_peer {
    uint64_t id;
    bool voter, linked;
    uint64_t confirmed; /* index of the log it has; only the leader knows (else 0) */
};
struct replica_view {
    enum replica_state state;
    const char *halted;                   /* what is wrong with the disk; "" */
    uint64_t leader;                      /* 0: none is known */
    uint64_t term, agreed, applied, last; /* agreed, applied, last: indexes of the log */
    unsigned voters, voters_linked;       /* linked counts this node too */
    bool members_agreed; /* no change of who belongs and votes waits for a majority */
    struct replica_peer peers[REPLICA_MEMBERS_MAX]; /* with this node */
    unsigned peer_count;
};
void replica_look(const struct replica *r, struct replica_view *ret);
/* Can a majority of the voters be reached from here? */
bool replica_has_quorum(const struct replica *r);
