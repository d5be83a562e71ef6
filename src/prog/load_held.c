#include "prog/load_held.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/memory.h"
#include "model/zone_compile_io.h"
#include "model/zone_folder.h"
#include "prog/load_alias.h"
#include "seam/clock.h"
#include "wire/dname.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const uint8_t **load_steered_names(struct arena *a, const struct config *c, uint32_t zone,
                                   unsigned *ret_count)
{
    unsigned count = 0;
    for (int i = c->zones[zone].first_service; i != CONFIG_NONE; i = c->services[i].next_in_zone)
        count++;
    const uint8_t **names = arena_new(a, count + 1, sizeof *names);
    count = 0;
    for (int i = c->zones[zone].first_service; i != CONFIG_NONE; i = c->services[i].next_in_zone) {
        uint8_t *name = arena_new(a, DNAME_MAX, 1);
        if (dname_parse(c->services[i].name, strlen(c->services[i].name), NULL, name) > 0)
            names[count++] = name;
    }
    *ret_count = count;
    return names;
}

/* ---- the text ---- */

struct text_reader {
    const struct zone_watch *also;
    uint64_t source;
    struct held_list records;
    uint8_t origin[DNAME_MAX];
    size_t origin_length;
};

static void text_read(void *context, const char *path, const struct disk_identity *identity,
                      int64_t read_ns, const char *data, size_t length)
{
    struct text_reader *t = context;
    if (t->also)
        t->also->read(t->also->context, path, identity, read_ns, data, length);
    t->source = hash64_seeded(data, length, t->source);
}

static const char *text_record(void *context, const uint8_t *owner, uint16_t type, uint16_t class,
                               uint32_t ttl, const uint8_t *rdata, uint16_t rdata_length,
                               uint32_t line)
{
    struct text_reader *t = context;
    (void)class, (void)line;
    if (!dname_below(owner, dname_length(owner), t->origin, t->origin_length))
        return "this name is outside the zone";
    if (held_list_add(&t->records, owner, type, ttl, rdata, rdata_length))
        return "the zone has too many records";
    return NULL;
}

int load_text_read(const struct config_zone *z, const struct zone_watch *also,
                   struct text *problems, struct held_list *ret, uint64_t *ret_source)
{
    struct text_reader t = {.also = also};
    struct zone_watch watch = {text_read, &t};
    int length = dname_parse(z->name, strlen(z->name), NULL, t.origin);
    t.origin_length = length > 0 ? (size_t)length : 0;
    int err = zone_file_parse(z->name, z->file, text_record, &t, &watch, problems);
    if (err) {
        held_list_done(&t.records);
        return err;
    }
    *ret = t.records;
    *ret_source = t.source ? t.source : 1; /* 0 says: from no text */
    return 0;
}

/* Would the zone be another one from these records, but for its serial? */
static bool records_differ(const struct held_list *records, const struct held_content *c)
{
    struct held_content *text;
    if (held_content_new(c->origin, held_list_cursor(records), &text))
        return true;
    bool same = held_same(text, c);
    held_content_free(text);
    return !same;
}

/* The text is not what the content began with, nor what it is: somebody edits it and wonders, or
 * named it when the zone came from primaries before (its content is of no text then). False where
 * it is, or there is none. */
static bool text_differs(const struct config_zone *z, const struct held_content *c, uint64_t source,
                         const char *folder, const struct zone_watch *watch, struct text *problems)
{
    struct text said = text_init(problems->max);
    struct held_list records;
    uint64_t now;
    int err = load_text_read(z, watch, &said, &records, &now);
    text_done(&said);
    if (err)
        return true; /* nothing is made from it: its own mistakes wait until it is imported */
    bool differs = now != source && records_differ(&records, c);
    held_list_done(&records);
    if (differs)
        text_appendf(problems,
                     "%s: %s. See what differs: holdfast zone diff %s %s. To go on from this text, "
                     "without what %s: holdfast zone import %s %s (it is held in %s)\n",
                     z->file,
                     source ? "was changed and is not read, since updates have changed its zone too"
                            : "is not read, since its zone has content from before, of primaries",
                     z->file, z->name, source ? "updates did" : "is held", z->name, z->file,
                     folder);
    return differs;
}

/* ---- content ---- */

static bool file_path(const char *data, const struct config_zone *zone, const char *name,
                      char ret[static PATH_MAX])
{
    char folder[PATH_MAX];
    if (zone_folder(data, "zones", zone->name, folder))
        return false;
    int n = snprintf(ret, PATH_MAX, "%s/%s", folder, name);
    return n > 0 && n < PATH_MAX;
}

bool load_held_journal(const char *data, const struct config_zone *zone)
{
    char path[PATH_MAX];
    struct disk_identity identity;
    return file_path(data, zone, "journal", path) && !disk_identify(path, &identity);
}

void load_held_watch(const char *data, const struct config_zone *zone,
                     const struct zone_watch *watch)
{
    static const char *const names[] = {"base", "journal"};
    char path[PATH_MAX];
    for (size_t i = 0; i < array_length(names); i++) {
        struct disk_identity identity;
        char *bytes;
        size_t size;
        int64_t read_ns = clock_wall() * 1000;
        if (!file_path(data, zone, names[i], path) || disk_identify(path, &identity) ||
            disk_read(path, HELD_LIST_MAX, &bytes, &size))
            continue;
        watch->read(watch->context, path, &identity, read_ns, bytes, size);
        free(bytes);
    }
}

bool load_held_is(const struct load_request *r, const struct config_zone *z)
{
    return r->data && z->update.rule_count && !z->primary_count && !config_zone_is_shared(z) &&
           zone_held_exists(r->data, z->name);
}

void load_held_unused(const struct load_request *r, const struct config_zone *z,
                      struct text *problems)
{
    char folder[PATH_MAX];
    struct disk_identity identity;
    if (!r->data || z->update.rule_count || !zone_held_exists(r->data, z->name) ||
        zone_folder(r->data, "zones", z->name, folder) || disk_identify(folder, &identity))
        return;
    text_appendf(problems,
                 "%s: is what zone %s is made from: what updates made of it, or primaries sent, "
                 "lies in %s and is no longer used; remove that folder, or say update or primaries "
                 "again\n",
                 z->file, z->name, folder);
}

static int content_build(const struct held_content *c, const uint8_t *const *steered,
                         unsigned steered_count, bool glue_later, const struct zone_seal *seal,
                         struct zone_alias_source *aliases, const char *path, struct text *problems,
                         uint8_t **ret_data, size_t *ret_size)
{
    struct zone_builder *b = zone_builder_new(c->origin);
    struct zone_seal how = seal ? *seal : (struct zone_seal){0};
    int err = 0;
    if (how.zonemd != ZONEMD_GENERATE) /* one in the text is of what it was before the updates */
        how.zonemd = ZONEMD_DROP;
    zone_builder_seal(b, &how);
    if (glue_later)
        zone_builder_glue_later(b);
    if (aliases)
        zone_builder_aliases(b, aliases);
    for (unsigned i = 0; i < steered_count && !err; i++)
        err = zone_builder_steer(b, steered[i]);
    if (!err)
        err = held_content_feed(c, b);
    if (err)
        text_appendf(problems, "%s:1:1: does not fit the zone: %s\n", path, err_text(err));
    else
        err = zone_builder_finish(b, path, problems, ret_data, ret_size);
    zone_builder_free(b);
    return err;
}

int load_held_compile(const struct load_request *r, const struct config_zone *z,
                      const uint8_t *const *steered, unsigned steered_count,
                      const struct zone_seal *seal, struct zone_alias_source *aliases,
                      const struct zone_watch *watch, struct text *problems, uint8_t **ret_data,
                      size_t *ret_size, bool *ret_told)
{
    struct held_content *c;
    uint64_t source;
    char folder[PATH_MAX];
    int err = zone_folder(r->data, "zones", z->name, folder);
    load_held_watch(r->data, z, watch);
    err = err ? err : zone_held_read(r->data, z->name, problems, &c, &source);
    if (err)
        return err;
    err = content_build(c, steered, steered_count, true, seal, aliases, folder, problems, ret_data,
                        ret_size);
    if (!err)
        *ret_told = text_differs(z, c, source, folder, watch, problems);
    held_content_free(c);
    return err;
}

int load_held_check(const struct zone_order *o, const struct held_content *c, bool glue_later,
                    struct text *problems, uint8_t **ret_data, size_t *ret_size)
{
    struct arena a = arena_init();
    struct load_alias alias;
    unsigned count;
    const uint8_t **steered = load_steered_names(&a, o->config, o->zone, &count);
    load_alias_open(&alias, o);
    int err = content_build(c, steered, count, glue_later, NULL, &alias.source,
                            o->config->zones[o->zone].name, problems, ret_data, ret_size);
    load_alias_done(&alias);
    if (err == -EAGAIN)
        text_appendf(problems, "%s:1:1: an ALIAS record leads to a zone that is not there now\n",
                     o->config->zones[o->zone].name);
    arena_done(&a);
    return err;
}
