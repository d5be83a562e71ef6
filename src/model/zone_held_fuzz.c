/* A base and a journal of any bytes: what decodes is used, changed, and encoded to the same again.
 * Two bytes say where the base ends. Checksums of the base are made right first, so that changes
 * reach what lies behind them; those of the journal are too long to guess, so its lists are also
 * tried as they are. */
#include "base/hash.h"
#include "base/invariant.h"
#include "model/zone_held_file.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void base_seal(uint8_t *base, size_t size)
{
    enum { SIZE_AT = 40, CHECKSUM_AT = 48 };
    if (size < HELD_BASE_HEAD)
        return;
    struct writer w = writer_init(base + SIZE_AT, CHECKSUM_AT - SIZE_AT);
    writer_u32(&w, 0);
    writer_u32(&w, (uint32_t)(size - HELD_BASE_HEAD));
    uint64_t sum =
        hash64_seeded(base + HELD_BASE_HEAD, size - HELD_BASE_HEAD, hash64(base, CHECKSUM_AT));
    w = writer_init(base + CHECKSUM_AT, 8);
    writer_u32(&w, (uint32_t)(sum >> 32));
    writer_u32(&w, (uint32_t)sum);
}

static void round_trip(const struct held_content *c, const struct held_base *base)
{
    struct held_list l;
    struct held_base again;
    size_t size;
    int err = held_content_list(c, &l);
    invariant(err == 0 && l.count == c->record_count);
    uint8_t *bytes = held_base_encode(c, &l, base, &size);
    err = held_base_decode(bytes, size, &again);
    invariant(err == 0 && again.serial == c->serial && again.record_count == c->record_count);
    free(bytes);
    held_list_done(&l);
}

/* The journal's bytes as the two lists of a change. */
static void change_try(struct held_content *c, const uint8_t *data, size_t size)
{
    struct held_list halves[2] = {{0}};
    size_t half = size / 2;
    for (unsigned i = 0; i < 2; i++) {
        struct held_cursor cursor = held_cursor_init(data + i * half, half);
        struct held_item item;
        while (held_cursor_next(&cursor, &item) > 0)
            if (held_list_add(&halves[i], item.owner, item.type, item.ttl, item.rdata,
                              item.rdata_length))
                break;
    }
    uint32_t before = c->serial, count = c->record_count;
    struct held_change change = {c->serial, c->serial + 1, halves[0], halves[1]};
    if (held_change_apply(c, &change))
        invariant(c->serial == before && c->record_count == count);
    held_change_done(&change);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct held_base base;
    struct held_content *c;
    struct held_journal j;
    if (size < 2)
        return 0;
    size_t base_size = (size_t)(data[0] << 8 | data[1]), rest = size - 2;
    base_size = base_size > rest ? rest : base_size;
    auto_free uint8_t *copy = mem_new(size, 1);
    memcpy(copy, data + 2, rest);
    base_seal(copy, base_size);
    if (held_base_decode(copy, base_size, &base) ||
        held_content_new(base.origin, held_cursor_init(base.records.data, base.records.length), &c))
        return 0;
    const uint8_t *journal = copy + base_size;
    size_t journal_size = rest - base_size;
    round_trip(c, &base);
    if (!held_journal_decode(journal, journal_size, &j))
        while (held_journal_next(&j, journal, journal_size, c) > 0)
            ;
    change_try(c, journal, journal_size);
    round_trip(c, &base);
    held_content_free(c);
    return 0;
}
