#include "sim/crowd_node.h"

#include "base/invariant.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/sample_own.h"
#include <stdio.h>
#include <stdlib.h>

enum { CONFIG_TEXT_MAX = 1 << 20, SCHEDULE_SEED = 1 };

struct config *crowd_config(const struct crowd_place *place, const char *rest)
{
    struct text yaml = text_init(CONFIG_TEXT_MAX), problems = text_init(CONFIG_TEXT_MAX);
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

void crowd_node_init(struct crowd_node *n, struct config *config, struct random *random)
{
    uint32_t count;
    n->config = config;
    n->intent = (struct intent){.config = config, .version = 1};
    n->decider = decider_new();
    n->arena = arena_init();
    n->targets = target_list(config, &n->arena, &count);
    n->target_count = count;
    invariant(count <= CROWD_TARGETS_MAX);
    n->identities = arena_new(&n->arena, count + 1u, sizeof *n->identities);
    n->turns = sample_turns_init(n->targets, count);
    n->entries = arena_new(&n->arena, n->turns.slice + 1u, sizeof *n->entries);
    n->schedule = schedule_init(SCHEDULE_SEED);
    n->probes = arena_new(&n->arena, count + 1u, sizeof *n->probes);
    n->vantages = vantages_init();
    for (uint32_t t = 0; t < count; t++) {
        n->identities[t] = target_identity(config, &n->targets[t]);
        n->ways[t].slow = 100;
        if (n->targets[t].check)
            schedule_add(&n->schedule, t, n->identities[t], n->targets[t].check->interval,
                         n->clock);
    }
    crowd_node_move(n, (struct schedule_place){random_below(random, (uint32_t)USEC_PER_MIN), 0, 1},
                    0);
    vantages_targets(&n->vantages, n->identities, count);
    n->slow = slow_new();
    slow_targets(n->slow, n->targets, n->identities, count);
}

void crowd_node_done(struct crowd_node *n)
{
    decider_free(n->decider);
    vantages_done(&n->vantages);
    slow_free(n->slow);
    sample_turns_done(&n->turns);
    schedule_done(&n->schedule);
    arena_done(&n->arena);
    free(n->samples);
}

void crowd_node_move(struct crowd_node *n, struct schedule_place place, usec_t time)
{
    schedule_move(&n->schedule, place, time + n->clock);
}

/* ---- probes ---- */

static bool takes_long(enum reason reason)
{
    return reason == REASON_CONNECT_TIMEOUT || reason == REASON_TLS_TIMEOUT ||
           reason == REASON_FIRST_BYTE_TIMEOUT || reason == REASON_BODY_TIMEOUT;
}

/* A SYN, and a request once that came through, as Linux sends them again. How long that took. */
static usec_t segments_send(const struct crowd_way *way, struct sample *sample,
                            struct random *random)
{
    enum { SYN_AGAIN_MS = 1000, DATA_AGAIN_MS = 220 };
    unsigned waited_ms = 0, again_ms = DATA_AGAIN_MS;
    sample->segments = 1;
    if (way->drop && random_below(random, 1000) < way->drop) {
        sample->segments_lost = 1;
        return SYN_AGAIN_MS * USEC_PER_MSEC;
    }
    sample->segments = 2;
    for (; way->drop && waited_ms < SYN_AGAIN_MS && random_below(random, 1000) < way->drop;
         again_ms *= 2) {
        waited_ms += again_ms;
        sample->segments_lost++;
        sample->segments++;
    }
    return waited_ms * USEC_PER_MSEC;
}

static void probe_start(struct crowd_node *n, uint32_t i, usec_t now, usec_t base_us,
                        struct random *random)
{
    const struct config_check *check = n->targets[i].check;
    const struct crowd_way *way = &n->ways[i];
    struct crowd_probe *p = &n->probes[i];
    bool failed = random_below(random, 1000) < way->permille;
    enum reason reason = failed ? (enum reason)way->reason : REASON_OK;
    usec_t took = base_us + (usec_t)random_below(random, (uint32_t)base_us);
    took = took * way->slow / 100;
    *p = (struct crowd_probe){.running = true,
                              .sample = {.target = i, .epoch = 1, .started = now, .late = n->late}};
    took += segments_send(way, &p->sample, random);
    if (!failed && took > check->timeout)
        reason = p->sample.segments == 1 ? REASON_CONNECT_TIMEOUT : REASON_FIRST_BYTE_TIMEOUT;
    if (takes_long(reason))
        took = check->timeout;
    p->sample.reason = (uint8_t)reason;
    p->sample.ended = now + took;
    if (n->dumb && n->targets[i].hostname) {
        p->sample.reason = REASON_INTERNAL;
        p->sample.late = true;
    }
    p->sample.phase_us[PHASE_CONNECT] = (uint32_t)took;
}

static void probe_end(struct crowd_node *n, uint32_t i, usec_t base_us, struct random *random)
{
    struct crowd_probe *p = &n->probes[i];
    n->samples = mem_grow(n->samples, n->sample_count, &n->sample_capacity, sizeof *n->samples);
    n->samples[n->sample_count++] = p->sample;
    p->running = false;
    if (p->pending)
        probe_start(n, i, p->sample.ended, base_us, random);
}

/* As the observer does it: what ended, then what is due; what is due while it runs waits. */
void crowd_node_probe(struct crowd_node *n, usec_t time, usec_t base_us, struct random *random)
{
    usec_t now = time + n->clock, due;
    uint32_t i;
    for (i = 0; i < n->target_count; i++)
        while (n->probes[i].running && n->probes[i].sample.ended <= now)
            probe_end(n, i, base_us, random);
    while ((due = schedule_next(&n->schedule)) <= now && schedule_take(&n->schedule, now, &i)) {
        if (n->probes[i].running)
            n->probes[i].pending = true;
        else
            probe_start(n, i, due, base_us, random);
    }
}

/* ---- the step ---- */

void crowd_node_step(struct crowd_node *n, const struct intent *intent,
                     const struct decide_files *files, usec_t time, int64_t wall,
                     struct decide_output *ret)
{
    for (size_t k = 0; k < n->sample_count; k++) {
        uint32_t t = n->samples[k].target;
        bool down = t < n->plan.target_count && n->plan.targets[t].state == VERDICT_DOWN;
        slow_sample(n->slow, &n->samples[k], down);
        sample_turns_note(&n->turns, n->samples[k].target);
    }
    n->facts = slow_step(n->slow, n->config->network, n->vantages.list, n->vantages.count,
                         time + n->clock, wall);
    struct decide_input in = {.previous = n->plan.generation ? &n->plan : NULL,
                              .intent = intent,
                              .files = files,
                              .samples = n->samples,
                              .sample_count = (uint32_t)n->sample_count,
                              .epoch = 1,
                              .vantage = n->id,
                              .vantages = n->vantages.list,
                              .vantage_count = n->vantages.count,
                              .slow = n->facts,
                              .now = time + n->clock,
                              .wall = wall,
                              .boot_id = n->boot};
    plan_step(n->decider, &in, ret);
    n->plan = ret->plan;
    n->sample_count = 0;
}

struct sample_head crowd_node_head(struct crowd_node *n, usec_t time, int64_t wall)
{
    usec_t now = time + n->clock;
    struct sample_head head = {.vantage = n->id,
                               .boot = n->life,
                               .sequence = ++n->sequence,
                               .config = n->config->fingerprint,
                               .made = now,
                               .wall = wall,
                               .health = n->plan.vantage_count ? n->plan.vantages[0].health : 0};
    snprintf(head.node, sizeof head.node, "%s", n->config->node_name);
    snprintf(head.site, sizeof head.site, "%s", n->config->site);
    snprintf(head.network, sizeof head.network, "%s", n->config->network);
    for (uint32_t i = 0; i < n->turns.slice; i++) {
        uint32_t t = sample_turns_take(&n->turns);
        n->entries[i] = sample_own(&n->plan, t, n->identities[t], &n->facts[t], now);
    }
    return head;
}
