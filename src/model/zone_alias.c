/* ALIAS records: a name, the apex too, that has the addresses of another. Onto a service the name
 * is steered as that service is; onto a name of a zone of this node it gets copies of its
 * addresses. Nothing is ever asked of other servers, so anything else is a problem of the zone. */
#include "base/invariant.h"
#include "base/ip.h"
#include "model/zone_build.h"
#include "model/zone_walk.h"
#include <stdlib.h>

enum { ALIAS_LINKS_MAX = 16, BOTH_FAMILIES = 1 << IP_V4 | 1 << IP_V6 };

struct wish {
    struct zone_builder *b;
    const struct zone_entry *alias;
    uint8_t name[DNAME_MAX]; /* where it leads by now */
};

enum outcome { WISH_DONE, WISH_ONWARD };

static enum outcome wish_problem(const struct wish *w, const char *sentence)
{
    uint8_t owner[DNAME_MAX];
    char from[DNAME_TEXT_MAX], to[DNAME_TEXT_MAX];

    zone_key_name(w->b, w->alias->bytes, w->alias->key_length, owner);
    zone_problem(w->b, w->alias, "%s has an ALIAS record onto %s, %s", dname_format(owner, from),
                 dname_format(w->name, to), sentence);
    return WISH_DONE;
}

static enum outcome wish_follow(struct wish *w, const uint8_t *name)
{
    memmove(w->name, name, dname_length(name));
    return WISH_ONWARD;
}

/* ---- the records of a name in the sorted entries ---- */

struct range {
    uint32_t first, count;
};

static int key_compare(const struct zone_entry *e, const uint8_t *key, size_t length)
{
    size_t shorter = e->key_length < length ? e->key_length : length;
    int order = memcmp(e->bytes, key, shorter);
    return order ? order : (e->key_length > length) - (e->key_length < length);
}

static struct range entries_find(const struct zone_builder *b, const uint8_t *key, size_t length)
{
    uint32_t low = 0, high = b->item_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (key_compare(b->items[middle].entry, key, length) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (high < b->item_count && key_compare(b->items[high].entry, key, length) == 0)
        high++;
    return (struct range){low, high - low};
}

static const struct zone_entry *entry_of(const struct zone_builder *b, struct range r,
                                         uint16_t type)
{
    for (uint32_t i = 0; i < r.count; i++)
        if (b->items[r.first + i].entry->type == type)
            return b->items[r.first + i].entry;
    return NULL;
}

/* ---- what the name becomes ---- */

static void entry_put(struct wish *w, uint16_t type, uint32_t ttl, const uint8_t *rdata,
                      uint16_t length)
{
    const struct zone_entry *a = w->alias;
    struct zone_entry head = {.ttl = ttl, .line = a->line, .type = type, .rdata_length = length};
    zone_entry_add(w->b, a->bytes, a->key_length, &head, rdata)->file = a->file;
}

static enum outcome wish_bind(struct wish *w, unsigned families)
{
    struct zone_builder *b = w->b;

    b->alias_families[b->steered_count - b->alias_first] = (uint8_t)families;
    entry_put(w, ZONE_ENTRY_STEERED, b->steered_count++, NULL, 0);
    entry_put(w, DNS_ALIAS, w->alias->ttl, w->name, (uint16_t)dname_length(w->name));
    return WISH_DONE;
}

static void address_put(struct wish *w, uint16_t type, uint32_t ttl, const uint8_t *rdata,
                        uint16_t length)
{
    entry_put(w, type, ttl < w->alias->ttl ? ttl : w->alias->ttl, rdata, length);
}

/* ---- where it leads ---- */

static const char no_address[] = "which has no address";

static enum outcome own_take(struct wish *w, struct range r)
{
    const struct zone_builder *b = w->b;
    const struct zone_entry *onward = entry_of(b, r, DNS_CNAME);
    bool found = false;

    if (entry_of(b, r, ZONE_ENTRY_STEERED)) /* known without a source of places */
        return wish_bind(w, BOTH_FAMILIES);
    if (!onward)
        onward = entry_of(b, r, DNS_ALIAS);
    if (onward)
        return wish_follow(w, zone_entry_rdata(onward));
    for (uint32_t i = 0; i < r.count; i++) {
        const struct zone_entry *e = b->items[r.first + i].entry;
        if (e->type != DNS_A && e->type != DNS_AAAA)
            continue;
        address_put(w, e->type, e->ttl, zone_entry_rdata(e), e->rdata_length);
        found = true;
    }
    return found ? WISH_DONE : wish_problem(w, no_address);
}

static enum outcome own_follow(struct wish *w)
{
    struct zone_builder *b = w->b;
    uint8_t key[ZONE_KEY_MAX];
    size_t length = dname_length(w->name);

    if (dname_below(w->name, length, b->origin, b->origin_length)) {
        unsigned key_length = zone_key_make(w->name, length - b->origin_length, key);
        struct range r = entries_find(b, key, key_length);
        if (r.count)
            return own_take(w, r);
    }
    if (!b->aliases)
        return wish_bind(w, BOTH_FAMILIES);
    return wish_problem(w, "which is no service and not in the zone");
}

static bool set_copy(struct wish *w, const struct zone *z, const struct zone_node *n, uint16_t type)
{
    const struct zone_set *s = zone_node_set(n, type);

    if (!s)
        return false;
    struct zone_record r = zone_record_first(z, s);
    do
        address_put(w, type, s->ttl, r.rdata, r.length);
    while (zone_record_next(&r));
    return true;
}

static enum outcome other_follow(struct wish *w, const struct zone *z)
{
    size_t length = dname_length(w->name);
    const struct zone_node *n = zone_find(z, w->name, length, dname_hash(w->name, length));

    if (!n)
        return wish_problem(w, "which is no service and not in its zone");
    if (n->flags & (NODE_CUT | NODE_BELOW_CUT))
        return wish_problem(w, "which its zone delegates to other name servers");
    const struct zone_set *onward = zone_node_set(n, DNS_CNAME);
    if (!onward)
        onward = zone_node_set(n, DNS_ALIAS);
    if (onward)
        return wish_follow(w, zone_record_first(z, onward).rdata);
    bool v4 = set_copy(w, z, n, DNS_A), v6 = set_copy(w, z, n, DNS_AAAA);
    return v4 || v6 ? WISH_DONE : wish_problem(w, no_address);
}

static enum outcome wish_step(struct wish *w)
{
    struct zone_alias_source *s = w->b->aliases;
    unsigned families = 0;
    struct zone other;
    enum zone_alias_place place = s ? s->find(s->context, w->name, &families, &other) : ALIAS_OWN;

    switch (place) {
    case ALIAS_STEERED:
        return wish_bind(w, families);
    case ALIAS_OWN:
        return own_follow(w);
    case ALIAS_OTHER:
        s->other = true;
        return other_follow(w, &other);
    case ALIAS_LATER:
        s->other = s->later = true;
        return WISH_DONE;
    default:
        return wish_problem(w, "which lies in no zone of this node; Holdfast asks no other server "
                               "for addresses");
    }
}

/* ---- the zone ---- */

static bool stands_alone(const struct zone_builder *b, const struct zone_entry *alias)
{
    static const uint16_t others[] = {ZONE_ENTRY_STEERED, DNS_A, DNS_CNAME, DNS_AAAA};
    struct range r = entries_find(b, alias->bytes, alias->key_length);

    for (unsigned i = 0; i < array_length(others); i++)
        if (entry_of(b, r, others[i]))
            return false;
    return entry_of(b, r, DNS_ALIAS) == alias; /* the first of them speaks for all */
}

static void alias_resolve(struct zone_builder *b, const struct zone_entry *alias)
{
    struct wish w = {.b = b, .alias = alias};

    wish_follow(&w, zone_entry_rdata(alias));
    if (!stands_alone(b, alias)) {
        wish_problem(&w, "so it can have no other addresses: no A, AAAA, CNAME or second ALIAS "
                         "record, and no service");
        return;
    }
    for (unsigned i = 0; i < ALIAS_LINKS_MAX; i++)
        if (wish_step(&w) == WISH_DONE)
            return;
    wish_problem(&w, "which leads on and on: aliases of aliases are followed 16 times");
}

/* The ALIAS records that were there before the last chunk was filled beyond `used`. */
static void aliases_forget(const struct zone_builder *b, const struct zone_chunk *last, size_t used)
{
    for (struct zone_chunk *c = b->first; c; c = c == last ? NULL : c->next)
        for (size_t at = 0; at < (c == last ? used : c->used);) {
            struct zone_entry *e = (struct zone_entry *)(c->data + at);
            at += zone_entry_size(e);
            if (e->type == DNS_ALIAS)
                e->type = ZONE_ENTRY_GONE;
        }
}

void zone_aliases_resolve(struct zone_builder *b)
{
    const struct zone_chunk *last = b->last;
    size_t used = last->used;

    b->alias_first = b->steered_count;
    b->alias_families = arena_new(&b->arena, b->alias_count, 1);
    for (uint32_t i = 0; i < b->item_count; i++)
        if (b->items[i].entry->type == DNS_ALIAS)
            alias_resolve(b, b->items[i].entry);
    /* What leads through another alias was read from the sorted entries: they go only now. */
    aliases_forget(b, last, used);
    free(b->items);
    b->items = NULL;
    zone_entries_sort(b);
}

bool zone_alias_next(const struct zone *z, uint32_t *position, const uint8_t **ret_owner,
                     const uint8_t **ret_service)
{
    const uint64_t *steered = (const uint64_t *)(z->base + z->header->steered);

    while (*position < z->header->steered_count) {
        const struct zone_node *n = zone_node_at(z, steered[(*position)++]);
        const struct zone_set *s = zone_node_set(n, DNS_ALIAS);
        if (!s)
            continue;
        *ret_owner = zone_node_name(n);
        *ret_service = zone_record_first(z, s).rdata;
        return true;
    }
    return false;
}
