/* Who may change a zone with DNS UPDATE, and what of it. */
#include "base/err.h"
#include "model/config_link.h"
#include "wire/dname.h"
#include "wire/rdata.h"
#include <string.h>

#define AT(type, field) offsetof(struct type, field)

/* ---- names ---- */

static unsigned stars_in(const uint8_t *name)
{
    unsigned stars = 0;
    for (; *name; name += *name + 1)
        stars += name[0] == 1 && name[1] == '*';
    return stars;
}

static bool pattern_read(struct reading *r, const struct tree *node, const struct key *key,
                         void *slot)
{
    uint8_t name[DNAME_MAX];
    const char *text = reading_scalar(r, node, key, type_pattern.wanted);
    if (!text)
        return false;
    bool apex = !strcmp(text, "@");
    if (!apex && (dname_parse(text, strlen(text), NULL, name) < 0 ||
                  stars_in(name) > CONFIG_UPDATE_STARS_MAX))
        return reading_refuse(r, node, key, type_pattern.wanted);
    *(const char **)slot = text;
    return true;
}

static void pattern_schema(const struct key *key, struct text *out)
{
    (void)key;
    schema_pattern(out, "^[^ ]+$");
}

const struct type type_pattern = {
    "a name in the zone, at most two of its labels *, or self, *.self, @", pattern_read,
    pattern_schema};

/* ---- types ---- */

static bool rrtype_read(struct reading *r, const struct tree *node, const struct key *key,
                        void *slot)
{
    uint16_t type;
    const char *text = reading_scalar(r, node, key, type_rrtype.wanted);
    if (!text)
        return false;
    if (dns_type_parse(text, strlen(text), &type) || dns_type_is_meta(type) || !type)
        return reading_refuse(r, node, key, type_rrtype.wanted);
    *(uint16_t *)slot = type;
    return true;
}

static void rrtype_schema(const struct key *key, struct text *out)
{
    (void)key;
    schema_pattern(out, "^[A-Za-z][A-Za-z0-9-]*$");
}

const struct type type_rrtype = {"a type of records, such as TXT or TYPE65280", rrtype_read,
                                 rrtype_schema};

/* ---- rules ---- */

static const struct list_of patterns = {
    .element = {.name = "name", .type = &type_pattern, .offset = AT(draft_pattern, text)},
    .size = sizeof(struct draft_pattern),
    .headed = true,
    .alone = true};

static const struct list_of rrtypes = {
    .element = {.name = "type", .type = &type_rrtype}, .size = sizeof(uint16_t), .alone = true};

const struct list_of update_networks = {
    .element = {.name = "network", .type = &type_prefix, .offset = AT(draft_prefix, prefix)},
    .size = sizeof(struct draft_prefix),
    .headed = true,
    .alone = true};

static const struct key rule_keys[] = {
    {"key", &type_name, AT(draft_rule, key), .required = true,
     .help = "a name under tsig: updates signed with it"},
    {"names", &type_list, AT(draft_rule, names), .min = 1, .max = 1000, .detail = &patterns,
     .help = "what it may change: www, *.dyn (all below dyn), _acme-challenge.* (with anything or "
             "nothing behind it), @ (the zone's own name), self (the key's name), *.self; every "
             "name where this is not said"},
    {"types", &type_list, AT(draft_rule, types), .min = 1, .max = 100, .detail = &rrtypes,
     .help = "of these types; where not said, of all but SOA, NS, DS and keys"},
    {"shrink", &type_bool, AT(draft_rule, shrink), .standard = "false",
     .help = "one update may take away a third of the zone or more"},
};

const struct shape shape_rule = {"update_rule", "rule", rule_keys, array_length(rule_keys),
                                 .help = "What updates signed with a key may change."};

static const struct list_of rules = {
    .element = {.name = "rule", .type = &type_mapping, .detail = &shape_rule},
    .size = sizeof(struct draft_rule),
    .headed = true,
    .alone = true};

static const struct key update_keys[] = {
    {"allow", &type_list, AT(draft_update, allow), .min = 1, .max = 1000,
     .detail = &update_networks,
     .help = "networks that updates may come from; from anywhere where this is not said"},
    {"rules", &type_list, AT(draft_update, rules), .required = true, .min = 1, .max = 1000,
     .detail = &rules, .help = "an update is taken when each of its records fits one of them"},
};

const struct shape shape_update = {
    "update", "update", update_keys, array_length(update_keys),
    .help = "Who may change the zone with DNS UPDATE (RFC 2136). With the first change, the zone's "
            "content moves from its file into node.data/zones."};

/* ---- linking ---- */

/* Without the zone's own name at its end, if that is there: www.example.com is www. */
static const uint8_t *pattern_parse(struct linking *l, const struct draft_pattern *d,
                                    const char *zone)
{
    const char *text = d->text;
    uint8_t *name = arena_new(l->reading->keep, DNAME_MAX, 1), origin[DNAME_MAX];
    int length = strcmp(text, "@") ? dname_parse(text, strlen(text), NULL, name) : 1;
    int origin_length = zone ? dname_parse(zone, strlen(zone), NULL, origin) : 0;
    if (origin_length > 0 && length > 0 &&
        dname_below(name, (size_t)length, origin, (size_t)origin_length))
        name[length - origin_length] = 0;
    else if (origin_length > 0 && length > 1 && text[strlen(text) - 1] == '.' &&
             !d->head.node->place.part)
        problem_add(l->reading->problems, d->head.node->place,
                    "%s lies outside the zone %s; without its last dot it is a name in it", text,
                    zone);
    return name;
}

static struct config_update_name name_link(struct linking *l, const struct draft_pattern *d,
                                           const char *zone)
{
    struct config_update_name n = {.kind = UPDATE_NAME_PATTERN};
    if (!d->text)
        return n;
    if (!strcmp(d->text, "self"))
        n.kind = UPDATE_NAME_SELF;
    else if (!strcmp(d->text, "*.self"))
        n.kind = UPDATE_NAME_BELOW_SELF;
    else
        n.pattern = pattern_parse(l, d, zone);
    return n;
}

/* Keys are each node's own. One that lacks a key of a zone that is shared has the zone all the
 * same.
 */
static int rule_key(struct linking *l, const struct draft_rule *d)
{
    if (!d->key)
        return CONFIG_NONE;
    if (d->head.node->place.part)
        return key_find(l->config, d->key);
    return key_refer(l, d->key, place_under(&d->head, "key"));
}

static void rule_link(struct linking *l, const struct draft_rule *d, const char *zone,
                      struct config_update_rule *ret)
{
    struct arena *keep = l->reading->keep;
    const struct draft_pattern *names = d->names.items;
    *ret = (struct config_update_rule){
        .key_name = d->key,
        .key = rule_key(l, d),
        .types = arena_new(keep, d->types.count + (size_t)1, sizeof *ret->types),
        .type_count = d->types.count,
        .names = arena_new(keep, d->names.count + (size_t)1, sizeof *ret->names),
        .name_count = d->names.count,
        .shrink = d->shrink,
    };
    if (d->types.count)
        memcpy(ret->types, d->types.items, d->types.count * sizeof *ret->types);
    for (uint32_t i = 0; i < d->names.count; i++)
        ret->names[i] = name_link(l, &names[i], zone);
}

void link_update(struct linking *l, const struct draft_update *draft, const char *zone,
                 struct config_update *ret)
{
    struct arena *keep = l->reading->keep;
    const struct draft_prefix *allow = draft->allow.items;
    const struct draft_rule *drafts = draft->rules.items;
    ret->allow = arena_new(keep, draft->allow.count + (size_t)1, sizeof *ret->allow);
    for (; ret->allow_count < draft->allow.count; ret->allow_count++)
        ret->allow[ret->allow_count] = allow[ret->allow_count].prefix;
    ret->rules = arena_new(keep, draft->rules.count + (size_t)1, sizeof *ret->rules);
    for (; ret->rule_count < draft->rules.count; ret->rule_count++)
        rule_link(l, &drafts[ret->rule_count], zone, &ret->rules[ret->rule_count]);
}
