#include "sim/crowd.h"

#include "base/invariant.h"
#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_MAX (1 << 20)

/* The maps of the first node's configuration, each a file of the plan behind the zone. */
static void files_make(struct crowd *c)
{
    struct decide_files *f = &c->files;
    int *const places[NETMAP_KINDS] = {&f->geo, &f->collections, &f->latency, &f->sites};
    const struct netmap **const maps[NETMAP_KINDS] = {&f->geo_map, &f->collections_map,
                                                      &f->latency_map, &f->sites_map};
    struct text problems = text_init(TRACE_MAX);
    int err = netmap_of_config(c->nodes[0].config, c->maps, &problems);
    if (err)
        fprintf(stderr, "%s", text_string(&problems));
    invariant(!err);
    text_done(&problems);
    c->list[0] = (struct plan_file){.kind = PLAN_FILE_ZONE, .hash = 1};
    c->names[0] = "example.com";
    *f = (struct decide_files){.files = c->list, .names = c->names, .file_count = 1};
    for (unsigned i = 0; i < NETMAP_KINDS; i++) {
        *places[i] = CONFIG_NONE;
        if (!c->maps[i].data)
            continue;
        *places[i] = (int)f->file_count;
        *maps[i] = &c->maps[i].map;
        c->names[f->file_count] = netmap_kind_name((enum netmap_kind)i);
        c->list[f->file_count] = (struct plan_file){
            .kind = PLAN_FILE_NETMAP, .name = f->file_count, .hash = c->maps[i].map.hash};
        c->views[f->file_count++] = &c->maps[i].map;
    }
}

/* ---- nodes ---- */

static void node_init(struct crowd *c, uint32_t i, const struct crowd_place *place,
                      const char *rest)
{
    struct crowd_node *n = &c->nodes[i];
    n->id = 10 + i;
    n->boot = n->life = 100 + i;
    n->clock = (usec_t)(1000 + random_below(&c->random, 100000)) * USEC_PER_SEC;
    n->phase = random_below(&c->random, 1000 / CROWD_TICK_MS) * CROWD_TICK_MS * USEC_PER_MSEC;
    crowd_node_init(n, crowd_config(place, rest), &c->random);
    invariant(i == 0 || n->target_count == c->target_count);
    c->target_count = n->target_count;
}

void crowd_init(struct crowd *c, const struct crowd_place *places, uint32_t count, const char *rest,
                uint64_t seed)
{
    *c = (struct crowd){.node_count = count,
                        .random = random_init(seed),
                        .base_us = 10 * USEC_PER_MSEC,
                        .trace = text_init(TRACE_MAX)};
    invariant(count <= CROWD_NODES_MAX);
    for (uint32_t i = 0; i < count; i++)
        node_init(c, i, &places[i], rest);
    files_make(c);
    usec_t common = random_below(&c->random, (uint32_t)USEC_PER_MIN);
    for (uint32_t i = 0; i < count; i++)
        crowd_node_move(&c->nodes[i], (struct schedule_place){common + c->nodes[i].clock, i, count},
                        0);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < count; k++)
            if (k != i) {
                int err = vantages_member(&c->nodes[i].vantages, c->nodes[k].id, places[k].node,
                                          places[k].site, places[k].network);
                invariant(!err);
            }
}

void crowd_done(struct crowd *c)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        config_free(c->nodes[i].config);
        crowd_node_done(&c->nodes[i]);
    }
    free(c->messages);
    netmap_bytes_done(c->maps);
    text_done(&c->trace);
}

void crowd_clocks_apart(struct crowd *c)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        usec_t origin = random_below(&c->random, (uint32_t)USEC_PER_MIN);
        crowd_node_move(&c->nodes[i], (struct schedule_place){origin, i, c->node_count}, c->time);
    }
}

/* ---- tables ---- */

/* A link keeps the order. */
static void message_send(struct crowd *c, uint32_t from, uint32_t to, const uint8_t *bytes,
                         size_t size)
{
    enum { DELAY_MOST_MS = 120 };
    c->bytes += size;
    if (c->cut[from][to] || c->nodes[from].silent)
        return;
    c->messages =
        mem_grow(c->messages, c->message_count, &c->message_capacity, sizeof *c->messages);
    struct crowd_message *m = &c->messages[c->message_count++];
    usec_t due = c->time + (10 + random_below(&c->random, DELAY_MOST_MS)) * USEC_PER_MSEC;
    c->arrival[from][to] = m->due = due > c->arrival[from][to] ? due : c->arrival[from][to];
    m->to = to;
    m->from = c->nodes[from].id;
    m->size = size;
    memcpy(m->bytes, bytes, size);
}

static void slice_send(struct crowd *c, uint32_t i)
{
    struct crowd_node *n = &c->nodes[i];
    struct sample_head head = crowd_node_head(n, c->time, CROWD_WALL_START + c->time);
    if (c->sabotage == SABOTAGE_SURE)
        head.health = 0;
    if (c->sabotage == SABOTAGE_NAMES)
        snprintf(head.network, sizeof head.network, "AS-own-%u", i);
    uint8_t bytes[SAMPLE_PART_SIZE_MAX];
    size_t size = sample_slice_encode(&head, n->entries, n->turns.slice, bytes);
    for (uint32_t k = 0; k < c->node_count; k++)
        if (k != i)
            message_send(c, i, k, bytes, size);
}

static void messages_deliver(struct crowd *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->message_count; i++) {
        struct crowd_message *m = &c->messages[i];
        struct crowd_node *n = &c->nodes[m->to];
        if (m->due > c->time) {
            if (kept != i)
                c->messages[kept] = *m;
            kept++;
            continue;
        }
        if (n->stopped)
            continue;
        int err = vantages_take(&n->vantages, m->from, m->bytes, m->size, c->time + n->clock,
                                CROWD_WALL_START + c->time);
        invariant(!err);
    }
    c->message_count = kept;
}

/* ---- time ---- */

static void node_step(struct crowd *c, uint32_t i)
{
    struct crowd_node *n = &c->nodes[i];
    struct decide_output out;
    crowd_node_step(n, &n->intent, &c->files, c->time, CROWD_WALL_START + c->time, &out);
    for (uint32_t k = 0; k < out.event_count; k++) {
        const struct decide_event *e = &out.events[k];
        n->downs += e->kind == EVENT_VERDICT && n->plan.targets[e->target].state == VERDICT_DOWN;
        if (i == 0)
            text_appendf(&c->trace, "%7.1f  %s\n", (double)c->time / (double)USEC_PER_SEC,
                         e->sentence);
    }
}

static void tick(struct crowd *c)
{
    c->time += CROWD_TICK_MS * USEC_PER_MSEC;
    messages_deliver(c);
    for (uint32_t i = 0; i < c->node_count; i++) {
        struct crowd_node *n = &c->nodes[i];
        usec_t at = c->time + n->phase;
        if (n->stopped)
            continue;
        crowd_node_probe(n, c->time, c->base_us, &c->random);
        if (at % (CROWD_BEAT_MS * USEC_PER_MSEC))
            continue;
        node_step(c, i);
        slice_send(c, i); /* a beat is as long as a slice */
    }
}

void crowd_run(struct crowd *c, usec_t span)
{
    for (usec_t end = c->time + span; c->time < end;)
        tick(c);
}

void crowd_ways(struct crowd *c, uint32_t node, uint32_t target, enum reason reason,
                unsigned permille)
{
    for (uint32_t i = 0; i < c->node_count; i++)
        for (uint32_t t = 0; t < c->target_count; t++)
            if ((node == UINT32_MAX || node == i) && (target == UINT32_MAX || target == t)) {
                c->nodes[i].ways[t].reason = (uint8_t)reason;
                c->nodes[i].ways[t].permille = permille;
            }
}

void crowd_slow(struct crowd *c, uint32_t node, uint32_t target, unsigned percent)
{
    for (uint32_t i = 0; i < c->node_count; i++)
        for (uint32_t t = 0; t < c->target_count; t++)
            if ((node == UINT32_MAX || node == i) && (target == UINT32_MAX || target == t))
                c->nodes[i].ways[t].slow = percent;
}

void crowd_drop(struct crowd *c, uint32_t node, uint32_t target, unsigned permille)
{
    for (uint32_t i = 0; i < c->node_count; i++)
        for (uint32_t t = 0; t < c->target_count; t++)
            if ((node == UINT32_MAX || node == i) && (target == UINT32_MAX || target == t))
                c->nodes[i].ways[t].drop = permille;
}

static bool all_have(const struct crowd *c, uint32_t target, int state, int finding)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        const struct crowd_node *n = &c->nodes[i];
        if (n->stopped)
            continue;
        if (state >= 0 && n->plan.targets[target].state != state)
            return false;
        if (finding >= 0 && (!n->plan.view_count || n->plan.views[target].finding != finding))
            return false;
    }
    return true;
}

static usec_t run_until(struct crowd *c, uint32_t target, int state, int finding, usec_t most)
{
    usec_t start = c->time;
    while (c->time - start < most) {
        tick(c);
        if (all_have(c, target, state, finding))
            return c->time - start;
    }
    return -1;
}

usec_t crowd_until(struct crowd *c, uint32_t target, enum verdict_state state, usec_t most)
{
    return run_until(c, target, (int)state, -1, most);
}

usec_t crowd_until_finding(struct crowd *c, uint32_t target, enum finding finding, usec_t most)
{
    return run_until(c, target, -1, (int)finding, most);
}
