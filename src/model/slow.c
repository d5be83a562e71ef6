#include "model/slow.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "base/sketch.h"

enum {
    HEAD_SIZE = 16,
    ENTRY_SIZE = 8 + 2 * SLOW_HOURS * SLOW_DAYS,
    SUM_SIZE = 8,
};

static const uint8_t magic[8] = "HFUSUAL";

uint8_t *slow_encode(const struct slow_history *list, uint32_t count, size_t *ret_size)
{
    size_t size = HEAD_SIZE + (size_t)count * ENTRY_SIZE + SUM_SIZE;
    uint8_t *data = mem_new(1, size);
    struct writer w = writer_init(data, size);
    writer_bytes(&w, magic, sizeof magic);
    writer_u32(&w, SLOW_VERSION);
    writer_u32(&w, count);
    for (uint32_t i = 0; i < count; i++) {
        writer_u64(&w, list[i].identity);
        for (unsigned h = 0; h < SLOW_HOURS; h++)
            for (unsigned d = 0; d < SLOW_DAYS; d++)
                writer_u16(&w, list[i].usual[h][d]);
    }
    writer_u64(&w, hash64(data, w.position));
    invariant(!w.failed && w.position == size);
    *ret_size = size;
    return data;
}

static int head_check(struct reader *r, size_t size, uint32_t *ret_count)
{
    const uint8_t *mark = reader_take(r, sizeof magic);
    if (!mark || size < HEAD_SIZE + SUM_SIZE)
        return ERR_TRUNCATED;
    if (memcmp(mark, magic, sizeof magic) != 0)
        return ERR_MAGIC;
    if (reader_u32(r) != SLOW_VERSION)
        return ERR_VERSION;
    *ret_count = reader_u32(r);
    if (*ret_count > SLOW_TARGETS_MAX ||
        size != HEAD_SIZE + (size_t)*ret_count * ENTRY_SIZE + SUM_SIZE)
        return ERR_BOUNDS;
    return 0;
}

static bool history_read(struct reader *r, struct slow_history *h)
{
    bool good = true;
    h->identity = reader_u64(r);
    for (unsigned hour = 0; hour < SLOW_HOURS; hour++)
        for (unsigned d = 0; d < SLOW_DAYS; d++) {
            h->usual[hour][d] = reader_u16(r);
            good &= h->usual[hour][d] < SKETCH_BUCKETS;
        }
    return good && h->identity;
}

int slow_decode(const uint8_t *data, size_t size, struct slow_history **ret_list,
                uint32_t *ret_count)
{
    struct reader r = reader_init(data, size);
    uint32_t count = 0;
    int err = head_check(&r, size, &count);
    if (err)
        return err;
    struct reader end = reader_init(data + size - SUM_SIZE, SUM_SIZE);
    if (reader_u64(&end) != hash64(data, size - SUM_SIZE))
        return ERR_CHECKSUM;
    struct slow_history *list = mem_new(count + (size_t)1, sizeof *list);
    for (uint32_t i = 0; i < count; i++)
        if (!history_read(&r, &list[i])) {
            free(list);
            return ERR_INVALID;
        }
    *ret_list = list;
    *ret_count = count;
    return 0;
}
