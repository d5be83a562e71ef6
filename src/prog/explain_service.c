#include "base/err.h"
#include "base/memory.h"
#include "model/netmap.h"
#include "model/snapshot_io.h"
#include "prog/explain.h"
#include "serve/dns/steer.h"
#include "tell/answers.h"
#include "tell/incidents.h"
#include "wire/dname.h"
#include "wire/dns.h"
#include <stdlib.h>
#include <string.h>

/* ---- why this mode ---- */

static void policy_append(struct explain *x, const struct plan_service *s)
{
    static const char *const meanings[POLICIES] = {
        "all healthy endpoints are answered, in rotation",
        "the primary while it is healthy, else the secondary",
        "one endpoint by chance, in proportion to the weights",
        "the endpoint whose region is nearest in time to the client's network",
        "the endpoint for the most specific place the client is in",
        "the endpoint for the most specific network that the client is in",
        "up to eight healthy endpoints, in rotation",
    };
    text_appendf(x->out, "%s is steered: policy %s (%s).\n", plan_text(&x->v->plan, s->name),
                 policy_name((enum policy)s->policy), meanings[s->policy]);
}

static void mode_append(struct explain *x, const struct plan_face *f)
{
    static const char *const meanings[FACE_MODES] = {
        [FACE_NORMAL] = "There is a healthy endpoint, so those that are down are left out.",
        [FACE_PREFERRED] =
            "FAIL OPEN: no endpoint is known to be healthy. When all looks dead, suspect the "
            "looking: the "
            "answer is what it would be if all were healthy (when_all_down: preferred).",
        [FACE_LAST_GOOD] =
            "FAIL OPEN: no endpoint is known to be healthy. The answer is the set that was "
            "last healthy (when_all_down: last_good).",
        [FACE_NODATA] =
            "ALL DOWN: no endpoint is known to be healthy, and the operator wants an empty "
            "answer then (when_all_down: nodata).",
        [FACE_FALLBACK] =
            "ALL DOWN: no endpoint is known to be healthy, and the operator wants clients "
            "sent to another name then (when_all_down: fallback).",
        [FACE_ABSENT] = "",
    };
    char age[AGE_TEXT_MAX];
    text_appendf(x->out, "%s", meanings[f->mode]);
    if (f->since)
        text_appendf(x->out, " So for %s.", age_format(view_age(x->v, f->since), age));
    text_append(x->out, "\n");
    if (f->velocity_held)
        text_append(x->out,
                    "ALARM: more went down at once than checks may take out of this service "
                    "in its window; the rest is held in the answers.\n");
}

/* ---- which choice, for this client ---- */

struct maps {
    struct mapped *files;
    struct netmap *maps;
    const struct netmap **list; /* by the plan's file index, as steer wants them */
    uint32_t count;
    bool missing;
};

static struct maps maps_open(const struct explain *x)
{
    const struct plan *p = &x->v->plan;
    struct maps m = {.files = mem_new(p->file_count + 1u, sizeof *m.files),
                     .maps = mem_new(p->file_count + 1u, sizeof *m.maps),
                     .list = mem_new(p->file_count + 1u, sizeof *m.list),
                     .count = p->file_count};
    for (uint32_t i = 0; i < p->file_count; i++) {
        const struct plan_file *f = &p->files[i];
        if (f->kind != PLAN_FILE_NETMAP)
            continue;
        if (store_map(x->data, PLAN_FILE_NETMAP, f->hash, &m.files[i]) == 0 &&
            netmap_open(m.files[i].data, m.files[i].size, &m.maps[i]) == 0)
            m.list[i] = &m.maps[i];
        else
            m.missing = true;
    }
    return m;
}

static void maps_close(struct maps *m)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (m->files[i].data)
            mapped_close(&m->files[i]);
    free(m->files);
    free(m->maps);
    free(m->list);
}

static void key_append(struct explain *x, const char *map, uint32_t key)
{
    char location[LOCATION_TEXT_MAX], prefix[IP_PREFIX_TEXT_MAX];
    const struct config *c = x->config;
    if (strcmp(map, "geo") == 0)
        text_append(x->out, location_format(key, location));
    else if (strcmp(map, "collections") == 0 && c && key < c->collection_count)
        text_append(x->out, c->collections[key].name);
    else if (strcmp(map, "latency") == 0 && c && key < c->latency_count)
        text_append(x->out, ip_prefix_format(&c->latencies[key].network, prefix));
    else
        text_appendf(x->out, "number %u", key);
}

static void network_step_append(struct explain *x, const struct maps *m,
                                const struct steer_step *step)
{
    const struct plan *p = &x->v->plan;
    const struct plan_choice *c = &p->choices[step->choice];
    const char *map = plan_text(p, p->files[c->map].name);
    char client[IP_PREFIX_TEXT_MAX];
    if (!x->has_client)
        text_append(x->out, "  A client in no known network ");
    else
        text_appendf(x->out, "  The client %s ", ip_prefix_format(&x->client, client));
    if (step->branch == PLAN_NONE) {
        text_appendf(x->out, "is not in the map \"%s\" and takes the default: ", map);
        answers_append(x->out, p, c->otherwise);
        text_append(x->out, ".\n");
        return;
    }
    uint32_t count;
    const uint32_t *keys = netmap_keys(m->list[c->map], step->row, &count);
    text_appendf(x->out, "is in the map \"%s\" as ", map);
    for (uint32_t i = 0; i < count; i++) {
        text_append(x->out, i ? ", then " : "");
        key_append(x, map, keys[i]);
    }
    text_append(x->out, " (the most specific first) and takes: ");
    answers_append(x->out, p, p->branches[step->branch].choice);
    text_appendf(x->out, ". The same holds for all of its /%u.\n", step->scope);
}

static void weighted_step_append(struct explain *x, const struct steer_step *step)
{
    const struct plan *p = &x->v->plan;
    text_append(x->out, "  By chance: ");
    answers_append(x->out, p, step->choice);
    text_append(x->out, ". This time the draw fell on: ");
    answers_append(x->out, p, p->branches[step->branch].choice);
    text_append(x->out, ".\n");
}

static void answer_append(struct explain *x, const struct steer_answer *a)
{
    const struct plan *p = &x->v->plan;
    const struct plan_choice *c = &p->choices[a->choice];
    char text[DNAME_TEXT_MAX];
    switch (a->kind) {
    case STEER_NODATA:
        text_append(x->out, "The answer is empty, knowingly (NODATA, with the zone's SOA).\n");
        return;
    case STEER_CNAME:
        text_appendf(x->out, "The answer is a CNAME to %s.\n",
                     dname_format((const uint8_t *)p->text + c->first, text));
        return;
    case STEER_ADDRESSES:
        break;
    }
    text_append(x->out, "The answer is");
    for (uint32_t i = 0; i < a->count; i++) {
        const struct plan_address *at = &p->addresses[c->first + (a->start + i) % c->count];
        struct ip ip = {.family = c->family};
        memcpy(ip.bytes, at->bytes, sizeof ip.bytes);
        text_appendf(x->out, "%s %s", i ? "," : "", ip_format(&ip, text));
        const struct plan_target *t = &p->targets[at->target];
        text_appendf(x->out, " (%s)", plan_text(p, p->endpoints[t->endpoint].name));
    }
    if (a->count < c->count)
        text_appendf(x->out, ": %u of %u, from a random start", a->count, c->count);
    text_append(x->out, ".\n");
}

static void choice_append(struct explain *x, uint32_t root)
{
    struct maps m = maps_open(x);
    if (m.missing) {
        text_append(x->out, "A network map of the plan is missing from the store, so the choice "
                            "for one client cannot be shown. All choices: ");
        answers_append(x->out, &x->v->plan, root);
        text_append(x->out, ".\n");
    } else {
        struct steer steer = {.plan = &x->v->plan, .maps = m.list};
        struct steer_answer answer;
        struct steer_trace trace = {.count = 0};
        steer_pick(&steer, root, &x->client.ip, &x->random, &answer, &trace);
        for (unsigned i = 0; i < trace.count; i++) {
            if (trace.steps[i].kind == CHOICE_NETWORK)
                network_step_append(x, &m, &trace.steps[i]);
            else if (trace.steps[i].kind == CHOICE_WEIGHTED)
                weighted_step_append(x, &trace.steps[i]);
        }
        answer_append(x, &answer);
        if (answer.by_network && !x->has_client)
            text_append(x->out,
                        "Other clients may get something else: --from ADDRESS says for one.\n");
    }
    maps_close(&m);
}

/* ---- why this TTL ---- */

static const struct config_service *config_service_find(const struct explain *x, const char *name)
{
    for (uint32_t i = 0; x->config && i < x->config->service_count; i++)
        if (strcmp(x->config->services[i].name, name) == 0)
            return &x->config->services[i];
    return NULL;
}

static void ttl_append(struct explain *x, const struct plan_service *s, uint32_t ttl)
{
    const struct config_service *c = config_service_find(x, plan_text(&x->v->plan, s->name));
    text_appendf(x->out,
                 "TTL %u s: computed as the earliest moment at which checks could change this "
                 "answer, ",
                 ttl);
    if (c && ttl == c->ttl_max)
        text_appendf(x->out, "and not above the service's ttl of %u s.\n", c->ttl_max);
    else if (c && ttl == c->ttl_min)
        text_appendf(x->out, "but not below its ttl_min of %u s (a change is possible sooner).\n",
                     c->ttl_min);
    else if (c)
        text_appendf(x->out, "between its ttl_min of %u s and its ttl of %u s.\n", c->ttl_min,
                     c->ttl_max);
    else
        text_append(x->out, "kept between the service's ttl_min and its ttl.\n");
}

static void family_explain(struct explain *x, const struct plan_service *s, enum ip_family family)
{
    uint32_t ttl = 0, root = steer_root(s, family, &ttl);
    const char *type = family == IP_V4 ? "A" : "AAAA";
    text_appendf(x->out, "\nFor %s:\n", type);
    if (root == PLAN_NONE) {
        text_appendf(x->out, "No endpoint has an %s address: the answer is empty (NODATA).\n",
                     family == IP_V4 ? "IPv4" : "IPv6");
        return;
    }
    const struct plan_face *f = &s->faces[family];
    mode_append(x, f->mode == FACE_ABSENT ? &s->faces[!family] : f);
    choice_append(x, root);
    ttl_append(x, s, ttl);
}

void explain_service(struct explain *x, uint32_t service)
{
    const struct plan_service *s = &x->v->plan.services[service];
    policy_append(x, s);
    incidents_of_service(x->out, x->v, service);
    text_append(x->out, "\nIts endpoints:\n");
    explain_endpoints(x, service, 0);
    if (x->type != DNS_AAAA)
        family_explain(x, s, IP_V4);
    if (x->type != DNS_A)
        family_explain(x, s, IP_V6);
}
