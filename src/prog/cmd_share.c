/* `holdfast share` and `holdfast record`: what nodes share of their configuration. */
#include "base/attr.h"
#include "base/memory.h"
#include "base/text.h"
#include "prog/change.h"
#include "prog/commands.h"
#include "prog/share_file.h"
#include "wire/dname.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TTL_DEFAULT = 300, NAME_TEXT_MAX = 3 * DNAME_TEXT_MAX };

static const char *const kinds[] = {"check", "service", "zone", "records"};

/* Objects of the four kinds, as share_file_read() gives them; NULL: why was printed. */
static json_t *shared_now(const struct change_options *o)
{
    json_t *out = json_object(), *object;
    for (unsigned k = 0; k < array_length(kinds); k++) {
        json_t *list = change_objects(o, kinds[k]), *map = json_object();
        size_t i;
        json_object_set_new(out, kinds[k], map);
        if (!list) {
            json_decref(out);
            return NULL;
        }
        json_array_foreach(list, i, object)
        {
            json_object_set(map, json_string_value(json_object_get(object, "name")),
                            json_object_get(object, "value"));
        }
        json_decref(list);
    }
    return out;
}

/* ---- share ---- */

static const char share_usage[] =
    "usage: holdfast share FILE [--prune] [--dry-run]\n"
    "       holdfast share show\n"
    "       holdfast share remove check|service|zone NAME\n"
    "                      [--reason TEXT] [--force] [--config FILE | --data DIR]\n\n"
    "What nodes share: zones, checks and services that belong to the configuration of every\n"
    "node, beside what stands in its own file. FILE has the keys zones, checks and services,\n"
    "written as in a configuration; the records of a zone come from its master file, or stand\n"
    "in FILE under `records`. All of it becomes one change, or nothing does: it is tried on\n"
    "this node first, and problems are told with their places.\n\n"
    "What FILE does not name stays as it is; with --prune it is removed. A zone that FILE\n"
    "names has the records that FILE gives it and no others. --dry-run only says what would\n"
    "change. To lose a third of what is shared wants --force. `show` prints everything as a\n"
    "file that `share` takes.\n";

/* Does this object belong to a zone that the file names? */
static bool zone_is_named(const json_t *wanted, const char *kind, const char *name)
{
    char zone[NAME_TEXT_MAX];
    const char *space = strchr(name, ' ');
    if (strcmp(kind, "records") || !space)
        return false;
    snprintf(zone, sizeof zone, "%.*s", (int)(space - name), name);
    return json_object_get(json_object_get(wanted, "zone"), zone) != NULL;
}

static void edit_add(json_t *edits, const char *word, const char *kind, const char *name,
                     json_t *value)
{
    printf("%s %s %s\n", word, kind, name);
    change_add(edits, kind, name, value ? json_incref(value) : NULL);
}

static json_t *difference(json_t *now, json_t *wanted, bool prune)
{
    json_t *edits = json_array(), *value;
    const char *name;
    for (unsigned k = 0; k < array_length(kinds); k++) {
        json_t *is = json_object_get(now, kinds[k]), *wants = json_object_get(wanted, kinds[k]);
        json_object_foreach(wants, name, value)
        {
            const json_t *was = json_object_get(is, name);
            if (!was || !json_equal(was, value))
                edit_add(edits, was ? "change" : "add", kinds[k], name, value);
        }
        json_object_foreach(is, name, value)
        {
            if (!json_object_get(wants, name) && (prune || zone_is_named(wanted, kinds[k], name)))
                edit_add(edits, "remove", kinds[k], name, NULL);
        }
    }
    return edits;
}

static int share_put(const struct change_options *o, const char *path, bool prune, bool dry)
{
    json_t *wanted = share_file_read(path), *now = wanted ? shared_now(o) : NULL;
    json_t *edits = now ? difference(now, wanted, prune) : NULL;
    size_t count = json_array_size(edits);
    int status = edits ? 0 : 1;
    json_decref(wanted);
    json_decref(now);
    if (edits && !count)
        puts("nothing is to be changed");
    if (count && !dry)
        status = change_send(o, change_request(edits));
    else
        json_decref(edits);
    return status;
}

static int share_show(const struct change_options *o)
{
    json_t *now = shared_now(o);
    if (!now)
        return 1;
    char *text = share_file_format(now);
    puts(text);
    free(text);
    json_decref(now);
    return 0;
}

/* A zone goes with its records. */
static int share_remove(const struct change_options *o, const char *kind, const char *name)
{
    json_t *now = shared_now(o), *edits = json_array(), *value;
    const char *key;
    size_t length = strlen(name);
    change_add(edits, kind, name, NULL);
    if (!strcmp(kind, "zone"))
        json_object_foreach(json_object_get(now, "records"), key, value)
        {
            if (!strncmp(key, name, length) && key[length] == ' ')
                change_add(edits, "records", key, NULL);
        }
    int status = 1;
    if (now)
        status = change_send(o, change_request(edits));
    else
        json_decref(edits);
    json_decref(now);
    return status;
}

int cmd_share(int argc, char **argv)
{
    struct change_options o = {0};
    bool prune = false, dry = false;
    const struct option_spec specs[] = {
        CHANGE_OPTIONS(&o), {.name = "prune", .flag = &prune}, {.name = "dry-run", .flag = &dry}};
    struct words words;
    int status = options_parse(argc, argv, share_usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    if (words.count == 1 && !strcmp(words.list[0], "show"))
        return share_show(&o);
    if (words.count == 1)
        return share_put(&o, words.list[0], prune, dry);
    if (words.count == 3 && !strcmp(words.list[0], "remove"))
        return share_remove(&o, words.list[1], words.list[2]);
    return options_wrong(share_usage, "name a file, or say show or remove");
}

/* ---- record ---- */

static const char record_usage[] =
    "usage: holdfast record list [ZONE]\n"
    "       holdfast record set NAME TYPE VALUE... [--ttl SECONDS] [--zone ZONE]\n"
    "       holdfast record remove NAME TYPE [--zone ZONE]\n"
    "                       [--reason TEXT] [--force] [--config FILE | --data DIR]\n\n"
    "Records of zones that nodes share (holdfast share). `set` replaces all records of this\n"
    "name and type; a VALUE is written as in a master file, in one word: \"10 mail\". NAME\n"
    "is absolute; the zone is the longest shared one that holds it. Without --ttl the TTL\n"
    "stays what it was, or becomes 300. The serial of the zone moves by itself.\n";

struct record_words {
    const char *ttl, *zone;
};

/* "ZONE OWNER TYPE", as the intent names it; false: why was printed. */
static bool record_name(const json_t *zones, const char *said_zone, const char *name,
                        const char *type, char ret[static NAME_TEXT_MAX])
{
    uint8_t wire[DNAME_MAX], other[DNAME_MAX];
    char plain[DNAME_TEXT_MAX], word[DNAME_TEXT_MAX];
    const char *best = said_zone, *zone;
    size_t best_length = 0;
    json_t *value;
    int length = dname_parse(name, strlen(name), NULL, wire);
    if (length < 0) {
        fprintf(stderr, "holdfast: \"%s\" is not a domain name\n", name);
        return false;
    }
    json_object_foreach((json_t *)zones, zone, value)
    {
        int n = said_zone ? -1 : dname_parse(zone, strlen(zone), NULL, other);
        if (n > (int)best_length && dname_below(wire, (size_t)length, other, (size_t)n)) {
            best = zone;
            best_length = (size_t)n;
        }
    }
    if (!best) {
        fprintf(stderr, "holdfast: no shared zone holds %s; `holdfast share` makes one\n", name);
        return false;
    }
    snprintf(word, sizeof word, "%s", type);
    for (char *c = word; *c; c++)
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    snprintf(ret, NAME_TEXT_MAX, "%s %s %s", best, dname_format(wire, plain), word);
    return true;
}

static int record_set(const struct change_options *o, const struct record_words *r,
                      const struct words *words)
{
    char name[NAME_TEXT_MAX];
    json_t *now = shared_now(o), *edits = json_array(), *values = json_array();
    json_int_t ttl = TTL_DEFAULT;
    char *end = NULL;
    int status = 1;
    if (now &&
        record_name(json_object_get(now, "zone"), r->zone, words->list[1], words->list[2], name)) {
        const json_t *was = json_object_get(json_object_get(now, "records"), name);
        if (was)
            ttl = json_integer_value(json_object_get(was, "ttl"));
        if (r->ttl)
            ttl = strtoll(r->ttl, &end, 10);
        for (unsigned i = 3; i < words->count; i++)
            json_array_append_new(values, json_string(words->list[i]));
        change_add(edits, "records", name, json_pack("{s:I,s:O}", "ttl", ttl, "values", values));
        status = end && *end ? options_wrong(record_usage, "\"%s\" is no number of seconds", r->ttl)
                             : change_send(o, change_request(json_incref(edits)));
    }
    json_decref(values);
    json_decref(edits);
    json_decref(now);
    return status;
}

static int record_remove(const struct change_options *o, const struct record_words *r,
                         const char *owner, const char *type)
{
    char name[NAME_TEXT_MAX];
    json_t *now = shared_now(o);
    bool good = now && record_name(json_object_get(now, "zone"), r->zone, owner, type, name);
    json_decref(now);
    return good ? change_remove(o, "records", name) : 1;
}

static int record_list(const struct change_options *o, const char *zone)
{
    json_t *now = shared_now(o), *set, *value;
    size_t length = zone ? strlen(zone) : 0, i;
    const char *key;
    if (!now)
        return 1;
    json_object_foreach(json_object_get(now, "records"), key, set)
    {
        const char *owner = strchr(key, ' ') + 1, *type = strchr(owner, ' ') + 1;
        if (zone && (strncmp(key, zone, length) || key[length] != ' '))
            continue;
        json_array_foreach(json_object_get(set, "values"), i, value)
            printf("%.*s. %lld IN %s %s\n", (int)(type - owner - 1), owner,
                   (long long)json_integer_value(json_object_get(set, "ttl")), type,
                   json_string_value(value));
    }
    json_decref(now);
    return 0;
}

int cmd_record(int argc, char **argv)
{
    struct change_options o = {0};
    struct record_words r = {0};
    const struct option_spec specs[] = {
        CHANGE_OPTIONS(&o), {.name = "ttl", .value = &r.ttl}, {.name = "zone", .value = &r.zone}};
    struct words words;
    int status = options_parse(argc, argv, record_usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    const char *verb = words.count ? words.list[0] : "";
    if (words.count <= 2 && !strcmp(verb, "list"))
        return record_list(&o, words.count == 2 ? words.list[1] : NULL);
    if (words.count > 3 && !strcmp(verb, "set"))
        return record_set(&o, &r, &words);
    if (words.count == 3 && !strcmp(verb, "remove"))
        return record_remove(&o, &r, words.list[1], words.list[2]);
    return options_wrong(record_usage, "say what is to be done, and with which record");
}
