/* What nodes share of their configuration: checks, services, zones, and the records of zones. */
#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/intent_object.h"
#include "model/shrink.h"
#include "wire/dname.h"
#include "wire/rdata.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SERIAL_BEHIND = 5 * 4 }; /* bytes of a SOA's numbers, of which the serial is the first */

/* ---- names ---- */

/* Is this how a configuration writes a domain name? */
static bool domain_is_plain(const char *text, size_t length)
{
    uint8_t name[DNAME_MAX];
    char back[DNAME_TEXT_MAX];
    static const uint8_t root[] = {0};
    if (dname_parse(text, length, root, name) < 0)
        return false;
    dname_format(name, back);
    return strlen(back) == length && !memcmp(back, text, length);
}

/* "ZONE OWNER TYPE": where the words begin; false where there are not three. */
struct records_name {
    const char *zone, *owner, *type;
    size_t zone_length, owner_length;
};

static bool records_name_cut(const char *name, struct records_name *ret)
{
    const char *first = strchr(name, ' '), *second = first ? strchr(first + 1, ' ') : NULL;
    if (!second)
        return false;
    *ret = (struct records_name){.zone = name,
                                 .zone_length = (size_t)(first - name),
                                 .owner = first + 1,
                                 .owner_length = (size_t)(second - first - 1),
                                 .type = second + 1};
    return true;
}

static const char *records_name_check(const char *name)
{
    struct records_name n;
    uint16_t type;
    char format[DNS_TYPE_TEXT_MAX];
    uint8_t zone[DNAME_MAX], owner[DNAME_MAX];
    static const uint8_t root[] = {0};
    if (!records_name_cut(name, &n) || !domain_is_plain(n.zone, n.zone_length) ||
        !domain_is_plain(n.owner, n.owner_length) ||
        dns_type_parse(n.type, strlen(n.type), &type) || dns_type_is_meta(type) ||
        strcmp(dns_type_format(type, format), n.type))
        return "wants a name \"ZONE OWNER TYPE\", such as \"example.com www.example.com A\": lower "
               "case, no dots at the end";
    int zone_length = dname_parse(n.zone, n.zone_length, root, zone);
    int owner_length = dname_parse(n.owner, n.owner_length, root, owner);
    invariant(zone_length > 0 && owner_length > 0);
    return dname_below(owner, (size_t)owner_length, zone, (size_t)zone_length)
               ? NULL
               : "is not in its zone";
}

static bool label_is_good(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "._-");
    return length > 0 && !name[length] && length <= CONFIG_LABEL_MAX && !strchr("._-", *name);
}

const char *shared_name_check(enum intent_kind kind, const char *name)
{
    if (kind == INTENT_RECORDS)
        return records_name_check(name);
    if (kind == INTENT_CHECK)
        return label_is_good(name) ? NULL
                                   : "wants a name of letters, digits, \".\", \"_\" and \"-\"";
    return domain_is_plain(name, strlen(name))
               ? NULL
               : "wants a domain name in lower case, without a dot at its end";
}

/* ---- values ---- */

const char *shared_read(const json_t *value, struct intent_object *o)
{
    (void)value; /* what it says is for a configuration to judge */
    (void)o;
    return NULL;
}

/* One value of a set, alone, as a master file has it: its data, or false. */
static bool value_parse(const char *text, uint16_t type, const uint8_t *origin, uint8_t *ret_data,
                        uint16_t *ret_length)
{
    struct lexer lexer = lexer_init(text, strlen(text));
    struct rdata_problem problem;
    return !strpbrk(text, "\r\n") &&
           !rdata_parse(&lexer, type, origin, ret_data, ret_length, &problem) &&
           (lexer.token == TOKEN_NEWLINE || lexer.token == TOKEN_END);
}

static const char *values_check(const json_t *values, const char *name)
{
    struct records_name n;
    uint8_t origin[DNAME_MAX], *data = mem_new(RDATA_MAX, 1);
    static const uint8_t root[] = {0};
    uint16_t type, length;
    const char *why = NULL;
    size_t i;
    json_t *value;
    invariant(records_name_cut(name, &n));
    if (dns_type_parse(n.type, strlen(n.type), &type) ||
        dname_parse(n.zone, n.zone_length, root, origin) < 0)
        why = "wants a name that can be read";
    json_array_foreach((json_t *)values, i, value)
    {
        if (!why && (!json_is_string(value) ||
                     !value_parse(json_string_value(value), type, origin, data, &length)))
            why = "has a value that a master file could not have there";
    }
    free(data);
    return why;
}

const char *records_read(const json_t *value, struct intent_object *o)
{
    const json_t *ttl = json_object_get(value, "ttl"), *values = json_object_get(value, "values");
    if (json_object_size(value) != 2 || !json_is_integer(ttl) || json_integer_value(ttl) < 0 ||
        json_integer_value(ttl) > INTENT_TTL_MAX || !json_array_size(values) ||
        json_array_size(values) > INTENT_VALUES_MAX)
        return "wants {\"ttl\": seconds, \"values\": [1 to 1000 texts]}";
    return values_check(values, o->name);
}

/* ---- changes ---- */

static struct intent_object *object_copy(const struct intent_object *from)
{
    const char *why;
    json_t *value = json_loads(from->value, 0, NULL);
    struct intent_object *o = object_decode(from->kind, from->name, value, &why);
    json_decref(value);
    invariant(o != NULL);
    o->version = from->version;
    o->wall_ms = from->wall_ms;
    o->author = mem_string(from->author);
    o->reason = from->reason ? mem_string(from->reason) : NULL;
    return o;
}

static void zone_touch(struct intent *next, const char *zone, uint64_t version)
{
    uint32_t at = object_position(next, INTENT_ZONE, zone);
    if (at == next->object_count || object_compare(next->objects[at], INTENT_ZONE, zone) ||
        next->objects[at]->touched == version)
        return;
    struct intent_object *o = object_copy(next->objects[at]);
    o->touched = version;
    object_unref(next->objects[at]);
    next->objects[at] = o;
}

void zones_touch(struct intent *next, const struct intent_change *change)
{
    for (uint32_t i = 0; i < change->edit_count; i++) {
        const struct intent_edited *e = &change->edits[i];
        char zone[INTENT_NAME_MAX];
        struct records_name n = {.zone = e->name, .zone_length = strlen(e->name)};
        if (e->kind != INTENT_ZONE && e->kind != INTENT_KEYS &&
            (e->kind != INTENT_RECORDS || !records_name_cut(e->name, &n)))
            continue;
        memcpy(zone, n.zone, n.zone_length);
        zone[n.zone_length] = 0;
        zone_touch(next, zone, change->version);
    }
}

int shared_references_check(const struct intent *intent, struct text *why)
{
    uint32_t count;
    struct intent_object *const *list = intent_list(intent, INTENT_RECORDS, &count);
    const char *last = NULL; /* records of one zone lie together */
    for (uint32_t i = 0; i < count; i++) {
        char zone[INTENT_NAME_MAX];
        struct records_name n;
        invariant(records_name_cut(list[i]->name, &n));
        if (last && !strncmp(last, n.zone, n.zone_length + 1))
            continue;
        last = n.zone;
        memcpy(zone, n.zone, n.zone_length);
        zone[n.zone_length] = 0;
        if (intent_find(intent, INTENT_ZONE, zone))
            continue;
        text_appendf(why, "the records %s lie in the zone %s, which is not shared", list[i]->name,
                     zone);
        return ERR_MISSING;
    }
    return 0;
}

/* ---- for configurations ---- */

static const struct {
    enum intent_kind kind;
    enum config_part_kind part;
} part_kinds[] = {
    {INTENT_ZONE, PART_ZONE}, {INTENT_CHECK, PART_CHECK}, {INTENT_SERVICE, PART_SERVICE}};

struct config_parts intent_parts(const struct intent *intent, struct arena *arena)
{
    uint32_t count, total = 0;
    for (unsigned k = 0; k < array_length(part_kinds); k++) {
        intent_list(intent, part_kinds[k].kind, &count);
        total += count;
    }
    struct config_part *out = arena_new(arena, total + (size_t)1, sizeof *out);
    struct config_parts parts = {.list = out};
    for (unsigned k = 0; k < array_length(part_kinds); k++) {
        struct intent_object *const *list = intent_list(intent, part_kinds[k].kind, &count);
        for (uint32_t i = 0; i < count; i++)
            out[parts.count++] = (struct config_part){
                .kind = part_kinds[k].part,
                .name = arena_string(arena, list[i]->name, strlen(list[i]->name)),
                .value = arena_string(arena, list[i]->value, strlen(list[i]->value)),
            };
    }
    invariant(parts.count == total);
    return parts;
}

bool intent_shares_alike(const struct intent *a, const struct intent *b)
{
    uint32_t first_a = object_position(a, INTENT_CHECK, ""),
             first_b = object_position(b, INTENT_CHECK, "");
    uint32_t end_a = object_position(a, (enum intent_kind)(INTENT_RECORDS + 1), "");
    uint32_t end_b = object_position(b, (enum intent_kind)(INTENT_RECORDS + 1), "");
    if (end_a - first_a != end_b - first_b)
        return false;
    for (uint32_t i = 0; i < end_a - first_a; i++) {
        const struct intent_object *x = a->objects[first_a + i], *y = b->objects[first_b + i];
        if (x != y && (x->kind != y->kind || strcmp(x->name, y->name) ||
                       strcmp(x->value, y->value) || x->touched != y->touched))
            return false;
    }
    return true;
}

/* "ns1.example.com. hostmaster.example.com. 17 7200 900 1209600 300" with the serial that is
 * served; it is returned. */
static uint32_t soa_append(const char *value, const uint8_t *origin, uint64_t more,
                           struct text *out)
{
    uint8_t *data = mem_new(RDATA_MAX, 1);
    uint16_t length;
    bool good = value_parse(value, DNS_SOA, origin, data, &length);
    invariant(good && length > SERIAL_BEHIND);
    uint8_t *at = data + length - SERIAL_BEHIND;
    struct reader serial = reader_init(at, 4);
    struct writer changed = writer_init(at, 4);
    uint32_t served = reader_u32(&serial) + (uint32_t)more;
    writer_u32(&changed, served);
    rdata_format(DNS_SOA, data, length, out);
    free(data);
    return served;
}

static void records_append(const struct intent_object *o, const struct intent_object *zone,
                           struct text *out)
{
    json_t *root = json_loads(o->value, 0, NULL), *value;
    uint8_t origin[DNAME_MAX];
    static const uint8_t top[] = {0};
    struct records_name n;
    size_t i;
    invariant(root && records_name_cut(o->name, &n));
    int err = dname_parse(zone->name, strlen(zone->name), top, origin);
    invariant(err > 0);
    json_array_foreach(json_object_get(root, "values"), i, value)
    {
        text_appendf(out, "%.*s%s %lld IN %s ", (int)n.owner_length, n.owner,
                     n.owner_length == 1 && *n.owner == '.' ? "" : ".",
                     (long long)json_integer_value(json_object_get(root, "ttl")), n.type);
        if (!strcmp(n.type, "SOA"))
            (void)soa_append(json_string_value(value), origin, zone->touched, out);
        else
            text_append(out, json_string_value(value));
        text_append(out, "\n");
    }
    json_decref(root);
}

uint32_t intent_zone_serial(const struct intent *intent, const char *zone)
{
    char name[INTENT_NAME_MAX + 8];
    uint8_t origin[DNAME_MAX];
    static const uint8_t top[] = {0};
    snprintf(name, sizeof name, "%s %s SOA", zone, zone);
    const struct intent_object *z = intent_find(intent, INTENT_ZONE, zone);
    const struct intent_object *soa = intent_find(intent, INTENT_RECORDS, name);
    if (!z || !soa || dname_parse(zone, strlen(zone), top, origin) <= 0)
        return 0;
    struct text text = text_init(RDATA_MAX);
    json_t *root = json_loads(soa->value, 0, NULL);
    uint32_t serial =
        soa_append(json_string_value(json_array_get(json_object_get(root, "values"), 0)), origin,
                   z->touched, &text);
    json_decref(root);
    text_done(&text);
    return serial;
}

bool intent_zone_text(const struct intent *intent, const char *zone, struct text *out)
{
    const struct intent_object *z = intent_find(intent, INTENT_ZONE, zone);
    char first[INTENT_NAME_MAX + 8];
    size_t prefix = (size_t)snprintf(first, sizeof first, "%s ", zone);
    invariant(z != NULL);
    text_appendf(out, "; shared among the nodes: change it with holdfast record\n$ORIGIN %s%s\n",
                 zone, strcmp(zone, ".") ? "." : "");
    uint32_t start = object_position(intent, INTENT_RECORDS, first);
    snprintf(first, sizeof first, "%s %s SOA", zone, zone);
    const struct intent_object *soa = intent_find(intent, INTENT_RECORDS, first);
    if (soa)
        records_append(soa, z, out);
    for (uint32_t i = start; i < intent->object_count; i++) {
        const struct intent_object *o = intent->objects[i];
        if (o->kind != INTENT_RECORDS || strncmp(o->name, zone, prefix - 1) ||
            o->name[prefix - 1] != ' ')
            break;
        if (o != soa)
            records_append(o, z, out);
    }
    return soa != NULL;
}

/* ---- L3 ---- */

/* Objects of a kind, of those whose names begin so. */
static void loss_count(const struct intent *old, const struct intent *next, enum intent_kind kind,
                       const char *prefix, uint32_t *ret_total, uint32_t *ret_lost)
{
    size_t length = strlen(prefix);
    *ret_total = *ret_lost = 0;
    for (uint32_t i = object_position(old, kind, prefix); i < old->object_count; i++) {
        const struct intent_object *o = old->objects[i];
        if (o->kind != kind || strncmp(o->name, prefix, length))
            break;
        (*ret_total)++;
        *ret_lost += !intent_find(next, kind, o->name);
    }
}

bool intent_shares_shrink(const struct intent *old, const struct intent *next, struct text *why)
{
    static const enum intent_kind kinds[] = {INTENT_CHECK, INTENT_SERVICE, INTENT_ZONE};
    static const char *const plurals[] = {"checks", "services", "zones"};
    uint32_t total, lost, count;
    for (unsigned k = 0; k < array_length(kinds); k++) {
        loss_count(old, next, kinds[k], "", &total, &lost);
        if (!shrink_is_large(lost, total))
            continue;
        text_appendf(why, "%u of %u shared %s would be gone", lost, total, plurals[k]);
        return true;
    }
    struct intent_object *const *zones = intent_list(next, INTENT_ZONE, &count);
    for (uint32_t i = 0; i < count; i++) {
        char prefix[INTENT_NAME_MAX + 1];
        snprintf(prefix, sizeof prefix, "%s ", zones[i]->name);
        loss_count(old, next, INTENT_RECORDS, prefix, &total, &lost);
        if (!shrink_is_large(lost, total))
            continue;
        text_appendf(why, "zone %s would lose %u of its %u sets of records", zones[i]->name, lost,
                     total);
        return true;
    }
    return false;
}
