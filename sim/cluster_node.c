/* A node of the simulation: the real replica on a disk, a clock and links of ours, with the real
 * intent behind it; and what happens to nodes. */
#include "sim/cluster.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "command/agreed.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SNAPSHOT_ENTRIES = 40,
    TRAILING_ENTRIES = 10,
    SEGMENT_MAX = 6000,
    TURN_MS = 1, /* a worker's least time */
    WALL_START_MS = 1000000,
};

struct sim_node *node_find(struct cluster *c, uint64_t id)
{
    for (unsigned i = 0; i < c->node_count; i++)
        if (c->nodes[i].id == id)
            return &c->nodes[i];
    return NULL;
}

static unsigned number(const struct sim_node *n)
{
    return (unsigned)(n - n->cluster->nodes);
}

/* ---- machine ---- */

static bool is_sabotaged(const struct sim_node *n, enum cluster_saboteur s)
{
    return n->cluster->saboteur == s;
}

/* The request as this node reads it: as it is, or as the saboteur wants it. */
static char *request_for(const struct sim_node *n, struct bytes request)
{
    static const char none[] = "\"overrides\":[]", token[] = "\"token\"";
    struct text out = text_init(request.length + 100);
    text_append_bytes(&out, request.data, request.length);
    char *at = strstr(out.data, token);
    if (at && is_sabotaged(n, SABOTEUR_NO_TOKENS))
        at[1] = 'x'; /* nobody knows a member of this name */
    at = strstr(out.data, none);
    if (at && is_sabotaged(n, SABOTEUR_NO_RULES)) {
        char *rest = mem_string(at + sizeof none - 1);
        text_cut(&out, (size_t)(at - out.data));
        text_appendf(&out, "\"overrides\":[\"p/one\",\"p/gate\"]%s", rest);
        free(rest);
    }
    return out.data;
}

static int machine_apply(void *context, struct bytes request, int64_t wall_ms,
                         struct text *sentence)
{
    struct sim_node *n = context;
    struct intent before = intent_share(&n->intent);
    char *text = request_for(n, request);
    if (is_sabotaged(n, SABOTEUR_OWN_CLOCK))
        wall_ms += n->wall_offset_ms;
    int err = agreed_apply(&n->intent, (struct bytes){(const uint8_t *)text, strlen(text)}, wall_ms,
                           sentence);
    if (!err)
        check_applied(n, &before);
    intent_done(&before);
    free(text);
    return err;
}

static char *machine_encode(void *context, size_t *ret_size)
{
    return agreed_encode(&((struct sim_node *)context)->intent, ret_size);
}

static int machine_decode(void *context, struct bytes data)
{
    struct sim_node *n = context;
    const char *why;
    int err = agreed_decode(&n->intent, data, &why);
    if (err)
        return err;
    uint64_t version = n->intent.version;
    n->chain = chain_of(&n->intent);
    n->cluster->seen[SEEN_SNAPSHOTS]++;
    uint64_t known = version < CLUSTER_OPS_MAX ? n->cluster->chains[version] : 0;
    if (known && known != n->chain)
        cluster_wrong(n->cluster, "node %s restored another version %" PRIu64, n->name, version);
    return 0;
}

/* The members are endpoints of a service "cluster": forced-up is a voter. */
unsigned cluster_members(const struct intent *intent, struct replica_member *ret, unsigned max)
{
    uint32_t count;
    unsigned found = 0;
    struct intent_object *const *list = intent_list(intent, INTENT_ENDPOINT, &count);
    for (uint32_t i = 0; i < count && found < max; i++)
        if (!strncmp(list[i]->name, "cluster/", 8))
            ret[found++] = (struct replica_member){strtoull(list[i]->name + 8, NULL, 10),
                                                   list[i]->state == ADMIN_FORCED_UP};
    return found;
}

static unsigned machine_members(void *context, struct replica_member *ret, unsigned max)
{
    const struct sim_node *n = context;
    unsigned found = 0;
    if (n->intent.version)
        return cluster_members(&n->intent, ret, max);
    for (unsigned i = 0; i < n->cluster->node_count && i < max; i++) /* whoever it is linked to */
        ret[found++] = (struct replica_member){n->cluster->nodes[i].id, false};
    return found;
}

static const char *machine_name(void *context, uint64_t id)
{
    struct sim_node *n = context;
    const struct sim_node *other = node_find(n->cluster, id);
    return other ? other->name : "?";
}

/* ---- port ---- */

static int64_t port_now(void *context)
{
    return ((struct sim_node *)context)->cluster->now;
}

static int64_t port_wall(void *context)
{
    const struct sim_node *n = context;
    return WALL_START_MS + n->cluster->now + n->wall_offset_ms;
}

static uint64_t port_random(void *context)
{
    return random_u64(&((struct sim_node *)context)->cluster->world);
}

static void port_work(void *context, struct replica_work *work)
{
    struct sim_node *n = context;
    struct cluster *c = n->cluster;
    int64_t took = TURN_MS + random_below(&c->world, 4 * n->slow);
    sim_disk_begin(&n->disk);
    work->run(work); /* what it did counts once it is done: see sim_disk_stop */
    sim_disk_written(&n->disk);
    sim_event_add(c, (struct sim_event){.at = c->now + took,
                                        .kind = EVENT_WORKED,
                                        .node = number(n),
                                        .life = n->life,
                                        .work = work});
}

static bool is_linked(const struct cluster *c, unsigned a, unsigned b)
{
    const struct sim_node *x = &c->nodes[a], *y = &c->nodes[b];
    return x->up && y->up && !x->expelled && !y->expelled && !c->cut[a][b] && !c->cut[b][a];
}

static bool port_linked(void *context, uint64_t node)
{
    struct sim_node *n = context, *other = node_find(n->cluster, node);
    return other && is_linked(n->cluster, number(n), number(other));
}

/* Requests keep their order on a link; libraft's messages may not. */
static int64_t arrival(struct cluster *c, unsigned from, unsigned to, enum replica_channel channel)
{
    int64_t at =
        c->now + c->delay_ms[from][to] + random_below(&c->network, c->delay_ms[from][to] / 2 + 2);
    bool late = channel == REPLICA_RAFT && random_below(&c->network, 100) < c->disorder_percent;
    if (late)
        return at + random_below(&c->network, 200);
    if (at < c->arrived[from][to])
        at = c->arrived[from][to];
    c->arrived[from][to] = at;
    return at;
}

static int port_send(void *context, uint64_t node, enum replica_channel channel, const void *data,
                     size_t size)
{
    struct sim_node *n = context, *other = node_find(n->cluster, node);
    struct cluster *c = n->cluster;
    if (!other || !other->up || other->expelled || n->expelled || c->cut[number(n)][number(other)])
        return ERR_MISSING;
    if (channel == REPLICA_RAFT && random_below(&c->network, 100) < c->loss_percent)
        return 0;
    struct sim_event e = {.at = arrival(c, number(n), number(other), channel),
                          .kind = EVENT_MESSAGE,
                          .node = number(other),
                          .life = other->life,
                          .from = n->id,
                          .channel = channel,
                          .data = mem_new(size + 1, 1),
                          .size = size};
    memcpy(e.data, data, size);
    sim_event_add(c, e);
    return 0;
}

void table_send(struct sim_node *n, uint64_t to, const void *data, size_t size)
{
    struct sim_node *other = node_find(n->cluster, to);
    struct cluster *c = n->cluster;
    if (!port_linked(n, to) || random_below(&c->paths, 100) < c->loss_percent)
        return;
    unsigned delay = c->delay_ms[number(n)][number(other)];
    struct sim_event e = {.at = c->now + delay + random_below(&c->paths, delay + 2),
                          .kind = EVENT_TABLE,
                          .node = number(other),
                          .life = other->life,
                          .from = n->id,
                          .data = mem_new(size + 1, 1),
                          .size = size};
    memcpy(e.data, data, size);
    sim_event_add(c, e);
}

/* ---- life ---- */

void links_note(struct cluster *c, unsigned a, unsigned b)
{
    bool up = is_linked(c, a, b);
    if (c->nodes[a].up)
        replica_linked(c->nodes[a].replica, c->nodes[b].id, up);
    if (c->nodes[b].up)
        replica_linked(c->nodes[b].replica, c->nodes[a].id, up);
}

static void all_links_note(struct sim_node *n)
{
    for (unsigned i = 0; i < n->cluster->node_count; i++)
        if (i != number(n))
            links_note(n->cluster, number(n), i);
}

void node_start(struct sim_node *n)
{
    struct cluster *c = n->cluster;
    n->port = (struct replica_port){.context = n,
                                    .now_ms = port_now,
                                    .wall_ms = port_wall,
                                    .random = port_random,
                                    .work = port_work,
                                    .send = port_send,
                                    .linked = port_linked};
    sim_disk_port(&n->disk, &n->port.disk);
    n->machine = (struct replica_machine){
        n, machine_apply, machine_encode, machine_decode, machine_members, machine_name};
    n->life++;
    n->up = true;
    n->paused_until = 0;
    n->halted = false;
    n->chain = 0;
    struct replica_options o = {.id = n->id,
                                .port = &n->port,
                                .machine = &n->machine,
                                .snapshot_entries = SNAPSHOT_ENTRIES,
                                .trailing_entries = TRAILING_ENTRIES,
                                .segment_max = SEGMENT_MAX};
    n->replica = replica_new(&o);
    struct replica_view v;
    replica_look(n->replica, &v);
    if (v.state == REPLICA_HALTED && !n->ruined && !n->disk.full &&
        !is_sabotaged(n, SABOTEUR_LYING_DISK))
        cluster_wrong(c, "node %s halts on a disk that was only stopped: %s", n->name, v.halted);
    sim_event_add(c, (struct sim_event){.at = c->now + 1 + random_below(&c->world, REPLICA_BEAT_MS),
                                        .kind = EVENT_TICK,
                                        .node = number(n),
                                        .life = n->life});
    all_links_note(n);
    planner_start(n);
}

static void closed(void *context)
{
    *(bool *)context = true;
}

/* The process is gone from one moment to the next: nothing that it would still have said or written
 * comes out. What libraft holds is given back by closing it behind closed doors. */
void node_stop(struct sim_node *n, bool machine)
{
    bool gone = false;
    struct replica_work *work = NULL;
    struct cluster *c = n->cluster;
    planner_stop(n, machine);
    if (machine || n->disk.undo_count)
        sim_disk_stop(&n->disk);
    n->up = false;
    struct sim_disk disk = n->disk;
    n->disk = (struct sim_disk){.full = true, .random = disk.random};
    for (size_t i = 0; i < c->heap_count; i++)
        if (c->heap[i].kind == EVENT_WORKED && c->heap[i].node == number(n) &&
            c->heap[i].life == n->life)
            work = c->heap[i].work;
    n->life++;
    bool expelled = n->expelled;
    n->expelled = true; /* sends nothing */
    replica_close(n->replica, closed, &gone);
    if (!gone && work)
        work->done(work);
    invariant(gone);
    replica_free(n->replica);
    n->replica = NULL;
    sim_disk_wipe(&n->disk);
    n->disk = disk;
    n->expelled = expelled;
    intent_done(&n->intent);
    if (is_sabotaged(n, SABOTEUR_FORGOTTEN_VOTE)) {
        struct replica_disk files;
        sim_disk_port(&n->disk, &files);
        (void)files.remove(files.context, "vote-0");
        (void)files.remove(files.context, "vote-1");
    }
    all_links_note(n);
}

struct sim_node *node_add(struct cluster *c)
{
    if (c->node_count == CLUSTER_NODES_MAX)
        return NULL;
    struct sim_node *n = &c->nodes[c->node_count++];
    *n = (struct sim_node){.cluster = c, .id = c->node_count, .slow = 1};
    snprintf(n->name, sizeof n->name, "n%u", c->node_count);
    n->disk.random = &c->world;
    n->disk.lies = c->saboteur == SABOTEUR_LYING_DISK;
    n->disk.torn = &c->seen[SEEN_TAILS_TORN];
    n->disk.cut = &c->seen[SEEN_WRITES_CUT];
    planner_new(n);
    for (unsigned i = 0; i < c->node_count; i++) {
        unsigned delay = 1 + random_below(&c->network, 60);
        c->delay_ms[number(n)][i] = c->delay_ms[i][number(n)] = delay;
    }
    return n;
}
