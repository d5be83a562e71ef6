#include "model/zone_held.h"
#include "base/err.h"
#include "base/invariant.h"
#include "wire/dns.h"
#include "wire/rdata.h"
#include <stdlib.h>

enum { LIST_FIRST = 512, SOA_NUMBERS = 20 /* bytes: serial, refresh, retry, expire, minimum */ };

/* ---- lists ---- */

void held_list_done(struct held_list *l)
{
    free(l->data);
    *l = (struct held_list){0};
}

int held_list_add(struct held_list *l, const uint8_t *owner, uint16_t type, uint32_t ttl,
                  const uint8_t *rdata, uint16_t rdata_length)
{
    enum { AROUND = 1 + DNAME_MAX + 2 + 4 + 2 };
    size_t owner_length = dname_length(owner);
    size_t most = AROUND + (size_t)rdata_length;
    if (l->count == HELD_RECORDS_MAX || l->length + most > HELD_LIST_MAX)
        return ERR_LIMIT;
    if (l->length + most > l->size) {
        l->size = (l->length + most) * 2 < LIST_FIRST ? LIST_FIRST : (l->length + most) * 2;
        l->data = mem_resize(l->data, l->size, 1);
    }
    struct writer w = writer_init(l->data + l->length, l->size - l->length);
    bool same = l->count && l->data[l->owner - 1] == owner_length &&
                !memcmp(l->data + l->owner, owner, owner_length);
    writer_u8(&w, same ? 0 : (uint8_t)owner_length);
    if (!same) {
        l->owner = l->length + w.position;
        writer_bytes(&w, owner, owner_length);
    }
    writer_u16(&w, type);
    writer_u32(&w, ttl);
    writer_u16(&w, rdata_length);
    writer_bytes(&w, rdata, rdata_length);
    invariant(!w.failed);
    l->length += w.position;
    l->count++;
    return 0;
}

struct held_cursor held_cursor_init(const uint8_t *data, size_t length)
{
    return (struct held_cursor){.reader = reader_init(data, length)};
}

static int cursor_owner(struct held_cursor *c)
{
    uint8_t length = reader_u8(&c->reader);
    if (c->reader.failed)
        return ERR_TRUNCATED;
    if (!length)
        return c->owner ? 0 : ERR_SYNTAX;
    const uint8_t *owner = reader_take(&c->reader, length);
    if (!owner)
        return ERR_TRUNCATED;
    if (dname_check(owner, length) != length)
        return ERR_SYNTAX;
    c->owner = owner;
    c->owner_length = length;
    return 0;
}

int held_cursor_next(struct held_cursor *c, struct held_item *ret)
{
    if (!reader_left(&c->reader))
        return 0;
    size_t before = c->reader.position;
    int err = cursor_owner(c);
    struct held_item item = {.owner = c->owner, .owner_length = c->owner_length};
    if (!err) {
        item.type = reader_u16(&c->reader);
        item.ttl = reader_u32(&c->reader);
        item.rdata_length = reader_u16(&c->reader);
        item.rdata = reader_take(&c->reader, item.rdata_length);
        err = c->reader.failed ? ERR_TRUNCATED : 0;
    }
    if (err) {
        c->reader.position = before;
        c->reader.failed = false;
        return err;
    }
    *ret = item;
    return 1;
}

/* ---- reading content ---- */

static struct held_name *name_get(const struct held_content *c, const uint8_t *name, size_t length)
{
    return map_get(&c->names, name, length);
}

const struct held_name *held_name_find(const struct held_content *c, const uint8_t *name,
                                       size_t length)
{
    const struct held_name *n = name_get(c, name, length);
    return n && n->records ? n : NULL;
}

static const struct held_record *of_type(const struct held_record *r, uint16_t type)
{
    while (r && r->type != type)
        r = r->next;
    return r;
}

const struct held_record *held_set_first(const struct held_name *n, uint16_t type)
{
    return n ? of_type(n->records, type) : NULL;
}

const struct held_record *held_set_next(const struct held_record *r)
{
    return of_type(r->next, r->type);
}

const struct held_record *held_record_find(const struct held_name *n, uint16_t type,
                                           const uint8_t *rdata, uint16_t length)
{
    const struct held_record *r = held_set_first(n, type);
    while (r && (r->length != length || (length && memcmp(r->rdata, rdata, length))))
        r = held_set_next(r);
    return r;
}

const struct held_record *held_soa(const struct held_content *c)
{
    const struct held_record *r =
        held_set_first(held_name_find(c, c->origin, c->origin_length), DNS_SOA);
    invariant(r);
    return r;
}

uint32_t held_soa_serial(const uint8_t *rdata, uint16_t length)
{
    invariant(length > SOA_NUMBERS);
    struct reader r = reader_init(rdata + length - SOA_NUMBERS, SOA_NUMBERS);
    return reader_u32(&r);
}

int held_content_feed(const struct held_content *c, struct zone_builder *b)
{
    for (const struct held_name *n = c->first; n; n = n->next)
        for (const struct held_record *r = n->records; r; r = r->next) {
            int err = zone_builder_add(b, n->name, r->type, r->ttl, r->rdata, r->length, 0);
            if (err)
                return err;
        }
    return 0;
}

int held_content_list(const struct held_content *c, struct held_list *ret)
{
    struct held_list l = {0};
    const struct held_record *soa = held_soa(c);
    int err = held_list_add(&l, c->origin, DNS_SOA, soa->ttl, soa->rdata, soa->length);
    for (const struct held_name *n = c->first; n && !err; n = n->next)
        for (const struct held_record *r = n->records; r && !err; r = r->next)
            if (r != soa)
                err = held_list_add(&l, n->name, r->type, r->ttl, r->rdata, r->length);
    if (err) {
        held_list_done(&l);
        return err;
    }
    *ret = l;
    return 0;
}

/* ---- changing content ---- */

static struct held_name *name_make(struct held_content *c, const uint8_t *name, uint8_t length)
{
    struct held_name *n = name_get(c, name, length);
    if (n)
        return n;
    n = arena_new(&c->arena, 1, sizeof *n + length);
    n->length = length;
    memcpy(n->name, name, length);
    *(c->last ? &c->last->next : &c->first) = n;
    c->last = n;
    map_put(&c->names, n->name, length, n);
    return n;
}

static int item_check(const struct held_content *c, const struct held_item *i)
{
    bool apex = i->owner_length == c->origin_length;
    bool good = dname_below(i->owner, i->owner_length, c->origin, c->origin_length) && i->type &&
                !dns_type_is_meta(i->type) && (i->type != DNS_SOA || apex) &&
                rdata_check(i->type, i->rdata, i->rdata_length);
    return good ? 0 : ERR_INVALID;
}

/* ERR_CONFLICT where it is there already. */
static int record_add(struct held_content *c, const struct held_item *i)
{
    int err = item_check(c, i);
    if (err)
        return err;
    struct held_name *n = name_make(c, i->owner, i->owner_length);
    if (held_record_find(n, i->type, i->rdata, i->rdata_length))
        return ERR_CONFLICT;
    if (n->count == HELD_NAME_RECORDS_MAX || c->record_count == HELD_RECORDS_MAX)
        return ERR_LIMIT;
    struct held_record *r = arena_new(&c->arena, 1, sizeof *r + i->rdata_length);
    r->ttl = i->ttl;
    r->type = i->type;
    r->length = i->rdata_length;
    if (i->rdata_length)
        memcpy(r->rdata, i->rdata, i->rdata_length);
    r->next = n->records;
    n->records = r;
    n->count++;
    c->record_count++;
    return 0;
}

/* Takes the record out; NULL where it is not there. */
static struct held_record *record_take(struct held_content *c, const struct held_item *i)
{
    struct held_name *n = name_get(c, i->owner, i->owner_length);
    const struct held_record *found = held_record_find(n, i->type, i->rdata, i->rdata_length);
    if (!found)
        return NULL;
    struct held_record **at = &n->records;
    while (*at != found)
        at = &(*at)->next;
    struct held_record *r = *at;
    *at = r->next;
    n->count--;
    c->record_count--;
    return r;
}

/* ---- new content ---- */

static int content_fill(struct held_content *c, struct held_cursor list)
{
    struct held_item i;
    unsigned soas = 0;
    int more;
    while ((more = held_cursor_next(&list, &i)) > 0) {
        int err = record_add(c, &i);
        if (err == ERR_CONFLICT)
            continue;
        if (err)
            return err;
        if (i.type == DNS_SOA) {
            soas++;
            c->serial = held_soa_serial(i.rdata, i.rdata_length);
        }
    }
    return more < 0 ? more : soas == 1 ? 0 : ERR_MISSING;
}

int held_content_new(const uint8_t *origin, struct held_cursor list, struct held_content **ret)
{
    struct held_content *c = mem_new(1, sizeof *c);
    c->origin_length = (uint8_t)dname_length(origin);
    memcpy(c->origin, origin, c->origin_length);
    c->arena = arena_init();
    c->names = map_init();
    int err = content_fill(c, list);
    if (err) {
        held_content_free(c);
        return err;
    }
    *ret = c;
    return 0;
}

void held_content_free(struct held_content *c)
{
    if (!c)
        return;
    map_done(&c->names);
    arena_done(&c->arena);
    free(c);
}

/* ---- changes ---- */

void held_change_done(struct held_change *c)
{
    held_list_done(&c->removed);
    held_list_done(&c->added);
}

/* The only SOA record of a list, at the apex: its serial. */
static int list_serial(const struct held_list *l, uint32_t *ret)
{
    struct held_cursor cursor = held_list_cursor(l);
    struct held_item i;
    unsigned soas = 0;
    int more;
    while ((more = held_cursor_next(&cursor, &i)) > 0) {
        if (i.type != DNS_SOA)
            continue;
        if (!rdata_check(DNS_SOA, i.rdata, i.rdata_length))
            return ERR_INVALID;
        soas++;
        *ret = held_soa_serial(i.rdata, i.rdata_length);
    }
    return more < 0 ? more : soas == 1 ? 0 : ERR_MISSING;
}

static int change_check(const struct held_content *c, const struct held_change *change)
{
    uint32_t from, to;
    int err = list_serial(&change->removed, &from);
    err = err ? err : list_serial(&change->added, &to);
    if (err)
        return err;
    if (from != change->from || to != change->to)
        return ERR_INVALID;
    return c->serial == from ? 0 : ERR_CONFLICT;
}

/* Takes out what the first `*done` records of the list say; *done is how many were. The records
 * are kept in `taken` to be put back. */
static int list_take(struct held_content *c, const struct held_list *l, struct held_record **taken,
                     uint32_t *done)
{
    struct held_cursor cursor = held_list_cursor(l);
    struct held_item i;
    int more;
    while ((more = held_cursor_next(&cursor, &i)) > 0) {
        invariant(*done < l->count);
        taken[*done] = record_take(c, &i);
        if (!taken[*done])
            return ERR_CONFLICT;
        ++*done;
    }
    return more;
}

static void list_put_back(struct held_content *c, const struct held_list *l,
                          struct held_record *const *taken, uint32_t count)
{
    struct held_cursor cursor = held_list_cursor(l);
    struct held_item i;
    for (uint32_t k = 0; k < count && held_cursor_next(&cursor, &i) > 0; k++) {
        struct held_name *n = name_get(c, i.owner, i.owner_length);
        invariant(n);
        taken[k]->next = n->records;
        n->records = taken[k];
        n->count++;
        c->record_count++;
    }
}

static int list_insert(struct held_content *c, const struct held_list *l, uint32_t *done)
{
    struct held_cursor cursor = held_list_cursor(l);
    struct held_item i;
    int more;
    while ((more = held_cursor_next(&cursor, &i)) > 0) {
        int err = record_add(c, &i);
        if (err)
            return err;
        ++*done;
    }
    return more;
}

int held_change_apply(struct held_content *c, const struct held_change *change)
{
    int err = change_check(c, change);
    if (err)
        return err;
    uint32_t taken_count = 0, added_count = 0;
    auto_free struct held_record **taken =
        mem_new(change->removed.count + (size_t)1, sizeof *taken);
    err = list_take(c, &change->removed, taken, &taken_count);
    if (!err)
        err = list_insert(c, &change->added, &added_count);
    if (!err) {
        c->serial = change->to;
        return 0;
    }
    struct held_cursor cursor = held_list_cursor(&change->added);
    struct held_item i;
    for (uint32_t k = 0; k < added_count && held_cursor_next(&cursor, &i) > 0; k++) {
        const struct held_record *gone = record_take(c, &i);
        invariant(gone);
    }
    list_put_back(c, &change->removed, taken, taken_count);
    return err;
}
