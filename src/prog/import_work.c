#include "prog/import_work.h"
#include "base/err.h"
#include "base/memory.h"
#include "model/zone_compile.h"
#include "prog/load_held.h"
#include "wire/dns.h"
#include "wire/serial.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 512 << 10, MESSAGE_MAX = 1 << 20 };

struct importing {
    struct import_work *w;
    const struct zone_order *order;
    const struct config_zone *zone;
    struct held_content *next; /* what was sent */
    struct held_content *old;  /* NULL: what there was cannot be read */
    struct held_list text;     /* `old`, where nothing is held yet; and the hash of its text */
    uint64_t source;
    bool held;
    unsigned made; /* records left out, since signing makes them */
    struct held_change change;
};

struct import_work *import_new(const char *zone, const char *author, struct command_reply_to *to)
{
    struct import_work *w = mem_new(1, sizeof *w);
    *w = (struct import_work){.zone = mem_string(zone),
                              .author = mem_string(author),
                              .to = to,
                              .message = text_init(MESSAGE_MAX)};
    return w;
}

void import_free(struct import_work *w)
{
    free(w->zone);
    free(w->author);
    free(w->bytes);
    text_done(&w->message);
    free(w);
}

/* ---- may it be? ---- */

static int kind_check(struct importing *i)
{
    const struct config_zone *z = i->zone;
    struct text *out = &i->w->message;
    if (z->primary_count)
        text_appendf(out, "zone %s comes from its primaries: change it there", z->name);
    else if (z->catalog == CATALOG_GENERATE)
        text_appendf(out, "zone %s is the list of the zones that name it as their catalog_zone",
                     z->name);
    else if (config_zone_is_shared(z))
        text_appendf(out, "zone %s is kept by all nodes together: change it there", z->name);
    else if (!z->update.rule_count)
        text_appendf(out,
                     "zone %s is what its file %s says: write the zone there (holdfast zone import "
                     "%s ... --out %s --overwrite), then holdfast zone reload %s",
                     z->name, z->file, z->name, z->file, z->name);
    else
        return 0;
    return ERR_INVALID;
}

/* ---- what was sent ---- */

static bool type_is_made(uint16_t type)
{
    return type == DNS_RRSIG || type == DNS_NSEC || type == DNS_NSEC3 || type == DNS_NSEC3PARAM ||
           type == DNS_DNSKEY || type == DNS_CDS || type == DNS_CDNSKEY;
}

/* Without what this node's own signing makes. */
static int list_filter(struct importing *i, struct held_list *ret)
{
    struct held_cursor cursor = held_cursor_init(i->w->bytes, i->w->size);
    struct held_item item;
    int more;
    while ((more = held_cursor_next(&cursor, &item)) > 0) {
        if (type_is_made(item.type)) {
            i->made++;
            continue;
        }
        int err =
            held_list_add(ret, item.owner, item.type, item.ttl, item.rdata, item.rdata_length);
        if (err)
            return err;
    }
    return more;
}

static int sent_read(struct importing *i)
{
    uint8_t origin[DNAME_MAX];
    struct held_list list = {0};
    int err = dname_parse(i->zone->name, strlen(i->zone->name), NULL, origin);
    err = err < 0 ? err : 0;
    if (!err && i->zone->dnssec.on)
        err = list_filter(i, &list);
    struct held_cursor cursor =
        i->zone->dnssec.on ? held_list_cursor(&list) : held_cursor_init(i->w->bytes, i->w->size);
    err = err ? err : held_content_new(origin, cursor, &i->next);
    held_list_done(&list);
    if (err)
        text_appendf(&i->w->message, "these records are no zone %s: %s", i->zone->name,
                     err == ERR_MISSING ? "it wants one SOA record, at its own name"
                                        : err_text(err));
    return err;
}

/* ---- what there was ---- */

/* A zone that nothing changed yet is its text. Content that is damaged is no reason to refuse what
 * mends it (L2); what is served is compared all the same (shrink_check). */
static void old_read(struct importing *i)
{
    struct text problems = text_init(LOAD_PROBLEMS_MAX);
    const char *data = i->order->load->data, *name = i->zone->name;
    i->held = zone_held_exists(data, name);
    if (i->held) {
        if (zone_held_read(data, name, &problems, &i->old, &i->source))
            text_append(&i->w->message,
                        "what was held of the zone cannot be read, and is replaced\n");
    } else if (load_text_read(i->zone, NULL, &problems, &i->text, &i->source) ||
               held_content_new(i->next->origin, held_list_cursor(&i->text), &i->old)) {
        text_appendf(&i->w->message, "%s cannot be read, and is not compared\n", i->zone->file);
    }
    text_done(&problems);
}

/* ---- the serial ---- */

static bool signed_elsewhere(const struct importing *i)
{
    const struct held_content *c = i->next;
    return !i->zone->dnssec.on &&
           held_set_first(held_name_find(c, c->origin, c->origin_length), DNS_RRSIG);
}

/* By the zone's policy, where what was sent is a version as an edited text is one. ERR_REFUSED: its
 * signatures allow no other serial than its own, and that is not newer. 1: nothing differs. */
static int serial_choose(struct importing *i, int64_t wall)
{
    const struct plan_file *was = i->order->was;
    uint32_t sent = i->next->serial, last = i->old ? i->old->serial : sent;
    bool given = signed_elsewhere(i);
    if (was && (!i->old || serial_newer(was->serial, last)))
        last = was->serial;
    struct serial_facts facts = {
        .policy = given ? SERIAL_FILE : i->zone->serial,
        .served = i->old || was,
        .changed = !i->old || !held_same(i->old, i->next),
        .last = last,
        .text = sent,
        .wall = wall,
    };
    i->w->serial = serial_next(&facts);
    if (!facts.changed && i->w->serial == last)
        return 1;
    if (!given || i->w->serial == sent)
        return 0;
    text_appendf(&i->w->message,
                 "the zone is signed already, so its serial %u cannot be changed; it would have to "
                 "be newer than %u, which is served",
                 sent, last);
    return ERR_REFUSED;
}

/* The content as it will be held: with that serial. */
static int serial_put(struct importing *i)
{
    struct held_change change;
    int err = held_differ(i->next, i->next, i->w->serial, &change);
    if (err)
        return err;
    err = held_change_apply(i->next, &change);
    held_change_done(&change);
    return err;
}

/* ---- can it be served? ---- */

static int shrink_check(struct importing *i, const struct zone *next)
{
    const struct plan_file *was = i->order->was;
    unsigned lost, total;
    if (i->w->may_shrink || !was ||
        !zone_stored_shrinks(i->order->load->data, was->hash, next, &lost, &total))
        return 0;
    text_appendf(&i->w->message,
                 "zone %s would lose %u of its %u names; if that is meant, say so: --accept-shrink",
                 i->zone->name, lost, total);
    return ERR_REFUSED;
}

static int next_check(struct importing *i)
{
    uint8_t *data = NULL;
    size_t size;
    struct zone zone;
    int err = load_held_check(i->order, i->next, false, &i->w->message, &data, &size);
    if (!err)
        err = zone_open_trusted(data, size, &zone);
    if (!err)
        err = shrink_check(i, &zone);
    free(data);
    return err;
}

/* ---- the change ---- */

static int whole_write(struct importing *i, struct text *problems)
{
    struct held_list list;
    int err = held_content_list(i->next, &list);
    if (err)
        return err;
    err = zone_held_replace(i->order->load->data, i->zone->name, &list, 0, problems);
    held_list_done(&list);
    return err;
}

static int change_write(struct importing *i, struct text *problems)
{
    const char *data = i->order->load->data, *name = i->zone->name;
    struct zone_held *h;
    int err = i->held ? 0 : zone_held_replace(data, name, &i->text, i->source, problems);
    err = err ? err : zone_held_open(data, name, problems, &h);
    if (err)
        return err;
    err = zone_held_append(h, &i->change);
    err = err ? err : zone_held_commit(h);
    if (!err && zone_held_compact(h)) /* it is held all the same */
        text_appendf(problems, "%s: its journal could not be made shorter\n", name);
    zone_held_close(h);
    return err;
}

static int content_write(struct importing *i)
{
    struct text problems = text_init(LOAD_PROBLEMS_MAX);
    int err = i->old ? change_write(i, &problems) : whole_write(i, &problems);
    text_append(&i->w->message, text_string(&problems));
    if (err)
        text_appendf(&i->w->message, "it could not be written: %s", err_text(err));
    else
        text_append(&i->w->message, "it is on the disk, and will be served in a moment");
    text_done(&problems);
    i->w->applied = !err;
    return err;
}

/* ---- what is told ---- */

static void change_tell(struct importing *i)
{
    struct import_work *w = i->w;
    struct text lines = text_init(SHOWN_MAX);
    if (i->made)
        text_appendf(&w->message, "left out: %u records that this node's signing makes\n", i->made);
    text_appendf(&w->message, "zone %s%s: %u records go, %u come, serial %u becomes %u\n",
                 i->zone->name, w->dry_run ? " would change" : "", w->removed, w->added, w->from,
                 w->serial);
    if (i->old)
        held_change_text(&i->change, IMPORT_LINES_MAX, &lines);
    text_append(&w->message,
                lines.failed ? "the difference is too long to be shown\n" : text_string(&lines));
    text_done(&lines);
    if (w->dry_run)
        text_append(&w->message, "nothing was changed: this was asked for with --dry-run");
}

static int import_do(struct importing *i, int64_t wall)
{
    int err = kind_check(i);
    err = err ? err : sent_read(i);
    if (err)
        return err;
    old_read(i);
    int same = serial_choose(i, wall);
    if (same > 0)
        text_appendf(&i->w->message, "zone %s holds exactly that already", i->zone->name);
    if (same)
        return same < 0 ? same : 0;
    err = serial_put(i);
    err = err ? err : next_check(i);
    if (!err && i->old)
        err = held_differ(i->old, i->next, i->w->serial, &i->change);
    if (err)
        return err;
    i->w->from = i->old ? i->old->serial : i->order->was ? i->order->was->serial : 0;
    i->w->removed = i->old ? i->change.removed.count - 1 : 0; /* without the SOA's */
    i->w->added = i->old ? i->change.added.count - 1 : i->next->record_count - 1;
    change_tell(i);
    return i->w->dry_run ? 0 : content_write(i);
}

void import_run(struct import_work *w, const struct zone_order *o, int64_t wall)
{
    struct importing i = {.w = w, .order = o, .zone = &o->config->zones[o->zone]};
    w->err = import_do(&i, wall);
    if (w->err && !*text_string(&w->message))
        text_append(&w->message, err_text(w->err));
    held_content_free(i.next);
    held_content_free(i.old);
    held_list_done(&i.text);
    held_change_done(&i.change);
}
