/* The data plane of a node, and what has to hold of plans, whatever happens:
 *
 *  9. no plan leaves a service without an answer, but where its operators disabled all of it
 *                                                                            plan_check
 * 10. whoever reads takes every plan that got its name, whole and as it was made
 *                                                                            serve_look
 * 11. generations rise, and none is the name of two plans; a start anew of any process takes
 * nothing back, and a stop of the machine nothing that had been confirmed        serve_look
 * 12. once a node has published it answers, with control dead too            serve_check
 * 13. healed, all members choose alike in time                               plans_check */
#include "sim/cluster_plan.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "seam/disk.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- plans ---- */

static bool is_empty(const struct plan *p, uint32_t index)
{
    if (index >= p->choice_count)
        return true;
    const struct plan_choice *c = &p->choices[index];
    if (c->kind == CHOICE_ADDRESSES)
        return !c->count;
    bool empty = c->kind != CHOICE_WEIGHTED || !c->count;
    for (uint32_t i = 0; i < c->count && !empty; i++)
        empty = is_empty(p, p->branches[c->first + i].choice);
    return empty;
}

static bool is_disabled(const struct plan *p, const struct plan_service *s)
{
    for (uint32_t i = 0; i < s->endpoint_count; i++) {
        const struct plan_endpoint *e = &p->endpoints[s->endpoint_first + i];
        if (e->admin != ADMIN_DISABLED &&
            (e->nested == PLAN_NONE || !is_disabled(p, &p->services[e->nested])))
            return false;
    }
    return true;
}

void plan_check(struct sim_node *n, const struct plan *p, const char *which)
{
    struct cluster *c = n->cluster;
    if (p->service_count != 3)
        cluster_wrong(c, "%s %s a plan of %u services", n->name, which, p->service_count);
    for (uint32_t i = 0; i < p->service_count; i++) {
        const struct plan_service *s = &p->services[i];
        const struct plan_face *f = &s->faces[IP_V4];
        c->seen[SEEN_FAIL_OPEN] += f->mode == FACE_PREFERRED;
        c->seen[SEEN_REMOVALS_HELD] += f->velocity_held;
        if (is_empty(p, f->choice) && !is_disabled(p, s))
            cluster_wrong(c, "%s %s plan %llu, in which %s has no answer", n->name, which,
                          (unsigned long long)p->generation, plan_text(p, s->name));
    }
    for (uint32_t i = 1; i < p->vantage_count; i++)
        c->seen[SEEN_SILENT] += p->vantages[i].state == VANTAGE_SILENT;
}

/* ---- the data plane ---- */

static void refused(void *context, const char *path, int err, const char *where)
{
    struct sim_node *n = context;
    n->cluster->seen[SEEN_PLANS_REFUSED]++;
    if (!n->planner->rotten)
        cluster_wrong(n->cluster, "%s is refused: %s, %s", path, err_text(err), where);
}

void made_note(struct sim_node *n, uint64_t generation, const struct plan_entry *file)
{
    struct planner *p = n->planner;
    uint64_t hash = hash64(file->data, file->size);
    invariant(generation < PLAN_GENERATIONS_MAX);
    if (p->shown[generation] && p->made[generation] != hash)
        cluster_wrong(n->cluster, "%s gives two plans the name %llu", n->name,
                      (unsigned long long)generation);
    p->made[generation] = hash;
}

static void shown_check(struct sim_node *n, const struct mapped *file, uint64_t generation)
{
    struct planner *p = n->planner;
    struct cluster *c = n->cluster;
    invariant(generation < PLAN_GENERATIONS_MAX);
    if (p->made[generation] != hash64(file->data, file->size))
        cluster_wrong(c, "%s serves plan %llu, which was not made so", n->name,
                      (unsigned long long)generation);
    if (generation < p->newest && !p->rotten)
        cluster_wrong(c, "%s serves plan %llu after %llu", n->name, (unsigned long long)generation,
                      (unsigned long long)p->newest);
    if (generation < p->confirmed && !p->rotten)
        cluster_wrong(c, "%s serves plan %llu, and had published %llu", n->name,
                      (unsigned long long)generation, (unsigned long long)p->confirmed);
    p->shown[generation] = true;
    p->newest = generation > p->newest ? generation : p->newest;
}

/* A reader without its checks, for the saboteur: whatever has the highest name. */
static int blind_load(struct sim_node *n, struct mapped *ret_file, uint64_t *ret_generation)
{
    const struct plan_entry *e = plan_files_newest(&n->planner->folder.files);
    if (!e)
        return ERR_MISSING;
    *ret_generation = strtoull(strrchr(e->name, '/') + 1, NULL, 10);
    return disk_map(e->name, &ret_file->data, &ret_file->size);
}

void serve_look(struct sim_node *n)
{
    struct planner *p = n->planner;
    struct mapped file;
    struct plan plan;
    const char *where;
    uint64_t generation;
    if (!p->serves)
        return;
    plan_folder_use(&p->folder, false);
    if (n->cluster->saboteur == SABOTEUR_BLIND_READER && !blind_load(n, &file, &generation)) {
        shown_check(n, &file, generation);
        mapped_close(&p->served_file);
        p->served_file = file;
        return;
    }
    if (snapshot_load(p->data, p->served.generation, &file, &plan, refused, n))
        return;
    int err = snapshot_succeeds(p->served_file.data ? &p->served : NULL, &plan, &where);
    if (err) {
        cluster_wrong(n->cluster, "plan %llu of %s may not follow %llu: %s, %s",
                      (unsigned long long)plan.generation, n->name,
                      (unsigned long long)p->served.generation, err_text(err), where);
        mapped_close(&file);
        return;
    }
    shown_check(n, &file, plan.generation);
    mapped_close(&p->served_file);
    p->served_file = file;
    p->served = plan;
    plan_check(n, &plan, "serves");
}

void serve_stop(struct sim_node *n)
{
    mapped_close(&n->planner->served_file);
    n->planner->served = (struct plan){0};
    n->planner->serves = false;
}

static void serve_again(struct sim_node *n)
{
    serve_stop(n);
    n->planner->serves = true;
    n->cluster->seen[SEEN_SERVERS_STARTED]++;
    serve_look(n);
    serve_check(n);
}

void serve_check(struct sim_node *n)
{
    const struct planner *p = n->planner;
    if (p->serves && p->confirmed && !p->served_file.data)
        cluster_wrong(n->cluster, "%s has published plan %llu, and its data plane has none",
                      n->name, (unsigned long long)p->confirmed);
}

/* ---- all alike ---- */

static void choice_say(const struct plan *p, uint32_t index, struct text *out)
{
    const struct plan_choice *c = &p->choices[index];
    if (c->kind == CHOICE_WEIGHTED) {
        for (uint32_t i = 0; i < c->count; i++) {
            text_appendf(out, " %u:", p->branches[c->first + i].weight_end);
            choice_say(p, p->branches[c->first + i].choice, out);
        }
        return;
    }
    for (uint32_t i = 0; c->kind == CHOICE_ADDRESSES && i < c->count; i++) {
        const struct plan_target *t = &p->targets[p->addresses[c->first + i].target];
        text_appendf(out, " %s", plan_text(p, p->endpoints[t->endpoint].name));
    }
}

static void plan_say(const struct plan *p, struct text *out)
{
    for (uint32_t i = 0; i < p->service_count; i++) {
        const struct plan_face *f = &p->services[i].faces[IP_V4];
        text_appendf(out, "%s %s", plan_text(p, p->services[i].name),
                     face_mode_name((enum face_mode)f->mode));
        if (f->choice != PLAN_NONE)
            choice_say(p, f->choice, out);
        text_append(out, "; ");
    }
}

void plans_check(struct cluster *c, const struct sim_node *best)
{
    struct text expected = text_init(2000);
    plan_say(&best->planner->served, &expected);
    cluster_say(c, "answers: %s", text_string(&expected));
    for (unsigned i = 0; i < c->node_count; i++) {
        const struct sim_node *n = &c->nodes[i];
        struct text said = text_init(2000);
        if (!n->up || n->expelled || !cluster_member(best, n->id))
            continue;
        plan_say(&n->planner->served, &said);
        if (strcmp(text_string(&said), text_string(&expected)))
            cluster_wrong(c, "%d ms after all was healed %s answers %s and %s answers %s",
                          CLUSTER_HEAL_MS, best->name, text_string(&expected), n->name,
                          text_string(&said));
        text_done(&said);
    }
    text_done(&expected);
}

/* ---- what goes wrong with targets and plans ---- */

static struct sim_node *node_any(struct cluster *c)
{
    return &c->nodes[random_below(&c->paths, c->node_count)];
}

static void way_set(struct sim_node *n, uint32_t target, bool well, enum reason reason)
{
    n->planner->look.ways[target].reason = (uint8_t)reason;
    n->planner->look.ways[target].permille = well ? 0 : reason == REASON_CLOSED ? 300 : 1000;
}

static void ways_change(struct cluster *c)
{
    static const enum reason reasons[] = {REASON_CONNECT_REFUSED, REASON_CONNECT_TIMEOUT,
                                          REASON_CLOSED};
    enum reason reason = reasons[random_below(&c->paths, array_length(reasons))];
    bool well = random_below(&c->paths, 3) == 0;
    uint32_t target =
        random_below(&c->paths, 2) ? random_below(&c->paths, PLAN_TARGETS) : UINT32_MAX;
    const struct sim_node *one = random_below(&c->paths, 2) ? node_any(c) : NULL;
    for (unsigned i = 0; i < c->node_count; i++)
        for (uint32_t t = 0; t < PLAN_TARGETS; t++)
            if ((!one || one == &c->nodes[i]) && (target == UINT32_MAX || target == t))
                way_set(&c->nodes[i], t, well, reason);
}

void cluster_path(struct cluster *c)
{
    struct sim_node *n = node_any(c);
    unsigned what = random_below(&c->paths, 10);
    if (what < 8)
        ways_change(c);
    else if (what == 8 && n->planner->serves)
        serve_again(n);
    else if (what == 9 && !n->planner->rotten && plan_folder_rot(&n->planner->folder)) {
        n->planner->rotten = n->planner->look.plan.generation + SNAPSHOT_KEEP + 1;
        c->seen[SEEN_PLANS_ROTTEN]++;
    }
}

/* At most two targets are dead, the same for all. */
void cluster_path_heal(struct cluster *c)
{
    uint32_t dead = random_below(&c->paths, 2 * PLAN_TARGETS);
    uint32_t second = random_below(&c->paths, 2 * PLAN_TARGETS);
    for (unsigned i = 0; i < c->node_count; i++)
        for (uint32_t t = 0; t < PLAN_TARGETS; t++)
            way_set(&c->nodes[i], t, t != dead && t != second, REASON_CONNECT_REFUSED);
}
