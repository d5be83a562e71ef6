/* What nodes share, put into the tree of the file as if it stood there. */
#include "model/config_link.h"

#include "base/hash.h"
#include "base/invariant.h"
#include <string.h>

const char *part_kind_name(enum config_part_kind kind)
{
    static const char *const names[PART_KINDS] = {"zone", "check", "service"};
    invariant((unsigned)kind < PART_KINDS);
    return names[kind];
}

uint64_t config_fingerprint(const char *data, size_t length, const struct config_parts *parts)
{
    uint64_t print = hash64(data, length);
    for (uint32_t i = 0; parts && i < parts->count; i++) {
        const struct config_part *p = &parts->list[i];
        uint64_t of[4] = {print, (uint64_t)p->kind, hash64(p->name, strlen(p->name)),
                          hash64(p->value, strlen(p->value))};
        print = hash64(of, sizeof of);
    }
    return print;
}

/* The value of a part; NULL after a problem. */
static const struct tree *part_read(struct reading *r, const struct config_parts *parts,
                                    uint32_t number)
{
    const struct config_part *p = &parts->list[number - 1];
    const struct tree *value;
    if (tree_parse(p->value, strlen(p->value), number, r->scratch, r->problems, &value))
        return NULL;
    if (value->kind != TREE_MAPPING) {
        problem_add(r->problems, value->place, "it is no mapping; say it as the file would");
        return NULL;
    }
    const struct tree *wrong = p->kind == PART_CHECK ? NULL : tree_get(value, "name");
    if (!wrong && p->kind == PART_ZONE)
        wrong = tree_get(value, "file");
    if (!wrong)
        return value;
    problem_add(r->problems, wrong->place,
                "what is shared has neither a name of its own nor a file, which is another on "
                "every node; take it out");
    return NULL;
}

static const struct tree *text_node(struct reading *r, const char *text, uint32_t part)
{
    struct tree *t = arena_new(r->scratch, 1, sizeof *t);
    size_t length = strlen(text);
    *t = (struct tree){.place = {1, 1, part},
                       .kind = TREE_SCALAR,
                       .quoted = true,
                       .count = (uint32_t)length,
                       .weight = 1,
                       .text = arena_string(r->scratch, text, length)};
    return t;
}

/* A mapping with one pair more, which comes first. */
static const struct tree *pair_put(struct reading *r, const struct tree *mapping, const char *key,
                                   const struct tree *value)
{
    struct tree *t = arena_new(r->scratch, 1, sizeof *t);
    struct tree_pair *pairs = arena_new(r->scratch, mapping->count + (size_t)1, sizeof *pairs);
    *t = *mapping;
    pairs[0] = (struct tree_pair){text_node(r, key, value->place.part), value};
    if (mapping->count)
        memcpy(pairs + 1, mapping->pairs, mapping->count * sizeof *pairs);
    t->pairs = pairs;
    t->count++;
    return t;
}

/* The list of the file, or none, and the parts of this kind. */
static const struct tree *list_extend(struct reading *r, const struct tree *list,
                                      const struct config_parts *parts, enum config_part_kind kind)
{
    uint32_t had = list ? list->count : 0;
    struct tree *t = arena_new(r->scratch, 1, sizeof *t);
    const struct tree **items = arena_new(r->scratch, had + (size_t)parts->count, sizeof *items);
    *t = list ? *list : (struct tree){.place = {1, 1, 0}, .kind = TREE_LIST};
    if (had)
        memcpy(items, list->items, had * sizeof *items);
    t->items = items;
    for (uint32_t i = 1; i <= parts->count; i++) {
        const struct config_part *p = &parts->list[i - 1];
        const struct tree *value = p->kind == kind ? part_read(r, parts, i) : NULL;
        if (value)
            items[t->count++] = pair_put(r, value, "name", text_node(r, p->name, i));
    }
    return t;
}

/* The same of a mapping from names. */
static const struct tree *names_extend(struct reading *r, const struct tree *names,
                                       const struct config_parts *parts, enum config_part_kind kind)
{
    uint32_t had = names ? names->count : 0;
    struct tree *t = arena_new(r->scratch, 1, sizeof *t);
    struct tree_pair *pairs = arena_new(r->scratch, had + (size_t)parts->count, sizeof *pairs);
    *t = names ? *names : (struct tree){.place = {1, 1, 0}, .kind = TREE_MAPPING};
    if (had)
        memcpy(pairs, names->pairs, had * sizeof *pairs);
    t->pairs = pairs;
    for (uint32_t i = 1; i <= parts->count; i++) {
        const struct config_part *p = &parts->list[i - 1];
        if (p->kind != kind)
            continue;
        const struct tree *value = part_read(r, parts, i);
        const struct tree *here = names ? tree_get(names, p->name) : NULL;
        if (here)
            problem_add(r->problems, here->place,
                        "the %s %s is shared among the nodes, too; keep one of them",
                        part_kind_name(kind), p->name);
        else if (value)
            pairs[t->count++] = (struct tree_pair){text_node(r, p->name, i), value};
    }
    return t;
}

static bool has_kind(const struct config_parts *parts, enum config_part_kind kind)
{
    for (uint32_t i = 0; i < parts->count; i++)
        if (parts->list[i].kind == kind)
            return true;
    return false;
}

const struct tree *parts_merge(struct reading *r, const struct tree *root,
                               const struct config_parts *parts)
{
    static const char *const keys[PART_KINDS] = {"zones", "checks", "services"};
    struct tree *t = arena_new(r->scratch, 1, sizeof *t);
    struct tree_pair *pairs =
        arena_new(r->scratch, root->count + (size_t)PART_KINDS, sizeof *pairs);
    *t = *root;
    if (root->count)
        memcpy(pairs, root->pairs, root->count * sizeof *pairs);
    t->pairs = pairs;
    for (unsigned kind = 0; kind < PART_KINDS; kind++) {
        const struct tree *old = tree_get(root, keys[kind]);
        enum tree_kind wants = kind == PART_CHECK ? TREE_MAPPING : TREE_LIST;
        if (!has_kind(parts, kind) || (old && old->kind != wants))
            continue; /* of what is no list the file's own message tells */
        const struct tree *more = wants == TREE_LIST ? list_extend(r, old, parts, kind)
                                                     : names_extend(r, old, parts, kind);
        uint32_t at = 0;
        while (at < t->count && strcmp(pairs[at].key->text, keys[kind]))
            at++;
        if (at == t->count)
            pairs[t->count++].key = text_node(r, keys[kind], 0);
        pairs[at].value = more;
    }
    return t;
}
