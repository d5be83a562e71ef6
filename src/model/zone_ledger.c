#include "model/zone_ledger.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/memory.h"

static const char magic[8] = {'H', 'F', 'L', 'E', 'D', 'G', '\r', '\n'};

struct head {
    char magic[8];
    uint32_t version;
    uint32_t count;
    uint64_t checksum; /* XXH3 of what follows, seeded with the count */
};

struct zone_ledger ledger_init(void)
{
    return (struct zone_ledger){.records = map_init()};
}

void ledger_record_done(struct ledger_record *record)
{
    for (uint32_t i = 0; i < record->source_count; i++)
        free(record->sources[i].path);
    free(record->sources);
    free(record->name);
    *record = (struct ledger_record){0};
}

static void record_free(struct ledger_record *record)
{
    if (!record)
        return;
    ledger_record_done(record);
    free(record);
}

void ledger_done(struct zone_ledger *l)
{
    size_t position = 0, length;
    const void *key;
    void *record;
    while (map_next(&l->records, &position, &key, &length, &record))
        record_free(record);
    map_done(&l->records);
    *l = ledger_init();
}

struct ledger_record *ledger_find(const struct zone_ledger *l, const char *name)
{
    return map_get(&l->records, name, strlen(name));
}

static void record_remove(struct zone_ledger *l, const char *name)
{
    struct ledger_record *old = map_remove(&l->records, name, strlen(name));
    l->changed |= old != NULL;
    record_free(old);
}

void ledger_put(struct zone_ledger *l, struct ledger_record record)
{
    struct ledger_record *r = mem_new(1, sizeof *r);
    record_remove(l, record.name); /* the map's key is the record's own name */
    *r = record;
    const void *old = map_put(&l->records, r->name, strlen(r->name), r);
    invariant(!old);
    l->changed = true;
}

void ledger_sweep(struct zone_ledger *l)
{
    struct map kept = map_init();
    size_t position = 0, length;
    const void *key;
    void *value;
    while (map_next(&l->records, &position, &key, &length, &value)) {
        struct ledger_record *r = value;
        if (r->seen) {
            r->seen = false;
            map_put(&kept, key, length, r);
        } else {
            record_free(r);
            l->changed = true;
        }
    }
    map_done(&l->records);
    l->records = kept;
}

bool ledger_source_settled(const struct ledger_source *s, const struct disk_identity *now)
{
    const struct disk_identity *then = &s->identity;
    int64_t newest = then->changed_ns > then->modified_ns ? then->changed_ns : then->modified_ns;
    return then->inode && then->device == now->device && then->inode == now->inode &&
           then->size == now->size && then->modified_ns == now->modified_ns &&
           then->changed_ns == now->changed_ns &&
           s->read_ns - newest > (int64_t)LEDGER_SETTLED_MS * 1000000;
}

/* ---- the file ---- */

struct out {
    char *data;
    size_t length, size;
};

static void out_bytes(struct out *o, const void *data, size_t length)
{
    if (length > o->size - o->length) {
        o->size = (o->size + length) * 2;
        o->data = mem_resize(o->data, o->size, 1);
    }
    memcpy(o->data + o->length, data, length);
    o->length += length;
}

static void out_text(struct out *o, const char *text)
{
    uint32_t length = (uint32_t)strlen(text);
    out_bytes(o, &length, sizeof length);
    out_bytes(o, text, length);
}

static void out_record(struct out *o, const struct ledger_record *r)
{
    out_text(o, r->name);
    out_bytes(o, &r->inputs, sizeof r->inputs);
    out_bytes(o, &r->compiled, sizeof r->compiled);
    out_bytes(o, &r->serial, sizeof r->serial);
    out_bytes(o, &r->source_count, sizeof r->source_count);
    out_bytes(o, &r->stored, sizeof r->stored);
    for (uint32_t i = 0; i < r->source_count; i++) {
        const struct ledger_source *s = &r->sources[i];
        out_text(o, s->path);
        out_bytes(o, &s->hash, sizeof s->hash);
        out_bytes(o, &s->identity, sizeof s->identity);
        out_bytes(o, &s->read_ns, sizeof s->read_ns);
    }
}

char *ledger_encode(const struct zone_ledger *l, size_t *ret_size)
{
    _Static_assert(sizeof(struct disk_identity) == 40, "no padding in what is written");
    struct head head = {.version = LEDGER_VERSION, .count = (uint32_t)l->records.count};
    struct out o = {.data = mem_new(4096, 1), .size = 4096};
    size_t position = 0, length;
    const void *key;
    void *record;
    memcpy(head.magic, magic, sizeof magic);
    out_bytes(&o, &head, sizeof head);
    while (map_next(&l->records, &position, &key, &length, &record))
        out_record(&o, record);
    head.checksum = hash64_seeded(o.data + sizeof head, o.length - sizeof head, head.count);
    memcpy(o.data, &head, sizeof head);
    *ret_size = o.length;
    return o.data;
}

static void in_bytes(struct reader *in, void *ret, size_t size)
{
    const uint8_t *p = reader_take(in, size);
    if (p)
        memcpy(ret, p, size);
}

static char *in_text(struct reader *in)
{
    uint32_t length = 0;
    in_bytes(in, &length, sizeof length);
    const uint8_t *p = reader_take(in, length);
    if (!p || memchr(p, 0, length)) {
        in->failed = true;
        return NULL;
    }
    char *text = mem_new((size_t)length + 1, 1);
    memcpy(text, p, length);
    return text;
}

static void in_sources(struct reader *in, struct ledger_record *r, uint32_t count)
{
    if (in->failed || count > LEDGER_SOURCES_MAX) {
        in->failed = true;
        return;
    }
    r->sources = mem_new(count + 1u, sizeof *r->sources);
    for (; r->source_count < count && !in->failed; r->source_count++) {
        struct ledger_source *s = &r->sources[r->source_count];
        s->path = in_text(in);
        in_bytes(in, &s->hash, sizeof s->hash);
        in_bytes(in, &s->identity, sizeof s->identity);
        in_bytes(in, &s->read_ns, sizeof s->read_ns);
    }
}

static bool in_record(struct reader *in, struct zone_ledger *l)
{
    struct ledger_record r = {.name = in_text(in)};
    uint32_t count = 0;
    in_bytes(in, &r.inputs, sizeof r.inputs);
    in_bytes(in, &r.compiled, sizeof r.compiled);
    in_bytes(in, &r.serial, sizeof r.serial);
    in_bytes(in, &count, sizeof count);
    in_bytes(in, &r.stored, sizeof r.stored);
    in_sources(in, &r, count);
    if (in->failed || ledger_find(l, r.name)) {
        ledger_record_done(&r);
        return false;
    }
    ledger_put(l, r);
    return true;
}

int ledger_decode(const void *data, size_t size, struct zone_ledger *ret)
{
    struct reader in = reader_init(data, size);
    struct zone_ledger l = ledger_init();
    struct head head = {0};
    in_bytes(&in, &head, sizeof head);
    if (in.failed)
        return ERR_TRUNCATED;
    if (memcmp(head.magic, magic, sizeof magic) != 0)
        return ERR_MAGIC;
    if (head.version != LEDGER_VERSION)
        return ERR_VERSION;
    if (head.checksum != hash64_seeded(in.data + sizeof head, size - sizeof head, head.count))
        return ERR_CHECKSUM;
    for (uint32_t i = 0; i < head.count; i++)
        if (!in_record(&in, &l)) {
            ledger_done(&l);
            return ERR_BOUNDS;
        }
    if (reader_left(&in)) {
        ledger_done(&l);
        return ERR_BOUNDS;
    }
    l.changed = false;
    *ret = l;
    return 0;
}
