/* 64-bit numbers, big-endian, for the formats of this folder. */
#pragma once

#include "base/bytes.h"

static inline void word_put(struct writer *w, uint64_t v)
{
    writer_u32(w, (uint32_t)(v >> 32));
    writer_u32(w, (uint32_t)v);
}

static inline uint64_t word_take(struct reader *r)
{
    uint64_t high = reader_u32(r);
    return high << 32 | reader_u32(r);
}
