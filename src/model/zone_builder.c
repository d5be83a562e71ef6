/* Collecting the records of a zone. */
#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/zone_build.h"
#include "model/zone_zonemd.h"
#include "wire/rdata.h"
#include "wire/zonefile.h"
#include <errno.h>
#include <stdlib.h>

enum { CHUNK_SIZE = 1 << 20, ENTRIES_MAX = 1 << 30 };

struct zone_builder *zone_builder_new(const uint8_t *origin)
{
    struct zone_builder *b = mem_new(1, sizeof *b);

    b->origin_length = (uint8_t)dname_length(origin);
    b->origin_labels = (uint8_t)dname_labels(origin);
    memcpy(b->origin, origin, b->origin_length);
    b->arena = arena_init();
    return b;
}

void zone_builder_glue_later(struct zone_builder *b)
{
    b->glue_later = true;
}

void zone_builder_seal(struct zone_builder *b, const struct zone_seal *seal)
{
    invariant(b->entry_count == 0);
    b->seal = seal && seal->sign ? seal : NULL;
    b->zonemd = seal ? seal->zonemd : ZONEMD_VERIFY;
}

void zone_builder_aliases(struct zone_builder *b, struct zone_alias_source *source)
{
    b->aliases = source;
    source->other = source->later = false;
}

void zone_chunks_free(struct zone_builder *b)
{
    for (struct zone_chunk *c = b->first, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    b->first = b->last = NULL;
}

void zone_builder_free(struct zone_builder *b)
{
    if (!b)
        return;
    zone_chunks_free(b);
    for (size_t i = 0; i < b->file_count; i++)
        free(b->files[i]);
    free(b->files);
    free(b->items);
    free(b->nodes);
    free(b->slots);
    for (unsigned i = 0; i < b->arena_count; i++)
        arena_done(&b->arenas[i]);
    free(b->arenas);
    arena_done(&b->arena);
    free(b);
}

/* ---- keys ---- */

static uint8_t *key_label(uint8_t *key, const uint8_t *label)
{
    for (unsigned i = 1; i <= *label; i++) {
        if (unlikely(label[i] <= 1)) {
            *key++ = 1;
            *key++ = (uint8_t)(label[i] + 1);
        } else {
            *key++ = label[i];
        }
    }
    *key++ = 0;
    return key;
}

unsigned zone_key_make(const uint8_t *name, size_t relative, uint8_t ret_key[static ZONE_KEY_MAX])
{
    uint8_t offsets[DNAME_LABELS_MAX + 1], *key = ret_key;
    unsigned count = 0;

    for (size_t at = 0; at < relative; at += name[at] + 1u) {
        invariant(count <= DNAME_LABELS_MAX);
        offsets[count++] = (uint8_t)at;
    }
    while (count)
        key = key_label(key, name + offsets[--count]);
    return (unsigned)(key - ret_key);
}

unsigned zone_key_name(const struct zone_builder *b, const uint8_t *key, size_t key_length,
                       uint8_t ret_name[static DNAME_MAX])
{
    uint8_t reversed[DNAME_MAX], *at = reversed + DNAME_MAX - b->origin_length;
    const uint8_t *end = key + key_length;

    memcpy(at, b->origin, b->origin_length);
    while (key < end) {
        uint8_t label[DNAME_LABEL_MAX + 1], length = 0;
        for (; *key; key++) {
            invariant(length < DNAME_LABEL_MAX);
            label[++length] = *key == 1 ? (uint8_t)(*++key - 1) : *key;
        }
        key++;
        label[0] = length;
        at -= length + 1;
        invariant(at >= reversed);
        memcpy(at, label, length + 1u);
    }
    unsigned length = (unsigned)(reversed + DNAME_MAX - at);
    memcpy(ret_name, at, length);
    return length;
}

char *zone_node_text(const struct zone_builder *b, const struct build_node *n,
                     char buffer[static DNAME_TEXT_MAX])
{
    uint8_t name[DNAME_MAX];
    zone_key_name(b, n->key, n->key_length, name);
    return dname_format(name, buffer);
}

/* ---- entries ---- */

static struct zone_entry *entry_new(struct zone_builder *b, size_t size)
{
    size_t rounded = (size + 3) & ~(size_t)3;

    if (!b->last || b->last->size - b->last->used < rounded) {
        size_t room = rounded > CHUNK_SIZE ? rounded : CHUNK_SIZE;
        struct zone_chunk *c = mem_new(1, sizeof *c + room);
        c->size = room;
        *(b->last ? &b->last->next : &b->first) = c;
        b->last = c;
    }
    struct zone_entry *e = (struct zone_entry *)(b->last->data + b->last->used);
    b->last->used += rounded;
    return e;
}

struct zone_entry *zone_entry_add(struct zone_builder *b, const uint8_t *key, size_t key_length,
                                  const struct zone_entry *head, const uint8_t *rdata)
{
    struct zone_entry *e = entry_new(b, sizeof *e + key_length + head->rdata_length);
    *e = *head;
    e->key_length = (uint16_t)key_length;
    memcpy(e->bytes, key, key_length);
    invariant(rdata || !head->rdata_length);
    if (rdata)
        memcpy(e->bytes + key_length, rdata, head->rdata_length);
    b->entry_count++;
    return e;
}

static int entry_add(struct zone_builder *b, const uint8_t *owner, const struct zone_entry *head,
                     const uint8_t *rdata)
{
    uint8_t key[ZONE_KEY_MAX];
    size_t length = dname_length(owner);

    if (!dname_below(owner, length, b->origin, b->origin_length))
        return ERR_INVALID;
    if (b->entry_count == ENTRIES_MAX)
        return ERR_LIMIT;
    unsigned key_length = zone_key_make(owner, length - b->origin_length, key);
    struct zone_entry *e = zone_entry_add(b, key, key_length, head, rdata);
    e->file = b->file;
    b->alias_count += e->type == DNS_ALIAS;
    b->zonemd_count += e->type == DNS_ZONEMD && !key_length;
    return 0;
}

struct zone_entry *zone_entry_make(struct zone_builder *b, const uint8_t *key, size_t key_length,
                                   uint16_t type, uint32_t ttl, const uint8_t *rdata,
                                   uint16_t rdata_length)
{
    struct zone_entry *e = entry_new(b, sizeof *e + key_length + rdata_length);
    *e = (struct zone_entry){
        .ttl = ttl, .type = type, .rdata_length = rdata_length, .key_length = (uint16_t)key_length};
    memcpy(e->bytes, key, key_length);
    memcpy(e->bytes + key_length, rdata, rdata_length);
    return e;
}

int zone_builder_add(struct zone_builder *b, const uint8_t *owner, uint16_t type, uint32_t ttl,
                     const uint8_t *rdata, uint16_t rdata_length, uint32_t line)
{
    struct zone_entry head = {.ttl = ttl, .line = line, .type = type, .rdata_length = rdata_length};

    if (dns_type_is_meta(type) || !rdata_check(type, rdata, rdata_length))
        return ERR_INVALID;
    bool made = b->seal && zone_type_is_made(type) && !b->sealing;
    if (made && !zone_zonemd_is_checked(b))
        return 0;
    b->made_count += made;
    return entry_add(b, owner, &head, rdata);
}

int zone_builder_steer(struct zone_builder *b, const uint8_t *name)
{
    struct zone_entry head = {.ttl = b->steered_count, .type = ZONE_ENTRY_STEERED};

    int err = entry_add(b, name, &head, NULL);
    if (err == 0)
        b->steered_count++;
    return err;
}

void zone_builder_file(struct zone_builder *b, const char *path)
{
    for (size_t i = 0; i < b->file_count; i++)
        if (strcmp(b->files[i], path) == 0) {
            b->file = (uint16_t)(i + 1);
            return;
        }
    if (b->file_count == UINT16_MAX)
        return;
    b->files = mem_grow(b->files, b->file_count, &b->file_size, sizeof *b->files);
    b->files[b->file_count++] = mem_string(path);
    b->file = (uint16_t)b->file_count;
}

/* ---- problems ---- */

static void problem_append(struct zone_builder *b, const struct zone_entry *e, const char *format,
                           va_list args) __attribute__((format(printf, 3, 0)));

static void problem_append(struct zone_builder *b, const struct zone_entry *e, const char *format,
                           va_list args)
{
    text_appendf(b->problems, "%s:%u:1: ", e && e->file ? b->files[e->file - 1] : b->path,
                 e && e->line ? e->line : 1);
    text_vappendf(b->problems, format, args);
    text_append(b->problems, "\n");
}

void zone_problem(struct zone_builder *b, const struct zone_entry *e, const char *format, ...)
{
    va_list args;

    if (b->problem_count++ >= ZONEFILE_PROBLEMS_MAX)
        return;
    va_start(args, format);
    problem_append(b, e, format, args);
    va_end(args);
}

void zone_warning(struct zone_builder *b, const struct zone_entry *e, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    problem_append(b, e, format, args);
    va_end(args);
}

/* Last of all, since it is over everything. */
static int digest_make(const struct zone_builder *b, uint8_t *data, size_t size)
{
    struct zone z;
    int err = zone_open_trusted(data, size, &z);
    if (err >= 0)
        err = zone_zonemd_renew(&z, data, b->seal ? b->seal->renew : NULL,
                                b->seal ? b->seal->context : NULL);
    ((struct zone_header *)data)->checksum = zone_checksum(data, size);
    return err;
}

int zone_builder_finish(struct zone_builder *b, const char *path, struct text *problems,
                        uint8_t **ret_data, size_t *ret_size)
{
    uint8_t *data = NULL;
    size_t size = 0;

    invariant(!b->items && !b->nodes); /* used once */
    b->path = path;
    b->problems = problems;
    zone_zonemd_settle(b);
    b->sealing = true;
    if (b->seal && b->seal->prepare(b->seal->context, b) < 0)
        zone_problem(b, NULL, "the zone's keys cannot be published");
    zone_entries_sort(b);
    size_t said = problems->length;
    if (b->alias_count)
        zone_aliases_resolve(b);
    if (b->aliases && b->aliases->later) {
        text_cut(problems, said); /* it will be said then */
        return -EAGAIN;
    }
    if (!b->seal)
        zone_given_take(b);
    zone_tree_make(b);
    zone_index_make(b);
    zone_check(b);
    if (b->problem_count == 0 && b->seal && b->seal->sign(b->seal->context, b) < 0)
        zone_problem(b, NULL, "the zone cannot be signed, so it is not served");
    if (b->problem_count == 0 && b->given)
        zone_given_attach(b);
    if (b->zonemd == ZONEMD_GENERATE && b->given)
        zone_problem(
            b, NULL,
            "a digest (zonemd: generate) of a zone that came signed would have no signature");
    if (b->problem_count == 0)
        zone_write(b, &data, &size);
    if (b->problem_count == 0 && b->zonemd == ZONEMD_GENERATE && digest_make(b, data, size) < 0)
        zone_problem(b, NULL, "the zone's digest (ZONEMD) cannot be signed");
    if (b->problem_count) {
        free(data);
        return ERR_INVALID;
    }
    *ret_data = data;
    *ret_size = size;
    return 0;
}
