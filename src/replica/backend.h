/* libraft on our port: its raft_io, and a guard in front of it.
 *
 * libraft 0.15 leaves some things to luck that Raft's proof needs. The guard sees every message
 * before libraft does and every reply before it goes out (doc/internals/replica.md tells each with
 * the schedule that breaks it):
 *  1. A follower confirms only what the message it answers has compared; not whatever else its log
 *     holds from leaders before.
 *  2. A leader counts nobody's confirmation before an entry of its own term is on its disk.
 *  3. One vote in a term, also while leadership is handed over.
 *  4. Who belongs to the cluster goes back to what was agreed when a change of it is replaced, also
 *     after a restart, and when the log no longer holds the older entry.
 *  5. No snapshot while a change of the members is not agreed.
 *  6. A follower whose log begins later than what the leader compares with says how far it is,
 *     instead of refusing it for ever. */
#pragma once

#include "base/attr.h"
#include "base/bytes.h"
#include "base/text.h"
#include "replica/port.h"
#include "replica/vault.h"
#include <raft.h>
#include <stdbool.h>

enum { BACKEND_WHY_MAX = 400 };

struct backend_job;
struct backend_sent;

struct backend {
    struct raft raft;
    struct raft_io io;
    const struct replica_port *port;
    struct vault vault;
    struct vault_loaded loaded; /* until libraft asks for it */
    raft_index next;            /* index of what is appended next */
    raft_io_tick_cb tick;
    raft_io_recv_cb recv;
    raft_io_close_cb close_cb;
    bool started, closing, closed;
    void (*worked)(void *context); /* something that was under way has ended */
    void *context;
    /* libraft can no longer be trusted with a vote, and why; close it */
    int failed;
    struct text why;

    struct replica_work work;
    struct backend_job *queue, **queue_end, *taken;
    bool working, unsealed;
    int64_t appended_ms;       /* when something was appended last */
    struct backend_sent *sent; /* libraft is still to be told */
    struct backend_sent **sent_end;

    bool bounded; /* guard 1: a reply confirms at most `bound` */
    raft_index bound;
    raft_term led; /* guard 2: the term we lead in and have an entry of, at `barrier` */
    raft_index barrier;
    struct raft_configuration agreed; /* guard 4 */
    raft_index agreed_index;
};

struct backend_options {
    uint64_t id;
    const struct replica_port *port;
    struct raft_fsm *fsm;
    void (*worked)(void *context);
    void *context;
    unsigned election_ms, beat_ms;
    unsigned snapshot_entries, trailing_entries;
    size_t segment_max;
};

/* Loads and starts. On failure `failed` and `why` say what is wrong, nothing runs, and
 * backend_done() is still to be called. */
int backend_start(struct backend *b, const struct backend_options *o);
/* Every beat_ms. */
void backend_tick(struct backend *b);
/* A message of that node. */
void backend_take(struct backend *b, uint64_t node, struct bytes data);
/* To be called after each call into libraft: what it has left to do is done. */
void backend_settle(struct backend *b);
/* Stops; nothing is called back after `closed` is set, which may be at once. */
void backend_close(struct backend *b);
/* What failed may work another time: the disk could not be written or read. Else something is lost
 * for good. */
bool backend_may_mend(const struct backend *b);
/* After `closed`, or a failed start. */
void backend_done(struct backend *b);
