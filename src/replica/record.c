#include "replica/record.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "replica/word.h"

/*  0 magic u32 | length of the payload u32
 *  8 batch u32 | type u8 | kind u8 | 0 u16
 * 16 index u64 | term u64 | segment u64
 * 40 checksum u64 of the 40 bytes and the payload; then the payload, and zeros up to RECORD_ALIGN
 */
enum { MAGIC = 0x48464c52 /* "HFLR" */, SUMMED = 40 };

static uint64_t checksum(const uint8_t *head, const uint8_t *data, size_t size)
{
    return hash64_seeded(data, size, hash64(head, SUMMED));
}

void record_put(const struct record *r, uint64_t segment, struct text *out)
{
    static const uint8_t zeros[RECORD_ALIGN];
    uint8_t head[RECORD_HEADER];
    struct writer w = writer_init(head, sizeof head);
    invariant(r->size <= RECORD_PAYLOAD_MAX);
    writer_u32(&w, MAGIC);
    writer_u32(&w, (uint32_t)r->size);
    writer_u32(&w, r->batch);
    writer_u8(&w, (uint8_t)r->type);
    writer_u8(&w, r->kind);
    writer_u16(&w, 0);
    word_put(&w, r->index);
    word_put(&w, r->term);
    word_put(&w, segment);
    word_put(&w, checksum(head, r->data, r->size));
    text_append_bytes(out, head, sizeof head);
    text_append_bytes(out, r->data, r->size);
    text_append_bytes(out, zeros, record_length(r->size) - RECORD_HEADER - r->size);
}

/* Is there a whole record? */
static bool record_at(struct bytes data, uint64_t segment, size_t position, struct record *ret)
{
    struct reader r = reader_init(data.data + position, data.length - position);
    const uint8_t *head = r.data;
    bool magic = reader_u32(&r) == MAGIC;
    size_t size = reader_u32(&r);
    struct record found = {.size = size, .batch = reader_u32(&r)};
    found.type = reader_u8(&r);
    found.kind = reader_u8(&r);
    reader_u16(&r);
    found.index = word_take(&r);
    found.term = word_take(&r);
    bool here = word_take(&r) == segment;
    uint64_t sum = word_take(&r);
    if (r.failed || !magic || !here || size > RECORD_PAYLOAD_MAX ||
        record_length(size) > data.length - position || found.batch > position)
        return false;
    found.data = reader_take(&r, size);
    if (found.type < RECORD_HEAD || found.type > RECORD_SEAL ||
        sum != checksum(head, found.data, size))
        return false;
    *ret = found;
    return true;
}

int record_take(struct bytes data, uint64_t segment, size_t *position, struct record *ret)
{
    invariant(*position <= data.length);
    if (*position == data.length)
        return 0;
    if (!record_at(data, segment, *position, ret))
        return ERR_CHECKSUM;
    *position += record_length(ret->size);
    return 1;
}

bool record_is_torn(struct bytes data, uint64_t segment, size_t position)
{
    struct record r;
    for (size_t p = position + RECORD_ALIGN; p + RECORD_HEADER <= data.length; p += RECORD_ALIGN)
        if (record_at(data, segment, p, &r) && r.batch > position)
            return false;
    return true;
}
