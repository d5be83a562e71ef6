/* What each compiled zone was made from: so that a reload, or a restart, makes again only what
 * would come out different.
 *
 * A record says: these inputs (all but files, as one hash), these files with this content, gave
 * this compiled file. It lives in memory and in DATA/zones.ledger. Losing it costs time and nothing
 * else, so whatever is wrong with the file, it counts as empty. */
#pragma once

#include "base/attr.h"
#include "base/map.h"
#include "seam/disk.h"
#include <stdbool.h>

enum {
    LEDGER_VERSION = 1,
    LEDGER_SOURCES_MAX = 10000, /* files of one zone */
    LEDGER_FILE_MAX = 1 << 30,
    /* A file that was changed less than this before it was read may change once more without its
     * times telling: those move in ticks, some by two seconds (FAT). */
    LEDGER_SETTLED_MS = 3000,
};

struct ledger_source {
    char *path;
    uint64_t hash; /* hash64 of the content */
    struct disk_identity identity;
    int64_t read_ns; /* wall clock when it was looked at, before it was read */
};

struct ledger_record {
    char *name;      /* of the zone */
    uint64_t inputs; /* hash of what is no file: names, program, path */
    uint64_t compiled;
    uint32_t serial;
    uint32_t source_count;
    struct disk_identity stored; /* the compiled file in the store */
    bool seen;                   /* used since the last ledger_sweep(); not in the file */
    struct ledger_source *sources;
};

struct zone_ledger {
    struct map records; /* name -> struct ledger_record */
    bool changed;       /* since it was read or written */
};

struct zone_ledger ledger_init(void);
void ledger_done(struct zone_ledger *l);

struct ledger_record *ledger_find(const struct zone_ledger *l, const char *name);
/* Takes over what the record points to; replaces the one of this name. */
void ledger_put(struct zone_ledger *l, struct ledger_record record);
/* Removes the records that were not seen since the last time. */
void ledger_sweep(struct zone_ledger *l);
void ledger_record_done(struct ledger_record *record);

/* Is the file, as it is now, the one that was read, so that reading it again would tell nothing? */
pure_function bool ledger_source_settled(const struct ledger_source *s,
                                         const struct disk_identity *now);

/* The file's bytes, free(). */
must_check char *ledger_encode(const struct zone_ledger *l, size_t *ret_size)
    __attribute__((returns_nonnull));
/* ERR_MAGIC, ERR_VERSION, ERR_TRUNCATED, ERR_CHECKSUM, ERR_BOUNDS. */
must_check int ledger_decode(const void *data, size_t size, struct zone_ledger *ret);
