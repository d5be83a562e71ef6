#include "model/config_type.h"

#include "base/err.h"
#include "base/map.h"
#include "wire/dname.h"
#include <stdio.h>
#include <string.h>

/* What stands there, in words. */
static struct quote seen(const struct tree *node)
{
    struct quote q = {""};
    if (node->kind != TREE_SCALAR)
        snprintf(q.text, sizeof q.text, "a %s", node->kind == TREE_LIST ? "list" : "mapping");
    else if (tree_scalar_kind(node) == SCALAR_NULL)
        snprintf(q.text, sizeof q.text, "empty");
    else if (tree_scalar_kind(node) == SCALAR_TEXT)
        q = quote(node->text);
    else
        snprintf(q.text, sizeof q.text, "%.40s", node->text);
    return q;
}

bool reading_refuse(struct reading *r, const struct tree *node, const struct key *key,
                    const char *wanted)
{
    problem_add(r->problems, node->place, "%s cannot be %s; it wants %s", key->name,
                seen(node).text, wanted);
    return false;
}

const char *reading_scalar(struct reading *r, const struct tree *node, const struct key *key,
                           const char *wanted)
{
    if (node->kind != TREE_SCALAR || tree_scalar_kind(node) == SCALAR_NULL) {
        reading_refuse(r, node, key, wanted);
        return NULL;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        unsigned char c = (unsigned char)node->text[i];
        if (c >= 0x20 && c != 0x7f)
            continue;
        problem_add(r->problems, node->place,
                    "%s holds the control character 0x%02x; it wants %s, on one line", key->name, c,
                    wanted);
        return NULL;
    }
    return node->text;
}

const char *reading_text(struct reading *r, const struct tree *node, const struct key *key,
                         const char *wanted, size_t max)
{
    const char *text = reading_scalar(r, node, key, wanted);
    if (!text)
        return NULL;
    if (tree_scalar_kind(node) != SCALAR_TEXT) {
        problem_add(r->problems, node->place,
                    "%s cannot be %.40s, which YAML takes for a %s; put it in quotes: \"%.40s\"",
                    key->name, text,
                    tree_scalar_kind(node) == SCALAR_BOOL ? "truth value" : "number", text);
        return NULL;
    }
    if (!*text || node->count > max) {
        problem_add(r->problems, node->place, "%s is %s; it wants %s of 1 to %zu bytes", key->name,
                    *text ? "too long" : "empty", wanted, max);
        return NULL;
    }
    return text;
}

static bool text_read(struct reading *r, const struct tree *node, const struct key *key, void *slot)
{
    size_t max = key->max ? (size_t)key->max : CONFIG_NAME_MAX;
    const char *text = reading_text(r, node, key, "text", max);
    if (text)
        *(const char **)slot = arena_string(r->keep, text, node->count);
    return text != NULL;
}

static void text_schema(const struct key *key, struct text *out)
{
    size_t max = key->max ? (size_t)key->max : CONFIG_NAME_MAX;
    text_appendf(out, "\"type\":\"string\",\"minLength\":1,\"maxLength\":%zu", max);
}

const struct type type_text = {"text", text_read, text_schema};

static bool label_read(struct reading *r, const struct tree *node, const struct key *key,
                       void *slot)
{
    static const char alphabet[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const char *text = reading_text(r, node, key, type_label.wanted, CONFIG_LABEL_MAX);
    if (!text)
        return false;
    if (strspn(text, alphabet) != node->count || strchr("._-", text[0]))
        return reading_refuse(r, node, key, type_label.wanted);
    *(const char **)slot = arena_string(r->keep, text, node->count);
    return true;
}

static void label_schema(const struct key *key, struct text *out)
{
    (void)key;
    schema_pattern(out, "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$");
}

const struct type type_label = {
    "a name of letters, digits, \".\", \"_\" and \"-\" that starts with a letter or a digit",
    label_read, label_schema};

static bool path_read(struct reading *r, const struct tree *node, const struct key *key, void *slot)
{
    const char *text = reading_text(r, node, key, type_path.wanted, CONFIG_PATH_MAX);
    if (!text)
        return false;
    *(const char **)slot = text[0] == '/' ? arena_string(r->keep, text, node->count)
                                          : arena_printf(r->keep, "%s%s", r->folder, text);
    return true;
}

static void path_schema(const struct key *key, struct text *out)
{
    (void)key;
    text_appendf(out, "\"type\":\"string\",\"minLength\":1,\"maxLength\":%d", CONFIG_PATH_MAX);
}

const struct type type_path = {"a path", path_read, path_schema};

static bool is_printable(const char *text)
{
    while (*text > ' ' && *text < 0x7f)
        text++;
    return !*text;
}

static bool api_url_read(struct reading *r, const struct tree *node, const struct key *key,
                         void *slot)
{
    const char *text = reading_text(r, node, key, type_api_url.wanted, CONFIG_API_URL_MAX);
    if (!text)
        return false;
    size_t scheme = !strncmp(text, "https://", 8) ? 8 : !strncmp(text, "http://", 7) ? 7 : 0;
    if (!scheme || !text[scheme] || !is_printable(text))
        return reading_refuse(r, node, key, type_api_url.wanted);
    *(const char **)slot = arena_string(r->keep, text, node->count);
    return true;
}

static void api_url_schema(const struct key *key, struct text *out)
{
    (void)key;
    text_appendf(out, "\"maxLength\":%d,", CONFIG_API_URL_MAX);
    schema_pattern(out, "^https?://[!-~]+$");
}

const struct type type_api_url = {"an address such as http://HOST:PORT or https://HOST",
                                  api_url_read, api_url_schema};

static bool name_read(struct reading *r, const struct tree *node, const struct key *key, void *slot)
{
    uint8_t wire[DNAME_MAX];
    char text[DNAME_TEXT_MAX];
    const char *given = reading_text(r, node, key, type_name.wanted, DNAME_TEXT_MAX - 1);
    if (!given)
        return false;
    if (dname_parse(given, node->count, NULL, wire) < 0) {
        problem_add(
            r->problems, node->place,
            "%s cannot be %s; it wants a domain name: labels of 1 to 63 bytes with dots between, "
            "255 bytes in all",
            key->name, quote(given).text);
        return false;
    }
    for (const char *p = given; *p; p++) {
        if ((unsigned char)*p > ' ' && (unsigned char)*p < 0x7f)
            continue;
        problem_add(r->problems, node->place,
                    (unsigned char)*p == ' '
                        ? "%s cannot be %s: there is a space in it; take it out"
                        : "%s cannot be %s: clients ask for names of other letters in their ASCII "
                          "form; write it so, as xn--...",
                    key->name, quote(given).text);
        return false;
    }
    dname_format(wire, text);
    *(const char **)slot = arena_string(r->keep, text, strlen(text));
    return true;
}

static void name_schema(const struct key *key, struct text *out)
{
    (void)key;
    text_append(out, "\"type\":\"string\",\"minLength\":1,\"maxLength\":1023");
}

const struct type type_name = {"a domain name such as api.example.com", name_read, name_schema};

static bool integer_read(struct reading *r, const struct tree *node, const struct key *key,
                         void *slot)
{
    char wanted[80];
    int64_t value;
    snprintf(wanted, sizeof wanted, "a whole number from %lld to %lld", (long long)key->min,
             (long long)key->max);
    const char *text = reading_scalar(r, node, key, wanted);
    if (!text)
        return false;
    if (node->quoted || integer_parse(text, key->min, key->max, &value) < 0)
        return reading_refuse(r, node, key, wanted);
    *(unsigned *)slot = (unsigned)value;
    return true;
}

static void integer_schema(const struct key *key, struct text *out)
{
    text_appendf(out, "\"type\":\"integer\",\"minimum\":%lld,\"maximum\":%lld", (long long)key->min,
                 (long long)key->max);
}

const struct type type_integer = {"a whole number", integer_read, integer_schema};

static bool bool_read(struct reading *r, const struct tree *node, const struct key *key, void *slot)
{
    if (node->kind != TREE_SCALAR || tree_scalar_kind(node) != SCALAR_BOOL)
        return reading_refuse(r, node, key, type_bool.wanted);
    *(bool *)slot = node->text[0] == 't' || node->text[0] == 'T';
    return true;
}

static void bool_schema(const struct key *key, struct text *out)
{
    (void)key;
    text_append(out, "\"type\":\"boolean\"");
}

const struct type type_bool = {"true or false", bool_read, bool_schema};

static bool true_read(struct reading *r, const struct tree *node, const struct key *key, void *slot)
{
    bool value = false;
    if (node->kind == TREE_SCALAR && tree_scalar_kind(node) == SCALAR_BOOL)
        value = node->text[0] == 't' || node->text[0] == 'T';
    if (!value)
        return reading_refuse(r, node, key, type_true.wanted);
    *(bool *)slot = true;
    return true;
}

static void true_schema(const struct key *key, struct text *out)
{
    (void)key;
    text_append(out, "\"const\":true");
}

const struct type type_true = {"true (leave the key out otherwise)", true_read, true_schema};

bool reading_duration(struct reading *r, const struct tree *node, const struct key *key,
                      int64_t min, int64_t max, usec_t *ret)
{
    char low[DURATION_TEXT_MAX], high[DURATION_TEXT_MAX], wanted[120];
    usec_t us;
    duration_format(min, low);
    duration_format(max, high);
    snprintf(wanted, sizeof wanted, "a duration from %s to %s, with its unit: 250ms, 5s, 2m", low,
             high);
    const char *text = reading_scalar(r, node, key, wanted);
    if (!text)
        return false;
    int err = duration_parse(text, &us);
    if (err < 0 || us < min || us > max)
        return reading_refuse(r, node, key, wanted);
    *ret = us;
    return true;
}

static bool duration_read(struct reading *r, const struct tree *node, const struct key *key,
                          void *slot)
{
    return reading_duration(r, node, key, key->min, key->max, slot);
}

static void duration_schema(const struct key *key, struct text *out)
{
    (void)key;
    schema_pattern(out, "^[0-9]+(\\\\.[0-9]+)?(us|ms|s|m|h|d)$");
}

const struct type type_duration = {"a duration such as 250ms, 5s or 2m", duration_read,
                                   duration_schema};

static bool choice_read(struct reading *r, const struct tree *node, const struct key *key,
                        void *slot)
{
    const struct choice *choices = key->detail;
    char wanted[200] = "";
    size_t used = 0;
    for (const struct choice *c = choices; c->name && used < sizeof wanted; c++)
        used += (size_t)snprintf(wanted + used, sizeof wanted - used, "%s%s",
                                 c == choices ? ""
                                 : c[1].name  ? ", "
                                              : " or ",
                                 c->name);
    const char *text = reading_scalar(r, node, key, wanted);
    if (!text)
        return false;
    struct suggestion like = suggestion_init(text);
    for (const struct choice *c = choices; c->name; c++) {
        suggestion_offer(&like, c->name);
        if (strcmp(c->name, text) == 0) {
            *(int *)slot = c->value;
            return true;
        }
    }
    if (!like.best)
        return reading_refuse(r, node, key, wanted);
    problem_add(r->problems, node->place, "%s cannot be %s; did you mean %s?", key->name,
                quote(text).text, like.best);
    return false;
}

static void choice_schema(const struct key *key, struct text *out)
{
    const struct choice *choices = key->detail;
    text_append(out, "\"enum\":[");
    for (const struct choice *c = choices; c->name; c++)
        text_appendf(out, "%s\"%s\"", c == choices ? "" : ",", c->name);
    text_append(out, "]");
}

const struct type type_choice = {"one of a list", choice_read, choice_schema};

/* A whole number with something written after it. */
static bool suffixed_read(struct reading *r, const struct tree *node, const struct key *key,
                          const char *suffix, int64_t min, int64_t max, int64_t *ret)
{
    char digits[24] = "";
    const char *text = reading_scalar(r, node, key, key->type->wanted);
    if (!text)
        return false;
    size_t tail = strlen(suffix), length = node->count;
    bool ends = length > tail && strcmp(text + length - tail, suffix) == 0;
    if (ends && length - tail < sizeof digits)
        memcpy(digits, text, length - tail);
    if (!ends || integer_parse(digits, min, max, ret) < 0)
        return reading_refuse(r, node, key, key->type->wanted);
    return true;
}

static bool percent_read(struct reading *r, const struct tree *node, const struct key *key,
                         void *slot)
{
    int64_t value;
    if (!suffixed_read(r, node, key, "%", 1, 100, &value))
        return false;
    *(unsigned *)slot = (unsigned)value;
    return true;
}

static void percent_schema(const struct key *key, struct text *out)
{
    (void)key;
    schema_pattern(out, "^[0-9]+%$");
}

const struct type type_percent = {"a percentage from 1% to 100%", percent_read, percent_schema};

static bool capacity_read(struct reading *r, const struct tree *node, const struct key *key,
                          void *slot)
{
    int64_t value;
    if (!suffixed_read(r, node, key, "/s", 1, CONFIG_CAPACITY_MAX, &value))
        return false;
    *(uint64_t *)slot = (uint64_t)value;
    return true;
}

static void capacity_schema(const struct key *key, struct text *out)
{
    (void)key;
    schema_pattern(out, "^[0-9]+/s$");
}

const struct type type_capacity = {"requests per second such as 40000/s, at most 1000000000000/s",
                                   capacity_read, capacity_schema};

/* ---- lists and mappings ---- */

static bool list_read(struct reading *r, const struct tree *node, const struct key *key, void *slot)
{
    const struct list_of *of = key->detail;
    char wanted[160];
    int64_t max = key->max ? key->max : UINT32_MAX;
    bool good = true;
    if (of->element.type == &type_mapping)
        snprintf(wanted, sizeof wanted, "a list of mappings: - {...}");
    else
        snprintf(wanted, sizeof wanted, "a list, each element %s", of->element.type->wanted);
    bool alone = of->alone && node->kind != TREE_LIST;
    if (!alone && node->kind != TREE_LIST)
        return reading_refuse(r, node, key, wanted);
    uint32_t count = alone ? 1 : node->count;
    if (count < key->min || count > max) {
        problem_add(r->problems, node->place, "%s has %u element%s; it wants %s %lld", key->name,
                    count, count == 1 ? "" : "s", count < key->min ? "at least" : "at most",
                    (long long)(count < key->min ? key->min : max));
        return false;
    }
    struct list list = {arena_new(of->headed ? r->scratch : r->keep, count + (size_t)1, of->size),
                        count};
    for (uint32_t i = 0; i < count; i++) {
        char *item = (char *)list.items + i * of->size;
        const struct tree *value = alone ? node : node->items[i];
        bool read = of->element.type->read(r, value, &of->element, item + of->element.offset);
        if (of->headed)
            *(struct draft *)item = (struct draft){.node = value, .good = read};
        good &= read;
    }
    *(struct list *)slot = list;
    return good;
}

static void list_schema(const struct key *key, struct text *out)
{
    const struct list_of *of = key->detail;
    if (of->alone) {
        text_append(out, "\"anyOf\":[{");
        of->element.type->schema(&of->element, out);
        text_append(out, "},{");
    }
    text_append(out, "\"type\":\"array\",\"items\":{");
    of->element.type->schema(&of->element, out);
    text_append(out, "}");
    if (key->min)
        text_appendf(out, ",\"minItems\":%lld", (long long)key->min);
    if (key->max)
        text_appendf(out, ",\"maxItems\":%lld", (long long)key->max);
    if (of->alone)
        text_append(out, "}]");
}

const struct type type_list = {"a list", list_read, list_schema};

static bool names_read(struct reading *r, const struct tree *node, const struct key *key,
                       void *slot)
{
    const struct names_of *of = key->detail;
    bool good = true;
    if (node->kind != TREE_MAPPING)
        return reading_refuse(r, node, key, "a mapping from names to values");
    if (key->max && node->count > key->max) {
        problem_add(r->problems, node->place, "%s has %u entries; at most %lld are possible",
                    key->name, node->count, (long long)key->max);
        return false;
    }
    struct list list = {arena_new(r->scratch, node->count + (size_t)1, of->size), node->count};
    for (uint32_t i = 0; i < node->count; i++) {
        char *item = (char *)list.items + i * of->size;
        const struct tree_pair *pair = &node->pairs[i];
        bool read = of->label.type->read(r, pair->key, &of->label, item + of->label.offset);
        read &= of->element.type->read(r, pair->value, &of->element, item + of->element.offset);
        *(struct draft *)item = (struct draft){.node = pair->value, .key = pair->key, .good = read};
        good &= read;
    }
    *(struct list *)slot = list;
    return good;
}

static void names_schema(const struct key *key, struct text *out)
{
    const struct names_of *of = key->detail;
    text_append(out, "\"type\":\"object\",");
    if (of->schema_name) {
        text_append(out, "\"propertyNames\":{");
        schema_pattern(out, of->schema_name);
        text_append(out, "},");
    }
    text_append(out, "\"additionalProperties\":{");
    of->element.type->schema(&of->element, out);
    text_append(out, "}");
}

const struct type type_names = {"a mapping from names to values", names_read, names_schema};

static const char *article(const char *word)
{
    return strchr("aeiou", word[0]) ? "an" : "a";
}

static bool mapping_read(struct reading *r, const struct tree *node, const struct key *key,
                         void *slot)
{
    const struct shape *shape = key->detail;
    if (node->kind == TREE_MAPPING)
        return shape_read(r, node, shape, slot);
    char wanted[80];
    snprintf(wanted, sizeof wanted, "a mapping with the keys of %s %s", article(shape->what),
             shape->what);
    return reading_refuse(r, node, key, wanted);
}

static void mapping_schema(const struct key *key, struct text *out)
{
    const struct shape *shape = key->detail;
    text_appendf(out, "\"$ref\":\"#/$defs/%s\"", shape->name);
}

const struct type type_mapping = {"a mapping", mapping_read, mapping_schema};

static void unknown_report(struct reading *r, const struct tree *key, const struct shape *shape)
{
    char takes[300] = "";
    size_t used = 0;
    struct suggestion like = suggestion_init(key->text);
    for (size_t i = 0; i < shape->key_count; i++) {
        if (problems_few(r->problems))
            suggestion_offer(&like, shape->keys[i].name);
        if (used < sizeof takes)
            used += (size_t)snprintf(takes + used, sizeof takes - used, "%s%s", i ? ", " : "",
                                     shape->keys[i].name);
    }
    if (like.best)
        problem_add(r->problems, key->place, "%s is not a key of %s %s; did you mean \"%s\"?",
                    quote(key->text).text, article(shape->what), shape->what, like.best);
    else
        problem_add(r->problems, key->place, "%s is not a key of %s %s; it takes %s",
                    quote(key->text).text, article(shape->what), shape->what, takes);
}

/* Defaults go through the same readers as what is written, so the manual cannot differ from the
 * program. */
static bool standard_read(struct reading *r, const struct key *key, void *slot)
{
    struct tree plain = {
        .kind = TREE_SCALAR, .text = key->standard, .count = (uint32_t)strlen(key->standard)};
    const struct tree *node = &plain;
    if (key->standard[0] == '[' || key->standard[0] == '{')
        node = tree_parse_default(key->standard, r->scratch);
    return key->type->read(r, node, key, slot);
}

bool shape_read(struct reading *r, const struct tree *node, const struct shape *shape, void *slot)
{
    bool good = true, seen_keys[SHAPE_KEYS_MAX] = {false};
    for (uint32_t i = 0; i < node->count; i++) {
        const struct tree_pair *pair = &node->pairs[i];
        size_t k = 0;
        while (k < shape->key_count && strcmp(shape->keys[k].name, pair->key->text))
            k++;
        if (k == shape->key_count) {
            unknown_report(r, pair->key, shape);
            good = false;
            continue;
        }
        seen_keys[k] = true;
        const struct key *key = &shape->keys[k];
        good &= key->type->read(r, pair->value, key, (char *)slot + key->offset);
    }
    for (size_t k = 0; k < shape->key_count; k++) {
        const struct key *key = &shape->keys[k];
        if (seen_keys[k])
            continue;
        if (key->required) {
            problem_add(r->problems, node->place, "this %s has no %s; add %s: %s", shape->what,
                        key->name, key->name, key->help);
            good = false;
        } else if (key->standard) {
            good &= standard_read(r, key, (char *)slot + key->offset);
        }
    }
    return good;
}
