#include "command/update_shared.h"

#include "base/err.h"
#include "base/invariant.h"
#include "wire/dname.h"
#include "wire/rdata.h"
#include "wire/zonefile.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum {
    ZONE_TEXT_MAX = 1 << 28,
    VALUE_TEXT_MAX = 1 << 18,
    SERIAL_BACK = 20, /* bytes from the end of an SOA's data */
    SOA_DATA_MAX = 2 * DNAME_MAX + SERIAL_BACK,
};

/* ---- what there is ---- */

static const char *record_take(void *context, const uint8_t *owner, uint16_t type, uint16_t class,
                               uint32_t ttl, const uint8_t *rdata, uint16_t rdata_length,
                               uint32_t line)
{
    (void)class, (void)line;
    return held_list_add(context, owner, type, ttl, rdata, rdata_length)
               ? "the zone has too many records"
               : NULL;
}

static int content_make(const struct intent *intent, const char *zone, struct held_content **ret)
{
    struct text text = text_init(ZONE_TEXT_MAX), problems = text_init(VALUE_TEXT_MAX);
    struct held_list records = {0};
    uint8_t origin[DNAME_MAX];
    struct zonefile z = {.path = zone, .record = record_take, .context = &records};
    int err = ERR_MISSING;
    if (intent_find(intent, INTENT_ZONE, zone) && intent_zone_text(intent, zone, &text))
        err = dname_parse(zone, strlen(zone), NULL, origin) > 0 ? 0 : ERR_INVALID;
    z.origin = origin;
    if (!err)
        err = zonefile_parse(&z, text.data, text.length, &problems);
    if (!err)
        err = held_content_new(origin, held_list_cursor(&records), ret);
    held_list_done(&records);
    text_done(&problems);
    text_done(&text);
    return err;
}

/* ---- what it is to be ---- */

/* The edits of one message, each set once. */
struct editing {
    const struct intent *intent;
    const char *zone;
    const struct held_content *content; /* as it is to be */
    json_t *edits;
};

static void value_append(json_t *values, uint16_t type, const uint8_t *rdata, uint16_t length)
{
    struct text value = text_init(VALUE_TEXT_MAX);
    rdata_format(type, rdata, length, &value);
    json_array_append_new(values, json_string(text_string(&value)));
    text_done(&value);
}

static void edit_add(const struct editing *e, const uint8_t *owner, uint16_t type, json_t *value)
{
    char name[DNAME_TEXT_MAX], word[DNS_TYPE_TEXT_MAX];
    struct text key = text_init(INTENT_NAME_MAX);
    text_appendf(&key, "%s %s %s", e->zone, dname_format(owner, name), dns_type_format(type, word));
    json_array_append_new(e->edits, json_pack("{s:s,s:s,s:o}", "kind", "records", "name",
                                              text_string(&key), "value", value));
    text_done(&key);
}

/* A set as it is to be: all of it, or that it goes. */
static void set_edit(const struct editing *e, const uint8_t *owner, uint16_t type)
{
    const struct held_name *n = held_name_find(e->content, owner, dname_length(owner));
    const struct held_record *r = held_set_first(n, type);
    json_t *values = json_array();
    uint32_t ttl = r ? r->ttl : 0;
    for (; r; r = held_set_next(r)) {
        ttl = r->ttl < ttl ? r->ttl : ttl; /* RFC 2181 5.2 */
        value_append(values, type, r->rdata, r->length);
    }
    if (json_array_size(values)) {
        edit_add(e, owner, type, json_pack("{s:I,s:o}", "ttl", (json_int_t)ttl, "values", values));
    } else {
        json_decref(values);
        edit_add(e, owner, type, json_null());
    }
}

/* The sets of a list; `seen` has those that were taken before. */
static void list_edit(const struct editing *e, const struct held_list *l, struct map *seen,
                      struct arena *arena)
{
    struct held_cursor c = held_list_cursor(l);
    struct held_item item;
    while (held_cursor_next(&c, &item) > 0) {
        size_t size = item.owner_length + sizeof item.type;
        uint8_t *key = arena_new(arena, size, 1);
        memcpy(key, item.owner, item.owner_length);
        memcpy(key + item.owner_length, &item.type, sizeof item.type);
        if (item.type == DNS_SOA || map_get(seen, key, size))
            continue;
        map_put(seen, key, size, key);
        set_edit(e, item.owner, item.type);
    }
}

/* The serial that is served is the record's and the number of the zone's newest change (model/
 * intent.h). That number rises anyway, so that a SOA record is written only where the message had
 * one that says something else; then the serial becomes what it says or, where others change
 * something in between, a bit more. */
static void soa_edit(const struct editing *e, const struct held_change *change,
                     const struct held_record *old)
{
    const struct held_record *now = held_soa(e->content);
    size_t tail = SERIAL_BACK - sizeof change->to, head = now->length - (size_t)SERIAL_BACK;
    uint32_t base = change->to - (uint32_t)(e->intent->version + 1);
    uint32_t was = change->from - (uint32_t)intent_change_newest(e->intent, INTENT_ZONE, e->zone);
    bool alike = now->ttl == old->ttl && now->length == old->length &&
                 !memcmp(now->rdata, old->rdata, head) &&
                 !memcmp(now->rdata + now->length - tail, old->rdata + old->length - tail, tail);
    uint8_t rdata[SOA_DATA_MAX];
    if (alike && change->to == change->from + 1 && json_array_size(e->edits))
        return;
    if (alike && base == was) /* nothing else says that there was a change */
        base++;
    invariant(now->length <= sizeof rdata);
    memcpy(rdata, now->rdata, now->length);
    struct writer at = writer_init(rdata + head, sizeof base);
    writer_u32(&at, base);
    json_t *values = json_array();
    value_append(values, DNS_SOA, rdata, now->length);
    edit_add(e, e->content->origin, DNS_SOA,
             json_pack("{s:I,s:o}", "ttl", (json_int_t)now->ttl, "values", values));
}

static char *line_make(const struct editing *e, const char *token)
{
    json_int_t newest = (json_int_t)intent_change_newest(e->intent, INTENT_ZONE, e->zone);
    /* force: what an update may take away was settled by its rule (L3) */
    json_t *request = json_pack("{s:s,s:O,s:[{s:s,s:s,s:I}],s:s,s:s,s:b}", "op", "change", "edits",
                                e->edits, "expects", "kind", "zone", "name", e->zone, "change",
                                newest, "reason", "DNS UPDATE", "token", token, "force", 1);
    invariant(request != NULL);
    char *line = json_dumps(request, JSON_COMPACT);
    invariant(line != NULL);
    json_decref(request);
    return line;
}

static char *change_line(const struct intent *intent, const char *zone,
                         struct held_content *content, const struct held_change *change,
                         const char *token)
{
    struct editing e = {intent, zone, content, json_array()};
    struct arena arena = arena_init();
    struct map seen = map_init();
    const struct held_record *soa = held_soa(content);
    struct held_record *old = arena_new(&arena, 1, sizeof *old + soa->length);
    memcpy(old, soa, sizeof *old + soa->length);
    char *line = NULL;
    if (!held_change_apply(content, change)) {
        list_edit(&e, &change->removed, &seen, &arena);
        list_edit(&e, &change->added, &seen, &arena);
        soa_edit(&e, change, old);
        line = line_make(&e, token);
    }
    json_decref(e.edits);
    map_done(&seen);
    arena_done(&arena);
    return line;
}

void update_shared_run(const struct intent *intent, const struct update_request *r,
                       const char *token, struct update_result *ret, char **ret_line)
{
    struct update_request request = *r;
    struct held_content *content;
    *ret_line = NULL;
    if (content_make(intent, r->zone->name, &content)) {
        *ret = (struct update_result){.rcode = DNS_SERVFAIL,
                                      .reason = "the records of the zone cannot be read"};
        return;
    }
    request.content = content;
    request.served = 0;
    request.policy = SERIAL_INCREMENT;
    update_run(&request, ret);
    if (ret->changed)
        *ret_line = change_line(intent, r->zone->name, content, &ret->change, token);
    if (ret->changed && !*ret_line) {
        held_change_done(&ret->change);
        *ret = (struct update_result){.rcode = DNS_SERVFAIL};
    }
    held_content_free(content);
}
