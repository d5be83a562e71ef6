#include "replica/replica_parts.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "replica/backend_parts.h"
#include "replica/membership.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SNAPSHOT_ENTRIES = 4096,
    TRAILING_ENTRIES = 2048,
    FOUNDING_INDEX = 1,
    FOUNDING_TERM = 1,
};

/* ---- what libraft calls ---- */

static void outcomes_clear(struct replica *r)
{
    while (r->outcome_count)
        free(r->outcomes[--r->outcome_count].sentence);
}

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
    struct replica *r = fsm->data;
    struct bytes data = {buf->base, buf->len};
    struct batch_item item;
    size_t position = 0;
    outcomes_clear(r);
    *result = NULL;
    while (r->outcome_count < BATCH_ITEMS_MAX && batch_take(data, &position, &item) > 0) {
        struct text sentence = text_init(MESSAGE_SENTENCE_MAX);
        int err = r->machine.apply(r->machine.context, item.data, item.wall_ms, &sentence);
        r->outcomes[r->outcome_count++] = (struct outcome){err, mem_string(text_string(&sentence))};
        text_done(&sentence);
    }
    return 0;
}

static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *count)
{
    struct replica *r = fsm->data;
    size_t size;
    if (!guard_is_settled(&r->backend))
        return RAFT_BUSY;
    char *content = r->machine.encode(r->machine.context, &size);
    *bufs = raft_malloc(sizeof **bufs);
    invariant(*bufs);
    **bufs = (struct raft_buffer){raft_malloc(size + 1), size};
    invariant((*bufs)->base);
    memcpy((*bufs)->base, content, size);
    *count = 1;
    free(content);
    return 0;
}

static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
    struct replica *r = fsm->data;
    int err = r->machine.decode(r->machine.context, (struct bytes){buf->base, buf->len});
    if (err)
        return RAFT_MALFORMED;
    raft_free(buf->base);
    return 0;
}

/* ---- life ---- */

int replica_found(const struct replica_disk *disk, uint64_t id, struct bytes content)
{
    struct vault s;
    struct vault_snapshot first = {.index = FOUNDING_INDEX,
                                   .term = FOUNDING_TERM,
                                   .configuration_index = FOUNDING_INDEX,
                                   .data = {(void *)content.data, content.length}};
    char address[BACKEND_ADDRESS_MAX];
    snprintf(address, sizeof address, "%" PRIu64, id);
    raft_configuration_init(&first.configuration);
    int err = raft_configuration_add(&first.configuration, id, address, RAFT_VOTER);
    invariant(err == 0);
    vault_init(&s, disk, VAULT_SEGMENT_MAX);
    err = vault_vote(&s, FOUNDING_TERM, 0);
    err = err ? err : vault_snapshot_put(&s, &first, 0);
    vault_done(&s);
    raft_configuration_close(&first.configuration);
    return err;
}

static void worked(void *context)
{
    replica_settle(context);
}

struct replica *replica_new(const struct replica_options *o)
{
    struct replica *r = mem_new(1, sizeof *r);
    r->port = o->port;
    r->machine = *o->machine;
    r->id = o->id;
    r->asks_end = &r->asks;
    /* what a leader still answers to the process before this one fits nothing here */
    r->ask_number = o->port->random(o->port->context);
    r->fsm = (struct raft_fsm){.version = 1,
                               .data = r,
                               .apply = fsm_apply,
                               .snapshot = fsm_snapshot,
                               .restore = fsm_restore};
    r->options = (struct backend_options){
        .id = o->id,
        .port = o->port,
        .fsm = &r->fsm,
        .worked = worked,
        .context = r,
        .election_ms = REPLICA_ELECTION_MS,
        .beat_ms = REPLICA_BEAT_MS,
        .snapshot_entries = o->snapshot_entries ? o->snapshot_entries : SNAPSHOT_ENTRIES,
        .trailing_entries = o->trailing_entries ? o->trailing_entries : TRAILING_ENTRIES,
        .segment_max = o->segment_max ? o->segment_max : VAULT_SEGMENT_MAX,
    };
    (void)backend_start(&r->backend, &r->options); /* replica_look() tells what is wrong */
    r->leaderless_ms = o->port->now_ms(o->port->context);
    replica_settle(r);
    return r;
}

void replica_close(struct replica *r, void (*closed)(void *context), void *context)
{
    r->closing = true;
    r->closed = closed;
    r->closed_context = context;
    asks_end(r);
    backend_close(&r->backend);
    replica_settle(r);
}

void replica_free(struct replica *r)
{
    invariant(r->closing && !r->closed);
    lead_end(r);
    outcomes_clear(r);
    backend_done(&r->backend);
    free(r->change);
    free(r->transfer);
    free(r);
}

/* ---- what follows from a call ---- */

uint64_t replica_leader(const struct replica *r)
{
    const struct raft *raft = &r->backend.raft;
    if (r->backend.failed || r->backend.closing || !r->backend.started)
        return 0;
    if (raft->state == RAFT_LEADER)
        return r->id;
    return raft->state == RAFT_FOLLOWER ? raft->follower_state.current_leader.id : 0;
}

static void leader_note(struct replica *r)
{
    uint64_t leader = replica_leader(r);
    if (leader)
        r->leaderless_ms = 0;
    else if (!r->leaderless_ms)
        r->leaderless_ms = r->port->now_ms(r->port->context);
    if (r->seen_leader && leader != r->seen_leader)
        asks_unlinked(r, r->seen_leader); /* whoever led before does not answer for it any more */
    r->seen_leader = leader;
}

static void settle_once(struct replica *r)
{
    leader_note(r);
    if (!r->closing) {
        asks_go(r);
        lead_go(r);
    }
    backend_settle(&r->backend);
    if (r->backend.failed && !r->backend.closing)
        backend_close(&r->backend);
}

void replica_settle(struct replica *r)
{
    r->again = true;
    if (r->deep)
        return;
    r->deep = true;
    while (r->again) {
        r->again = false;
        settle_once(r);
    }
    r->deep = false;
    if (r->closing && r->closed && replica_is_still(r)) {
        void (*closed)(void *) = r->closed;
        r->closed = NULL;
        closed(r->closed_context);
    }
}

void replica_tick(struct replica *r)
{
    backend_tick(&r->backend);
    revive_go(r);
    lead_members(r);
    replica_settle(r);
}

void replica_take(struct replica *r, uint64_t node, enum replica_channel channel, struct bytes data)
{
    struct request_frame f;
    if (channel == REPLICA_RAFT)
        backend_take(&r->backend, node, data);
    else if (!request_take(data, &f))
        ask_frame(r, &f, node);
    replica_settle(r);
}

void replica_linked(struct replica *r, uint64_t node, bool up)
{
    if (!up)
        asks_unlinked(r, node);
    replica_settle(r);
}

/* ---- looking ---- */

static enum replica_state state_of(const struct replica *r)
{
    if (r->backend.failed || !r->backend.started)
        return REPLICA_HALTED;
    return r->backend.raft.state == RAFT_LEADER      ? REPLICA_LEADS
           : r->backend.raft.state == RAFT_CANDIDATE ? REPLICA_STANDS
                                                     : REPLICA_FOLLOWS;
}

void replica_look(const struct replica *r, struct replica_view *ret)
{
    const struct raft *raft = &r->backend.raft;
    *ret = (struct replica_view){
        .state = state_of(r), .halted = text_string(&r->backend.why), .leader = replica_leader(r)};
    if (ret->state == REPLICA_HALTED || r->backend.closing)
        return;
    ret->term = raft->current_term;
    ret->agreed = raft->commit_index;
    ret->applied = raft->last_applied;
    ret->last = raft->last_stored;
    ret->members_agreed = guard_is_settled(&r->backend);
    for (unsigned i = 0; i < raft->configuration.n && i < REPLICA_MEMBERS_MAX; i++) {
        const struct raft_server *s = &raft->configuration.servers[i];
        struct replica_peer *p = &ret->peers[ret->peer_count++];
        *p = (struct replica_peer){.id = s->id, .voter = s->role == RAFT_VOTER};
        p->linked = s->id == r->id || r->port->linked(r->port->context, s->id);
        if (ret->state == REPLICA_LEADS)
            p->confirmed = raft->leader_state.progress[i].match_index;
        ret->voters += p->voter;
        ret->voters_linked += p->voter && p->linked;
    }
}

bool replica_has_quorum(const struct replica *r)
{
    struct replica_view v;
    replica_look(r, &v);
    return v.voters_linked > v.voters / 2;
}
