#include "model/config_tree.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/map.h"
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* A mapping or list that is being read; a mapping's children are key, value, key, value... */
struct frame {
    struct tree *node;
    const struct tree **children;
    size_t count, capacity;
};

struct builder {
    struct arena *arena;
    struct problems *problems;
    struct map anchors; /* name -> struct tree */
    struct frame frames[TREE_DEPTH_MAX];
    unsigned depth;
    const struct tree *root;
    bool failed;
    bool placeless;
    uint32_t part; /* that the places are in */
};

static struct config_place place_of(const struct builder *b, const yaml_mark_t *mark)
{
    return (struct config_place){(uint32_t)mark->line + 1, (uint32_t)mark->column + 1, b->part};
}

static bool is_plain_number(const char *s, size_t length, bool *ret_decimal)
{
    size_t i = 0, digits = 0;
    bool decimal = false;
    if (i < length && (s[i] == '-' || s[i] == '+'))
        i++;
    if (length - i > 2 && s[i] == '0' && (s[i + 1] == 'x' || s[i + 1] == 'o'))
        return strspn(s + i + 2, s[i + 1] == 'x' ? "0123456789abcdefABCDEF" : "01234567") ==
               length - i - 2;
    for (; i < length && ((s[i] >= '0' && s[i] <= '9') || (s[i] == '.' && !decimal)); i++) {
        decimal |= s[i] == '.';
        digits += s[i] != '.';
    }
    if (!digits)
        return false;
    if (i < length && (s[i] == 'e' || s[i] == 'E')) {
        decimal = true;
        i++;
        if (i < length && (s[i] == '-' || s[i] == '+'))
            i++;
        if (i == length)
            return false;
        while (i < length && s[i] >= '0' && s[i] <= '9')
            i++;
    }
    *ret_decimal = decimal;
    return i == length;
}

static bool is_one_of(const char *s, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(s, *words) == 0)
            return true;
    return false;
}

enum scalar_kind tree_scalar_kind(const struct tree *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const bools[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};
    static const char *const odd[] = {".inf",  ".Inf",  ".INF", "-.inf", "-.Inf", "-.INF", "+.inf",
                                      "+.Inf", "+.INF", ".nan", ".NaN",  ".NAN",  NULL};
    bool decimal = false;
    if (node->quoted)
        return SCALAR_TEXT;
    if (is_one_of(node->text, nulls))
        return SCALAR_NULL;
    if (is_one_of(node->text, bools))
        return SCALAR_BOOL;
    if (is_one_of(node->text, odd))
        return SCALAR_DECIMAL;
    if (is_plain_number(node->text, node->count, &decimal))
        return decimal ? SCALAR_DECIMAL : SCALAR_INTEGER;
    return SCALAR_TEXT;
}

const struct tree *tree_get(const struct tree *mapping, const char *key)
{
    if (mapping->kind != TREE_MAPPING)
        return NULL;
    for (uint32_t i = 0; i < mapping->count; i++)
        if (strcmp(mapping->pairs[i].key->text, key) == 0)
            return mapping->pairs[i].value;
    return NULL;
}

static void give_up(struct builder *b, struct config_place place, const char *sentence)
{
    problem_add(b->problems, place, "%s", sentence);
    b->failed = true;
}

/* Hands a finished or aliased node to what it stands in. */
static void child_add(struct builder *b, const struct tree *child)
{
    if (!b->depth) {
        b->root = child;
        return;
    }
    struct frame *f = &b->frames[b->depth - 1];
    f->children = mem_grow(f->children, f->count, &f->capacity, sizeof *f->children);
    f->children[f->count++] = child;
    if (f->node->weight > (uint32_t)TREE_NODES_MAX - child->weight)
        give_up(b, child->place,
                "the file holds more than 8,388,608 values, each alias counted as often as it is "
                "used; make it smaller");
    else
        f->node->weight += child->weight;
}

static struct tree *node_new(struct builder *b, enum tree_kind kind, const yaml_event_t *event,
                             const yaml_char_t *anchor, const yaml_char_t *tag)
{
    struct tree *node = arena_new(b->arena, 1, sizeof *node);
    node->kind = kind;
    if (!b->placeless)
        node->place = place_of(b, &event->start_mark);
    node->weight = 1;
    if (tag)
        problem_add(b->problems, node->place,
                    "a tag (%s) is not used in this file; write the value without it",
                    quote((const char *)tag).text);
    if (anchor) {
        const char *name =
            arena_string(b->arena, (const char *)anchor, strlen((const char *)anchor));
        map_put(&b->anchors, name, strlen(name), node);
    }
    return node;
}

static void scalar_add(struct builder *b, const yaml_event_t *event)
{
    struct tree *node =
        node_new(b, TREE_SCALAR, event, event->data.scalar.anchor, event->data.scalar.tag);
    node->text =
        arena_string(b->arena, (const char *)event->data.scalar.value, event->data.scalar.length);
    node->count = (uint32_t)event->data.scalar.length;
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    child_add(b, node);
}

static void alias_add(struct builder *b, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    struct config_place place = place_of(b, &event->start_mark);
    const struct tree *node = map_get(&b->anchors, name, strlen(name));
    if (node && !node->open) {
        child_add(b, node);
        return;
    }
    if (node)
        problem_add(b->problems, place,
                    "the alias *%s stands inside what it refers to; an alias cannot hold itself",
                    name);
    else
        problem_add(b->problems, place,
                    "no anchor &%s stands above this alias; define it before it is used", name);
    b->failed = true;
}

static void frame_open(struct builder *b, struct tree *node)
{
    if (b->depth == TREE_DEPTH_MAX) {
        give_up(b, node->place,
                "values are nested more than 32 deep; nothing in this file needs more than 8");
        return;
    }
    node->open = true;
    b->frames[b->depth++] = (struct frame){.node = node};
}

struct pairs {
    struct tree_pair *items;
    size_t count, capacity;
    struct map seen; /* key text -> its value; filled only once the mapping is no longer small */
};

enum { PAIRS_SMALL = 16 };

static bool pairs_have(const struct pairs *p, const struct tree *key)
{
    if (p->count > PAIRS_SMALL)
        return map_get(&p->seen, key->text, key->count) != NULL;
    for (size_t i = 0; i < p->count; i++)
        if (p->items[i].key->count == key->count &&
            memcmp(p->items[i].key->text, key->text, key->count) == 0)
            return true;
    return false;
}

static void pairs_add(struct pairs *p, const struct tree *key, const struct tree *value)
{
    p->items = mem_grow(p->items, p->count, &p->capacity, sizeof *p->items);
    p->items[p->count++] = (struct tree_pair){key, value};
    if (p->count <= PAIRS_SMALL)
        return;
    size_t first = p->count == PAIRS_SMALL + 1 ? 0 : p->count - 1;
    for (size_t i = first; i < p->count; i++)
        map_put(&p->seen, p->items[i].key->text, p->items[i].key->count, (void *)p->items[i].key);
}

/* YAML's merge key: the pairs of another mapping, where this one does not say otherwise. */
static void pairs_merge(struct builder *b, struct pairs *p, const struct tree *from)
{
    if (from->kind == TREE_MAPPING) {
        for (uint32_t i = 0; i < from->count; i++)
            if (!pairs_have(p, from->pairs[i].key))
                pairs_add(p, from->pairs[i].key, from->pairs[i].value);
        return;
    }
    bool list = from->kind == TREE_LIST && from->count;
    for (uint32_t i = 0; list && i < from->count; i++)
        list = from->items[i]->kind == TREE_MAPPING;
    if (!list) {
        problem_add(b->problems, from->place,
                    "the merge key << wants an alias of a mapping, or a list of such; write <<: "
                    "*name");
        return;
    }
    for (uint32_t i = 0; i < from->count; i++)
        pairs_merge(b, p, from->items[i]);
}

static bool is_merge_key(const struct tree *key)
{
    return key->kind == TREE_SCALAR && !key->quoted && strcmp(key->text, "<<") == 0;
}

static void mapping_finish(struct builder *b, struct frame *f)
{
    struct pairs p = {.seen = map_init()};
    invariant(f->count % 2 == 0);
    for (size_t i = 0; i < f->count; i += 2) {
        const struct tree *key = f->children[i];
        if (is_merge_key(key))
            continue;
        if (key->kind != TREE_SCALAR)
            problem_add(b->problems, key->place,
                        "a key cannot be a list or a mapping; write a word");
        else if (strlen(key->text) != key->count)
            problem_add(b->problems, key->place, "a key cannot hold a NUL character; write a word");
        else if (pairs_have(&p, key))
            problem_add(b->problems, key->place, "the key %s is said twice here; keep one of them",
                        quote(key->text).text);
        else
            pairs_add(&p, key, f->children[i + 1]);
    }
    for (size_t i = 0; i < f->count; i += 2)
        if (is_merge_key(f->children[i]))
            pairs_merge(b, &p, f->children[i + 1]);
    struct tree_pair *pairs = arena_new(b->arena, p.count + 1, sizeof *pairs);
    if (p.count)
        memcpy(pairs, p.items, p.count * sizeof *pairs);
    f->node->pairs = pairs;
    f->node->count = (uint32_t)p.count;
    free(p.items);
    map_done(&p.seen);
}

static void list_finish(struct builder *b, struct frame *f)
{
    const struct tree **items = arena_new(b->arena, f->count + 1, sizeof *items);
    if (f->count)
        memcpy(items, f->children, f->count * sizeof *items);
    f->node->items = items;
    f->node->count = (uint32_t)f->count;
}

static void frame_close(struct builder *b)
{
    struct frame *f = &b->frames[b->depth - 1];
    if (f->node->kind == TREE_MAPPING)
        mapping_finish(b, f);
    else
        list_finish(b, f);
    free(f->children);
    f->node->open = false;
    b->depth--;
    child_add(b, f->node);
}

static void event_take(struct builder *b, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        scalar_add(b, event);
        break;
    case YAML_ALIAS_EVENT:
        alias_add(b, event);
        break;
    case YAML_MAPPING_START_EVENT:
        frame_open(b, node_new(b, TREE_MAPPING, event, event->data.mapping_start.anchor,
                               event->data.mapping_start.tag));
        break;
    case YAML_SEQUENCE_START_EVENT:
        frame_open(b, node_new(b, TREE_LIST, event, event->data.sequence_start.anchor,
                               event->data.sequence_start.tag));
        break;
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        frame_close(b);
        break;
    case YAML_DOCUMENT_START_EVENT:
        if (b->root)
            give_up(b, place_of(b, &event->start_mark),
                    "a second document starts here; a configuration is one YAML document");
        break;
    default:
        break;
    }
}

/* libyaml marks a place in its own sentences, but for bytes that are not text it gives an offset
 * only. */
static struct config_place syntax_place(const struct builder *b, const yaml_parser_t *parser,
                                        const char *data, size_t length)
{
    if (parser->error != YAML_READER_ERROR)
        return place_of(b, &parser->problem_mark);
    struct config_place place = {1, 1, b->part};
    for (size_t i = 0; i < parser->problem_offset && i < length; i++) {
        if (data[i] == '\n')
            place = (struct config_place){place.line + 1, 1, b->part};
        else if (((unsigned char)data[i] & 0xc0) != 0x80)
            place.column++;
    }
    return place;
}

static void syntax_problem(struct builder *b, const yaml_parser_t *parser, const char *data,
                           size_t length)
{
    struct config_place place = syntax_place(b, parser, data, length);
    size_t at = parser->problem_mark.index;
    b->failed = true;
    if (parser->error == YAML_READER_ERROR)
        problem_add(b->problems, place, "the file is not text here (%s); a configuration is UTF-8",
                    parser->problem);
    else if (parser->error == YAML_SCANNER_ERROR && at < length && data[at] == '\t')
        problem_add(b->problems, place, "a tab stands where YAML allows none; indent with spaces");
    else
        problem_add(b->problems, place,
                    "the file is not YAML here: %s%s%s; correct the line or the one above",
                    parser->problem ? parser->problem : "it cannot be read",
                    parser->context ? ", " : "", parser->context ? parser->context : "");
}

static void events_read(struct builder *b, const char *data, size_t length)
{
    yaml_parser_t parser;
    bool end = false;
    if (!yaml_parser_initialize(&parser)) {
        give_up(b, (struct config_place){1, 1, b->part},
                "there is no memory to read the file; free some");
        return;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)data, length);
    while (!end && !b->failed) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            syntax_problem(b, &parser, data, length);
            break;
        }
        end = event.type == YAML_STREAM_END_EVENT;
        event_take(b, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
}

int tree_parse(const char *data, size_t length, uint32_t part, struct arena *arena,
               struct problems *problems, const struct tree **ret)
{
    struct builder b = {.arena = arena, .problems = problems, .anchors = map_init(), .part = part};
    events_read(&b, data, length);
    map_done(&b.anchors);
    while (b.depth) /* only after a failure */
        free(b.frames[--b.depth].children);
    if (!b.failed && !b.root)
        give_up(&b, (struct config_place){1, 1, part},
                "the file is empty; start with examples/minimal.yaml");
    if (b.failed)
        return ERR_SYNTAX;
    *ret = b.root;
    return 0;
}

const struct tree *tree_parse_default(const char *text, struct arena *arena)
{
    struct problems problems = problems_init("default", NULL);
    struct builder b = {
        .arena = arena, .problems = &problems, .anchors = map_init(), .placeless = true};
    events_read(&b, text, strlen(text));
    invariant(b.root && !b.failed && !problems.total);
    return b.root;
}
