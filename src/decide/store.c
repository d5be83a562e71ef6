#include "decide/store.h"

#include "base/invariant.h"
#include "base/map.h"
#include "wire/dname.h"
#include <stdlib.h>
#include <string.h>

void *store_reserve(void *array, size_t count, size_t more, size_t *capacity, size_t size)
{
    if (array && count + more <= *capacity)
        return array;
    size_t larger = *capacity * 2 > count + more ? *capacity * 2 : count + more;
    if (larger < 16)
        larger = 16;
    array = mem_resize(array, larger, size);
    *capacity = larger;
    return array;
}

/* ---- text ---- */

static uint32_t text_put(struct store *st, const void *bytes, size_t length)
{
    st->text = store_reserve(st->text, st->text_length, length + 1, &st->text_capacity, 1);
    invariant(st->text_length + length + 1 < PLAN_NONE);
    uint32_t at = (uint32_t)st->text_length;
    memcpy(st->text + at, bytes, length);
    st->text[at + length] = 0;
    st->text_length += length + 1;
    return at;
}

/* The same text twice is stored once; NULL is PLAN_NONE. */
static uint32_t text_intern(struct store *st, struct map *known, const char *string)
{
    if (!string)
        return PLAN_NONE;
    size_t length = strlen(string);
    uintptr_t found = (uintptr_t)map_get(known, string, length);
    if (found)
        return (uint32_t)(found - 1);
    uint32_t at = text_put(st, string, length);
    map_put(known, string, length, (void *)((uintptr_t)at + 1));
    return at;
}

/* A name in wire form. The configuration was checked; what is no name even so becomes the root. */
static uint32_t text_wire(struct store *st, const char *name)
{
    uint8_t wire[DNAME_MAX];
    int length = name ? dname_parse(name, strlen(name), NULL, wire) : -1;
    return length > 0 ? text_put(st, wire, (size_t)length) : 0;
}

/* ---- the settled part ---- */

/* While the settled part is written. */
struct settling {
    const struct decide_input *input;
    struct map known;   /* texts that are there already; its keys live until the end */
    struct arena words; /* of those that are nowhere else */
};

/* What of the intent a plan tells with an endpoint. */
static void standing_settle(struct store *st, struct intent_standing standing,
                            struct settling *settling, struct plan_endpoint *to)
{
    const struct intent_object *by = standing.by;
    struct text why = text_init(2 * INTENT_NAME_MAX);
    to->admin = (uint8_t)standing.state;
    to->author = to->why = PLAN_NONE;
    if (!by)
        return;
    intent_standing_why(by, &why);
    to->author = text_intern(st, &settling->known, by->author);
    if (why.length)
        to->why = text_intern(st, &settling->known,
                              arena_string(&settling->words, text_string(&why), why.length));
    to->ordered_wall = by->wall_ms / 1000;
    text_done(&why);
}

static void endpoint_settle(struct store *st, const struct layout *l, uint32_t service, uint32_t e,
                            struct settling *settling)
{
    struct map *known = &settling->known;
    const struct config_endpoint *from = layout_endpoint(l, service, e);
    struct plan_endpoint *to = &st->endpoints[e];
    memset(to, 0, sizeof *to);
    to->name = text_intern(st, known, from->name);
    to->region = text_intern(st, known, from->region);
    to->provider = text_intern(st, known, from->provider);
    to->service = service;
    to->nested = from->service == CONFIG_NONE ? PLAN_NONE : (uint32_t)from->service;
    for (unsigned f = 0; f < IP_FAMILIES; f++)
        to->target[f] = l->endpoint_target[(size_t)e * IP_FAMILIES + f];
    to->role = (uint8_t)from->role;
    to->weight = (uint16_t)from->weight;
    to->capacity = from->capacity;
    standing_settle(st,
                    intent_standing(settling->input->intent, &l->config->services[service], from,
                                    settling->input->wall / USEC_PER_MSEC),
                    settling, to);
}

static void service_settle(struct store *st, const struct layout *l, uint32_t s,
                           struct settling *settling)
{
    struct map *known = &settling->known;
    const struct config_service *from = &l->config->services[s];
    struct plan_service *to = &st->services[s];
    memset(to, 0, sizeof *to);
    to->name = text_intern(st, known, from->name);
    to->wire_name = text_wire(st, from->name);
    to->endpoint_first = l->endpoint_first[s];
    to->endpoint_count = from->endpoint_count;
    to->policy = (uint8_t)from->policy;
    to->when_all_down = (uint8_t)from->when_all_down;
    to->ttl_max = from->ttl_max;
    st->fallback[s] = from->fallback ? text_wire(st, from->fallback) : 0;
    for (uint32_t i = 0; i < from->endpoint_count; i++)
        endpoint_settle(st, l, s, to->endpoint_first + i, settling);
}

static void targets_settle(struct store *st, const struct layout *l, struct map *known)
{
    memset(st->targets, 0, l->target_count * sizeof *st->targets);
    for (uint32_t i = 0; i < l->target_count; i++) {
        st->targets[i].service = l->targets[i].service;
        st->targets[i].endpoint = l->endpoint_first[l->targets[i].service] + l->targets[i].endpoint;
        st->targets[i].address = l->targets[i].address;
        st->targets[i].hostname =
            l->targets[i].hostname ? text_intern(st, known, l->targets[i].hostname) : 0;
    }
}

static void store_settle(struct store *st, const struct layout *l, const struct decide_input *input)
{
    const struct intent *intent = input->intent;
    const struct config *c = intent->config;
    struct settling settling = {input, map_init(), arena_init()};
    st->services = store_reserve(st->services, 0, c->service_count, &st->service_capacity,
                                 sizeof *st->services);
    st->fallback = store_reserve(st->fallback, 0, c->service_count, &st->fallback_capacity,
                                 sizeof *st->fallback);
    st->endpoints = store_reserve(st->endpoints, 0, l->endpoint_count, &st->endpoint_capacity,
                                  sizeof *st->endpoints);
    st->targets =
        store_reserve(st->targets, 0, l->target_count, &st->target_capacity, sizeof *st->targets);
    st->text_length = 0;
    (void)text_put(st, "", 0);
    st->node = text_intern(st, &settling.known, c->node_name ? c->node_name : "");
    st->site = text_intern(st, &settling.known, c->site ? c->site : "");
    st->network = text_intern(st, &settling.known, c->network ? c->network : "");
    for (uint32_t s = 0; s < c->service_count; s++)
        service_settle(st, l, s, &settling);
    targets_settle(st, l, &settling.known);
    st->text_settled = st->text_length;
    st->config = c;
    st->fingerprint = c->fingerprint;
    st->epoch = l->epoch;
    st->intent_version = intent->version;
    st->settled_ms = input->wall / USEC_PER_MSEC;
    st->settled_until_ms = intent_holds_until(intent, st->settled_ms);
    map_done(&settling.known);
    arena_done(&settling.words);
}

/* ---- the part of the step ---- */

uint32_t store_text(struct store *st, const char *string)
{
    return text_put(st, string, strlen(string));
}

static void files_put(struct store *st, const struct decide_files *files)
{
    if (!files)
        return;
    st->files =
        store_reserve(st->files, 0, files->file_count, &st->file_capacity, sizeof *st->files);
    for (uint32_t i = 0; i < files->file_count; i++) {
        const struct plan_file *from = &files->files[i];
        const char *name = files->names[from->name];
        struct plan_file *to = &st->files[i];
        memset(to, 0, sizeof *to);
        to->kind = from->kind;
        to->state = from->state;
        to->name = text_put(st, name, strlen(name));
        to->serial = from->serial;
        to->hash = from->hash;
    }
    st->file_count = files->file_count;
}

static bool file_is_zone(const struct decide_files *files, uint32_t i, const char *name)
{
    return files->files[i].kind == PLAN_FILE_ZONE &&
           strcmp(files->names[files->files[i].name], name) == 0;
}

/* The file of a zone: as a rule files come in the order of the zones. */
static uint32_t zone_file(const struct decide_files *files, const struct config *c, int zone)
{
    if (zone == CONFIG_NONE || !files)
        return PLAN_NONE;
    const char *name = c->zones[zone].name;
    if ((uint32_t)zone < files->file_count && file_is_zone(files, (uint32_t)zone, name))
        return (uint32_t)zone;
    for (uint32_t i = 0; i < files->file_count; i++)
        if (file_is_zone(files, i, name))
            return i;
    return PLAN_NONE;
}

void store_begin(struct store *st, const struct layout *layout, const struct decide_input *input)
{
    const struct intent *intent = input->intent;
    const struct config *c = intent->config;
    int64_t wall_ms = input->wall / USEC_PER_MSEC;
    if (st->config != c || st->fingerprint != c->fingerprint || st->epoch != layout->epoch ||
        st->intent_version != intent->version || wall_ms >= st->settled_until_ms ||
        wall_ms < st->settled_ms) /* what had ended by a clock that was ahead goes on */
        store_settle(st, layout, input);
    st->choice_count = st->branch_count = st->address_count = st->good_count = 0;
    st->file_count = 0;
    st->vantage_count = st->cause_count = st->detour_count = 0;
    st->view_count = input->vantage_count || input->slow ? layout->target_count : 0;
    if (st->view_count)
        st->views =
            store_reserve(st->views, 0, st->view_count, &st->view_capacity, sizeof *st->views);
    st->text_length = st->text_settled;
    files_put(st, input->files);
    for (uint32_t s = 0; s < c->service_count; s++)
        st->services[s].zone = zone_file(input->files, c, c->services[s].zone);
}

void store_done(struct store *st)
{
    free(st->services);
    free(st->endpoints);
    free(st->targets);
    free(st->fallback);
    free(st->views);
    free(st->choices);
    free(st->heights);
    free(st->branches);
    free(st->addresses);
    free(st->goods);
    free(st->files);
    free(st->text);
    *st = (struct store){0};
}

struct plan store_plan(const struct store *st, const struct layout *layout)
{
    return (struct plan){
        .node = st->node,
        .site = st->site,
        .network = st->network,
        .services = st->services,
        .service_count = layout->config->service_count,
        .endpoints = st->endpoints,
        .endpoint_count = layout->endpoint_count,
        .targets = st->targets,
        .target_count = layout->target_count,
        .views = st->views,
        .view_count = st->view_count,
        .vantages = st->vantages,
        .vantage_count = st->vantage_count,
        .causes = st->causes,
        .cause_count = st->cause_count,
        .detours = st->detours,
        .detour_count = st->detour_count,
        .choices = st->choices,
        .choice_count = (uint32_t)st->choice_count,
        .branches = st->branches,
        .branch_count = (uint32_t)st->branch_count,
        .addresses = st->addresses,
        .address_count = (uint32_t)st->address_count,
        .goods = st->goods,
        .good_count = (uint32_t)st->good_count,
        .files = st->files,
        .file_count = (uint32_t)st->file_count,
        .text = st->text,
        .text_size = (uint32_t)st->text_length,
    };
}
