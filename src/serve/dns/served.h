/* What the workers of the name server share: a plan, its zones and netmaps, and the tables that
 * make an answer a look-up and a copy. Immutable once built; replaced whole (L2); never touched by
 * more than one owner thread but for reading.
 *
 * Files that did not change (same hash) are shared between one `served` and the next by reference
 * count, so a new plan costs its own tables and not the zones. */
#pragma once

#include "base/attr.h"
#include "model/access.h"
#include "model/zone.h"
#include "serve/dns/steer.h"
#include "wire/dns.h"
#include <stdbool.h>

/* The bytes of a file, as its source gave them. */
struct served_bytes {
    const void *data;
    size_t size;
    bool trusted; /* the source vouches for it: this very file was looked through before */
    void *owner;  /* the source's own */
};

/* Where the files of a plan come from; the shell maps them, tests hold them in memory. */
struct served_source {
    /* The bytes of a file; kept until `release`. 0 or an error. */
    int (*get)(void *context, const struct plan_file *file, struct served_bytes *ret);
    void (*release)(void *context, const struct served_bytes *bytes);
    void *context; /* outlives every `served` made with it */
    /* NULL: zone_open(). Or: the same, in the source's own way. */
    int (*open_zone)(void *context, const struct served_bytes *bytes, struct zone *ret);
    /* NULL, or: how it was opened: 0, or why it was not. Unless it was trusted, every byte was
     * looked at. */
    void (*opened)(void *context, const struct served_bytes *bytes, int err);
};

/* Root of the steering of one family at one steered name. */
struct served_face {
    uint32_t choice;  /* PLAN_NONE: NODATA */
    uint32_t ttl;     /* seconds */
    uint32_t service; /* whose it is: for its signatures */
};

struct served_zone {
    struct zone zone;
    const struct served_face *faces; /* [node.steered * IP_FAMILIES + family] */
    const struct zone_image *negative;
    uint16_t origin_length;
    uint8_t labels;
    uint8_t state;    /* enum plan_zone_state */
    uint32_t steered; /* names */
};

/* The answer records of one CHOICE_ADDRESSES, ready to be sent: owner 0xc00c, type, class, TTL,
 * length, address. The list is repeated (its first pick - 1 records again at its end), so that any
 * start is one copy. */
struct served_records {
    uint32_t offset; /* in served.records */
    uint32_t ttl;    /* the one written in them; another face may ask for another */
};
enum { SERVED_RECORD_V4 = 16, SERVED_RECORD_V6 = 28, SERVED_RECORD_TTL = 6 };

struct served_file;
struct served {
    uint64_t generation; /* the plan's; > 0 */
    uint64_t epoch;      /* the owner's: > 0, higher than that of what was served before */
    struct plan plan;
    struct steer steer; /* views the two below */
    const struct netmap **maps;
    struct served_zone *zones;
    uint32_t zone_count;
    uint32_t origin_mask; /* slots - 1 */
    uint64_t *origins;    /* slots as in a zone: high half of the hash, index + 1 in the low half */
    uint64_t label_counts[2];    /* bit n: some origin has n labels */
    const struct access *access; /* NULL: nobody may do more than ask */
    struct served_face *faces;
    struct served_records *records_of; /* by choice */
    uint8_t *records;
    struct served_file **files; /* by the plan's file index */
    uint32_t lacking; /* zones that are not answered from the plan's file: served_file_state() */
    int *lacks;       /* by the plan's file index: why; NULL where none is lacking */
    void *owned;      /* the plan's bytes; for the shell */
};

enum { SERVED_WHERE_MAX = 400 };

/* Builds from a decoded plan. The receiver's own check (L2, L3): every file is there and is what
 * the plan says, every steered name of every zone has a service that answers, every service of a
 * zone has its name in it, every choice that a name leads to ends at an address or at a knowing
 * refusal. `previous` (may be NULL) lends its files. On failure (ERR_*) nothing is kept, and
 * *ret_where says what is wrong in a sentence. */
must_check int served_build(const struct plan *plan, const struct served_source *source,
                            const struct served *previous, struct served **ret,
                            char ret_where[static SERVED_WHERE_MAX]);
/* The same with zones whose file cannot be had, or is damaged: each is answered as `previous`
 * answers it, and is dark (SERVFAIL) where that does not. So one bad file is one bad zone. What
 * else is wrong with a plan is wrong with all of it. */
must_check int served_build_lacking(const struct plan *plan, const struct served_source *source,
                                    const struct served *previous, struct served **ret,
                                    char ret_where[static SERVED_WHERE_MAX]);
/* What stands for a file of the plan. */
enum served_file_state {
    SERVED_FILE_OWN,
    SERVED_FILE_BEFORE, /* another version of the zone */
    SERVED_FILE_DARK,   /* nothing */
};
pure_function enum served_file_state served_file_state(const struct served *s, uint32_t file);
/* Why it is not its own, in words. */
const char *served_file_lack(const struct served *s, uint32_t file);
/* Only when no worker can be using it. The plan's bytes stay the caller's. */
void served_free(struct served *s);

/* For reclaim_enter(). */
uint64_t served_epoch(const void *served);

/* The zone with the longest origin that is a suffix of the name (lower wire form, followed by at
 * least 8 readable zero bytes), of at most `labels_most` labels; NULL where there is none. */
const struct served_zone *served_zone_find(const struct served *s, const uint8_t *name,
                                           size_t length, unsigned labels, unsigned labels_most);
/* The zone that answers for a name and a type. RFC 4035 3.1.4.1: DS of a zone that is served here
 * is asked of its parent, if that is served too. */
static inline const struct served_zone *served_zone_for(const struct served *s, const uint8_t *name,
                                                        size_t length, unsigned labels,
                                                        uint16_t type)
{
    const struct served_zone *z = served_zone_find(s, name, length, labels, labels);
    if (unlikely(type == DNS_DS && z && z->labels == labels && labels)) {
        const struct served_zone *parent = served_zone_find(s, name, length, labels, labels - 1u);
        return parent ? parent : z;
    }
    return z;
}

/* The signatures of what was picked for a steered node of a signed zone, addresses or the fallback
 * name: *ret_count of them, one by each key that signs the zone; there always are (checked when the
 * plan was taken). Their TTL on the wire is the answer's. */
static inline const struct plan_signature *
served_signatures(const struct served *s, const struct served_zone *z, const struct zone_node *node,
                  const struct steer_answer *pick, uint32_t *ret_count)
{
    uint32_t service = z->faces[(size_t)node->steered * IP_FAMILIES].service;
    return plan_signatures(&s->plan, service, pick->choice, ret_count);
}

/* dname_hash() of a name that is followed by at least 8 readable zero bytes: no tail to be gathered
 * byte by byte. */
static inline uint64_t served_hash(const uint8_t *name, size_t length)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ length, v;
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
        memcpy(&v, name + i, 8);
        h = (h ^ v) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    memcpy(&v, name + i, 8); /* zero where length is a multiple of 8 */
    h = (h ^ v) * 0xc4ceb9fe1a85ec53u;
    h ^= h >> 29;
    h *= 0xff51afd7ed558ccdu;
    return h ^ (h >> 32);
}
