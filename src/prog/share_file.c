#include "prog/share_file.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/config_tree.h"
#include "model/zone_compile_io.h"
#include "seam/disk.h"
#include "wire/dname.h"
#include "wire/rdata.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHARE_FILE_MAX = 16 << 20, PROBLEMS_TEXT_MAX = 1 << 20, VALUE_TEXT_MAX = 1 << 18 };

struct reading_file {
    const char *path;
    struct problems *problems;
    struct text *zone_problems; /* of master files */
    json_t *out;
};

/* ---- YAML as JSON ---- */

static json_t *scalar_json(const struct tree *node)
{
    switch (tree_scalar_kind(node)) {
    case SCALAR_NULL:
        return json_null();
    case SCALAR_BOOL:
        return json_boolean(node->text[0] == 't' || node->text[0] == 'T');
    case SCALAR_INTEGER:
        if (node->text[0] != '0' || !node->text[1])
            return json_integer(strtoll(node->text, NULL, 10));
        return json_string(node->text); /* 0x10, 007: as it was written */
    case SCALAR_DECIMAL:
        return json_real(strtod(node->text, NULL));
    default:
        return json_stringn(node->text, node->count);
    }
}

static json_t *tree_json(const struct tree *node)
{
    json_t *out = NULL;
    if (node->kind == TREE_SCALAR)
        return scalar_json(node);
    out = node->kind == TREE_LIST ? json_array() : json_object();
    for (uint32_t i = 0; i < node->count; i++)
        if (node->kind == TREE_LIST)
            json_array_append_new(out, tree_json(node->items[i]));
        else
            json_object_set_new(out, node->pairs[i].key->text, tree_json(node->pairs[i].value));
    return out;
}

/* ---- records ---- */

/* Records of one zone on their way from a master file. */
struct collecting {
    json_t *records; /* the objects of this kind */
    const char *zone;
};

static const char *record_collect(void *context, const uint8_t *owner, uint16_t type,
                                  uint16_t class, uint32_t ttl, const uint8_t *rdata,
                                  uint16_t rdata_length, uint32_t line)
{
    struct collecting *c = context;
    char name[DNAME_TEXT_MAX], word[DNS_TYPE_TEXT_MAX];
    struct text key = text_init(3 * DNAME_TEXT_MAX), value = text_init(VALUE_TEXT_MAX);
    (void)class, (void)line;
    text_appendf(&key, "%s %s %s", c->zone, dname_format(owner, name), dns_type_format(type, word));
    rdata_format(type, rdata, rdata_length, &value);
    json_t *set = json_object_get(c->records, text_string(&key));
    if (!set) {
        set = json_pack("{s:I,s:[]}", "ttl", (json_int_t)ttl, "values");
        json_object_set_new(c->records, text_string(&key), set);
    } else if (json_integer_value(json_object_get(set, "ttl")) > (json_int_t)ttl) {
        json_object_set_new(set, "ttl", json_integer(ttl)); /* RFC 2181 5.2: one TTL a set */
    }
    json_array_append_new(json_object_get(set, "values"), json_string(text_string(&value)));
    const char *why = key.failed || value.failed ? "this is too long to be shared" : NULL;
    text_done(&key);
    text_done(&value);
    return why;
}

static void zone_file_take(struct reading_file *f, const char *zone, const struct tree *file)
{
    struct collecting c = {json_object_get(f->out, "records"), zone};
    const char *slash = strrchr(f->path, '/');
    struct text path = text_init(CONFIG_PATH_MAX);
    if (file->text[0] != '/' && slash)
        text_appendf(&path, "%.*s", (int)(slash + 1 - f->path), f->path);
    text_append(&path, file->text);
    if (zone_file_parse(zone, text_string(&path), record_collect, &c, NULL, f->zone_problems) &&
        !f->zone_problems->length)
        problem_add(f->problems, file->place, "it cannot be read");
    text_done(&path);
}

static void zone_records_take(struct reading_file *f, const char *zone, const struct tree *records)
{
    json_t *out = json_object_get(f->out, "records");
    if (records->kind != TREE_MAPPING) {
        problem_add(f->problems, records->place,
                    "records wants a mapping, \"www.example.com A\": {ttl: 300, values: [...]}");
        return;
    }
    for (uint32_t i = 0; i < records->count; i++) {
        struct text key = text_init(3 * DNAME_TEXT_MAX);
        text_appendf(&key, "%s %s", zone, records->pairs[i].key->text);
        json_object_set_new(out, text_string(&key), tree_json(records->pairs[i].value));
        text_done(&key);
    }
}

/* ---- objects ---- */

static void zone_take(struct reading_file *f, const char *name, const struct tree *node)
{
    json_t *value = tree_json(node);
    const struct tree *file = tree_get(node, "file"), *records = tree_get(node, "records");
    json_object_del(value, "name");
    json_object_del(value, "file");
    json_object_del(value, "records");
    json_object_set_new(json_object_get(f->out, "zone"), name, value);
    if (file && records)
        problem_add(f->problems, file->place,
                    "the zone %s has a file and records; keep one of them", name);
    else if (file && file->kind == TREE_SCALAR)
        zone_file_take(f, name, file);
    else if (records)
        zone_records_take(f, name, records);
}

static void list_take(struct reading_file *f, const struct tree *list, const char *kind)
{
    if (list && list->kind != TREE_LIST) {
        problem_add(f->problems, list->place, "a list is wanted here");
        return;
    }
    for (uint32_t i = 0; list && i < list->count; i++) {
        const struct tree *node = list->items[i];
        const struct tree *name = node->kind == TREE_MAPPING ? tree_get(node, "name") : NULL;
        if (!name || name->kind != TREE_SCALAR) {
            problem_add(f->problems, node->place, "this %s has no name", kind);
            continue;
        }
        uint8_t wire[DNAME_MAX];
        char plain[DNAME_TEXT_MAX];
        if (dname_parse(name->text, name->count, NULL, wire) < 0) {
            problem_add(f->problems, name->place, "%s is no domain name", quote(name->text).text);
            continue;
        }
        dname_format(wire, plain);
        if (!strcmp(kind, "zone")) {
            zone_take(f, plain, node);
            continue;
        }
        json_t *value = tree_json(node);
        json_object_del(value, "name");
        json_object_set_new(json_object_get(f->out, kind), plain, value);
    }
}

static void root_take(struct reading_file *f, const struct tree *root)
{
    static const char *const keys[] = {"zones", "checks", "services"};
    if (root->kind != TREE_MAPPING) {
        problem_add(f->problems, root->place, "a mapping of zones, checks and services is wanted");
        return;
    }
    for (uint32_t i = 0; i < root->count; i++) {
        const struct tree *key = root->pairs[i].key, *value = root->pairs[i].value;
        unsigned k = 0;
        while (k < array_length(keys) && strcmp(keys[k], key->text))
            k++;
        if (k == array_length(keys))
            problem_add(f->problems, key->place,
                        "%s is each node's own; what is shared is zones, checks and services",
                        quote(key->text).text);
        else if (k == 1 && value->kind == TREE_MAPPING)
            json_object_set_new(f->out, "check", tree_json(value));
        else if (k == 1)
            problem_add(f->problems, value->place, "a mapping from names to checks is wanted");
        else
            list_take(f, value, k ? "service" : "zone");
    }
}

json_t *share_file_read(const char *path)
{
    char *bytes;
    size_t length;
    int err = disk_read(path, SHARE_FILE_MAX, &bytes, &length);
    if (err) {
        fprintf(stderr, "holdfast: %s: %s\n", path, err_text(err));
        return NULL;
    }
    struct arena arena = arena_init();
    struct problems problems = problems_init(path, NULL);
    struct text zone_problems = text_init(PROBLEMS_TEXT_MAX), out = text_init(PROBLEMS_TEXT_MAX);
    struct reading_file f = {
        .path = path,
        .problems = &problems,
        .zone_problems = &zone_problems,
        .out = json_pack("{s:{},s:{},s:{},s:{}}", "check", "service", "zone", "records")};
    const struct tree *root;
    if (!tree_parse(bytes, length, 0, &arena, &problems, &root))
        root_take(&f, root);
    bool good = !problems.total && !zone_problems.length;
    problems_write(&problems, &out);
    fputs(text_string(&out), stderr);
    fputs(text_string(&zone_problems), stderr);
    text_done(&out);
    text_done(&zone_problems);
    problems_done(&problems);
    arena_done(&arena);
    free(bytes);
    if (good)
        return f.out;
    json_decref(f.out);
    return NULL;
}

/* ---- and back ---- */

static json_t *zone_json(const json_t *shared, const char *name, const json_t *value)
{
    json_t *zone = json_deep_copy(value), *records = json_object(), *set;
    size_t length = strlen(name);
    const char *key;
    json_object_foreach(json_object_get(shared, "records"), key, set)
    {
        if (!strncmp(key, name, length) && key[length] == ' ')
            json_object_set(records, key + length + 1, set);
    }
    json_object_set_new(zone, "name", json_string(name));
    if (json_object_size(records))
        json_object_set(zone, "records", records);
    json_decref(records);
    return zone;
}

char *share_file_format(const json_t *shared)
{
    json_t *zones = json_array(), *services = json_array(), *value;
    const char *name;
    json_object_foreach(json_object_get(shared, "zone"), name, value)
    {
        json_array_append_new(zones, zone_json(shared, name, value));
    }
    json_object_foreach(json_object_get(shared, "service"), name, value)
    {
        json_t *service = json_deep_copy(value);
        json_object_set_new(service, "name", json_string(name));
        json_array_append_new(services, service);
    }
    json_t *root = json_pack("{s:o,s:O,s:o}", "zones", zones, "checks",
                             json_object_get(shared, "check"), "services", services);
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS);
    invariant(text != NULL);
    json_decref(root);
    return text;
}
