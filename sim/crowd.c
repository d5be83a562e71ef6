#include "sim/crowd.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/sample_own.h"
#include "model/snapshot.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALL_START (INT64_C(1760918400) * USEC_PER_SEC)
#define TRACE_MAX  (1 << 20)

static const struct plan_file plan_files[] = {{.kind = PLAN_FILE_ZONE, .name = 0, .hash = 1},
                                              {.kind = PLAN_FILE_NETMAP, .name = 1, .hash = 2}};
static const char *const file_names[] = {"example.com", "collections"};

static void files_make(struct crowd *c)
{
    const struct config *config = c->nodes[0].config;
    struct netmap_builder *b = netmap_builder_new();
    size_t size;
    for (uint32_t i = 0; i < config->collection_count; i++)
        for (uint32_t k = 0; k < config->collections[i].prefix_count; k++)
            netmap_builder_add(b, &config->collections[i].prefixes[k], i);
    c->map_bytes = netmap_builder_finish(b, &size);
    netmap_builder_free(b);
    int err = netmap_open(c->map_bytes, size, &c->map);
    invariant(!err);
    c->files = (struct decide_files){.files = plan_files,
                                     .names = file_names,
                                     .file_count = config->collection_count ? 2 : 1,
                                     .geo = CONFIG_NONE,
                                     .collections = config->collection_count ? 1 : CONFIG_NONE,
                                     .collections_map = config->collection_count ? &c->map : NULL,
                                     .latency = CONFIG_NONE};
}

/* ---- nodes ---- */

static struct config *node_config(const struct crowd_place *place, const char *rest)
{
    struct text yaml = text_init(TRACE_MAX), problems = text_init(TRACE_MAX);
    struct config *config = NULL;
    text_appendf(&yaml, "node: {name: %s, site: %s, network: %s}\n%s", place->node, place->site,
                 place->network, rest);
    int err = config_parse("crowd.yaml", text_string(&yaml), yaml.length, NULL, &problems, &config);
    if (err)
        fprintf(stderr, "%s", text_string(&problems));
    invariant(!err);
    text_done(&yaml);
    text_done(&problems);
    return config;
}

static void node_init(struct crowd *c, uint32_t i, const struct crowd_place *place,
                      const char *rest)
{
    struct crowd_node *n = &c->nodes[i];
    uint32_t count;
    n->config = node_config(place, rest);
    n->intent = (struct intent){.config = n->config, .version = 1};
    n->decider = decider_new();
    n->arena = arena_init();
    n->targets = target_list(n->config, &n->arena, &count);
    invariant(count <= CROWD_TARGETS_MAX && (i == 0 || count == c->target_count));
    c->target_count = count;
    n->identities = arena_new(&n->arena, count + 1u, sizeof *n->identities);
    n->entries = arena_new(&n->arena, count + 1u, sizeof *n->entries);
    n->probes = arena_new(&n->arena, count + 1u, sizeof *n->probes);
    n->id = 10 + i;
    n->boot = 100 + i;
    n->clock = (usec_t)(1000 + random_below(&c->random, 100000)) * USEC_PER_SEC;
    n->phase = random_below(&c->random, 1000 / CROWD_TICK_MS) * CROWD_TICK_MS * USEC_PER_MSEC;
    n->vantages = vantages_init();
    for (uint32_t t = 0; t < count; t++) {
        n->identities[t] = target_identity(n->config, &n->targets[t]);
        n->ways[t].slow = 100;
        if (n->targets[t].check)
            n->probes[t].due = random_below(&c->random, (uint32_t)n->targets[t].check->interval);
    }
    vantages_targets(&n->vantages, n->identities, count);
    n->slow = slow_new();
    slow_targets(n->slow, n->targets, n->identities, count);
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
        struct crowd_node *n = &c->nodes[i];
        decider_free(n->decider);
        vantages_done(&n->vantages);
        slow_free(n->slow);
        config_free(n->config);
        arena_done(&n->arena);
        free(n->samples);
    }
    free(c->messages);
    free(c->map_bytes);
    text_done(&c->trace);
}

/* ---- probes ---- */

static bool takes_long(enum reason reason)
{
    return reason == REASON_CONNECT_TIMEOUT || reason == REASON_TLS_TIMEOUT ||
           reason == REASON_FIRST_BYTE_TIMEOUT || reason == REASON_BODY_TIMEOUT;
}

static void probe_start(struct crowd *c, struct crowd_node *n, uint32_t i)
{
    const struct config_check *check = n->targets[i].check;
    const struct crowd_way *way = &n->ways[i];
    struct crowd_probe *p = &n->probes[i];
    bool failed = random_below(&c->random, 1000) < way->permille;
    enum reason reason = failed ? (enum reason)way->reason : REASON_OK;
    usec_t took = c->base_us + (usec_t)random_below(&c->random, (uint32_t)c->base_us);
    took = took * way->slow / 100;
    if (takes_long(reason) || took > check->timeout)
        took = check->timeout;
    p->running = true;
    p->sample = (struct sample){.target = i,
                                .epoch = 1,
                                .started = p->due + n->clock,
                                .ended = p->due + n->clock + took,
                                .reason = (uint8_t)reason,
                                .late = n->late};
    p->sample.phase_us[PHASE_CONNECT] = (uint32_t)took;
    p->due += check->interval;
}

static void probes_run(struct crowd *c, struct crowd_node *n)
{
    usec_t now = c->time + n->clock;
    for (uint32_t i = 0; i < c->target_count; i++) {
        struct crowd_probe *p = &n->probes[i];
        if (!n->targets[i].check)
            continue;
        while (p->running ? p->sample.ended <= now : p->due <= c->time) {
            if (!p->running) {
                probe_start(c, n, i);
                continue;
            }
            n->samples =
                mem_grow(n->samples, n->sample_count, &n->sample_capacity, sizeof *n->samples);
            n->samples[n->sample_count++] = p->sample;
            p->running = false;
        }
    }
}

/* ---- tables ---- */

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
    m->due = c->time + (10 + random_below(&c->random, DELAY_MOST_MS)) * USEC_PER_MSEC;
    m->to = to;
    m->from = c->nodes[from].id;
    m->size = size;
    memcpy(m->bytes, bytes, size);
}

static void table_send(struct crowd *c, uint32_t i)
{
    struct crowd_node *n = &c->nodes[i];
    usec_t now = c->time + n->clock;
    struct sample_head head = {.vantage = n->id,
                               .boot = n->boot,
                               .sequence = ++n->sequence,
                               .config = n->config->fingerprint,
                               .made = now,
                               .wall = WALL_START + c->time,
                               .slots = c->target_count,
                               .health = n->plan.vantage_count ? n->plan.vantages[0].health : 0};
    snprintf(head.node, sizeof head.node, "%s", n->config->node_name);
    snprintf(head.site, sizeof head.site, "%s", n->config->site);
    snprintf(head.network, sizeof head.network, "%s", n->config->network);
    if (c->sabotage == SABOTAGE_SURE)
        head.health = 0;
    if (c->sabotage == SABOTAGE_NAMES)
        snprintf(head.network, sizeof head.network, "AS-own-%u", i);
    sample_own(&n->plan, n->identities, n->facts, now, n->entries);
    for (uint32_t part = 0; part < sample_parts(head.slots); part++) {
        uint8_t bytes[SAMPLE_PART_SIZE_MAX];
        size_t size = sample_part_encode(&head, n->entries, part, bytes);
        for (uint32_t k = 0; k < c->node_count; k++)
            if (k != i)
                message_send(c, i, k, bytes, size);
    }
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
                                WALL_START + c->time);
        invariant(!err || err == ERR_OLDER); /* messages may overtake one another */
    }
    c->message_count = kept;
}

/* ---- time ---- */

static void node_step(struct crowd *c, uint32_t i)
{
    struct crowd_node *n = &c->nodes[i];
    struct decide_output out;
    for (size_t k = 0; k < n->sample_count; k++)
        slow_sample(n->slow, &n->samples[k]);
    n->facts = slow_step(n->slow, n->config->network, n->vantages.list, n->vantages.count,
                         c->time + n->clock, WALL_START + c->time);
    struct decide_input in = {.previous = n->plan.generation ? &n->plan : NULL,
                              .intent = &n->intent,
                              .files = &c->files,
                              .samples = n->samples,
                              .sample_count = (uint32_t)n->sample_count,
                              .epoch = 1,
                              .vantage = n->id,
                              .vantages = n->vantages.list,
                              .vantage_count = n->vantages.count,
                              .slow = n->facts,
                              .now = c->time + n->clock,
                              .wall = WALL_START + c->time,
                              .boot_id = n->boot};
    plan_step(n->decider, &in, &out);
    n->plan = out.plan;
    n->sample_count = 0;
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
        if (at % (CROWD_BEAT_MS * USEC_PER_MSEC) == 0) {
            probes_run(c, n);
            node_step(c, i);
        }
        if (at % (SAMPLE_EVERY_MS * USEC_PER_MSEC) == 0)
            table_send(c, i);
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
