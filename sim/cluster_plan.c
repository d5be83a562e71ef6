/* A node's planning: it looks at targets, tells the others what it sees, plans and publishes. */
#include "sim/cluster_plan.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BASE_US = 10 * USEC_PER_MSEC,
    SAVE_EVERY_MS = 1000,
    FIRST_ROUND_BEATS = 4,
    PROBE_STEPS = 10, /* of a beat: what is due is begun when it is */
    BEAT_SLICES = SAMPLE_SLICES * PLAN_BEAT_MS / 1000,
    ZONE_HASH = 1,
};

static const char world[] =
    "zones: [{name: example.com, file: z}]\n"
    "checks: {web: {tcp: 443, interval: 500ms, timeout: 500ms, rise: 1, hold_down: 1s}}\n"
    "services:\n"
    "  - name: api.example.com\n"
    "    policy: weighted\n"
    "    velocity: {remove: 50%, window: 1s}\n"
    "    endpoints:\n"
    "      - {name: e0, address: 10.0.0.1, region: s1, provider: p1, check: web}\n"
    "      - {name: e1, address: 10.0.0.2, region: s1, provider: p1, check: web}\n"
    "      - {name: e2, address: 10.0.0.3, region: s2, provider: p2, check: web}\n"
    "      - {name: e3, address: 10.0.0.4, region: s2, provider: p2, check: web}\n"
    "      - {name: e4, address: 10.0.0.5, region: far, provider: p3, check: web}\n"
    "      - {name: e5, address: 10.0.0.6, region: far, provider: p3}\n"
    "  - name: www.example.com\n"
    "    policy: failover\n"
    "    velocity: {remove: 50%, window: 1s}\n"
    "    endpoints:\n"
    "      - {name: w0, address: 10.0.1.1, region: s1, provider: p1, role: primary, check: web}\n"
    "      - {name: w1, address: 10.0.1.2, region: s2, provider: p2, role: secondary, check: web}\n"
    "  - name: top.example.com\n"
    "    policy: failover\n"
    "    endpoints:\n"
    "      - {name: main, service: www.example.com, role: primary}\n"
    "      - {name: spare, address: 10.0.2.1, region: far, role: secondary}\n";

static const struct plan_file zone_file = {.kind = PLAN_FILE_ZONE, .name = 0, .hash = ZONE_HASH};
static const char *const zone_name[] = {"example.com"};
const struct decide_files planner_files = {.files = &zone_file,
                                           .names = zone_name,
                                           .file_count = 1,
                                           .geo = CONFIG_NONE,
                                           .collections = CONFIG_NONE,
                                           .latency = CONFIG_NONE,
                                           .sites = CONFIG_NONE};

static unsigned number(const struct sim_node *n)
{
    return (unsigned)(n - n->cluster->nodes);
}

/* They depend on the node's number alone: read once, kept for all runs. */
static struct config *config_of(unsigned i)
{
    static struct config *configs[CLUSTER_NODES_MAX];
    char names[3][16];
    snprintf(names[0], sizeof names[0], "n%u", i + 1);
    snprintf(names[1], sizeof names[1], "s%u", i % 4 + 1);
    snprintf(names[2], sizeof names[2], "AS%u", i + 1);
    struct crowd_place place = {names[0], names[1], names[2]};
    if (!configs[i])
        configs[i] = crowd_config(&place, world);
    return configs[i];
}

/* ---- life ---- */

void planner_new(struct sim_node *n)
{
    struct planner *p = n->planner = mem_new(1, sizeof *p);
    p->folder.random = &n->cluster->paths;
    p->folder.lies = n->cluster->saboteur == SABOTEUR_TORN_PLAN;
    static unsigned made;
    snprintf(p->data, sizeof p->data, "f%u", ++made);
    p->look.id = n->id;
}

void planner_free(struct sim_node *n)
{
    serve_stop(n);
    plan_folder_wipe(&n->planner->folder);
    intent_done(&n->planner->saved);
    free(n->planner);
    n->planner = NULL;
}

static void machine_start(struct sim_node *n)
{
    struct planner *p = n->planner;
    p->look.boot++;
    p->look.clock = (usec_t)(100 + random_below(&n->cluster->paths, 10000)) * USEC_PER_SEC -
                    n->cluster->now * USEC_PER_MSEC;
    p->serves = true;
    p->newest = 0;
    memset(p->shown, 0, sizeof p->shown);
    serve_look(n);
}

static void beat_add(struct sim_node *n, int64_t after_ms)
{
    sim_event_add(n->cluster, (struct sim_event){.at = n->cluster->now + after_ms,
                                                 .kind = EVENT_PLAN,
                                                 .node = number(n),
                                                 .life = n->life});
}

void planner_start(struct sim_node *n)
{
    struct planner *p = n->planner;
    uint64_t found;
    if (!p->serves)
        machine_start(n);
    struct crowd_node fresh = {
        .id = p->look.id, .boot = p->look.boot, .clock = p->look.clock, .life = p->look.life + 1};
    memcpy(fresh.ways, p->look.ways, sizeof fresh.ways);
    p->look = fresh;
    crowd_node_init(&p->look, config_of(number(n)), &n->cluster->paths);
    struct schedule_place place = {random_below(&n->cluster->paths, (uint32_t)USEC_PER_MIN), 0, 1};
    crowd_node_move(&p->look, place, n->cluster->now * USEC_PER_MSEC);
    if (n->cluster->saboteur == SABOTEUR_FORGOTTEN_PLAN && p->look.life > 1)
        plan_folder_wipe(&p->folder);
    plan_folder_use(&p->folder, false);
    int err = snapshot_resume(p->data, &p->start_file, &p->look.plan, &found);
    invariant(!err);
    p->held = intent_share(&p->saved);
    p->followed = UINT64_MAX;
    p->steps = 0;
    p->first_round = !found;
    p->wanted = p->publishing = false;
    beat_add(n, 1 + random_below(&n->cluster->paths, PLAN_BEAT_MS));
}

void planner_stop(struct sim_node *n, bool machine)
{
    struct planner *p = n->planner;
    struct cluster *c = n->cluster;
    c->seen[SEEN_PUBLISHER_STOPS] += p->folder.write_count > 0;
    mapped_close(&p->start_file);
    crowd_node_done(&p->look);
    intent_done(&p->held);
    if (machine) {
        serve_stop(n);
        plan_folder_stop(&p->folder, &c->seen[SEEN_PLANS_TAKEN_BACK], &c->seen[SEEN_FILES_TORN]);
    } else {
        plan_folder_kill(&p->folder);
    }
}

/* ---- what is wanted ---- */

static void held_follow(struct sim_node *n)
{
    struct planner *p = n->planner;
    bool stubborn = n->cluster->saboteur == SABOTEUR_STUBBORN && number(n) == 0;
    if (n->intent.version > p->held.version && !(stubborn && p->held.version)) {
        intent_done(&p->held);
        p->held = intent_share(&n->intent);
    }
    if (p->held.version == p->saved.version || n->cluster->now < p->saved_ms + SAVE_EVERY_MS)
        return;
    intent_done(&p->saved);
    p->saved = intent_share(&p->held);
    p->saved_ms = n->cluster->now;
}

static void members_follow(struct sim_node *n)
{
    struct planner *p = n->planner;
    struct replica_member list[REPLICA_MEMBERS_MAX];
    uint64_t ids[REPLICA_MEMBERS_MAX];
    unsigned kept = 0, count = cluster_members(&p->held, list, REPLICA_MEMBERS_MAX);
    if (p->followed == p->held.version)
        return;
    p->followed = p->held.version;
    for (unsigned i = 0; i < count; i++) {
        const struct sim_node *other = node_find(n->cluster, list[i].id);
        if (!other || other == n)
            continue;
        const struct config *theirs = config_of(number(other));
        int err = vantages_member(&p->look.vantages, other->id, theirs->node_name, theirs->site,
                                  theirs->network);
        invariant(!err);
        ids[kept++] = other->id;
    }
    vantages_keep(&p->look.vantages, ids, kept);
}

/* ---- tables ---- */

/* The slices of a beat, behind one another. */
static void slices_send(struct sim_node *n)
{
    struct crowd_node *look = &n->planner->look;
    uint8_t bytes[BEAT_SLICES * SAMPLE_PART_SIZE_MAX];
    size_t size = 0;
    invariant(sample_parts(look->turns.slice) == 1);
    for (unsigned i = 0; i < BEAT_SLICES; i++) {
        struct sample_head head =
            crowd_node_head(look, n->cluster->now * USEC_PER_MSEC, n->cluster->now);
        size += sample_slice_encode(&head, look->entries, look->turns.slice, bytes + size);
    }
    for (uint32_t i = 0; i < look->vantages.count; i++)
        table_send(n, look->vantages.list[i].id, bytes, size);
}

void planner_take(struct sim_node *n, uint64_t from, const char *data, size_t size)
{
    usec_t now = n->cluster->now * USEC_PER_MSEC + n->planner->look.clock;
    int err = vantages_take(&n->planner->look.vantages, from, (const uint8_t *)data, size, now,
                            n->cluster->now);
    if (err && err != ERR_OLDER && err != ERR_REFUSED)
        cluster_wrong(n->cluster, "%s cannot read a table: %s", n->name, err_text(err));
}

/* ---- publishing, as control does it ---- */

static void disk_add(struct sim_node *n)
{
    struct cluster *c = n->cluster;
    sim_event_add(c, (struct sim_event){.at = c->now + 1 + random_below(&c->paths, 2 * n->slow + 2),
                                        .kind = EVENT_DISK,
                                        .node = number(n),
                                        .life = n->life});
}

static int publish(const char *data, const struct plan *plan)
{
    static const char zone[] = "a compiled zone";
    int err = store_put(data, PLAN_FILE_ZONE, ZONE_HASH, zone, sizeof zone);
    return err ? err : snapshot_publish(data, plan);
}

static void publish_end(struct sim_node *n)
{
    struct planner *p = n->planner;
    p->publishing = false;
    if (!p->err) {
        n->cluster->seen[SEEN_PUBLISHED]++;
        p->confirmed = p->publishing_generation;
        if (p->confirmed >= p->rotten)
            p->rotten = 0;
    } else {
        p->wanted = true;
    }
}

static void publish_begin(struct sim_node *n)
{
    struct planner *p = n->planner;
    p->wanted = true;
    if (p->publishing)
        return;
    p->wanted = false;
    p->publishing = true;
    p->publishing_generation = p->look.plan.generation;
    p->folder.full = n->disk.full;
    plan_folder_use(&p->folder, true);
    p->err = publish(p->data, &p->look.plan);
    if (!p->err)
        made_note(n, p->publishing_generation, plan_files_newest(&p->folder.ahead));
    if (p->err && p->err != -ENOSPC)
        cluster_wrong(n->cluster, "%s cannot publish plan %llu: %s", n->name,
                      (unsigned long long)p->look.plan.generation, err_text(p->err));
    if (p->folder.write_count)
        disk_add(n);
    else
        publish_end(n);
}

void planner_disk(struct sim_node *n)
{
    struct cluster *c = n->cluster;
    if (plan_folder_go(&n->planner->folder))
        sim_event_add(c, (struct sim_event){.at = c->now + random_below(&c->paths, 30),
                                            .kind = EVENT_SERVE,
                                            .node = number(n)});
    if (n->planner->folder.write_count)
        disk_add(n);
    else
        publish_end(n);
}

/* ---- the beat ---- */

/* What a saboteur makes of a plan: the first service has no answer any more. */
static void plan_empty(struct plan *p, struct plan_choice *choices)
{
    memcpy(choices, p->choices, p->choice_count * sizeof *choices);
    choices[p->services[0].faces[IP_V4].choice].kind = CHOICE_NODATA;
    p->choices = choices;
}

static void step(struct sim_node *n, struct decide_output *ret)
{
    static struct plan_choice choices[1000];
    struct planner *p = n->planner;
    struct intent wanted = p->held;
    int64_t now = n->cluster->now;
    wanted.config = p->look.config;
    for (int64_t k = PROBE_STEPS; k-- > 0;)
        crowd_node_probe(&p->look, (now - k * (PLAN_BEAT_MS / PROBE_STEPS)) * USEC_PER_MSEC,
                         BASE_US, &n->cluster->paths);
    crowd_node_step(&p->look, &wanted, &planner_files, now * USEC_PER_MSEC,
                    n->port.wall_ms(n) * USEC_PER_MSEC, ret);
    if (n->cluster->saboteur == SABOTEUR_EMPTY && random_below(&n->cluster->paths, 20) == 0) {
        plan_empty(&ret->plan, choices);
        p->look.plan = ret->plan;
    }
    n->cluster->seen[SEEN_PLAN_STEPS]++;
    plan_check(n, &ret->plan, "planned");
}

void planner_beat(struct sim_node *n)
{
    struct planner *p = n->planner;
    struct decide_output out;
    held_follow(n);
    members_follow(n);
    step(n, &out);
    if (++p->steps == 2)
        mapped_close(&p->start_file);
    if (p->first_round && p->steps == FIRST_ROUND_BEATS) {
        p->first_round = false;
        out.changes |= PLAN_ANSWERS;
    }
    if (!p->first_round && (out.changes || p->wanted))
        publish_begin(n);
    slices_send(n);
    serve_check(n);
    beat_add(n, PLAN_BEAT_MS);
}
