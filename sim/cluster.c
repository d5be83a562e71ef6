#include "sim/cluster.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUIET_MS = 1500,
    FAULT_EVERY_MS = 150, /* up to eight times as much, by the seed */
    OPERATE_EVERY_MS = 80,
    PATH_EVERY_MS = 700,
    SETTLE_MS = 1000,
    LAST_TRIES = 3, /* a full disk is looked at again after 4 s, and an election follows */
    ROTS_MAX = 2,
    CLOCK_STEP_MS = 10000, /* mostly; else */
    CLOCK_STEP_MOST_MS = 60000,
};

const char *cluster_saboteur_name(enum cluster_saboteur s)
{
    static const char *const names[] = {
        "none",  "lying-disk", "forgotten-vote", "no-rules",       "no-tokens", "own-clock",
        "empty", "torn-plan",  "blind-reader",   "forgotten-plan", "stubborn",  "hasty"};
    return names[s];
}

const char *cluster_seen_name(enum cluster_seen s)
{
    static const char *const names[] = {
#define SEEN(name, text) text,
#include "sim/cluster_seen.h"
#undef SEEN
    };
    return names[s];
}

/* ---- events, the earliest first ---- */

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void swap(struct sim_event *a, struct sim_event *b)
{
    struct sim_event t = *a;
    *a = *b;
    *b = t;
}

void sim_event_add(struct cluster *c, struct sim_event e)
{
    e.order = c->order++;
    c->heap = mem_grow(c->heap, c->heap_count, &c->heap_capacity, sizeof *c->heap);
    size_t i = c->heap_count++;
    c->heap[i] = e;
    for (; i && is_before(&c->heap[i], &c->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&c->heap[i], &c->heap[(i - 1) / 2]);
}

static struct sim_event event_take(struct cluster *c)
{
    struct sim_event first = c->heap[0];
    c->heap[0] = c->heap[--c->heap_count];
    for (size_t i = 0;;) {
        size_t least = i, left = 2 * i + 1;
        for (size_t k = left; k < left + 2 && k < c->heap_count; k++)
            if (is_before(&c->heap[k], &c->heap[least]))
                least = k;
        if (least == i)
            return first;
        swap(&c->heap[i], &c->heap[least]);
        i = least;
    }
}

/* ---- faults ---- */

static void cut(struct cluster *c, unsigned a, unsigned b, bool is)
{
    if (a == b || c->cut[a][b] == is)
        return;
    c->cut[a][b] = is;
    links_note(c, a, b);
}

static void cuts_heal(struct cluster *c)
{
    for (unsigned a = 0; a < c->node_count; a++)
        for (unsigned b = 0; b < c->node_count; b++)
            cut(c, a, b, false);
}

/* Two halves, or one direction of one link, or a node from all others in one direction. */
static void cut_some(struct cluster *c)
{
    unsigned kind = random_below(&c->faults, 3), x = random_below(&c->faults, c->node_count);
    uint64_t halves = random_u64(&c->faults);
    c->seen[kind == 0 ? SEEN_HALVES : kind == 1 ? SEEN_MUTE : SEEN_ONE_WAY]++;
    for (unsigned a = 0; a < c->node_count; a++)
        for (unsigned b = 0; b < c->node_count; b++)
            if (kind == 0   ? (halves >> a & 1) != (halves >> b & 1)
                : kind == 1 ? a == x
                            : a == x && b == halves % c->node_count)
                cut(c, a, b, true);
}

static unsigned ruined(const struct cluster *c)
{
    unsigned count = 0;
    for (unsigned i = 0; i < c->node_count; i++)
        count += c->nodes[i].ruined;
    return count;
}

static void stop(struct cluster *c, struct sim_node *n, bool rot)
{
    struct replica_view v;
    bool machine = random_below(&c->faults, 2);
    rot = rot && ruined(c) < ROTS_MAX && cluster_is_calm(c);
    replica_look(n->replica, &v);
    c->seen[SEEN_LEADERS_LOST] += v.state == REPLICA_LEADS;
    c->seen[machine ? SEEN_MACHINES_STOPPED : SEEN_PROCESSES_STOPPED]++;
    node_stop(n, machine);
    if (c->saboteur == SABOTEUR_HASTY && random_below(&c->faults, 2)) {
        sim_disk_wipe(&n->disk);
    } else if (rot && sim_disk_rot(&n->disk)) {
        n->ruined = true;
        c->seen[SEEN_ROTS]++;
    }
    cluster_say(c, "%s stops%s", n->name, n->ruined ? ", its disk is damaged" : "");
}

static void hand_over(struct cluster *c, struct sim_node *n)
{
    struct replica_view v;
    replica_look(n->replica, &v);
    c->seen[SEEN_HAND_OVERS] += v.state == REPLICA_LEADS;
    replica_hand_over(n->replica);
}

static void clock_step(struct cluster *c, struct sim_node *n)
{
    uint32_t most = random_below(&c->faults, 4) ? CLOCK_STEP_MS : CLOCK_STEP_MOST_MS;
    n->wall_offset_ms = (int64_t)random_below(&c->faults, 2 * most) - most;
    c->seen[SEEN_CLOCK_STEPS]++;
}

static void fault_at(struct cluster *c, struct sim_node *n)
{
    switch (random_below(&c->faults, 9)) {
    case 0:
    case 1:
    case 2:
        stop(c, n, random_below(&c->faults, 12) == 0);
        break;
    case 3:
        c->seen[SEEN_PAUSES]++;
        n->paused_until = c->now + 50 + random_below(&c->faults, 2500);
        break;
    case 4:
        c->seen[SEEN_SLOW]++;
        n->slow = 1 + random_below(&c->faults, 60);
        break;
    case 5:
        clock_step(c, n);
        break;
    case 6:
        n->disk.full = random_below(&c->faults, 4) == 0;
        c->seen[SEEN_FULL] += n->disk.full;
        cluster_say(c, "the disk of %s is%s full", n->name, n->disk.full ? "" : " not");
        break;
    case 7:
        hand_over(c, n);
        break;
    default:
        c->loss_percent = random_below(&c->faults, 4) ? 0 : random_below(&c->faults, 30);
        c->disorder_percent = random_below(&c->faults, 2) ? 0 : random_below(&c->faults, 30);
        c->seen[SEEN_LOSSES] += c->loss_percent || c->disorder_percent;
        break;
    }
}

static void fault(struct cluster *c)
{
    struct sim_node *n = &c->nodes[random_below(&c->faults, c->node_count)];
    unsigned what = random_below(&c->faults, 10);
    if (what < 2)
        cut_some(c);
    else if (what < 4)
        cuts_heal(c);
    else if (!n->up && !n->expelled) {
        n->disk.full = false;
        cluster_say(c, "%s starts", n->name);
        node_start(n);
    } else if (n->up)
        fault_at(c, n);
}

static bool has_halted(const struct sim_node *n)
{
    struct replica_view v;
    replica_look(n->replica, &v);
    return v.state == REPLICA_HALTED;
}

static void halted_note(struct sim_node *n)
{
    bool is = has_halted(n);
    n->cluster->seen[SEEN_HALTS] += is && !n->halted;
    n->cluster->seen[n->ruined ? SEEN_BEGUN_ANEW : SEEN_REVIVALS] += n->halted && !is;
    if (n->halted && !is)
        n->ruined = false;
    n->halted = is;
}

/* Do the others know it as one that follows? Then it begins anew by itself. */
static bool is_demoted(struct cluster *c, const struct sim_node *n)
{
    for (unsigned i = 0; i < c->node_count; i++) {
        struct replica_view v;
        const struct sim_node *other = &c->nodes[i];
        if (!other->up || other->expelled)
            continue;
        replica_look(other->replica, &v);
        const struct intent_object *o = cluster_member(other, n->id);
        if (v.state == REPLICA_LEADS)
            return o && o->state != ADMIN_FORCED_UP;
    }
    return false;
}

/* Nodes that stand are started, as their supervisors and operators do it; whose disk is ruined is
 * given up. */
static void restart(struct cluster *c)
{
    for (unsigned i = 0; i < c->node_count; i++) {
        struct sim_node *n = &c->nodes[i];
        if (n->expelled)
            continue;
        if (!n->up)
            node_start(n);
        n->expelled = n->ruined && has_halted(n) && !is_demoted(c, n);
    }
}

static void heal(struct cluster *c)
{
    c->healed = true;
    c->loss_percent = c->disorder_percent = 0;
    cuts_heal(c);
    for (unsigned i = 0; i < c->node_count; i++) {
        c->nodes[i].disk.full = false;
        c->nodes[i].paused_until = 0;
        c->nodes[i].slow = 1;
    }
    cluster_path_heal(c);
    restart(c);
}

/* ---- one event ---- */

static void trace(struct cluster *c, const struct sim_event *e)
{
    uint64_t words[6] = {(uint64_t)e->at, e->kind, e->node, e->life, e->from, e->size};
    c->trace = hash64_seeded(words, sizeof words, c->trace);
    if (e->data)
        c->trace = hash64_seeded(e->data, e->size, c->trace);
}

static void event_of_node(struct cluster *c, struct sim_event *e)
{
    struct sim_node *n = &c->nodes[e->node];
    if (!n->up || e->life != n->life)
        return;
    if (n->paused_until > c->now) { /* it comes when the node goes on */
        struct sim_event later = *e;
        later.at = n->paused_until;
        sim_event_add(c, later);
        e->data = NULL;
        return;
    }
    if (e->kind == EVENT_TICK) {
        replica_tick(n->replica);
        halted_note(n);
        sim_event_add(c, (struct sim_event){.at = c->now + REPLICA_BEAT_MS,
                                            .kind = EVENT_TICK,
                                            .node = e->node,
                                            .life = n->life});
    } else if (e->kind == EVENT_MESSAGE) {
        if (!n->expelled && node_find(c, e->from) && !node_find(c, e->from)->expelled)
            replica_take(n->replica, e->from, e->channel,
                         (struct bytes){(const uint8_t *)e->data, e->size});
    } else if (e->kind == EVENT_WORKED) {
        sim_disk_end(&n->disk);
        e->work->done(e->work);
    } else if (e->kind == EVENT_PLAN) {
        planner_beat(n);
    } else if (e->kind == EVENT_TABLE) {
        c->seen[SEEN_TABLES]++;
        planner_take(n, e->from, e->data, e->size);
    } else {
        planner_disk(n);
    }
}

/* Once more after up to twice as long. */
static void event_again(struct cluster *c, enum sim_event_kind kind, struct random *random,
                        unsigned every_ms)
{
    sim_event_add(
        c, (struct sim_event){.at = c->now + 1 + random_below(random, 2 * every_ms), .kind = kind});
}

static void event_run(struct cluster *c, struct sim_event *e)
{
    if (e->kind == EVENT_SERVE) {
        serve_look(&c->nodes[e->node]);
    } else if (e->kind == EVENT_FAULT) {
        if (c->healed)
            restart(c);
        else
            fault(c);
        event_again(c, EVENT_FAULT, &c->faults, c->fault_every_ms);
    } else if (e->kind == EVENT_OPERATOR && !c->healed) {
        cluster_operate(c);
        event_again(c, EVENT_OPERATOR, &c->operators, OPERATE_EVERY_MS);
    } else if (e->kind == EVENT_PATH && !c->healed) {
        cluster_path(c);
        event_again(c, EVENT_PATH, &c->paths, PATH_EVERY_MS);
    } else if (e->kind != EVENT_OPERATOR && e->kind != EVENT_PATH) {
        event_of_node(c, e);
    }
}

static void run_until(struct cluster *c, int64_t until)
{
    while (c->heap_count && c->heap[0].at <= until && !c->why.length) {
        struct sim_event e = event_take(c);
        c->now = e.at;
        trace(c, &e);
        event_run(c, &e);
        check_leaders(c);
        free(e.data);
    }
    c->now = until;
}

/* ---- a run ---- */

static void begin(struct cluster *c)
{
    struct intent founding = {0};
    struct replica_disk disk;
    operator_found(&founding, &c->world);
    char *text = intent_encode(&founding);
    unsigned members = 0;
    for (uint32_t i = 0; i < founding.object_count; i++)
        members += founding.objects[i]->kind == INTENT_ENDPOINT;
    struct sim_node *first = node_add(c);
    sim_disk_port(&first->disk, &disk);
    int err = replica_found(&disk, first->id, (struct bytes){(const uint8_t *)text, strlen(text)});
    invariant(!err);
    c->chains[founding.version] = chain_of(&founding);
    free(text);
    intent_done(&founding);
    node_start(first);
    while (c->node_count < members)
        node_start(node_add(c));
    sim_event_add(c, (struct sim_event){.at = QUIET_MS, .kind = EVENT_FAULT});
    sim_event_add(c, (struct sim_event){.at = QUIET_MS, .kind = EVENT_OPERATOR});
    sim_event_add(c, (struct sim_event){.at = QUIET_MS, .kind = EVENT_PATH});
}

/* Whoever begins anew has not heard of one yet. */
static bool knows_leader(const struct sim_node *n)
{
    struct replica_view v;
    replica_look(n->replica, &v);
    return v.leader;
}

/* Healed: one more change has to be taken, by any node that has a leader. */
static void last_request(struct cluster *c)
{
    for (unsigned i = 0; i < c->node_count && !c->last; i++)
        if (c->nodes[i].up && !c->nodes[i].expelled && knows_leader(&c->nodes[i])) {
            c->last = op_new(c, "\"op\":\"change\",\"edits\":[{\"kind\":\"endpoint\",\"name\":"
                                "\"api.example.com/last\",\"value\":{\"state\":\"drained\"}}]");
            op_submit(c->last, i);
        }
}

static void clocks_heal(struct cluster *c)
{
    for (unsigned i = 0; i < c->node_count; i++)
        c->nodes[i].wall_offset_ms = 0;
}

static void heal_run(struct cluster *c)
{
    heal(c);
    for (unsigned tries = 0; tries < LAST_TRIES; tries++) {
        run_until(c, CLUSTER_CHAOS_MS + CLUSTER_HEAL_MS / 2 + tries * SETTLE_MS);
        if (tries)
            clocks_heal(c);
        if (!c->why.length)
            last_request(c);
    }
    run_until(c, CLUSTER_CHAOS_MS + CLUSTER_HEAL_MS);
}

bool cluster_run(struct cluster *c, uint64_t seed, enum cluster_saboteur saboteur, bool talk)
{
    struct random all = random_init(seed);
    *c = (struct cluster){.seed = seed, .saboteur = saboteur, .talk = talk};
    c->why = text_init(CLUSTER_WHY_MAX);
    c->network = random_init(random_u64(&all));
    c->faults = random_init(random_u64(&all));
    c->operators = random_init(random_u64(&all));
    c->world = random_init(random_u64(&all));
    c->paths = random_init(random_u64(&all));
    c->fault_every_ms = FAULT_EVERY_MS << random_below(&c->world, 4);
    begin(c);
    run_until(c, CLUSTER_CHAOS_MS);
    heal_run(c);
    if (!c->why.length)
        check_end(c);
    return !c->why.length;
}

void cluster_done(struct cluster *c)
{
    for (unsigned i = 0; i < c->node_count; i++) {
        if (c->nodes[i].up)
            node_stop(&c->nodes[i], false);
        sim_disk_wipe(&c->nodes[i].disk);
        planner_free(&c->nodes[i]);
    }
    for (size_t i = 0; i < c->heap_count; i++)
        free(c->heap[i].data);
    for (unsigned i = 0; i < c->op_count; i++)
        free(c->ops[i].request);
    free(c->heap);
    text_done(&c->why);
}
