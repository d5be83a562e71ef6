#include "sim/stage.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/snapshot.h"
#include "wire/dname.h"
#include <stdlib.h>
#include <string.h>

#define WALL_START (INT64_C(1760918400) * USEC_PER_SEC) /* 20 October 2025, midnight UTC */

void stage_init(struct stage *s, uint64_t seed)
{
    *s = (struct stage){.trace = text_init(STAGE_TRACE_MAX),
                        .random = random_init(seed),
                        .now = 1000 * USEC_PER_SEC,
                        .intent = {.version = 1},
                        .target_arena = arena_init(),
                        .decider = decider_new(),
                        .boot_id = 1};
}

static void answers_forget(struct stage *s)
{
    for (uint32_t i = 0; i < s->answer_count; i++)
        free(s->answers[i]);
    free(s->answers);
    s->answers = NULL;
    s->answer_count = 0;
}

void stage_done(struct stage *s)
{
    text_done(&s->trace);
    decider_free(s->decider);
    intent_done(&s->intent);
    config_free(s->config);
    arena_done(&s->target_arena);
    answers_forget(s);
    free(s->yaml);
    free(s->plan_files);
    free(s->file_names);
    free(s->probes);
    free(s->conditions);
    free(s->samples);
    free(s->published);
    free(s->resumed);
}

void stage_say(struct stage *s, const char *what, const char *format, ...)
{
    va_list args;
    text_appendf(&s->trace, "%7.1f  %-7s ", (double)s->time / (double)USEC_PER_SEC, what);
    va_start(args, format);
    text_vappendf(&s->trace, format, args);
    va_end(args);
    text_append(&s->trace, "\n");
}

/* ---- configuration ---- */

static void files_make(struct stage *s)
{
    const struct config *c = s->config;
    free(s->plan_files);
    free(s->file_names);
    s->plan_files = mem_new(c->zone_count, sizeof *s->plan_files);
    s->file_names = mem_new(c->zone_count, sizeof *s->file_names);
    for (uint32_t i = 0; i < c->zone_count; i++) {
        s->plan_files[i] = (struct plan_file){.kind = PLAN_FILE_ZONE, .name = i, .hash = 1 + i};
        s->file_names[i] = c->zones[i].name;
    }
    s->files = (struct decide_files){.files = s->plan_files,
                                     .names = s->file_names,
                                     .file_count = c->zone_count,
                                     .geo = CONFIG_NONE,
                                     .collections = CONFIG_NONE,
                                     .latency = CONFIG_NONE,
                                     .sites = CONFIG_NONE};
}

/* Probes are spread over their interval, as the observer spreads them. */
static void probes_begin(struct stage *s)
{
    free(s->probes);
    s->probes = mem_new(s->target_count, sizeof *s->probes);
    for (uint32_t i = 0; i < s->target_count; i++) {
        const struct config_check *check = s->targets[i].check;
        if (check)
            s->probes[i].due = s->now + (usec_t)random_below(&s->random, (uint32_t)check->interval);
    }
    s->sample_count = 0;
}

int stage_configure(struct stage *s, const char *yaml)
{
    struct text problems = text_init(STAGE_TRACE_MAX);
    struct config *next;
    int err = config_parse("story.yaml", yaml, strlen(yaml), NULL, &problems, &next);
    if (err) {
        stage_say(s, "reload", "refused: %.*s", (int)strcspn(text_string(&problems), "\n"),
                  text_string(&problems));
        text_done(&problems);
        return -1;
    }
    text_done(&problems);
    char *copy = mem_string(yaml);
    free(s->yaml);
    s->yaml = copy;
    config_free(s->config);
    s->config = next;
    s->intent.config = next;
    s->intent.version++;
    s->epoch++;
    arena_done(&s->target_arena);
    s->targets = target_list(next, &s->target_arena, &s->target_count);
    files_make(s);
    probes_begin(s);
    return 0;
}

/* ---- what the story does ---- */

static bool target_meant(const struct stage *s, const struct target *t, const char *whom)
{
    const struct config_service *service = &s->config->services[t->service];
    const struct config_endpoint *e = &service->endpoints[t->endpoint];
    if (strcmp(whom, "all") == 0)
        return true;
    if (strncmp(whom, "region:", 7) == 0)
        return e->region && strcmp(e->region, whom + 7) == 0;
    const char *slash = strchr(whom, '/');
    if (!slash)
        return strcmp(e->name, whom) == 0;
    size_t length = (size_t)(slash - whom);
    return strlen(service->name) == length && strncmp(service->name, whom, length) == 0 &&
           strcmp(e->name, slash + 1) == 0;
}

static struct condition *condition_find(const struct stage *s, const struct ip *ip)
{
    for (size_t i = 0; i < s->condition_count; i++)
        if (ip_equal(&s->conditions[i].ip, ip))
            return &s->conditions[i];
    return NULL;
}

static void condition_set(struct stage *s, const struct ip *ip, enum reason reason,
                          unsigned percent)
{
    struct condition *c = condition_find(s, ip);
    if (!c) {
        s->conditions = mem_grow(s->conditions, s->condition_count, &s->condition_capacity,
                                 sizeof *s->conditions);
        c = &s->conditions[s->condition_count++];
        *c = (struct condition){.ip = *ip};
    }
    c->reason = (uint8_t)reason;
    c->percent = percent;
}

int stage_fare(struct stage *s, const char *whom, enum reason reason, unsigned percent)
{
    int found = -1;
    for (uint32_t i = 0; i < s->target_count; i++) {
        if (!target_meant(s, &s->targets[i], whom))
            continue;
        condition_set(s, &s->targets[i].address, reason, percent);
        found = 0;
    }
    return found;
}

int stage_order(struct stage *s, const char *endpoint, enum admin_state state)
{
    uint32_t service, index;
    int err = intent_endpoint_find(s->config, endpoint, &service, &index);
    if (err)
        return err;
    const struct config_service *cs = &s->config->services[service];
    struct intent_request words = {.author = "the operator",
                                   .wall_ms = (WALL_START + s->time) / USEC_PER_MSEC};
    struct text why = text_init(1000);
    struct intent next;
    err = intent_order(&s->intent, &words, cs->name, cs->endpoints[index].name, state, &next, &why);
    text_done(&why);
    if (err)
        return err;
    intent_done(&s->intent);
    s->intent = next;
    s->intent.config = s->config;
    return 0;
}

void stage_restart(struct stage *s, bool boot)
{
    struct plan plan;
    decider_free(s->decider);
    s->decider = decider_new();
    free(s->resumed);
    s->resumed = s->published;
    s->published = NULL;
    int err = snapshot_decode(s->resumed, s->published_size, &plan, NULL);
    invariant(!err);
    s->plan = plan;
    s->epoch = 1;
    if (boot) {
        s->boot_id++;
        s->now = 20 * USEC_PER_SEC;
    }
    probes_begin(s);
}

/* ---- the prober ---- */

static void probe_start(struct stage *s, uint32_t i)
{
    const struct config_check *check = s->targets[i].check;
    const struct condition *c = condition_find(s, &s->targets[i].address);
    struct probe *p = &s->probes[i];
    bool failed = c && random_below(&s->random, 100) < c->percent;
    enum reason reason = failed ? (enum reason)c->reason : REASON_OK;
    if (s->prober == PROBER_BLIND)
        reason = REASON_CONNECT_UNREACHABLE;
    usec_t took = (usec_t)(10 + random_below(&s->random, 20)) * USEC_PER_MSEC;
    if (reason == REASON_CONNECT_TIMEOUT || reason == REASON_TLS_TIMEOUT ||
        reason == REASON_FIRST_BYTE_TIMEOUT)
        took = check->timeout;
    p->running = true;
    p->sample = (struct sample){.target = i,
                                .epoch = s->epoch,
                                .started = p->due,
                                .ended = p->due + took,
                                .reason = (uint8_t)reason,
                                .late = s->prober == PROBER_LATE};
    p->sample.phase_us[PHASE_CONNECT] = (uint32_t)took / 2;
    p->due += check->interval;
}

static void probe_end(struct stage *s, struct probe *p)
{
    s->samples = mem_grow(s->samples, s->sample_count, &s->sample_capacity, sizeof *s->samples);
    s->samples[s->sample_count++] = p->sample;
    p->running = false;
}

static bool target_paused(const struct stage *s, const struct target *t)
{
    const struct config_service *service = &s->config->services[t->service];
    return intent_admin(&s->intent, service->name, service->endpoints[t->endpoint].name) ==
           ADMIN_DISABLED;
}

static void probes_run(struct stage *s)
{
    for (uint32_t i = 0; i < s->target_count; i++) {
        struct probe *p = &s->probes[i];
        if (!s->targets[i].check)
            continue;
        while (p->running ? p->sample.ended <= s->now : p->due <= s->now) {
            if (p->running)
                probe_end(s, p);
            else if (s->prober == PROBER_STOPPED || target_paused(s, &s->targets[i]))
                p->due += s->targets[i].check->interval;
            else
                probe_start(s, i);
        }
    }
}

/* ---- the trace ---- */

static void choice_write(const struct plan *p, uint32_t index, struct text *out)
{
    const struct plan_choice *c = &p->choices[index];
    char name[DNAME_TEXT_MAX];
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
            text_appendf(out, "%s%u of %u: ", i ? ", " : "",
                         b->weight_end - (i ? b[-1].weight_end : 0), c->total);
            choice_write(p, b->choice, out);
        }
        return;
    case CHOICE_NETWORK:
        text_append(out, "by network, otherwise ");
        choice_write(p, c->otherwise, out);
        return;
    case CHOICE_NODATA:
        text_append(out, "nothing");
        return;
    case CHOICE_CNAME:
        text_appendf(out, "CNAME %s", dname_format((const uint8_t *)p->text + c->first, name));
        return;
    }
}

static void answer_tell(struct stage *s, uint32_t service, unsigned family)
{
    const struct plan *p = &s->plan;
    const struct plan_face *f = &p->services[service].faces[family];
    char **last = &s->answers[service * IP_FAMILIES + family];
    struct text now = text_init(4096);
    if (f->mode == FACE_ABSENT || p->services[service].zone == PLAN_NONE)
        return;
    choice_write(p, f->choice, &now);
    text_appendf(&now, "  (%s%s)", face_mode_name((enum face_mode)f->mode),
                 f->velocity_held ? ", removals held" : "");
    if (!*last || strcmp(*last, text_string(&now)) != 0) {
        stage_say(s, "answer", "%s %s: %s ttl %u, plan %llu",
                  plan_text(p, p->services[service].name), family == IP_V4 ? "A" : "AAAA",
                  text_string(&now), f->ttl, (unsigned long long)p->generation);
        free(*last);
        *last = mem_string(text_string(&now));
    }
    text_done(&now);
}

static void answers_tell(struct stage *s)
{
    uint32_t count = s->plan.service_count * IP_FAMILIES;
    if (s->answer_count != count) {
        answers_forget(s);
        s->answers = mem_new(count, sizeof *s->answers);
        s->answer_count = count;
    }
    for (uint32_t i = 0; i < s->plan.service_count; i++)
        for (unsigned f = 0; f < IP_FAMILIES; f++)
            answer_tell(s, i, f);
}

/* Publishes as control does, and reads as the name server does. */
static void plan_publish(struct stage *s)
{
    struct plan now, before;
    const char *where = "";
    size_t size;
    uint8_t *bytes = snapshot_encode(&s->plan, &size);
    int err = snapshot_decode(bytes, size, &now, &where);
    if (!err && s->published && !snapshot_decode(s->published, s->published_size, &before, NULL))
        err = snapshot_succeeds(&before, &now, &where);
    if (err)
        stage_say(s, "REFUSED", "plan %llu: %s: %s", (unsigned long long)s->plan.generation,
                  err_text(err), where);
    free(s->published);
    s->published = bytes;
    s->published_size = size;
}

void stage_beat(struct stage *s)
{
    struct decide_output out;
    probes_run(s);
    struct decide_input in = {.previous = s->plan.generation ? &s->plan : NULL,
                              .intent = &s->intent,
                              .files = &s->files,
                              .samples = s->samples,
                              .sample_count = (uint32_t)s->sample_count,
                              .epoch = s->epoch,
                              .now = s->now,
                              .wall = WALL_START + s->time,
                              .boot_id = s->boot_id};
    plan_step(s->decider, &in, &out);
    s->plan = out.plan;
    s->sample_count = 0;
    for (uint32_t i = 0; i < out.event_count; i++)
        stage_say(s, "event", "%s", out.events[i].sentence);
    answers_tell(s);
    if (out.changes)
        plan_publish(s);
    s->now += STAGE_BEAT_MS * USEC_PER_MSEC;
    s->time += STAGE_BEAT_MS * USEC_PER_MSEC;
}
