/* A replica that has halted comes back by itself:
 *
 *   the disk could not be written or read   it tries again at a walk: a write of REVIVE_PROBE bytes
 * in a worker, and when that works everything is read anew, as after a start of the process
 *
 * What had failed was never confirmed to anybody, and backend_start() writes the vote once more
 * before anything is said: so what is told afterwards is on the disk, names of files included. */
#include "replica/replica_parts.h"

#include "base/invariant.h"
#include "base/memory.h"
#include <stdlib.h>

enum {
    REVIVE_FIRST_MS = 500,
    REVIVE_MOST_MS = 4000,
    REVIVE_WELL_MS = 60000, /* after so long the next halt is a first one again */
    REVIVE_PROBE = 64 << 10,
};

static int64_t now(const struct replica *r)
{
    return r->port->now_ms(r->port->context);
}

bool replica_is_still(const struct replica *r)
{
    return (r->backend.closed || !r->backend.started) && !r->revival.probing;
}

/* Nothing of libraft is left: all begins anew. */
void replica_revive(struct replica *r)
{
    invariant(replica_is_still(r) && !r->batches);
    lead_end(r);
    free(r->change);
    free(r->transfer);
    r->change = NULL;
    r->transfer = NULL;
    backend_done(&r->backend);
    (void)backend_start(&r->backend, &r->options); /* replica_look() tells what is wrong */
    r->revival.revived_ms = now(r);
    r->revival.number = 0;
    r->leaderless_ms = now(r);
    r->seen_leader = 0;
}

/* Full jitter, so that nodes on one full store do not come together (L7). */
static void wait_longer(struct replica *r)
{
    struct revival *v = &r->revival;
    v->wait_ms = v->wait_ms ? 2 * v->wait_ms : REVIVE_FIRST_MS;
    if (v->wait_ms > REVIVE_MOST_MS)
        v->wait_ms = REVIVE_MOST_MS;
    int64_t half = v->wait_ms / 2;
    v->due_ms = now(r) + half + (int64_t)(r->port->random(r->port->context) % (uint64_t)half);
}

static void probe_run(struct replica_work *work)
{
    struct replica *r = work->context;
    const struct replica_disk *disk = &r->port->disk;
    char *bytes = mem_new(REVIVE_PROBE, 1);
    r->revival.err = disk->replace(disk->context, "probe", bytes, REVIVE_PROBE);
    if (!r->revival.err)
        r->revival.err = disk->remove(disk->context, "probe");
    free(bytes);
}

static void probe_done(struct replica_work *work)
{
    struct replica *r = work->context;
    r->revival.probing = false;
    wait_longer(r);
    if (!r->revival.err && !r->closing)
        replica_revive(r);
    replica_settle(r);
}

void revive_go(struct replica *r)
{
    struct revival *v = &r->revival;
    if (!r->backend.failed) {
        if (v->wait_ms && now(r) - v->revived_ms >= REVIVE_WELL_MS)
            v->wait_ms = 0;
        v->due_ms = 0;
        return;
    }
    if (r->closing || !replica_is_still(r))
        return;
    if (!backend_may_mend(&r->backend)) {
        lost_ask(r);
        return;
    }
    if (!v->due_ms)
        wait_longer(r);
    if (now(r) < v->due_ms)
        return;
    v->probing = true;
    v->work = (struct replica_work){.context = r, .run = probe_run, .done = probe_done};
    r->port->work(r->port->context, &v->work);
}
