/* The JSON Schema, written from the tables that the parser reads by. */
#include "model/config_table.h"
#include "model/config_type.h"

#include <string.h>

void schema_pattern(struct text *out, const char *pattern)
{
    text_appendf(out, "\"type\":\"string\",\"pattern\":\"%s\"", pattern);
}

/* Is the default written bare in JSON too: a number, a truth value, a list or a mapping? */
static bool is_bare(const struct key *key)
{
    const char *s = key->standard;
    return s[0] == '[' || s[0] == '{' || key->type == &type_integer || key->type == &type_bool;
}

/* What the value is, in the words of the problems: for the manual. */
static void wanted_write(const struct key *key, struct text *out)
{
    char low[DURATION_TEXT_MAX], high[DURATION_TEXT_MAX];
    const struct list_of *list = key->detail;
    if (key->type == &type_integer)
        text_appendf(out, "a whole number from %lld to %lld", (long long)key->min,
                     (long long)key->max);
    else if (key->type == &type_duration)
        text_appendf(out, "a duration from %s to %s", duration_format(key->min, low),
                     duration_format(key->max, high));
    else if (key->type == &type_list && list->element.type != &type_mapping)
        text_appendf(out, "%s, or a list of them", list->element.type->wanted);
    else if (key->type == &type_choice)
        for (const struct choice *c = key->detail; c->name; c++)
            text_appendf(out, "%s%s", c == key->detail ? "" : c[1].name ? ", " : " or ", c->name);
    else
        text_append(out, key->type->wanted);
}

static void key_schema(const struct key *key, struct text *out)
{
    key->type->schema(key, out);
    if (key->help) {
        text_append(out, ",\"description\":");
        text_append_json(out, key->help, strlen(key->help));
    }
    struct text wanted = text_init(1000);
    wanted_write(key, &wanted);
    text_append(out, ",\"$comment\":");
    text_append_json(out, text_string(&wanted), wanted.length);
    text_done(&wanted);
    if (!key->standard)
        return;
    text_append(out, ",\"default\":");
    if (is_bare(key))
        text_append(out, key->standard);
    else
        text_append_json(out, key->standard, strlen(key->standard));
}

static void shape_schema(const struct shape *shape, struct text *out)
{
    bool first = true;
    text_append(out, "\"type\":\"object\"");
    if (shape->help) {
        text_append(out, ",\"description\":");
        text_append_json(out, shape->help, strlen(shape->help));
    }
    text_append(out, ",\"additionalProperties\":false,\"required\":[");
    for (size_t i = 0; i < shape->key_count; i++) {
        if (!shape->keys[i].required)
            continue;
        text_appendf(out, "%s\"%s\"", first ? "" : ",", shape->keys[i].name);
        first = false;
    }
    text_append(out, "],");
    if (shape->rule)
        text_appendf(out, "%s,", shape->rule);
    text_append(out, "\"properties\":{");
    for (size_t i = 0; i < shape->key_count; i++) {
        text_appendf(out, "%s\"%s\":{", i ? "," : "", shape->keys[i].name);
        key_schema(&shape->keys[i], out);
        text_append(out, "}");
    }
    text_append(out, "}");
}

/* Breaks compact JSON into lines, two spaces a level; empty brackets stay together. */
static void json_indent(const char *json, struct text *out)
{
    bool in_string = false;
    int level = 0;
    for (const char *s = json; *s; s++) {
        if (in_string) {
            text_append_bytes(out, s, 1);
            if (*s == '\\' && s[1])
                text_append_bytes(out, ++s, 1);
            else if (*s == '"')
                in_string = false;
            continue;
        }
        bool opens = *s == '{' || *s == '[', closes = *s == '}' || *s == ']';
        bool bare = opens && (s[1] == '}' || s[1] == ']');
        if (closes && s[-1] != '{' && s[-1] != '[')
            text_appendf(out, "\n%*s", 2 * --level, "");
        text_append_bytes(out, s, 1);
        if (opens && !bare)
            text_appendf(out, "\n%*s", 2 * ++level, "");
        else if (*s == ',')
            text_appendf(out, "\n%*s", 2 * level, "");
        else if (*s == ':')
            text_append(out, " ");
        in_string = *s == '"';
    }
}

void config_schema(struct text *out)
{
    struct text compact = text_init(1 << 20);
    text_append(&compact, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
                          "\"title\":\"Holdfast configuration\",");
    shape_schema(&shape_root, &compact);
    text_append(&compact, ",\"$defs\":{");
    for (size_t i = 0; i < config_shape_count; i++) {
        text_appendf(&compact, "%s\"%s\":{", i ? "," : "", config_shapes[i]->name);
        shape_schema(config_shapes[i], &compact);
        text_append(&compact, "}");
    }
    text_append(&compact, "}}");
    json_indent(text_string(&compact), out);
    text_append(out, "\n");
    text_done(&compact);
}
