#include "prog/load_shared.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/zone_compile.h"
#include <stdlib.h>
#include <string.h>

enum { SHARED_TEXT_MAX = 1 << 28 };

struct load_shared {
    struct arena arena;
    struct config_parts parts;
    struct text *texts; /* of the zones, by their places in `parts`; without a SOA record empty */
    const char **keys;  /* likewise: of signed zones; NULL: none */
    const char *seal;
};

static const char *value_copy(struct load_shared *s, const struct intent *intent,
                              enum intent_kind kind, const char *name)
{
    const struct intent_object *o = intent_find(intent, kind, name);
    return o ? arena_string(&s->arena, o->value, strlen(o->value)) : NULL;
}

struct load_shared *load_shared_new(const struct intent *intent)
{
    struct load_shared *s = mem_new(1, sizeof *s);
    s->arena = arena_init();
    s->parts = intent_parts(intent, &s->arena);
    s->texts = mem_new(s->parts.count + (size_t)1, sizeof *s->texts);
    s->keys = arena_new(&s->arena, s->parts.count + (size_t)1, sizeof *s->keys);
    s->seal = value_copy(s, intent, INTENT_SEAL, "seal");
    for (uint32_t i = 0; i < s->parts.count; i++) {
        s->texts[i] = text_init(SHARED_TEXT_MAX);
        if (s->parts.list[i].kind == PART_ZONE &&
            !intent_zone_text(intent, s->parts.list[i].name, &s->texts[i])) {
            text_done(&s->texts[i]);
            s->texts[i] = text_init(0);
        }
        if (s->parts.list[i].kind == PART_ZONE)
            s->keys[i] = value_copy(s, intent, INTENT_KEYS, s->parts.list[i].name);
    }
    return s;
}

void load_shared_free(struct load_shared *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->parts.count; i++)
        text_done(&s->texts[i]);
    free(s->texts);
    arena_done(&s->arena);
    free(s);
}

const struct config_parts *load_shared_parts(const struct load_shared *s)
{
    return s ? &s->parts : NULL;
}

/* The number of parts: it has no such zone. */
static uint32_t zone_place(const struct load_shared *s, const char *name)
{
    uint32_t i = 0;
    while (i < s->parts.count &&
           (s->parts.list[i].kind != PART_ZONE || strcmp(s->parts.list[i].name, name)))
        i++;
    return i;
}

bool load_shared_entry_is(const struct load_shared *a, const struct load_shared *b,
                          const char *name)
{
    uint32_t i = zone_place(a, name), k = zone_place(b, name);
    return i < a->parts.count && k < b->parts.count &&
           !strcmp(a->parts.list[i].value, b->parts.list[k].value);
}

bool load_shared_zone_is(const struct load_shared *a, const struct load_shared *b, const char *name)
{
    return load_shared_entry_is(a, b, name) && !strcmp(text_string(&a->texts[zone_place(a, name)]),
                                                       text_string(&b->texts[zone_place(b, name)]));
}

const char *load_shared_keys(const struct load_shared *s, const char *zone)
{
    uint32_t i = zone_place(s, zone);
    return i < s->parts.count ? s->keys[i] : NULL;
}

const char *load_shared_seal(const struct load_shared *s)
{
    return s->seal;
}

/* TSIG keys are each node's own. */
static void keys_tell(const struct config_zone *z, struct text *problems)
{
    for (uint32_t i = 0; i < z->update.rule_count; i++) {
        if (z->update.rules[i].key != CONFIG_NONE)
            continue;
        text_appendf(problems,
                     "%s: this node has no key %s: updates signed with it are refused here; name "
                     "it under tsig in the node's own file\n",
                     z->file, z->update.rules[i].key_name);
    }
}

int load_shared_compile(const struct load_shared *s, const struct config_zone *z,
                        const uint8_t *const *steered, unsigned steered_count,
                        const struct zone_seal *seal, struct zone_alias_source *aliases,
                        struct text *problems, uint8_t **ret_data, size_t *ret_size)
{
    uint32_t i = zone_place(s, z->name);
    invariant(i < s->parts.count);
    keys_tell(z, problems); /* the zone is served all the same */
    if (!s->texts[i].length) {
        text_appendf(problems, "%s: it has no SOA record; holdfast record set %s SOA makes one\n",
                     z->file, z->name);
        return ERR_INVALID;
    }
    return zone_compile_sealed(z->name, z->file, text_string(&s->texts[i]), s->texts[i].length,
                               steered, steered_count, NULL, NULL, seal, aliases, problems,
                               ret_data, ret_size);
}
