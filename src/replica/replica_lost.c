/* A node whose log, votes or snapshots are damaged has forgotten what it promised, and must not
 * vote as who it was. It begins anew once the others have put it out of their count:
 *
 *   damaged node                              leader
 *   LOST, a number of its own   ----------->  it is a voter: nothing, until its operator demotes it
 *                                             it follows: it is taken out of the configuration
 *                                             it is out: is that still so now? (a barrier)
 *   everything is removed       <-----------  ANEW, the same number
 *                                             3 s after the last LOST it is added, and follows
 *
 * 1. ANEW is said by who led, with the node out, after the LOST was sent: so it counts for nothing
 * in any configuration that a majority can still agree on. What took it out was agreed by a
 * majority without it, for it has halted.
 * 2. It belongs to this halt: the number is another one each time.
 * 3. The votes go first: a stop in the middle leaves a node that is damaged still. */
#include "replica/replica_parts.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LOST_EVERY_MS = 500, LOST_HOLD_MS = 3000, FILES_MAX = 4096 };

static int64_t now(const struct replica *r)
{
    return r->port->now_ms(r->port->context);
}

static void frame_send(struct replica *r, uint64_t node, const struct request_frame *f)
{
    struct text bytes = text_init(100);
    request_put(f, &bytes);
    /* what is lost on its way is said again */
    (void)r->port->send(r->port->context, node, REPLICA_REQUESTS, bytes.data, bytes.length);
    text_done(&bytes);
}

/* ---- the damaged node ---- */

void lost_ask(struct replica *r)
{
    struct revival *v = &r->revival;
    struct replica_member list[REPLICA_MEMBERS_MAX];
    if (now(r) < v->asked_ms + LOST_EVERY_MS)
        return;
    v->asked_ms = now(r);
    if (!v->number)
        v->number = r->port->random(r->port->context) | 1;
    unsigned count = r->machine.members(r->machine.context, list, REPLICA_MEMBERS_MAX);
    for (unsigned i = 0; i < count; i++)
        if (list[i].id != r->id && r->port->linked(r->port->context, list[i].id))
            frame_send(r, list[i].id,
                       &(struct request_frame){.kind = REQUEST_LOST, .number = v->number});
}

struct names {
    char *list[FILES_MAX];
    unsigned count;
};

static int name_add(void *context, const char *name)
{
    struct names *n = context;
    if (n->count == FILES_MAX)
        return ERR_LIMIT;
    n->list[n->count++] = mem_string(name);
    return 0;
}

static int remove_if_there(const struct replica_disk *disk, const char *name)
{
    int err = disk->remove(disk->context, name);
    return err == -ENOENT ? 0 : err;
}

static void wipe_run(struct replica_work *work)
{
    struct replica *r = work->context;
    const struct replica_disk *disk = &r->port->disk;
    struct names *names = mem_new(1, sizeof *names);
    int err = remove_if_there(disk, "vote-0");
    err = err ? err : remove_if_there(disk, "vote-1");
    err = err ? err : disk->replace(disk->context, "anew", "", 0); /* they are gone for good */
    err = err ? err : disk->list(disk->context, name_add, names);
    for (unsigned i = 0; i < names->count; i++) {
        err = err ? err : remove_if_there(disk, names->list[i]);
        free(names->list[i]);
    }
    free(names);
    r->revival.err = err;
}

static void wipe_done(struct replica_work *work)
{
    struct replica *r = work->context;
    r->revival.probing = false;
    if (!r->revival.err && !r->closing)
        replica_revive(r);
    replica_settle(r);
}

void lost_told(struct replica *r, uint64_t number)
{
    struct revival *v = &r->revival;
    if (!r->backend.failed || backend_may_mend(&r->backend) || r->closing || !replica_is_still(r) ||
        !number || number != v->number)
        return;
    v->probing = true;
    v->work = (struct replica_work){.context = r, .run = wipe_run, .done = wipe_done};
    r->port->work(r->port->context, &v->work);
}

/* ---- the leader ---- */

void lost_note(struct replica *r, uint64_t node, uint64_t number)
{
    if (replica_leader(r) == r->id)
        r->lost = (struct lost){node, number, now(r), r->lost.asking};
}

uint64_t lost_held(const struct replica *r)
{
    return r->lost.node && now(r) - r->lost.asked_ms < LOST_HOLD_MS ? r->lost.node : 0;
}

static bool is_member(const struct raft *raft, uint64_t id)
{
    for (unsigned i = 0; i < raft->configuration.n; i++)
        if (raft->configuration.servers[i].id == id)
            return true;
    return false;
}

struct question {
    struct raft_barrier req;
    struct replica *replica;
    uint64_t node, number;
};

static void question_told(struct raft_barrier *req, int status)
{
    struct question *q = req->data;
    struct replica *r = q->replica;
    r->lost.asking = false;
    if (!status && !is_member(&r->backend.raft, q->node))
        frame_send(r, q->node, &(struct request_frame){.kind = REQUEST_ANEW, .number = q->number});
    free(q);
}

/* It is out as far as we know; do we still lead? */
void lost_answer(struct replica *r)
{
    if (r->lost.asking)
        return;
    struct question *q = mem_new(1, sizeof *q);
    *q = (struct question){.replica = r, .node = r->lost.node, .number = r->lost.number};
    q->req.data = q;
    r->lost.asking = true;
    if (raft_barrier(&r->backend.raft, &q->req, question_told)) {
        r->lost.asking = false;
        free(q);
    }
}
