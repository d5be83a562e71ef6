#include "prog/control_replica.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "command/agreed.h"
#include "model/intent_io.h"
#include "model/intent_node.h"
#include "prog/control_mesh.h"
#include "prog/control_override.h"
#include "replica/replica_disk_io.h"
#include "seam/clock.h"
#include "seam/entropy.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAVE_EVERY_MS = 1000, LEAVE_MS = 1000 };

struct control_replica {
    struct control *c;
    char folder[PATH_MAX];
    struct replica_port port;
    struct replica_machine machine;
    struct replica *replica;
    struct random random;
    uv_timer_t tick;
    uv_prepare_t settle; /* once a turn of the loop: what was agreed is taken into use */
    struct intent intent;
    bool changed;
    /* intent.json follows in a worker */
    uv_work_t save;
    struct intent saving;
    bool is_saving, unsaved, closed;
    usec_t save_due;
    int save_err;
    bool told_halted;
    usec_t leave_by;
    void (*left)(struct control *c);
};

/* ---- what was agreed ---- */

static int machine_apply(void *context, struct bytes request, int64_t wall_ms,
                         struct text *sentence)
{
    struct control_replica *r = context;
    uint64_t before = r->intent.version;
    int err = agreed_apply(&r->intent, request, wall_ms, sentence);
    r->changed |= r->intent.version != before;
    return err;
}

static char *machine_encode(void *context, size_t *ret_size)
{
    return agreed_encode(&((struct control_replica *)context)->intent, ret_size);
}

static int machine_decode(void *context, struct bytes data)
{
    struct control_replica *r = context;
    const char *why;
    int err = agreed_decode(&r->intent, data, &why);
    if (err) {
        log_event(LOG_ERROR, "replica.snapshot", {"reason", LOG_S(why)});
        return err;
    }
    r->changed = true;
    return 0;
}

static unsigned machine_members(void *context, struct replica_member *ret, unsigned max)
{
    const struct control_replica *r = context;
    uint32_t count;
    unsigned found = 0;
    /* where the log cannot be read, what is held tells whom to ask */
    const struct intent *intent = r->intent.version ? &r->intent : &r->c->intent;
    struct intent_object *const *nodes = intent_list(intent, INTENT_NODE, &count);
    for (uint32_t i = 0; i < count && found < max; i++)
        if (nodes[i]->node->role != NODE_EXPELLED)
            ret[found++] =
                (struct replica_member){nodes[i]->node->id, nodes[i]->node->role == NODE_VOTER};
    return found;
}

static const char *machine_name(void *context, uint64_t id)
{
    const struct control_replica *r = context;
    uint32_t count;
    struct intent_object *const *nodes = intent_list(&r->intent, INTENT_NODE, &count);
    for (uint32_t i = 0; i < count; i++)
        if (nodes[i]->node->id == id)
            return nodes[i]->name;
    return "a node that is no member";
}

/* ---- taking it into use ---- */

/* After a start the log is read from its snapshot on, and what it says is behind what this node had
 * taken already: what is held never goes back (L2). */
static void agreed_take(struct control_replica *r)
{
    if (!r->changed)
        return;
    r->changed = false;
    if (r->c->overrides)
        return; /* control_override_end() */
    if (r->intent.version <= r->c->intent.version)
        return;
    struct intent next = intent_share(&r->intent);
    control_intent_use(r->c, &next);
    r->unsaved = true;
}

static void save_run(uv_work_t *work)
{
    struct control_replica *r = work->data;
    r->save_err = intent_save(r->c->options->data, &r->saving);
}

static void leave(struct control_replica *r)
{
    agreed_take(r);
    int err = r->unsaved && !r->c->overrides ? intent_save(r->c->options->data, &r->c->intent) : 0;
    if (err)
        log_event(LOG_ERROR, "intent.save", {"reason", LOG_S(err_text(err))});
    r->left(r->c);
}

static void save_done(uv_work_t *work, int status)
{
    struct control_replica *r = work->data;
    (void)status;
    intent_done(&r->saving);
    r->is_saving = false;
    if (r->closed)
        leave(r);
    if (!r->save_err)
        return;
    r->unsaved = true;
    log_event(
        LOG_ERROR, "intent.save", {"reason", LOG_S(err_text(r->save_err))},
        {"consequence", LOG_S("after a restart without its cluster this node would go on with "
                              "what it wanted before")});
}

static void save(struct control_replica *r, usec_t now)
{
    if (!r->unsaved || r->is_saving || now < r->save_due || r->c->overrides)
        return;
    r->saving = intent_share(&r->c->intent);
    r->unsaved = false;
    r->save_due = now + SAVE_EVERY_MS * USEC_PER_MSEC;
    r->save.data = r;
    r->is_saving = !uv_queue_work(&r->c->loop, &r->save, save_run, save_done);
    if (!r->is_saving)
        intent_done(&r->saving);
}

static void on_settle(uv_prepare_t *handle)
{
    agreed_take(handle->data);
}

/* ---- port ---- */

static int64_t port_now(void *context)
{
    (void)context;
    return clock_now() / USEC_PER_MSEC;
}

static int64_t port_wall(void *context)
{
    (void)context;
    return clock_wall() / USEC_PER_MSEC;
}

static uint64_t port_random(void *context)
{
    return random_u64(&((struct control_replica *)context)->random);
}

struct job {
    uv_work_t work;
    struct replica_work *what;
};

static void job_run(uv_work_t *work)
{
    struct job *j = work->data;
    j->what->run(j->what);
}

static void job_done(uv_work_t *work, int status)
{
    struct job *j = work->data;
    struct replica_work *what = j->what;
    (void)status;
    free(j);
    what->done(what);
}

static void port_work(void *context, struct replica_work *what)
{
    struct control_replica *r = context;
    struct job *j = mem_new(1, sizeof *j);
    *j = (struct job){.work.data = j, .what = what};
    int err = uv_queue_work(&r->c->loop, &j->work, job_run, job_done);
    invariant(err == 0);
}

static int port_send(void *context, uint64_t node, enum replica_channel channel, const void *data,
                     size_t size)
{
    const struct control_replica *r = context;
    const struct control_mesh *m = r->c->mesh;
    return mesh_send(m->mesh, node, channel == REPLICA_RAFT ? MESH_RAFT : MESH_REQUESTS, data,
                     size);
}

static bool port_linked(void *context, uint64_t node)
{
    const struct control_replica *r = context;
    const struct control_mesh *m = r->c->mesh;
    for (unsigned i = 0; i < mesh_count(m->mesh); i++) {
        struct mesh_peer_view p = mesh_peer(m->mesh, i);
        if (p.member->id == node)
            return p.link != NULL;
    }
    return false;
}

/* ---- beginning ---- */

/* Whoever waits was told; what is wanted is kept for the next start. */
static void on_closed(void *context)
{
    struct control_replica *r = context;
    r->closed = true;
    if (!r->is_saving)
        leave(r);
}

static void end(struct control_replica *r)
{
    uv_timer_stop(&r->tick);
    r->c->replica = NULL;
    replica_close(r->replica, on_closed, r);
}

static void on_tick(uv_timer_t *timer)
{
    struct control_replica *r = timer->data;
    struct replica_view v;
    replica_tick(r->replica);
    if (!r->leave_by)
        return;
    replica_look(r->replica, &v);
    if (v.state == REPLICA_LEADS && clock_now() < r->leave_by)
        return;
    log_event(LOG_INFO, "replica.handover", {"worked", LOG_B(v.state != REPLICA_LEADS)});
    end(r);
}

static int name_seen(void *context, const char *name)
{
    (void)name;
    *(bool *)context = true;
    return 0;
}

/* The first node of a cluster, alone in it, and with no log: what it wants becomes the beginning of
 * one. With others there is no second beginning: whoever has lost its log joins anew. */
static int found(struct control_replica *r)
{
    const struct node_identity *identity = &r->c->mesh->identity;
    bool any = false;
    uint32_t count;
    int err = r->port.disk.list(r->port.disk.context, name_seen, &any);
    intent_list(&r->c->intent, INTENT_NODE, &count);
    if (err || any || !identity->founder || count != 1)
        return err;
    char *text = intent_encode(&r->c->intent);
    err = replica_found(&r->port.disk, identity->id,
                        (struct bytes){(const uint8_t *)text, strlen(text)});
    free(text);
    log_event(err ? LOG_ERROR : LOG_INFO, "replica.founded",
              {"reason", LOG_S(err ? err_text(err) : "")});
    return err;
}

static void handles_open(struct control_replica *r)
{
    int err = uv_timer_init(&r->c->loop, &r->tick);
    err |= uv_prepare_init(&r->c->loop, &r->settle);
    r->tick.data = r->settle.data = r;
    err |= uv_timer_start(&r->tick, on_tick, REPLICA_BEAT_MS, REPLICA_BEAT_MS);
    err |= uv_prepare_start(&r->settle, on_settle);
    invariant(!err);
}

static int begin(struct control *c)
{
    struct control_replica *r = mem_new(1, sizeof *r);
    r->c = c;
    /* a host that joins anew is another node, and has nothing to do with the log of the one before
     */
    int n = snprintf(r->folder, sizeof r->folder, "%s/replica/%.8s-%" PRIu64, c->options->data,
                     c->mesh->identity.cluster, c->mesh->identity.id);
    int err = n < 0 || (size_t)n >= sizeof r->folder ? ERR_LIMIT : 0;
    r->random = random_init(entropy_u64());
    r->port = (struct replica_port){.context = r,
                                    .now_ms = port_now,
                                    .wall_ms = port_wall,
                                    .random = port_random,
                                    .work = port_work,
                                    .send = port_send,
                                    .linked = port_linked};
    r->machine = (struct replica_machine){
        r, machine_apply, machine_encode, machine_decode, machine_members, machine_name};
    err = err ? err : replica_disk_open(r->folder, &r->port.disk);
    err = err ? err : found(r);
    if (err) {
        log_event(LOG_ERROR, "replica.open", {"reason", LOG_S(err_text(err))});
        free(r);
        return err;
    }
    struct replica_options o = {
        .id = c->mesh->identity.id, .port = &r->port, .machine = &r->machine};
    c->replica = r;
    r->replica = replica_new(&o);
    handles_open(r);
    return 0;
}

/* The beat: begins, saves, says loudly what an operator has to do something about. */
void control_replica_beat(struct control *c, usec_t now)
{
    struct control_replica *r = c->replica;
    struct replica_view v;
    if (!r) {
        if (c->mesh && control_mesh_own(c) && now >= c->replica_due && begin(c))
            c->replica_due = now + MESH_RETRY_MS * USEC_PER_MSEC;
        return;
    }
    save(r, now);
    replica_look(r->replica, &v);
    if (c->overrides && control_override_end(c, &v, &r->intent))
        r->unsaved = true;
    stats_set(c->stats.threads, CONTROL_OVERRIDES, c->overrides);
    stats_set(c->stats.threads, CONTROL_REPLICA_LEADS, v.state == REPLICA_LEADS);
    stats_set(c->stats.threads, CONTROL_REPLICA_HALTED, v.state == REPLICA_HALTED);
    stats_set(c->stats.threads, CONTROL_REPLICA_QUORUM, v.voters && v.voters_linked > v.voters / 2);
    stats_set(c->stats.threads, CONTROL_REPLICA_TERM, v.term);
    stats_set(c->stats.threads, CONTROL_REPLICA_APPLIED, v.applied);
    if (v.state != REPLICA_HALTED && r->told_halted)
        log_event(LOG_INFO, "replica.resumed", {"applied", LOG_U(v.applied)});
    if (v.state != REPLICA_HALTED || r->told_halted) {
        r->told_halted = v.state == REPLICA_HALTED;
        return;
    }
    r->told_halted = true;
    log_event(
        LOG_ERROR, "replica.halted", {"reason", LOG_S(v.halted)},
        {"consequence", LOG_S("this node votes no more and hears of no changes; it answers and "
                              "decides with what it has")},
        {"remedy", LOG_S("free the disk, and it goes on by itself; where its files are damaged, "
                         "`holdfast nodes demote` it on another node: it begins anew, and can be "
                         "promoted again")});
}

/* ---- calls ---- */

void control_replica_take(struct control *c, uint64_t node, enum replica_channel channel,
                          struct bytes data)
{
    if (c->replica)
        replica_take(c->replica->replica, node, channel, data);
}

void control_replica_linked(struct control *c, uint64_t node, bool up)
{
    if (c->replica)
        replica_linked(c->replica->replica, node, up);
}

struct waiting {
    struct control_replica *r;
    control_intent_answer *answer;
    void *context;
};

/* Whoever is told sees what was done. */
static void on_answer(void *context, int err, const char *sentence)
{
    struct waiting w = *(struct waiting *)context;
    free(context);
    agreed_take(w.r);
    w.answer(w.context, err, sentence);
}

void control_replica_propose(struct control *c, const char *proposal, control_intent_answer *answer,
                             void *context)
{
    if (!c->replica) {
        answer(context, ERR_QUORUM,
               "nothing was changed: this node belongs to a cluster and has not taken its place in "
               "it yet; try again (does its configuration have `mesh`?)");
        return;
    }
    struct waiting *w = mem_new(1, sizeof *w);
    *w = (struct waiting){c->replica, answer, context};
    replica_submit(c->replica->replica, (struct bytes){(const uint8_t *)proposal, strlen(proposal)},
                   on_answer, w);
}

bool control_replica_look(const struct control *c, struct replica_view *ret)
{
    if (c->replica)
        replica_look(c->replica->replica, ret);
    return c->replica;
}

bool control_replica_leave(struct control *c, void (*done)(struct control *c))
{
    struct control_replica *r = c->replica;
    struct replica_view v;
    if (!control_replica_look(c, &v))
        return false;
    r->left = done;
    if (v.state == REPLICA_LEADS && v.voters_linked > 1) {
        r->leave_by = clock_now() + LEAVE_MS * USEC_PER_MSEC;
        replica_hand_over(r->replica);
    } else {
        end(r);
    }
    return true;
}
