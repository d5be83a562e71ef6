/* What held content is on the disk (zone_held_io.h has the folder): the codec of its two files.
 *
 *   base     "HFHELD\r\n" | u32 version | u32 serial | u64 generation | u64 source | u32 records
 *            | u32 origin's length | u64 size of what follows the head | u64 checksum
 *            | origin | records (struct held_list)
 *   journal  "HFJOURN\n" | u32 version | u32 0 | u64 generation | u64 salt | u64 checksum
 *            | entries: u32 mark (of the salt) | u32 size of the body | u64 number (1, 2, ...) |
 * u64 checksum | body: u32 from | u32 to | u32 bytes removed | removed | added
 *
 * All big-endian. A checksum covers what stands before it in its head, and what the head is for.
 *
 * A write of the journal may be cut off by a crash, and then it was the last: an entry is written
 * when the one before is on the disk. So what cannot be read is a torn tail where nothing readable
 * follows, and damage where something does. The salt makes sure that no record's data can look
 * like an entry. */
#pragma once

#include "model/zone_held.h"

enum {
    HELD_VERSION = 1,
    HELD_BASE_HEAD = 56,
    HELD_JOURNAL_HEAD = 40,
    HELD_ENTRY_HEAD = 24,
};

struct held_base {
    uint64_t generation; /* rises with each base; a journal belongs to one */
    uint64_t source;     /* hash of the text that the zone started from; 0 = none */
    uint32_t serial, record_count;
    uint8_t origin[DNAME_MAX];
    struct bytes records;
};

/* The bytes of a base; free(). generation and source are taken from `head`. */
uint8_t *held_base_encode(const struct held_content *c, const struct held_list *records,
                          const struct held_base *head, size_t *ret_size)
    __attribute__((returns_nonnull));
/* ERR_MAGIC, ERR_VERSION, ERR_TRUNCATED, ERR_BOUNDS, ERR_CHECKSUM. Views the bytes. */
must_check int held_base_decode(const void *data, size_t size, struct held_base *ret);

struct held_journal {
    uint64_t generation, salt;
    uint64_t number; /* of the newest entry; 0 = none */
    size_t length;   /* bytes that are good: where the next entry goes */
};

void held_journal_head(const struct held_journal *j, uint8_t ret_head[static HELD_JOURNAL_HEAD]);
/* The journal as it begins, without its entries. Errors as held_base_decode. */
must_check int held_journal_decode(const void *data, size_t size, struct held_journal *ret);
/* Applies the entry at data + j->length and moves past it: 1; 0 at the end, or where a torn tail
 * begins; ERR_CHECKSUM where something readable follows what is not; ERR_CONFLICT... where an entry
 * does not fit the content (held_change_apply). */
must_check int held_journal_next(struct held_journal *j, const void *data, size_t size,
                                 struct held_content *c);

/* Bytes to be appended to a journal. */
struct held_entries {
    uint8_t *data; /* owned */
    size_t length, size;
    uint64_t number; /* entries in it */
};
enum { HELD_ENTRIES_MAX = 1 << 30 };
/* The change as the entry behind `entries` of journal `j`. ERR_LIMIT. */
must_check int held_entries_add(struct held_entries *entries, const struct held_journal *j,
                                const struct held_change *change);
void held_entries_done(struct held_entries *entries);
