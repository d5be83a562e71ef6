#include "prog/load_zone.h"
#include "base/err.h"
#include "model/catalog_list.h"
#include "model/zone_compile.h"
#include "model/zone_compile_io.h"
#include "prog/load_alias.h"
#include "prog/load_form.h"
#include "prog/load_held.h"
#include "prog/load_ledger.h"
#include "prog/load_primary.h"
#include "prog/load_shared.h"
#include "prog/load_sign.h"
#include "seam/clock.h"
#include "wire/dname.h"
#include "wire/serial.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool zone_stored_shrinks(const char *data, uint64_t hash, const struct zone *next,
                         unsigned *ret_lost, unsigned *ret_total)
{
    struct mapped file;
    struct zone old;
    if (store_map(data, PLAN_FILE_ZONE, hash, &file))
        return false;
    bool shrinks =
        !zone_open(file.data, file.size, &old) && zone_shrinks(&old, next, ret_lost, ret_total);
    mapped_close(&file);
    return shrinks;
}

/* L3: a zone that would lose a third of what it holds is refused until somebody says that it is
 * meant. */
static int shrink_check(const struct load_request *r, const struct config_zone *z,
                        const struct load_sign *s, const struct zone *next, struct text *problems)
{
    unsigned lost, total;
    if (!s->has_old || load_shrink_accepted(r, z->name) ||
        !zone_shrinks(&s->old, next, &lost, &total))
        return 0;
    text_appendf(
        problems,
        "%s:1:1: zone %s would lose %u of its %u names; if that is meant, say so: holdfast "
        "reload --accept-shrink %s\n",
        z->file ? z->file : r->path, z->name, lost, total, z->name);
    return ERR_REFUSED;
}

static bool zone_named(const struct load_request *r, const char *name)
{
    for (unsigned i = 0; i < r->only_count; i++)
        if (!strcmp(r->only[i], name))
            return true;
    return false;
}

/* Zones that would come out as they are in the store are not made again. What a signed one is made
 * from is also the time, and of one with a form what the plan answers. */
static bool zone_reuse(const struct zone_order *o, uint64_t inputs, struct zone_made *ret)
{
    const struct config_zone *z = &o->config->zones[o->zone];
    const struct load_request *r = o->load;
    struct loaded_aliases none = {0};
    if (!r->ledger || !r->data || r->fresh || !z->file || z->dnssec.on ||
        load_form_wanted(o->config, o->zone, &none) || config_zone_is_shared(z) ||
        zone_named(r, z->name) ||
        dnssec_keys_exist(r->data, z->name)) /* signed for some time more, whatever is said now */
        return false;
    uint64_t known = load_ledger_compiled(r->ledger, z->name);
    if (o->was && known && known != o->was->hash)
        return false; /* the serial went on since then */
    if (!load_ledger_reuse(r->ledger, r->data, z->name, inputs, r->only_count > 0, &ret->file.hash,
                           &ret->file.serial) ||
        !load_aliases_stored(o->config, r->data, ret->file.hash, &ret->aliases))
        return false;
    ret->text_serial = ret->file.serial;
    if (!load_form_wanted(o->config, o->zone, &ret->aliases))
        return true;
    load_aliases_done(&ret->aliases);
    return false;
}

/* What is known while one zone is made. */
struct making {
    const struct zone_order *order;
    const struct config_zone *zone;
    const uint8_t **steered;
    unsigned steered_count;
    uint64_t inputs;
    int64_t wall; /* seconds since 1970 */
    bool held;    /* from what the node keeps, not from the text */
    bool told;    /* that the text says something else: as it will be at each load */
    struct load_note note;
    struct load_sign sign;
    struct load_alias alias;
    bool dark; /* there is no content yet */
};

static int catalog_compile(struct making *m, struct text *problems, uint8_t **ret_data,
                           size_t *ret_size)
{
    struct text text = text_init(CATALOG_TEXT_MAX);
    catalog_text(m->order->config, m->order->zone, &text);
    int err = zone_compile_sealed(m->zone->name, m->order->load->path, text_string(&text),
                                  text.length, m->steered, m->steered_count, NULL, NULL,
                                  &m->sign.seal, NULL, problems, ret_data, ret_size);
    text_done(&text);
    return err;
}

static int zone_compile_source(struct making *m, struct text *problems, uint8_t **ret_data,
                               size_t *ret_size)
{
    const struct zone_seal *seal = &m->sign.seal;
    m->dark = m->sign.locked;
    if (m->dark)
        return zone_dark_compile(m->zone, m->steered, m->steered_count, problems, ret_data,
                                 ret_size);
    if (m->zone->primary_count)
        return primary_zone_compile(m->order->load->data, m->zone, m->steered, m->steered_count,
                                    seal, &m->note.watch, problems, ret_data, ret_size, &m->dark);
    if (m->zone->catalog == CATALOG_GENERATE)
        return catalog_compile(m, problems, ret_data, ret_size);
    if (m->held)
        return load_held_compile(m->order->load, m->zone, m->steered, m->steered_count, seal,
                                 &m->alias.source, &m->note.watch, problems, ret_data, ret_size,
                                 &m->told);
    if (config_zone_is_shared(m->zone))
        return load_shared_compile(m->order->load->shared, m->zone, m->steered, m->steered_count,
                                   seal, &m->alias.source, problems, ret_data, ret_size);
    load_held_unused(m->order->load, m->zone, problems);
    return zone_compile_file_watched(m->zone->name, m->zone->file, m->steered, m->steered_count,
                                     seal, &m->alias.source, &m->note.watch, problems, ret_data,
                                     ret_size);
}

static int zone_store(struct making *m, const uint8_t *data, const uint8_t *form,
                      struct text *problems, struct zone_made *ret)
{
    const struct load_request *r = m->order->load;
    struct zone zone;
    int err = load_store(m->order, PLAN_FILE_ZONE, data, problems, &ret->file);
    if (!err && form)
        err = load_store(m->order, PLAN_FILE_HISTORY, form, problems, &ret->form);
    if (!err)
        err = zone_open_trusted(data, ((const struct zone_header *)data)->size, &zone);
    if (err)
        return err;
    ret->file.state = m->dark ? PLAN_ZONE_DARK : PLAN_ZONE_CURRENT;
    ret->anew = true;
    /* What another zone gave would not be seen to change. One that comes from primaries and has a
     * serial of ours is never taken for what they sent. */
    if (r->ledger && r->data && !m->sign.ring && !ret->aliases.other && !m->dark && m->zone->file &&
        !(m->zone->primary_count && ret->answers) && !m->told && !config_zone_is_shared(m->zone))
        load_note_keep(&m->note, r->ledger, r->data, m->zone->name, m->inputs, ret->file.hash,
                       ret->file.serial);
    load_sign_keep(&m->sign, &zone, m->wall, &ret->keys);
    return 0;
}

/* Which names answer as services do, and what a form has to say of them. */
static int zone_bind(struct making *m, const struct zone *zone, struct text *problems,
                     struct zone_made *ret)
{
    const struct zone_order *o = m->order;
    ret->text_serial = zone->header->serial;
    ret->aliases.other = m->alias.source.other;
    if (!load_aliases_read(o->config, zone, &ret->aliases) && o->load->data) {
        text_appendf(problems, "%s: an ALIAS record leads to no service\n", m->zone->file);
        return ERR_MISSING;
    }
    if (o->load->data && !m->dark && load_form_wanted(o->config, o->zone, &ret->aliases))
        ret->answers = load_form_answers(o, &ret->aliases, &ret->answer_count);
    return 0;
}

/* The serial of a zone from primaries is theirs to give, as long as the zone is what they gave. */
static bool serial_is_ours(const struct making *m, const struct zone_made *made)
{
    return m->order->load->data && !m->dark &&
           (!m->zone->primary_count || m->sign.ring || made->answers);
}

/* Serial and form, now that the zone can be compared with the one before. */
static int zone_settle(struct making *m, const struct zone_made *made, uint8_t *data,
                       struct text *problems, uint8_t **ret_form)
{
    struct settling s = {.order = m->order,
                         .sign = m->sign.ring ? &m->sign.sign : NULL,
                         .answers = made->answers,
                         .answer_count = made->answer_count,
                         .old = m->sign.has_old ? &m->sign.old : NULL,
                         .held = m->held,
                         .wall = m->wall};
    return load_settle(&s, data, problems, ret_form);
}

/* L2: what nodes share is saved a moment after it was agreed on. A node that was ended in between
 * begins with what it wanted before, and hears of the rest from the others: until then it goes on
 * with what it served. */
static int older_check(const struct making *m, const struct zone *zone, struct text *problems)
{
    const struct zone_order *o = m->order;
    bool start = o->load->served && !o->load->current;
    if (!start || !o->was || o->was_form || m->dark || !config_zone_is_shared(m->zone) ||
        !serial_newer(o->was->serial, zone->header->serial))
        return 0;
    text_appendf(problems, "%s: they are older than what zone %s was served from\n", m->zone->file,
                 m->zone->name);
    return ERR_OLDER;
}

static int zone_make(struct making *m, struct text *problems, struct zone_made *ret)
{
    const struct zone_order *o = m->order;
    uint8_t *data = NULL, *form = NULL;
    size_t size;
    struct zone zone;
    int err = load_sign_open(o, m->wall, problems, &m->sign);
    if (!err)
        err = zone_compile_source(m, problems, &data, &size);
    if (!err)
        err = zone_open_trusted(data, size, &zone);
    if (!err)
        err = older_check(m, &zone, problems);
    /* A transfer was asked about when it came, each update and each change of what is shared when
     * it was made. */
    if (!err && !m->zone->primary_count && !m->held && !config_zone_is_shared(m->zone))
        err = shrink_check(o->load, m->zone, &m->sign, &zone, problems);
    if (!err)
        err = zone_bind(m, &zone, problems, ret);
    if (!err && serial_is_ours(m, ret))
        err = zone_settle(m, ret, data, problems, &form);
    if (!err)
        err = zone_store(m, data, form, problems, ret);
    free(form);
    free(data);
    return err;
}

void zone_made_done(struct zone_made *made)
{
    dnssec_keyring_unref(made->keys.ring);
    load_aliases_done(&made->aliases);
    free(made->answers);
    made->answers = NULL;
    made->keys.ring = NULL;
}

int load_zone(const struct zone_order *o, struct text *problems, struct zone_made *ret)
{
    struct arena a = arena_init();
    struct making m = {
        .order = o, .zone = &o->config->zones[o->zone], .wall = clock_wall() / USEC_PER_SEC};
    m.steered = load_steered_names(&a, o->config, o->zone, &m.steered_count);
    m.held = load_held_is(o->load, m.zone);
    if (m.zone->file)
        m.inputs = load_ledger_inputs(m.zone->name, m.zone->file, m.steered, m.steered_count) +
                   (uint64_t)m.zone->zonemd;
    if (o->load->data && (m.held || m.zone->primary_count))
        m.inputs += 2 * m.held + load_held_journal(o->load->data, m.zone);
    *ret = (struct zone_made){.file = {.kind = PLAN_FILE_ZONE}, .keys = {.renew_at = KEY_NEVER}};
    int err = 0;
    if (!zone_reuse(o, m.inputs, ret)) {
        load_note_open(&m.note);
        load_alias_open(&m.alias, o);
        err = zone_make(&m, problems, ret);
        load_alias_done(&m.alias);
        if (err) {
            load_aliases_done(&ret->aliases);
            free(ret->answers);
            ret->answers = NULL;
        }
        ret->locked = m.sign.locked;
        if (err && err != -EAGAIN && (o->load->keep_old || ret->locked))
            load_sign_stuck(&m.sign, m.wall, &ret->keys);
        load_sign_done(&m.sign);
        load_note_done(&m.note);
    }
    arena_done(&a);
    return err;
}
