#include "prog/load_form.h"
#include "base/err.h"
#include "base/memory.h"
#include "model/zone_serial.h"
#include "model/zone_sign_io.h"
#include "prog/load_sign.h"
#include "prog/load_transfer.h"
#include "seam/clock.h"
#include "wire/serial.h"
#include <stdlib.h>
#include <string.h>

bool load_form_wanted(const struct config *c, uint32_t zone, const struct loaded_aliases *aliases)
{
    return zone_is_transferred(&c->zones[zone]) && (zone_is_steered(c, zone) || aliases->count);
}

/* ---- what is known of steered names ---- */

/* Which services the zone has names of. */
static bool *services_used(const struct config *c, uint32_t zone,
                           const struct loaded_aliases *aliases)
{
    bool *used = mem_new(c->service_count + (size_t)1, sizeof *used);
    for (uint32_t i = 0; i < c->service_count; i++)
        used[i] = c->services[i].zone == (int)zone;
    for (uint32_t i = 0; i < aliases->count; i++)
        used[aliases->list[i].service] = true;
    return used;
}

/* By number, at or behind *at. */
static const struct form_answer *answer_known(const struct zone_order *o, uint32_t service,
                                              uint32_t *at)
{
    while (o->answers && *at < o->answer_count && o->answers[*at].service < service)
        ++*at;
    bool found = o->answers && *at < o->answer_count && o->answers[*at].service == service;
    return found ? &o->answers[*at] : NULL;
}

/* By name: the zone may be of a configuration with other numbers; looked for from *near on. */
static const struct form_answer *answer_find(const struct loaded_zone *z, const uint8_t *name,
                                             uint32_t *near)
{
    size_t length = dname_length(name);
    for (uint32_t k = 0; z && k < z->answer_count; k++) {
        uint32_t i = (*near + k) % z->answer_count;
        if (!dname_equal(z->answers[i].name, dname_length(z->answers[i].name), name, length))
            continue;
        *near = i + 1;
        return &z->answers[i];
    }
    return NULL;
}

/* The service of this name in a plan that may be of another configuration; looked for from where
 * the one before it was found. */
static uint32_t service_find(const struct plan *p, const char *name, uint32_t near)
{
    for (uint32_t k = 0; p && k < p->service_count; k++) {
        uint32_t i = (near + k) % p->service_count;
        if (p->services[i].zone != PLAN_NONE && !strcmp(plan_text(p, p->services[i].name), name))
            return i;
    }
    return PLAN_NONE;
}

struct form_answer *load_form_answers(const struct zone_order *o,
                                      const struct loaded_aliases *aliases, uint32_t *ret_count)
{
    const struct config *c = o->config;
    const struct load_request *r = o->load;
    const struct loaded_zone *was =
        r->current ? load_zone_find(r->current, o->zone, c->zones[o->zone].name) : NULL;
    const struct plan *plan = r->current ? NULL : r->served;
    struct form_answer *list = mem_new(c->service_count + (size_t)1, sizeof *list);
    auto_free bool *used = services_used(c, o->zone, aliases);
    uint32_t count = 0, at = 0, near = 0, found = 0;
    for (uint32_t i = 0; i < c->service_count; i++) {
        if (!used[i])
            continue;
        struct form_answer *a = &list[count++];
        form_answer_first(c, i, a);
        const struct form_answer *known = answer_known(o, i, &at);
        known = known ? known : answer_find(was, a->name, &found);
        uint32_t service = known ? PLAN_NONE : service_find(plan, c->services[i].name, near);
        if (known)
            *a = *known;
        else if (service != PLAN_NONE)
            form_answer_of(plan, service, a);
        a->service = i;
        near = service == PLAN_NONE ? near : service + 1;
    }
    *ret_count = count;
    return mem_resize(list, count + (size_t)1, sizeof *list);
}

/* ---- versions ---- */

/* Compiled bytes on their way, and what they are to replace. */
struct version {
    uint8_t *data;
    struct zone_sign *sign;      /* NULL = unsigned */
    const struct plan_file *was; /* NULL = nothing */
    const struct zone *old;      /* NULL: cannot be looked at */
};

static const struct zone_header *header_of(const uint8_t *data)
{
    return (const struct zone_header *)data;
}

static int version_set(const struct version *v, uint32_t serial)
{
    int made = header_of(v->data)->serial == serial ? 0 : zone_serial_set(v->data, serial, v->sign);
    return made < 0 ? made : 0;
}

/* Is it what it was? 1: yes, 0: no. It gets the serial of that first, so that both can be compared;
 * a SOA that needs another signature then is a change as well. */
static int version_same(const struct version *v)
{
    struct zone zone;
    if (!v->was)
        return 0;
    int made = zone_serial_set(v->data, v->was->serial, v->sign);
    if (made)
        return made < 0 ? made : 0;
    if (header_of(v->data)->checksum == v->was->hash)
        return 1;
    int err = zone_open_trusted(v->data, header_of(v->data)->size, &zone);
    return err ? err : v->old && zone_same(&zone, v->old);
}

/* ---- forms ---- */

struct form {
    struct version version;
    struct zone zone; /* that it is made of */
    struct zone_sign sign;
    struct mapped old_file;
    struct zone old;
};

static void form_done(struct form *f)
{
    if (f->old_file.data)
        mapped_close(&f->old_file);
}

/* Most signatures are those of the zone; the rest may be there in the form before. */
static int form_new(const struct settling *s, const uint8_t *zone, struct text *problems,
                    struct form *f)
{
    const struct zone_order *o = s->order;
    struct zone_seal seal;
    size_t size;
    *f = (struct form){.version.was = o->was_form};
    int err = zone_open_trusted(zone, header_of(zone)->size, &f->zone);
    if (err)
        return err;
    if (o->was_form && !store_map(o->load->data, PLAN_FILE_ZONE, o->was_form->hash, &f->old_file) &&
        !zone_open(f->old_file.data, f->old_file.size, &f->old))
        f->version.old = &f->old;
    if (s->sign) {
        f->sign = (struct zone_sign){.keys = s->sign->keys,
                                     .previous = &f->zone,
                                     .lender = f->version.old,
                                     .spread = s->sign->spread};
        f->version.sign = &f->sign;
        seal = zone_sign_seal(&f->sign);
    }
    return form_make(&f->zone, s->answers, s->answer_count, s->sign ? &seal : NULL, problems,
                     &f->version.data, &size);
}

static int serials_set(const struct settling *s, uint32_t text, bool changed,
                       const struct version *zone, const struct version *form)
{
    const struct zone_order *o = s->order;
    bool own = s->held && (!o->was || serial_newer(text, o->was->serial));
    struct serial_facts facts = {
        .policy = own ? SERIAL_FILE : o->config->zones[o->zone].serial,
        .served = o->was,
        .changed = changed,
        .last = o->was ? o->was->serial : 0,
        .text = text,
        .wall = s->wall,
    };
    uint32_t serial = serial_next(&facts);
    int err = version_set(zone, serial); /* first: the form takes its signature over */
    return err || !form->data ? err : version_set(form, serial);
}

int load_settle(const struct settling *s, uint8_t *zone, struct text *problems, uint8_t **ret_form)
{
    const struct zone_order *o = s->order;
    struct version v = {zone, s->sign, o->was, s->old};
    uint32_t text = header_of(zone)->serial;
    struct form f = {0};
    *ret_form = NULL;
    if (header_of(zone)->flags & ZONE_SIGNED && !s->sign) {
        if (s->answers)
            text_appendf(problems,
                         "%s:1:1: without keys there is no signed form of the zone %s "
                         "for transfers, as names in it are steered\n",
                         o->load->path, o->config->zones[o->zone].name);
        return s->same ? ERR_MISSING : 0;
    }
    int same = s->same ? 1 : version_same(&v);
    int err = same < 0 ? same : s->answers ? form_new(s, zone, problems, &f) : 0;
    if (err == ERR_MISSING && !s->same)
        err = 0; /* no form, which was told; the zone itself is whole */
    if (!err && f.version.data) {
        int form_same = version_same(&f.version);
        err = form_same < 0 ? form_same : 0;
        same = same && form_same > 0;
    }
    if (!err)
        err = serials_set(s, text, !same, &v, &f.version);
    if (!err && s->sign)
        zone_sign_expires(s->sign, f.sign.expires);
    form_done(&f);
    if (err)
        free(f.version.data);
    else
        *ret_form = f.version.data;
    return err;
}

int load_store(const struct zone_order *o, uint8_t kind, const uint8_t *data, struct text *problems,
               struct plan_file *ret)
{
    const struct zone_header *h = header_of(data);
    int err =
        o->load->data ? store_put(o->load->data, PLAN_FILE_ZONE, h->checksum, data, h->size) : 0;
    if (err)
        text_appendf(problems, "%s:1:1: cannot store the compiled zone %s: %s\n", o->load->path,
                     o->config->zones[o->zone].name, err_text(err));
    else
        *ret = (struct plan_file){.kind = kind, .serial = h->serial, .hash = h->checksum};
    return err;
}

/* ---- a form alone ---- */

/* The zone's bytes, to be changed; free(). */
static int zone_copy(const struct mapped *file, struct zone *ret_old, uint8_t **ret)
{
    int err = zone_open(file->data, file->size, ret_old);
    if (err)
        return err;
    *ret = mem_new(file->size, 1);
    memcpy(*ret, file->data, file->size);
    return 0;
}

static int form_settle(const struct zone_order *o, const struct mapped *file,
                       const struct dnssec_zone_keys *keys, struct text *problems,
                       struct zone_made *ret)
{
    struct zone old;
    struct zone_sign sign = {.keys = keys, .previous = &old, .spread = zone_sign_threads};
    struct settling s = {.order = o,
                         .sign = keys ? &sign : NULL,
                         .answers = o->answers,
                         .answer_count = o->answer_count,
                         .old = &old,
                         .same = true,
                         .wall = clock_wall() / USEC_PER_SEC};
    uint8_t *zone = NULL, *form = NULL;
    int err = zone_copy(file, &old, &zone);
    if (!err)
        err = load_settle(&s, zone, problems, &form);
    if (!err)
        err = load_store(o, PLAN_FILE_ZONE, zone, problems, &ret->file);
    if (!err)
        err = load_store(o, PLAN_FILE_HISTORY, form, problems, &ret->form);
    if (!err && keys)
        load_sign_sooner(&sign, s.wall, &ret->keys);
    free(zone);
    free(form);
    return err;
}

int load_form(const struct zone_order *o, const struct loaded_keys *keys, struct text *problems,
              struct zone_made *ret)
{
    struct mapped file;
    struct dnssec_zone_keys now;
    *ret = (struct zone_made){.keys = *keys};
    if (keys->ring) {
        now = keys->ring->keys;
        now.now = (uint32_t)(clock_wall() / USEC_PER_SEC);
    }
    int err = store_map(o->load->data, PLAN_FILE_ZONE, o->was->hash, &file);
    if (!err) {
        err = form_settle(o, &file, keys->ring ? &now : NULL, problems, ret);
        mapped_close(&file);
    }
    if (err) {
        text_appendf(problems, "%s:1:1: no form of the zone %s for transfers: %s\n", o->load->path,
                     o->config->zones[o->zone].name, err_text(err));
        return err;
    }
    ret->answer_count = o->answer_count;
    ret->answers = mem_new(o->answer_count + (size_t)1, sizeof *ret->answers);
    memcpy(ret->answers, o->answers, o->answer_count * sizeof *ret->answers);
    return 0;
}
