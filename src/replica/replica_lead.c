/* What a leader does: requests become entries of the log, and the members become those of the
 * intent, one change at a time. */
#include "replica/replica_parts.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "replica/backend_parts.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- answers ---- */

static void task_answer(struct replica *r, struct task *t, const struct request_frame *f)
{
    struct request_frame out = *f;
    out.number = t->number;
    if (t->node == r->id) {
        ask_done(r, t->number, &out);
    } else {
        struct text bytes = text_init(MESSAGE_SENTENCE_MAX + 100);
        request_put(&out, &bytes);
        /* an answer that is lost is asked for again, with the same token */
        (void)r->port->send(r->port->context, t->node, REPLICA_REQUESTS, bytes.data, bytes.length);
        text_done(&bytes);
    }
    free(t->data);
    t->data = NULL;
}

static void gathered_refuse(struct replica *r)
{
    struct request_frame no = {.kind = REQUEST_NOT};
    for (size_t i = 0; i < r->gathered_count; i++)
        task_answer(r, &r->gathered[i], &no);
    r->gathered_count = 0;
}

void lead_end(struct replica *r)
{
    for (size_t i = 0; i < r->gathered_count; i++)
        free(r->gathered[i].data);
    free(r->gathered);
    r->gathered = NULL;
    r->gathered_count = r->gathered_capacity = 0;
}

/* ---- entries ---- */

static void batch_told(struct raft_apply *req, int status, void *result)
{
    struct batch *b = req->data;
    struct replica *r = b->replica;
    (void)result;
    invariant(status || r->outcome_count == b->count);
    for (unsigned i = 0; i < b->count; i++) {
        struct request_frame f = {.kind = REQUEST_MAYBE};
        if (!status) {
            const char *sentence = r->outcomes[i].sentence;
            f = (struct request_frame){.kind = REQUEST_DONE,
                                       .err = r->outcomes[i].err,
                                       .index = req->index,
                                       .data = {(const uint8_t *)sentence, strlen(sentence)}};
        }
        task_answer(r, &b->tasks[i], &f);
    }
    r->batches--;
    free(b->tasks);
    free(b);
}

/* How many of the gathered requests one entry takes. */
static unsigned batch_size(const struct replica *r)
{
    size_t bytes = 0;
    unsigned count = 0;
    while (count < r->gathered_count && count < BATCH_ITEMS_MAX) {
        bytes += r->gathered[count].size;
        if (count && bytes > BATCH_BYTES_MAX)
            break;
        count++;
    }
    return count;
}

static struct raft_buffer batch_bytes(const struct replica *r, unsigned count)
{
    struct batch_item items[BATCH_ITEMS_MAX];
    struct text bytes = text_init(BATCH_BYTES_MAX + MESSAGE_REQUEST_MAX + BATCH_ITEMS_MAX * 16);
    int64_t wall_ms = r->port->wall_ms(r->port->context);
    for (unsigned i = 0; i < count; i++)
        items[i] = (struct batch_item){wall_ms,
                                       {(const uint8_t *)r->gathered[i].data, r->gathered[i].size}};
    batch_put(items, count, &bytes);
    invariant(!bytes.failed);
    struct raft_buffer out = {raft_malloc(bytes.length), bytes.length};
    invariant(out.base);
    memcpy(out.base, bytes.data, bytes.length);
    text_done(&bytes);
    return out;
}

static bool batch_begin(struct replica *r)
{
    unsigned count = batch_size(r);
    struct raft_buffer bytes = batch_bytes(r, count);
    struct batch *b = mem_new(1, sizeof *b);
    b->replica = r;
    b->count = count;
    b->tasks = mem_new(count, sizeof *b->tasks);
    b->req.data = b;
    memcpy(b->tasks, r->gathered, count * sizeof *b->tasks);
    if (raft_apply(&r->backend.raft, &b->req, &bytes, 1, batch_told)) {
        raft_free(bytes.base);
        free(b->tasks);
        free(b);
        return false;
    }
    r->batches++;
    r->gathered_count -= count;
    memmove(r->gathered, r->gathered + count, r->gathered_count * sizeof *r->gathered);
    return true;
}

void lead_gather(struct replica *r, uint64_t node, uint64_t number, struct bytes data)
{
    struct task t = {.node = node, .number = number, .size = data.length};
    t.data = mem_new(data.length + 1, 1);
    if (data.length)
        memcpy(t.data, data.data, data.length);
    if (r->gathered_count == REPLICA_GATHERED_MAX) {
        struct request_frame no = {.kind = REQUEST_NOT};
        task_answer(r, &t, &no);
        return;
    }
    r->gathered =
        mem_grow(r->gathered, r->gathered_count, &r->gathered_capacity, sizeof *r->gathered);
    r->gathered[r->gathered_count++] = t;
}

void lead_go(struct replica *r)
{
    if (replica_leader(r) != r->id) {
        gathered_refuse(r);
        return;
    }
    while (r->gathered_count && r->batches < BATCHES_MAX)
        if (!batch_begin(r)) {
            gathered_refuse(r);
            return;
        }
}

/* ---- members ---- */

static void change_told(struct raft_change *req, int status)
{
    struct replica *r = req->data;
    (void)status; /* what is not as it should be is tried again */
    invariant(r->change == req);
    r->change = NULL;
    free(req);
}

static void transfer_told(struct raft_transfer *req)
{
    struct replica *r = req->data;
    r->transfer = NULL;
    free(req);
}

void replica_hand_over(struct replica *r)
{
    if (replica_leader(r) != r->id || r->transfer)
        return;
    r->transfer = mem_new(1, sizeof *r->transfer);
    r->transfer->data = r;
    if (raft_transfer(&r->backend.raft, r->transfer, 0, transfer_told)) {
        free(r->transfer);
        r->transfer = NULL;
    }
    replica_settle(r);
}

static const struct raft_server *server_find(const struct raft *raft, uint64_t id)
{
    for (unsigned i = 0; i < raft->configuration.n; i++)
        if (raft->configuration.servers[i].id == id)
            return &raft->configuration.servers[i];
    return NULL;
}

static const struct replica_member *member_find(const struct replica_member *list, unsigned count,
                                                uint64_t id)
{
    for (unsigned i = 0; i < count; i++)
        if (list[i].id == id)
            return &list[i];
    return NULL;
}

enum step { STEP_NONE, STEP_ADD, STEP_ROLE, STEP_REMOVE, STEP_HAND_OVER };
struct wish {
    enum step step;
    uint64_t id;
    int role;
};

/* Additions and promotions first, so that voters are there before others go. */
static struct wish wish_grow(const struct replica *r, const struct replica_member *m, unsigned n)
{
    const struct raft *raft = &r->backend.raft;
    uint64_t held = lost_held(r);
    for (unsigned i = 0; i < n; i++) {
        const struct raft_server *s = server_find(raft, m[i].id);
        if (m[i].id == held)
            continue;
        if (!s)
            return (struct wish){STEP_ADD, m[i].id, RAFT_SPARE};
        if (s->role == RAFT_SPARE)
            return (struct wish){STEP_ROLE, m[i].id, RAFT_STANDBY};
        if (m[i].voter && s->role != RAFT_VOTER && r->port->linked(r->port->context, m[i].id))
            return (struct wish){STEP_ROLE, m[i].id, RAFT_VOTER};
    }
    return (struct wish){STEP_NONE, 0, 0};
}

static struct wish wish_shrink(const struct replica *r, const struct replica_member *m, unsigned n)
{
    const struct raft *raft = &r->backend.raft;
    unsigned voters = 0;
    for (unsigned i = 0; i < raft->configuration.n; i++)
        voters += raft->configuration.servers[i].role == RAFT_VOTER;
    for (unsigned i = 0; i < raft->configuration.n; i++) {
        const struct raft_server *s = &raft->configuration.servers[i];
        const struct replica_member *want = member_find(m, n, s->id);
        bool voter = s->role == RAFT_VOTER;
        if ((want && (!voter || want->voter)) || (voter && voters == 1))
            continue; /* the last voter stays one, whatever is wanted */
        if (s->id == r->id)
            return (struct wish){STEP_HAND_OVER, 0, 0};
        return (struct wish){want ? STEP_ROLE : STEP_REMOVE, s->id, RAFT_STANDBY};
    }
    return (struct wish){STEP_NONE, 0, 0};
}

/* A node that is to begin anew goes out first, unless it counts. */
static struct wish wish_lost(struct replica *r)
{
    uint64_t lost = lost_held(r);
    const struct raft_server *s = lost ? server_find(&r->backend.raft, lost) : NULL;
    if (s && s->role != RAFT_VOTER)
        return (struct wish){STEP_REMOVE, lost, 0};
    if (lost && !s)
        lost_answer(r);
    return (struct wish){STEP_NONE, 0, 0};
}

static void wish_do(struct replica *r, struct wish w)
{
    struct raft *raft = &r->backend.raft;
    char address[BACKEND_ADDRESS_MAX];
    int err;
    if (w.step == STEP_NONE)
        return;
    if (w.step == STEP_HAND_OVER) {
        replica_hand_over(r);
        return;
    }
    struct raft_change *c = mem_new(1, sizeof *c);
    c->data = r;
    r->change = c;
    snprintf(address, sizeof address, "%" PRIu64, w.id);
    if (w.step == STEP_ADD)
        err = raft_add(raft, c, w.id, address, change_told);
    else if (w.step == STEP_ROLE)
        err = raft_assign(raft, c, w.id, w.role, change_told);
    else
        err = raft_remove(raft, c, w.id, change_told);
    if (!err)
        return;
    if (raft->leader_state.change == c) /* libraft forgets to */
        raft->leader_state.change = NULL;
    free(c);
    r->change = NULL;
}

void lead_members(struct replica *r)
{
    struct replica_member wanted[REPLICA_MEMBERS_MAX];
    int64_t now = r->port->now_ms(r->port->context);
    if (replica_leader(r) != r->id || r->change || r->transfer || now < r->members_ms)
        return;
    const struct raft *raft = &r->backend.raft;
    if (raft->configuration_uncommitted_index || raft->last_applied < r->backend.barrier ||
        raft->leader_state.change)
        return; /* what is wanted is known once all before our term is applied */
    r->members_ms = now + MEMBERS_EVERY_MS;
    unsigned count = r->machine.members(r->machine.context, wanted, REPLICA_MEMBERS_MAX);
    bool voter = false;
    for (unsigned i = 0; i < count; i++)
        voter |= wanted[i].voter;
    if (!voter)
        return;
    struct wish w = wish_lost(r);
    w = w.step == STEP_NONE ? wish_grow(r, wanted, count) : w;
    wish_do(r, w.step == STEP_NONE ? wish_shrink(r, wanted, count) : w);
}
