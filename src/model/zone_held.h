/* The records of a zone that this node itself keeps, because they come from somewhere that may be
 * gone tomorrow: DNS UPDATE (RFC 2136) or another name server (AXFR, IXFR). In memory, and the
 * lists of records that they are made from and changed by. Pure; zone_held_io.h keeps them on disk.
 *
 * Content is whole or it is not (L2): a list that does not fit changes nothing. */
#pragma once

#include "base/attr.h"
#include "base/bytes.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/zone.h"
#include "wire/dname.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HELD_LIST_MAX = 1 << 30,         /* bytes of one list */
    HELD_RECORDS_MAX = 1 << 26,      /* of a zone */
    HELD_NAME_RECORDS_MAX = 1 << 14, /* of one name; each new one is compared with all others */
};

/* ---- lists ---- */

/* Records one after the other, as they lie on the disk:
 *   u8 length of the owner's name (0: the owner before) | name, lower wire form | u16 type | u32
 * TTL | u16 length | data in canonical form All zero is an empty list. */
struct held_list {
    uint8_t *data; /* owned */
    size_t length, size;
    uint32_t count;
    size_t owner; /* where the newest one's name lies */
};

void held_list_done(struct held_list *l); /* empty again */
/* owner: lower wire form. 0, or ERR_LIMIT. */
must_check int held_list_add(struct held_list *l, const uint8_t *owner, uint16_t type, uint32_t ttl,
                             const uint8_t *rdata, uint16_t rdata_length);

/* One record of a list; views it. */
struct held_item {
    const uint8_t *owner;
    const uint8_t *rdata;
    uint32_t ttl;
    uint16_t type, rdata_length;
    uint8_t owner_length;
};

struct held_cursor {
    struct reader reader;
    const uint8_t *owner;
    uint8_t owner_length;
};

struct held_cursor held_cursor_init(const uint8_t *data, size_t length);
static inline struct held_cursor held_list_cursor(const struct held_list *l)
{
    return held_cursor_init(l->data, l->length);
}
/* 1: *ret is the next record; 0: the end; ERR_TRUNCATED, ERR_SYNTAX (then again and again). The
 * owner is a well-formed name; the data was not looked at. */
must_check int held_cursor_next(struct held_cursor *c, struct held_item *ret);

/* ---- content ---- */

struct held_record {
    struct held_record *next; /* of the same name, in no order */
    uint32_t ttl;
    uint16_t type, length;
    uint8_t rdata[];
};

struct held_name {
    struct held_name *next;      /* in the order in which they came */
    struct held_record *records; /* NULL: the name is not there (any more) */
    uint32_t count;
    uint8_t length;
    uint8_t name[];
};

struct held_content {
    uint8_t origin[DNAME_MAX]; /* lower wire form */
    uint8_t origin_length;
    uint32_t serial; /* of its SOA */
    uint32_t record_count;
    struct arena arena;
    struct map names;
    struct held_name *first, *last;
};

/* The whole content of a zone from a list, duplicates dropped. Exactly one SOA record, at the
 * apex: ERR_MISSING; a record outside the zone, of a type that cannot be in one or malformed:
 * ERR_INVALID; ERR_TRUNCATED, ERR_SYNTAX, ERR_LIMIT. What the zone must be beyond that is
 * zone_builder_finish()'s to say. */
must_check int held_content_new(const uint8_t *origin, struct held_cursor list,
                                struct held_content **ret);
void held_content_free(struct held_content *c);

/* NULL: no record has this owner. */
const struct held_name *held_name_find(const struct held_content *c, const uint8_t *name,
                                       size_t length);
/* The first record of a type at a name, and the next behind one; NULL: none. n may be NULL. */
const struct held_record *held_set_first(const struct held_name *n, uint16_t type);
const struct held_record *held_set_next(const struct held_record *r);
/* The record with exactly this data, or NULL. n may be NULL. */
const struct held_record *held_record_find(const struct held_name *n, uint16_t type,
                                           const uint8_t *rdata, uint16_t length);
const struct held_record *held_soa(const struct held_content *c); /* never NULL */
/* The serial of an SOA record's data, which passed rdata_check(). */
uint32_t held_soa_serial(const uint8_t *rdata, uint16_t length);

/* Every record into a builder; its first error, else 0. */
must_check int held_content_feed(const struct held_content *c, struct zone_builder *b);
/* Every record into a list, those of one name together, the SOA first. */
must_check int held_content_list(const struct held_content *c, struct held_list *ret);

/* ---- changes ---- */

/* From one serial to the next, as IXFR says it (RFC 1995 4): both lists hold an SOA record. */
struct held_change {
    uint32_t from, to;
    struct held_list removed, added;
};

void held_change_done(struct held_change *c);
/* First all that goes, found by owner, type and data, whatever its TTL; then all that comes.
 * ERR_CONFLICT: the content has another serial, or lacks what goes, or has what comes;
 * ERR_INVALID, ERR_MISSING, ERR_LIMIT... as held_content_new. On failure nothing was changed. */
must_check int held_change_apply(struct held_content *c, const struct held_change *change);
/* What leads from `old` to `next` (zone_held_differ.c), with that serial in place of the one that
 * `next` has: the SOA records, then what goes and what comes; a record with another TTL does both.
 * Both of the same origin. ERR_LIMIT. held_change_done(). */
must_check int held_differ(const struct held_content *old, const struct held_content *next,
                           uint32_t serial, struct held_change *ret);
/* Do they differ in nothing but the serial? */
bool held_same(const struct held_content *a, const struct held_content *b);
/* A line "- owner TTL IN type data" or "+ ..." for each record, the SOA first and the rest in
 * canonical order; after `max` of them the number of the others. */
void held_change_text(const struct held_change *c, uint32_t max, struct text *out);
