/* What replica*.c share. */
#pragma once

#include "replica/backend.h"
#include "replica/message.h"
#include "replica/replica.h"

enum {
    BATCHES_MAX = 2,       /* entries under way; what comes meanwhile goes into the next */
    BATCH_ITEMS_MAX = 256, /* requests of one entry */
    BATCH_BYTES_MAX = 1 << 20,
    MEMBERS_EVERY_MS = 250,
    RETRY_MS = 1500, /* without an answer a request is sent again */
    AGAIN_MS = 100,  /* after a leader has refused it */
};

/* A request of this node. */
struct ask {
    struct ask *next;
    uint64_t number;
    char *data;
    size_t size;
    int64_t deadline_ms, retry_ms;
    enum { ASK_WAITS, ASK_SENT, ASK_DONE } state;
    uint64_t sent_to;
    bool maybe;     /* it was with a leader whose answer did not come */
    uint64_t index; /* ASK_DONE: answered when this much is applied here */
    int err;
    char *sentence;
    replica_answer *answer;
    void *context;
};

/* A request at the leader. */
struct task {
    uint64_t node, number; /* whose */
    char *data;
    size_t size;
};

struct outcome {
    int err;
    char *sentence;
};

/* An entry of the log that this leader made. */
struct batch {
    struct raft_apply req;
    struct replica *replica;
    struct task *tasks;
    unsigned count;
};

/* A halted replica's way back; replica_revive.c. */
struct revival {
    struct replica_work work;
    bool probing;
    int err;
    int64_t wait_ms, due_ms; /* between tries; of the next one, 0: none is wanted */
    int64_t revived_ms;
    uint64_t number; /* of what is asked while the disk is damaged */
    int64_t asked_ms;
};

/* At the leader: the node that asked last whether it may begin anew. */
struct lost {
    uint64_t node, number;
    int64_t asked_ms;
    bool asking;
};

struct replica {
    struct backend backend;
    struct backend_options options;
    struct revival revival;
    struct lost lost;
    struct raft_fsm fsm;
    const struct replica_port *port;
    struct replica_machine machine;
    uint64_t id;
    struct ask *asks, **asks_end;
    unsigned ask_count;
    uint64_t ask_number;
    struct task *gathered;
    size_t gathered_count, gathered_capacity;
    unsigned batches;
    /* of the entry that was applied last */
    struct outcome outcomes[BATCH_ITEMS_MAX];
    unsigned outcome_count;
    int64_t leaderless_ms; /* since when there is no leader; 0: there is one */
    uint64_t seen_leader;
    int64_t members_ms;
    struct raft_change *change;     /* under way */
    struct raft_transfer *transfer; /* under way */
    void (*closed)(void *context);
    void *closed_context;
    bool closing, deep, again; /* deep: a call is already settling */
};

/* replica_ask.c */
void asks_go(struct replica *r);
void ask_frame(struct replica *r, const struct request_frame *f, uint64_t node);
void asks_unlinked(struct replica *r, uint64_t node);
void asks_end(struct replica *r);
/* This node's own request came back from the log. */
void ask_done(struct replica *r, uint64_t number, const struct request_frame *f);

/* replica_lead.c */
void lead_gather(struct replica *r, uint64_t node, uint64_t number, struct bytes data);
void lead_go(struct replica *r);
void lead_members(struct replica *r);
void lead_end(struct replica *r);

/* replica_revive.c */
/* On every tick. */
void revive_go(struct replica *r);
/* Nothing is under way, and libraft is closed. */
bool replica_is_still(const struct replica *r);

/* Everything is read anew; it has to be still. */
void replica_revive(struct replica *r);

/* replica_lost.c */
void lost_ask(struct replica *r);
void lost_told(struct replica *r, uint64_t number);
void lost_note(struct replica *r, uint64_t node, uint64_t number);
/* Who is not to be added for now; 0: nobody. */
uint64_t lost_held(const struct replica *r);
void lost_answer(struct replica *r);

/* replica.c */
uint64_t replica_leader(const struct replica *r);
void replica_settle(struct replica *r);
