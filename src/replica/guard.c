/* Keeps libraft 0.15 to what Raft's proof assumes: see backend.h for the list. */
#include "replica/backend_parts.h"

#include "base/invariant.h"
#include "base/memory.h"
#include "replica/membership.h"
#include "replica/message.h"
#include <stdlib.h>
#include <string.h>

/* The term of an entry of libraft's log; 0: it is not there. */
static raft_term log_term(const struct raft *r, raft_index index)
{
    const struct raft_log *l = &r->log;
    size_t count = l->back >= l->front ? l->back - l->front : l->size - l->front + l->back;
    if (index > l->offset && index <= l->offset + count)
        return l->entries[(l->front + (size_t)(index - l->offset - 1)) % l->size].term;
    return index && index == l->snapshot.last_index ? l->snapshot.last_term : 0;
}

/* ---- who belongs (4, 5) ---- */

static void agree(struct backend *b, const struct raft_configuration *c, raft_index index)
{
    raft_configuration_close(&b->agreed);
    membership_copy(c, &b->agreed);
    b->agreed_index = index;
}

/* The newest change of the members in what was loaded may not have been agreed to: the one before
 * it counts until it is. */
void guard_loaded(struct backend *b)
{
    const struct vault_loaded *l = &b->loaded;
    raft_index newest = 0, older = 0;
    struct raft_configuration c;
    for (size_t i = 0; i < l->entry_count; i++)
        if (l->entries[i].type == RAFT_CHANGE && l->first + i > l->snapshot->configuration_index) {
            older = newest;
            newest = l->first + i;
        }
    if (l->snapshot)
        agree(b, &l->snapshot->configuration, l->snapshot->configuration_index);
    if (older && !membership_of_entry(&l->entries[older - l->first].buf, &c)) {
        agree(b, &c, older);
        raft_configuration_close(&c);
    }
}

void guard_started(struct backend *b)
{
    struct raft *r = &b->raft;
    if (r->configuration_index > b->agreed_index && r->configuration_index > r->commit_index &&
        b->agreed_index) {
        r->configuration_uncommitted_index = r->configuration_index;
        r->configuration_index = b->agreed_index;
    }
}

bool guard_is_settled(const struct backend *b)
{
    return !b->raft.configuration_uncommitted_index;
}

/* Does the message replace the entry with the change that is not agreed? Then libraft would look
 * for the older one in its log, where it may be no more. */
static void members_revert(struct backend *b, const struct raft_append_entries *a)
{
    struct raft *r = &b->raft;
    if (!r->configuration_uncommitted_index || a->term < r->current_term)
        return;
    for (unsigned i = 0; i < a->n_entries; i++) {
        raft_index index = a->prev_log_index + 1 + i;
        raft_term term = log_term(r, index);
        if (index > r->configuration_uncommitted_index)
            return;
        if (!term || term == a->entries[i].term)
            continue;
        raft_configuration_close(&r->configuration);
        membership_copy(&b->agreed, &r->configuration);
        r->configuration_index = b->agreed_index;
        r->configuration_uncommitted_index = 0;
        return;
    }
}

/* ---- messages (1, 2, 3) ---- */

/* What is agreed is the same on all nodes: it is not compared again (guard 6). */
static void agreed_skip(const struct raft *r, struct raft_append_entries *a)
{
    raft_index agreed = r->commit_index;
    if (a->prev_log_index >= agreed || a->term < r->current_term || !log_term(r, agreed))
        return;
    raft_index ahead = agreed - a->prev_log_index;
    if (ahead < a->n_entries) {
        a->n_entries -= (unsigned)ahead;
        memmove(a->entries, a->entries + ahead, a->n_entries * sizeof *a->entries);
    } else if (a->n_entries) {
        raft_free(a->entries[0].batch);
        raft_free(a->entries);
        a->entries = NULL;
        a->n_entries = 0;
    }
    a->prev_log_index = agreed;
    a->prev_log_term = log_term(r, agreed);
}

/* A snapshot of what we have is a greeting, and the answer tells how far we are. */
static void snapshot_turn(const struct raft *r, struct raft_message *m)
{
    struct raft_install_snapshot s = m->install_snapshot;
    if (s.term < r->current_term || s.last_index > r->commit_index)
        return;
    message_drop(m);
    m->type = RAFT_IO_APPEND_ENTRIES;
    m->append_entries = (struct raft_append_entries){
        .term = s.term, .prev_log_index = s.last_index, .prev_log_term = s.last_term};
}

static bool append_pass(struct backend *b, struct raft_append_entries *a)
{
    if (b->raft.state == RAFT_LEADER && a->term == b->raft.current_term)
        return false; /* nobody else leads in our term */
    agreed_skip(&b->raft, a);
    members_revert(b, a);
    b->bounded = true;
    b->bound = a->prev_log_index + a->n_entries;
    return true;
}

static bool vote_pass(const struct raft *r, const struct raft_message *m)
{
    const struct raft_request_vote *v = &m->request_vote;
    if (v->candidate_id != m->server_id)
        return false;
    return v->pre_vote || v->term != r->current_term || !r->voted_for ||
           r->voted_for == v->candidate_id;
}

bool guard_pass(struct backend *b, struct raft_message *m)
{
    const struct raft *r = &b->raft;
    if (m->type == RAFT_IO_INSTALL_SNAPSHOT)
        snapshot_turn(r, m);
    switch (m->type) {
    case RAFT_IO_APPEND_ENTRIES:
        return append_pass(b, &m->append_entries);
    case RAFT_IO_APPEND_ENTRIES_RESULT:
        return r->state != RAFT_LEADER || m->append_entries_result.term > r->current_term ||
               (b->led == r->current_term && r->last_stored >= b->barrier);
    case RAFT_IO_REQUEST_VOTE:
        return vote_pass(r, m);
    case RAFT_IO_INSTALL_SNAPSHOT:
        return r->state != RAFT_LEADER || m->install_snapshot.term > r->current_term;
    default:
        return true;
    }
}

/* ---- after each call ---- */

static void barrier_told(struct raft_barrier *req, int status)
{
    (void)status;
    free(req);
}

/* We lead: the first entry is one of our own term. */
static void barrier_set(struct backend *b)
{
    struct raft *r = &b->raft;
    if (r->state != RAFT_LEADER || b->led == r->current_term)
        return;
    struct raft_barrier *req = mem_new(1, sizeof *req);
    if (raft_barrier(r, req, barrier_told)) {
        free(req);
        return;
    }
    b->led = r->current_term;
    b->barrier = raft_last_index(r);
}

void guard_look(struct backend *b)
{
    struct raft *r = &b->raft;
    barrier_set(b);
    if (r->configuration_uncommitted_index <= r->last_applied)
        r->configuration_uncommitted_index = 0; /* a snapshot that was taken over held it */
    if (!r->configuration_uncommitted_index && r->configuration_index != b->agreed_index)
        agree(b, &r->configuration, r->configuration_index);
}
