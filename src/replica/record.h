/* Records of the log on disk (doc/internals/replica.md). Pure.
 *
 * A segment is records one after another, the first one RECORD_HEAD. Every record says in which
 * write it came (`batch`: where in the segment that write began), so that what is left of a write
 * that was never finished can be told from damage to what had been on the disk: a write begins only
 * when the one before is synced, so a whole record of a later write proves the earlier ones. */
#pragma once

#include "base/attr.h"
#include "base/bytes.h"
#include "base/text.h"

enum {
    RECORD_HEADER = 48,
    RECORD_ALIGN = 8,
    RECORD_PAYLOAD_MAX = 16 << 20,
    RECORD_VERSION = 1, /* in the payload of RECORD_HEAD */
};

enum record_type {
    RECORD_HEAD = 1, /* of a segment: the log goes on from where it was */
    RECORD_RESET, /* of a segment: nothing before counts, the log goes on behind index and term */
    RECORD_ENTRY, /* replaces the entry of this index, and all after it, where there is one */
    RECORD_SEAL,  /* what was written before is on the disk */
};

struct record {
    enum record_type type;
    uint8_t kind; /* RECORD_ENTRY: of raft's entry types */
    uint32_t batch;
    uint64_t index, term;
    const uint8_t *data; /* the payload; where it lies in the segment */
    size_t size;
};

/* Bytes of a record with a payload of this size. */
static inline size_t record_length(size_t size)
{
    return (RECORD_HEADER + size + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

/* Appends the record as it stands in segment `segment`. */
void record_put(const struct record *r, uint64_t segment, struct text *out);

/* The record at *position, which moves behind it: 1 and *ret, 0 at the end, or ERR_CHECKSUM and
 * nothing moves. */
must_check int record_take(struct bytes data, uint64_t segment, size_t *position,
                           struct record *ret);

/* At `position` lies no whole record. Is it what was left of the last write (true), or damage? */
bool record_is_torn(struct bytes data, uint64_t segment, size_t position);
