/* Bounds-checked cursors with a sticky error, for all reading and writing of wire formats. */
#pragma once

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes that somebody else owns. */
struct bytes {
    const uint8_t *data;
    size_t length;
};

/* Reads big-endian values from bytes. After the first read past the end `failed` is set, every read
 * gives 0 and the position stays. */
struct reader {
    const uint8_t *data;
    size_t length;
    size_t position;
    bool failed;
};

static inline struct reader reader_init(const void *data, size_t length)
{
    return (struct reader){.data = (const uint8_t *)data, .length = length};
}

static inline size_t reader_left(const struct reader *r)
{
    return r->length - r->position;
}

/* `size` bytes at the position, which moves past them; NULL (and failed) where there are fewer. */
static inline const uint8_t *reader_take(struct reader *r, size_t size)
{
    if (unlikely(r->failed || size > r->length - r->position)) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *at = r->data + r->position;
    r->position += size;
    return at;
}

static inline uint8_t reader_u8(struct reader *r)
{
    const uint8_t *p = reader_take(r, 1);
    return p ? p[0] : 0;
}

static inline uint16_t reader_u16(struct reader *r)
{
    const uint8_t *p = reader_take(r, 2);
    return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t reader_u32(struct reader *r)
{
    const uint8_t *p = reader_take(r, 4);
    return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

static inline uint64_t reader_u64(struct reader *r)
{
    uint64_t high = reader_u32(r);
    return high << 32 | reader_u32(r);
}

/* Writes big-endian values into a fixed buffer. After the first write past the end `failed` is set
 * and nothing more is written. */
struct writer {
    uint8_t *data;
    size_t size;
    size_t position;
    bool failed;
};

static inline struct writer writer_init(void *data, size_t size)
{
    return (struct writer){.data = (uint8_t *)data, .size = size};
}

static inline size_t writer_left(const struct writer *w)
{
    return w->size - w->position;
}

/* Room for `size` bytes at the position, which moves past them; NULL (and failed) where it lacks.
 */
static inline uint8_t *writer_take(struct writer *w, size_t size)
{
    if (unlikely(w->failed || size > w->size - w->position)) {
        w->failed = true;
        return NULL;
    }
    uint8_t *at = w->data + w->position;
    w->position += size;
    return at;
}

static inline void writer_u8(struct writer *w, uint8_t v)
{
    uint8_t *p = writer_take(w, 1);
    if (p)
        p[0] = v;
}

static inline void writer_u16(struct writer *w, uint16_t v)
{
    uint8_t *p = writer_take(w, 2);
    if (p) {
        p[0] = (uint8_t)(v >> 8);
        p[1] = (uint8_t)v;
    }
}

static inline void writer_u32(struct writer *w, uint32_t v)
{
    uint8_t *p = writer_take(w, 4);
    if (p) {
        p[0] = (uint8_t)(v >> 24);
        p[1] = (uint8_t)(v >> 16);
        p[2] = (uint8_t)(v >> 8);
        p[3] = (uint8_t)v;
    }
}

static inline void writer_u64(struct writer *w, uint64_t v)
{
    writer_u32(w, (uint32_t)(v >> 32));
    writer_u32(w, (uint32_t)v);
}

static inline void writer_bytes(struct writer *w, const void *data, size_t length)
{
    uint8_t *p = writer_take(w, length);
    if (p && length)
        memcpy(p, data, length);
}
