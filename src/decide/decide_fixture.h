/* For tests and benches of decide: a small world whose configuration is built by hand, whose clock
 * is a number, and whose endpoints are healthy or not as the test says. */
#pragma once

#include "base/err.h"
#include "base/invariant.h"
#include "decide/decide.h"
#include "model/target.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEC USEC_PER_SEC
#define MS  USEC_PER_MSEC

struct world {
    usec_t wall_ahead; /* a step of the wall clock */
    struct config *config;
    struct intent intent;
    struct decide_files files;
    struct decider *decider;
    struct decide_output out;
    struct plan plan;
    struct target *targets;
    uint32_t target_count, epoch;
    struct sample *samples;
    size_t sample_count, sample_capacity;
    usec_t now;
    uint64_t boot_id;
    bool failing[20000]; /* by target: what world_round samples */
    bool silent[20000];
};

static inline struct config *fixture_config(uint64_t fingerprint)
{
    struct config *c = mem_new(1, sizeof *c);
    c->arena = arena_init();
    c->node_name = "n1";
    c->site = "here";
    c->network = "AS64500";
    c->fingerprint = fingerprint;
    c->zones = arena_new(&c->arena, 1, sizeof *c->zones);
    c->zones[0] = (struct config_zone){.name = "example.com", .file = "/x"};
    c->zone_count = 1;
    c->checks = arena_new(&c->arena, 16, sizeof *c->checks);
    c->services = arena_new(&c->arena, 2000, sizeof *c->services);
    return c;
}

/* Interval 1 s, timeout 0.5 s, rise 2, fall 3, hold-down 5 s. */
static inline int fixture_check(struct config *c)
{
    c->checks[c->check_count] = (struct config_check){.name = "web",
                                                      .kind = CHECK_TCP,
                                                      .interval = SEC,
                                                      .timeout = SEC / 2,
                                                      .rise = 2,
                                                      .fall = 3,
                                                      .hold_down = 5 * SEC,
                                                      .expiry_warn = 14 * USEC_PER_DAY};
    return (int)c->check_count++;
}

static inline struct config_service *fixture_service(struct config *c, const char *name,
                                                     enum policy policy, uint32_t endpoints)
{
    struct config_service *s = &c->services[c->service_count++];
    *s = (struct config_service){.name = arena_string(&c->arena, name, strlen(name)),
                                 .policy = policy,
                                 .ttl_max = 60,
                                 .ttl_min = 1,
                                 .velocity_percent = 50,
                                 .velocity_window = 60 * SEC,
                                 .zone = 0};
    s->endpoints = arena_new(&c->arena, endpoints, sizeof *s->endpoints);
    return s;
}

/* An endpoint with a v4 address; `check` may be CONFIG_NONE. */
static inline struct config_endpoint *fixture_endpoint(struct config *c, struct config_service *s,
                                                       const char *name, const char *address,
                                                       int check)
{
    struct config_endpoint *e = &s->endpoints[s->endpoint_count++];
    *e = (struct config_endpoint){.name = arena_string(&c->arena, name, strlen(name)),
                                  .service = CONFIG_NONE,
                                  .weight = 1,
                                  .check = check};
    struct ip ip;
    if (address) {
        int err = ip_parse(address, &ip);
        invariant(!err);
        e->address[ip.family] = ip;
        e->has_address[ip.family] = true;
    }
    return e;
}

static inline struct config_endpoint *fixture_nested(struct config *c, struct config_service *s,
                                                     const char *name, int service)
{
    struct config_endpoint *e = fixture_endpoint(c, s, name, NULL, CONFIG_NONE);
    e->service = service;
    return e;
}

/* "use1" and "euw1" of api.example.com. */
static inline struct config *failover_config(uint64_t fingerprint)
{
    struct config *c = fixture_config(fingerprint);
    int check = fixture_check(c);
    struct config_service *s = fixture_service(c, "api.example.com", POLICY_FAILOVER, 2);
    fixture_endpoint(c, s, "use1", "198.51.100.10", check)->role = ROLE_PRIMARY;
    fixture_endpoint(c, s, "euw1", "203.0.113.10", check)->role = ROLE_SECONDARY;
    return c;
}

/* "a", "b", ... of api.example.com. */
static inline struct config *simple_config(uint64_t fingerprint, uint32_t n)
{
    struct config *c = fixture_config(fingerprint);
    int check = fixture_check(c);
    struct config_service *s = fixture_service(c, "api.example.com", POLICY_SIMPLE, n);
    for (uint32_t i = 0; i < n; i++) {
        char name[2] = {(char)('a' + i), 0}, address[32];
        snprintf(address, sizeof address, "10.0.0.%u", i + 1);
        fixture_endpoint(c, s, name, address, check);
    }
    return c;
}

static inline struct world *world_new(struct config *c)
{
    static const struct plan_file zone = {.kind = PLAN_FILE_ZONE, .name = 0, .hash = 1};
    static const char *const names[] = {"example.com"};
    struct world *w = mem_new(1, sizeof *w);
    w->config = c;
    w->intent = (struct intent){.config = c, .version = 1};
    w->files = (struct decide_files){.files = &zone,
                                     .names = names,
                                     .file_count = 1,
                                     .geo = CONFIG_NONE,
                                     .collections = CONFIG_NONE,
                                     .latency = CONFIG_NONE,
                                     .sites = CONFIG_NONE};
    w->decider = decider_new();
    w->now = 1000 * SEC;
    w->boot_id = 7;
    w->epoch = 1;
    w->targets = target_list(c, &c->arena, &w->target_count);
    invariant(w->target_count <= array_length(w->failing));
    return w;
}

static inline void world_free(struct world *w)
{
    decider_free(w->decider);
    intent_done(&w->intent);
    free(w->samples);
    arena_done(&w->config->arena);
    free(w->config);
    free(w);
}

static inline void world_step(struct world *w)
{
    struct decide_input in = {.previous = w->plan.generation ? &w->plan : NULL,
                              .intent = &w->intent,
                              .files = &w->files,
                              .samples = w->samples,
                              .sample_count = (uint32_t)w->sample_count,
                              .epoch = w->epoch,
                              .now = w->now,
                              .wall = w->now + w->wall_ahead + 1700000000 * SEC,
                              .boot_id = w->boot_id};
    plan_step(w->decider, &in, &w->out);
    w->plan = w->out.plan;
    w->sample_count = 0;
}

static inline struct sample *world_sample(struct world *w, uint32_t target, enum reason reason)
{
    w->samples = mem_grow(w->samples, w->sample_count, &w->sample_capacity, sizeof *w->samples);
    struct sample *s = &w->samples[w->sample_count++];
    *s = (struct sample){.target = target,
                         .epoch = w->epoch,
                         .started = w->now - 10 * MS,
                         .ended = w->now,
                         .reason = (uint8_t)reason};
    s->phase_us[PHASE_CONNECT] = 10000;
    return s;
}

/* A second passes; every target that is not silent is probed once; a step. */
static inline void world_round(struct world *w)
{
    w->now += SEC;
    for (uint32_t i = 0; i < w->target_count; i++)
        if (w->targets[i].check && !w->silent[i])
            (void)world_sample(w, i, w->failing[i] ? REASON_CONNECT_TIMEOUT : REASON_OK);
    world_step(w);
}

static inline void world_rounds(struct world *w, unsigned rounds)
{
    while (rounds--)
        world_round(w);
}

static inline void world_order(struct world *w, const char *service, const char *endpoint,
                               enum admin_state state)
{
    struct intent_request words = {
        .author = "uid 1000 (ana)", .reason = "a test", .wall_ms = INT64_C(1700000000000)};
    struct text why = text_init(1000);
    struct intent next;
    int err = intent_order(&w->intent, &words, service, endpoint, state, &next, &why);
    invariant(!err);
    intent_done(&w->intent);
    w->intent = next;
    text_done(&why);
}

/* Another configuration takes over, as at a reload; the old one is freed. */
static inline void world_reload(struct world *w, struct config *next)
{
    struct config *old = w->config;
    w->config = next;
    w->intent.config = next;
    w->intent.version++;
    w->epoch++;
    w->sample_count = 0;
    w->targets = target_list(next, &next->arena, &w->target_count);
    arena_done(&old->arena);
    free(old);
}

static inline const struct plan_face *world_face(const struct world *w, uint32_t service,
                                                 unsigned family)
{
    return &w->plan.services[service].faces[family];
}

/* Was this said in the last step? */
static inline bool told(const struct world *w, int kind, const char *sentence)
{
    for (uint32_t i = 0; i < w->out.event_count; i++)
        if ((int)w->out.events[i].kind == kind && strcmp(w->out.events[i].sentence, sentence) == 0)
            return true;
    for (uint32_t i = 0; i < w->out.event_count; i++)
        fprintf(stderr, "told: %s\n", w->out.events[i].sentence);
    return false;
}

/* ---- what a plan answers ---- */

/* All addresses below a choice, as "a/b c" : names of endpoints, sorted as they stand. */
static inline void answer_append(const struct plan *p, uint32_t choice, struct text *out)
{
    const struct plan_choice *c = &p->choices[choice];
    switch ((enum choice_kind)c->kind) {
    case CHOICE_ADDRESSES:
        for (uint32_t i = 0; i < c->count; i++) {
            const struct plan_target *t = &p->targets[p->addresses[c->first + i].target];
            text_appendf(out, "%s%s", i ? " " : "", plan_text(p, p->endpoints[t->endpoint].name));
        }
        return;
    case CHOICE_WEIGHTED:
        for (uint32_t i = 0; i < c->count; i++) {
            const struct plan_branch *b = &p->branches[c->first + i];
            uint32_t before = i ? b[-1].weight_end : 0;
            text_appendf(out, "%s%u(", i ? " " : "", b->weight_end - before);
            answer_append(p, b->choice, out);
            text_append(out, ")");
        }
        return;
    case CHOICE_NETWORK:
        for (uint32_t i = 0; i < c->count; i++) {
            text_appendf(out, "%s%u:(", i ? " " : "", i);
            answer_append(p, p->branches[c->first + i].choice, out);
            text_append(out, ")");
        }
        text_append(out, " *:(");
        answer_append(p, c->otherwise, out);
        text_append(out, ")");
        return;
    case CHOICE_NODATA:
        text_append(out, "nodata");
        return;
    case CHOICE_CNAME:
        text_append(out, "cname");
        return;
    }
}

/* The answers of a face; valid until the next call. */
static inline const char *world_answer_family(const struct world *w, uint32_t service,
                                              unsigned family)
{
    static char buffer[8192];
    const struct plan_face *f = world_face(w, service, family);
    struct text out = text_init(sizeof buffer - 1);
    if (f->choice == PLAN_NONE)
        text_append(&out, "absent");
    else
        answer_append(&w->plan, f->choice, &out);
    snprintf(buffer, sizeof buffer, "%s", text_string(&out));
    text_done(&out);
    return buffer;
}

static inline const char *world_answer(const struct world *w, uint32_t service)
{
    return world_answer_family(w, service, IP_V4);
}
