#include "prog/control_fetched.h"
#include "base/err.h"
#include "base/invariant.h"
#include "model/zone_compile.h"
#include "model/zone_held_io.h"
#include "prog/load_primary.h"
#include "prog/load_zone.h"
#include "wire/dns.h"
#include <stdlib.h>
#include <string.h>

enum { SOA_FIXED = 20 };

static bool fetched_shrinks(struct fetched *f, const struct zone *next)
{
    return !f->accept_shrink && f->served &&
           zone_stored_shrinks(f->data, f->served, next, &f->lost, &f->total);
}

static void timers_read(struct fetched *f, const struct held_content *content)
{
    const struct held_record *soa = held_soa(content);
    struct reader r = reader_init(soa->rdata, soa->length);
    r.position = soa->length - (size_t)SOA_FIXED;
    f->serial = reader_u32(&r);
    f->timers.refresh = reader_u32(&r);
    f->timers.retry = reader_u32(&r);
    f->timers.expire = reader_u32(&r);
    invariant(!r.failed);
}

/* Is it a zone that could be served? */
static int content_check(struct fetched *f, const struct held_content *content)
{
    uint8_t *bytes = NULL;
    size_t size;
    struct zone zone;
    struct zone_seal how = {.zonemd = f->zonemd};
    int err = primary_compile(content, f->zone, NULL, 0, &how, &f->problems, &bytes, &size);
    if (!err)
        err = zone_open_trusted(bytes, size, &zone);
    timers_read(f, content);
    if (!err && fetched_shrinks(f, &zone))
        err = ERR_REFUSED;
    free(bytes);
    return err;
}

static int whole_take(struct fetched *f)
{
    struct held_list list = {0};
    struct held_content *content = NULL;
    struct inbound_record r;
    uint8_t origin[DNAME_MAX];
    size_t position = 0;
    int err = dname_parse(f->zone, strlen(f->zone), NULL, origin) < 0 ? ERR_INVALID : 0;
    while (!err && inbound_next(f->in, &position, &r))
        err = held_list_add(&list, r.owner, r.type, r.ttl, r.rdata, r.rdata_length);
    if (!err)
        err = held_content_new(origin, held_list_cursor(&list), &content);
    if (!err)
        err = content_check(f, content);
    if (!err)
        err = zone_held_replace(f->data, f->zone, &list, 0, &f->problems);
    held_content_free(content);
    held_list_done(&list);
    return err;
}

/* ---- differences ---- */

/* One step of them is complete. */
static int step_append(struct zone_held *h, struct held_change *step)
{
    int err = step->added.count ? zone_held_append(h, step) : 0;
    held_change_done(step);
    return err;
}

static int record_collect(struct zone_held *h, struct held_change *step,
                          const struct inbound_record *r)
{
    int err = 0;
    if (r->type == DNS_SOA && r->removed) {
        err = step_append(h, step);
        *step = (struct held_change){.from = held_soa_serial(r->rdata, r->rdata_length)};
    } else if (r->type == DNS_SOA) {
        step->to = held_soa_serial(r->rdata, r->rdata_length);
    }
    return err ? err
               : held_list_add(r->removed ? &step->removed : &step->added, r->owner, r->type,
                               r->ttl, r->rdata, r->rdata_length);
}

static int steps_apply(struct fetched *f, struct zone_held *h)
{
    struct held_change step = {0};
    struct inbound_record r;
    size_t position = 0;
    int err = 0;
    while (!err && inbound_next(f->in, &position, &r))
        err = record_collect(h, &step, &r);
    if (!err)
        err = step_append(h, &step);
    held_change_done(&step);
    return err;
}

static int steps_take(struct fetched *f)
{
    struct zone_held *h;
    int err = zone_held_open(f->data, f->zone, &f->problems, &h);
    if (err)
        return err;
    err = steps_apply(f, h);
    if (!err)
        err = content_check(f, zone_held_content(h));
    if (!err)
        err = zone_held_commit(h);
    if (!err && zone_held_compact(h))
        text_appendf(&f->problems, "%s: its journal could not be made shorter\n", f->zone);
    zone_held_close(h);
    return err;
}

static void note_write(struct fetched *f)
{
    uint8_t bytes[NOTE_SIZE];
    f->note.serial = f->serial;
    f->note.timers = f->timers;
    note_encode(&f->note, bytes);
    int err = zone_held_note_write(f->data, f->zone, bytes, sizeof bytes);
    if (err)
        text_appendf(&f->problems, "%s: when it was confirmed could not be noted: %s\n", f->zone,
                     err_text(err));
}

void fetched_take(struct fetched *f)
{
    bool whole = inbound_kind(f->in) == INBOUND_WHOLE;
    int err = whole ? whole_take(f) : steps_take(f);
    if (!err) {
        f->how = SECONDARY_TAKEN;
        note_write(f);
    } else if (err == ERR_REFUSED) {
        f->how = SECONDARY_SHRUNK;
    } else {
        f->how = whole ? SECONDARY_FAILED : SECONDARY_UNFIT;
        text_appendf(&f->problems, "%s: what came cannot be used: %s\n", f->zone, err_text(err));
    }
}
