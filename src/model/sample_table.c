#include "model/sample_table.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "model/plan.h"
#include "model/sample.h"
#include <string.h>

#define MAGIC UINT32_C(0x48465354) /* "HFST" */

static uint64_t identity_text(uint64_t hash, const char *text)
{
    return hash64_seeded(text, strlen(text), hash);
}

uint64_t target_identity(const struct config *config, const struct target *target)
{
    const struct config_service *s = &config->services[target->service];
    uint64_t hash = identity_text(target->family + UINT64_C(1), s->name);
    hash = identity_text(hash, s->endpoints[target->endpoint].name);
    hash = identity_text(hash, target->check ? target->check->name : "");
    hash = hash64_seeded(target->address.bytes, sizeof target->address.bytes, hash);
    if (target->hostname)
        hash = identity_text(hash, target->hostname);
    return hash ? hash : 1;
}

uint32_t sample_parts(uint32_t entries)
{
    return entries ? (entries + SAMPLE_PART_ENTRIES - 1) / SAMPLE_PART_ENTRIES : 1;
}

static size_t part_size(uint32_t count)
{
    return SAMPLE_HEAD_SIZE + (size_t)count * SAMPLE_ENTRY_SIZE + 8;
}

/* ---- writing ---- */

/* Zeros up to the end: no byte depends on what lay there before. */
static void put_name(struct writer *w, const char *name)
{
    char field[SAMPLE_NAME_SIZE] = {0};
    memcpy(field, name, strnlen(name, SAMPLE_NAME_SIZE - 1));
    writer_bytes(w, field, sizeof field);
}

static void put_head(struct writer *w, const struct sample_head *h, uint32_t count)
{
    writer_u32(w, MAGIC);
    writer_u8(w, SAMPLE_TABLE_VERSION);
    writer_u8(w, h->health);
    writer_u16(w, (uint16_t)count);
    writer_u64(w, h->vantage);
    writer_u64(w, h->boot);
    writer_u64(w, h->sequence);
    writer_u64(w, h->config);
    writer_u64(w, (uint64_t)h->made);
    writer_u64(w, (uint64_t)h->wall);
    put_name(w, h->node);
    put_name(w, h->site);
    put_name(w, h->network);
}

static void put_entry(struct writer *w, const struct sample_entry *e)
{
    writer_u64(w, e->identity);
    writer_u8(w, e->state);
    writer_u8(w, e->reason);
    writer_u8(w, e->down_reason);
    writer_u8(w, e->flags);
    writer_u16(w, e->run);
    writer_u16(w, e->status);
    writer_u32(w, e->since_ms);
    writer_u32(w, e->sampled_ms);
    for (unsigned k = 0; k < LOSS_KINDS; k++) {
        writer_u32(w, e->counts[k].tries);
        writer_u32(w, e->counts[k].lost);
    }
    writer_u32(w, e->p50_us);
    writer_u32(w, e->p99_us);
    writer_u32(w, e->usual_us);
    writer_u32(w, e->connect_us);
}

static size_t part_encode(const struct sample_head *head, const struct sample_entry *entries,
                          uint32_t count, uint8_t buffer[static SAMPLE_PART_SIZE_MAX])
{
    invariant(count <= SAMPLE_PART_ENTRIES);
    struct writer w = writer_init(buffer, SAMPLE_PART_SIZE_MAX);
    put_head(&w, head, count);
    invariant(w.position == SAMPLE_HEAD_SIZE);
    for (uint32_t i = 0; i < count; i++)
        put_entry(&w, &entries[i]);
    writer_u64(&w, hash64(buffer, w.position));
    invariant(!w.failed && w.position == part_size(count));
    return w.position;
}

size_t sample_slice_encode(const struct sample_head *head, const struct sample_entry *entries,
                           uint32_t count, uint8_t *buffer)
{
    size_t size = 0;
    for (uint32_t part = 0; part < sample_parts(count); part++) {
        uint32_t first = part * SAMPLE_PART_ENTRIES, left = count - first;
        size += part_encode(head, entries + first,
                            left < SAMPLE_PART_ENTRIES ? left : SAMPLE_PART_ENTRIES, buffer + size);
    }
    return size;
}

/* ---- reading ---- */

/* Printable ASCII up to a zero, and zeros from there on. */
static bool get_name(struct reader *r, char ret[static SAMPLE_NAME_SIZE])
{
    const uint8_t *field = reader_take(r, SAMPLE_NAME_SIZE);
    if (!field)
        return false;
    size_t length = strnlen((const char *)field, SAMPLE_NAME_SIZE);
    if (length == SAMPLE_NAME_SIZE)
        return false;
    for (size_t i = 0; i < SAMPLE_NAME_SIZE; i++)
        if (i < length ? field[i] <= ' ' || field[i] > '~' : field[i] != 0)
            return false;
    memcpy(ret, field, SAMPLE_NAME_SIZE);
    return true;
}

static int get_head(struct reader *r, struct sample_part *p)
{
    if (reader_u32(r) != MAGIC)
        return ERR_MAGIC;
    if (reader_u8(r) != SAMPLE_TABLE_VERSION)
        return ERR_VERSION;
    struct sample_head *h = &p->head;
    h->health = reader_u8(r);
    p->count = reader_u16(r);
    h->vantage = reader_u64(r);
    h->boot = reader_u64(r);
    h->sequence = reader_u64(r);
    h->config = reader_u64(r);
    h->made = (usec_t)reader_u64(r);
    h->wall = (int64_t)reader_u64(r);
    if (p->count > SAMPLE_PART_ENTRIES)
        return ERR_BOUNDS;
    bool named = get_name(r, h->node) && get_name(r, h->site) && get_name(r, h->network);
    if (!named || (h->health & ~VANTAGE_HEALTHS) || !h->vantage || h->made < 0 || h->wall < 0)
        return ERR_INVALID;
    return 0;
}

static bool get_entry(struct reader *r, struct sample_entry *e)
{
    e->identity = reader_u64(r);
    e->state = reader_u8(r);
    e->reason = reader_u8(r);
    e->down_reason = reader_u8(r);
    e->flags = reader_u8(r);
    e->run = reader_u16(r);
    e->status = reader_u16(r);
    e->since_ms = reader_u32(r);
    e->sampled_ms = reader_u32(r);
    for (unsigned k = 0; k < LOSS_KINDS; k++) {
        e->counts[k].tries = reader_u32(r);
        e->counts[k].lost = reader_u32(r);
    }
    e->p50_us = reader_u32(r);
    e->p99_us = reader_u32(r);
    e->usual_us = reader_u32(r);
    e->connect_us = reader_u32(r);
    return e->state < VERDICT_STATES && e->reason < REASONS && e->down_reason < REASONS &&
           !(e->flags & ~SAMPLE_ENTRY_FLAGS) && e->since_ms != SAMPLE_AGE_NONE &&
           (e->state == VERDICT_DOWN) == (e->down_reason != REASON_OK) && e->p50_us <= e->p99_us;
}

size_t sample_part_size(const uint8_t *data, size_t size)
{
    enum { COUNT_AT = 6 };
    if (size < SAMPLE_HEAD_SIZE)
        return 0;
    return part_size((uint32_t)data[COUNT_AT] << 8 | data[COUNT_AT + 1]);
}

int sample_part_decode(const uint8_t *data, size_t size, struct sample_part *ret)
{
    if (size < part_size(0))
        return ERR_TRUNCATED;
    struct sample_part part = {0};
    struct reader r = reader_init(data, size);
    int err = get_head(&r, &part);
    if (err)
        return err;
    if (size != part_size(part.count))
        return size < part_size(part.count) ? ERR_TRUNCATED : ERR_BOUNDS;
    struct reader end = reader_init(data + size - 8, 8);
    if (reader_u64(&end) != hash64(data, size - 8))
        return ERR_CHECKSUM;
    for (uint32_t i = 0; i < part.count; i++)
        if (!get_entry(&r, &part.entries[i]))
            return ERR_INVALID;
    invariant(!r.failed && reader_left(&r) == 8);
    *ret = part;
    return 0;
}
