/* A compiled zone: one immutable file that a name server maps and answers from.
 *
 *   header | hash table of names | record heap | steered | negative image | chain | nodes (name,
 *   sets, answer images together, one after the other in canonical order, the apex first)
 *
 * Built for one question: two dependent cache misses from a name to the bytes of its answer, the
 * slot of the table and the node. What can be precomputed is: for each set of records at a name the
 * file holds an *image*, the bytes after the question section, so that the common answer is header
 * + question + one copy.
 *
 * Images. The image of a set at an ordinary name is only ever sent for a question with exactly this
 * name, so its compression pointers are absolute (0xc00c is the question's name; others point into
 * the image, which starts at 12 + name length + 4). Images at wildcard names, and the negative
 * images of the zone, are sent for questions of any length: there an owner equal to the question is
 * 0xc00c, which needs no care, and pointers into the *origin* part of the question are listed as
 * fix-ups: add (question's name length - origin length), modulo 2^16, to the 16 bit big-endian word
 * at that offset. The same way referral images point at the cut's name, which ends every question
 * they are sent for; before the addition such a word may lie below 0xc00c.
 *
 * A signed zone has the signatures of a set behind its records in the heap, and a chain: what
 * proves that a name or a type is not there (RFC 4035, RFC 5155). Both are made here
 * (model/zone_sign.h), or came with the zone (zone_given.c). NSEC records are sets like
 * others; NSEC3 records belong to hashes, not to names, and hang on the chain alone. Images hold no
 * signatures, so an answer without DO is what it would be in an unsigned zone; the server appends
 * them.
 *
 * Everything is little-endian but what goes on the wire. Offsets count from the start of the file;
 * nodes are 8-byte aligned. */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include "model/zonemd.h"
#include "wire/dname.h"
#include "wire/dns.h"
#include "wire/nsec3.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ZONE_VERSION = 4 };

struct zone_header {
    char magic[8]; /* "HFZONE\r\n" */
    uint32_t version;
    uint32_t serial;     /* of the SOA */
    uint64_t size;       /* of the file */
    uint64_t checksum;   /* XXH3 over all but these 8 bytes; the file's name in the store */
    uint32_t slot_mask;  /* slots - 1; a power of two, at most half full */
    uint32_t node_count; /* names, empty non-terminals included */
    uint32_t record_count;
    uint32_t
        steered_count; /* names answered from the plan: their node.steered is 0..steered_count-1 */
    uint64_t slots;    /* offset of uint64_t[slot_mask + 1] */
    uint64_t nodes;    /* offset of the first node */
    uint64_t apex;     /* offset of the apex's node */
    uint64_t steered;  /* offset of uint64_t[steered_count]: offsets of the steered nodes */
    uint64_t negative; /* offset of the struct zone_image of the SOA for NXDOMAIN and NODATA (TTL by
                          RFC 2308) */
    uint64_t chain;    /* offset of chain_count times uint32_t (NSEC: node offsets / 8) or struct
                          zone_link (NSEC3), sorted; then, 8-byte aligned, where the zone is signed,
                          uint32_t[steered_count][2]: zone_variant() */
    uint32_t chain_count;
    uint32_t proof_ttl; /* of negative answers (RFC 2308), and of NSEC and NSEC3 records made here
                           (RFC 9077) */
    uint16_t origin_length;
    uint8_t labels;     /* of the origin */
    uint8_t labels_max; /* of the longest name, for the closest-encloser search */
    uint8_t flags;      /* enum zone_flag */
    uint8_t origin[DNAME_MAX];
    uint8_t nsec3_salt_length; /* RFC 5155 3.1: 0, but in a zone that came signed */
    uint16_t nsec3_iterations;
    uint8_t nsec3_salt[NSEC3_SALT_MAX];
};

enum zone_flag {
    ZONE_HAS_WILDCARD = 1,
    ZONE_HAS_CUT = 2,
    ZONE_SIGNED = 4, /* every set that is ours to sign has signatures, and there is a chain */
    ZONE_NSEC3 = 8,  /* the chain's kind; without: NSEC */
    ZONE_GIVEN = 16, /* with ZONE_SIGNED: signatures and chain are those that came with the zone;
                        what they lack is not made up */
};

/* RFC 5155 3.1.7: the hash of a name that is there, and its NSEC3 record. */
enum { ZONE_HASH_SIZE = 20 };
struct zone_link {
    uint8_t hash[ZONE_HASH_SIZE];
    uint32_t records; /* offset / 8: struct zone_records, one record and its signatures */
    uint32_t ttl;
};

/* A slot: the high 32 bits of dname_hash(name), then the node's offset / 8 (0 = empty slot). Linear
 * probing from hash & slot_mask. */
static inline uint64_t zone_slot(uint64_t hash, uint64_t offset)
{
    return (hash & 0xffffffff00000000u) | (uint32_t)(offset / 8);
}

enum zone_node_flag {
    NODE_APEX = 1,
    NODE_CUT = 2,       /* NS below the apex: a delegation; answers are referrals */
    NODE_BELOW_CUT = 4, /* occluded: `cut` leads to the delegation */
    NODE_CNAME = 8,     /* its only set is a CNAME (first, where RRSIG or NSEC stand beside it) */
    NODE_WILDCARD = 16, /* its first label is "*" */
    NODE_HAS_WILDCARD_CHILD = 32,
    NODE_STEERED = 64, /* A and AAAA come from the plan */
    NODE_EMPTY = 128,  /* an empty non-terminal */
};

struct zone_set {
    uint16_t type;
    uint16_t record_count;
    uint32_t ttl;
    uint32_t image; /* from the node's start: struct zone_image; 0 = none: an occluded set, never an
                       answer (below a cut, or at one but NS and DS), or a hidden one */
    uint32_t records; /* offset / 8 in the file: struct zone_records, for answers composed at run
                         time (CNAME chains, transfers) */
};

struct zone_node {
    uint16_t flags; /* enum zone_node_flag */
    uint8_t name_length;
    uint8_t set_count;      /* sorted by type */
    uint32_t steered;       /* NODE_STEERED: slot */
    uint32_t cut;           /* NODE_CUT, NODE_BELOW_CUT: offset / 8 of the cut's node */
    uint32_t parent;        /* offset / 8 of the node one label up; 0 for the apex */
    struct zone_set sets[]; /* then name[name_length], then the images */
};

static inline const uint8_t *zone_node_name(const struct zone_node *n)
{
    return (const uint8_t *)(n->sets + n->set_count);
}

/* Bytes to send after the question. For NODE_CUT the image of its NS set is the referral: authority
 * NS, additional glue, no AA. */
struct zone_image {
    uint16_t answers, authorities, additionals;
    uint16_t length; /* of bytes */
    uint16_t
        required; /* bytes up to the end of what must not be left out: answers (and authorities);
                     what follows (the additional section) may be dropped for room, whole */
    uint16_t fixup_count;
    /* uint16_t fixups[fixup_count]; then uint8_t bytes[length] */
};

static inline const uint16_t *zone_image_fixups(const struct zone_image *i)
{
    return (const uint16_t *)(i + 1);
}
static inline const uint8_t *zone_image_bytes(const struct zone_image *i)
{
    return (const uint8_t *)(zone_image_fixups(i) + i->fixup_count);
}

/* Rdata of one set, uncompressed, canonical order: u16 (native) length and bytes, each record after
 * the other; then its RRSIG records the same way. */
struct zone_records {
    uint16_t count;
    uint16_t signatures;
    uint32_t length; /* bytes of what follows, signatures included */
};

/* A view over a mapped or built file; owns nothing. */
struct zone {
    const uint8_t *base;
    const struct zone_header *header;
    const uint64_t *slots;
};

/* XXH3 of everything but the checksum itself; size >= sizeof(struct zone_header). */
pure_function uint64_t zone_checksum(const void *data, size_t size);
/* Checks header, version, checksum and every offset, so that the query path need not: ERR_MAGIC,
 * ERR_VERSION, ERR_TRUNCATED, ERR_CHECKSUM, ERR_BOUNDS. */
must_check int zone_open(const void *data, size_t size, struct zone *ret);
/* zone_open in parts, for several threads: each part once, in any order and by any thread, then the
 * end, which frees it. Errors as those of zone_open. */
struct zone_opening;
must_check int zone_opening_new(const void *data, size_t size, struct zone_opening **ret);
pure_function unsigned zone_opening_parts(const struct zone_opening *o);
void zone_opening_part(struct zone_opening *o, unsigned part);
must_check int zone_opening_end(struct zone_opening *o, struct zone *ret);
/* As zone_open without reading what is not needed (checksum, nodes): for a file that this host's
 * store already verified under this name. */
must_check int zone_open_trusted(const void *data, size_t size, struct zone *ret);

static inline const struct zone_node *zone_node_at(const struct zone *z, uint64_t offset)
{
    return (const struct zone_node *)(z->base + offset);
}

/* The node of a lower name, or NULL. hash = dname_hash(name). */
static inline const struct zone_node *zone_find(const struct zone *z, const uint8_t *name,
                                                size_t length, uint64_t hash)
{
    uint32_t mask = z->header->slot_mask;
    for (uint32_t i = (uint32_t)hash & mask;; i = (i + 1) & mask) {
        uint64_t slot = z->slots[i];
        if (!(uint32_t)slot)
            return NULL;
        if ((slot ^ hash) >> 32)
            continue;
        const struct zone_node *n = zone_node_at(z, (uint64_t)(uint32_t)slot * 8);
        if (n->name_length == length && memcmp(zone_node_name(n), name, length) == 0)
            return n;
    }
}

static inline const struct zone_set *zone_node_set(const struct zone_node *n, uint16_t type)
{
    for (unsigned i = 0; i < n->set_count; i++)
        if (n->sets[i].type == type)
            return &n->sets[i];
    return 0;
}

/* An ALIAS record is for those who make plans; clients see the addresses that it leads to. */
static inline bool zone_type_is_hidden(uint16_t type)
{
    return type == DNS_ALIAS;
}

static inline const struct zone_image *zone_set_image(const struct zone_node *n,
                                                      const struct zone_set *s)
{
    return (const struct zone_image *)((const uint8_t *)n + s->image);
}

/* ---- chain ---- */

/* Both want a chain that is not empty (only one that came with a zone can be).
 * NSEC: the name that is there and comes last up to this one of the zone (lower), whose record
 * proves what is at it or that nothing is (NULL never: the apex is first). */
const struct zone_node *zone_named_find(const struct zone *z, const uint8_t *name, size_t length);
/* NSEC3: the link with the last hash up to this one, or the very last (the chain is a ring). */
const struct zone_link *zone_link_find(const struct zone *z,
                                       const uint8_t hash[static ZONE_HASH_SIZE]);

/* The hash that the zone's chain has for a lower name. ZONE_NSEC3 only. */
static inline void zone_name_hash(const struct zone *z, const uint8_t *name, size_t length,
                                  uint8_t ret_hash[static ZONE_HASH_SIZE])
{
    const struct zone_header *h = z->header;
    if (h->flags & ZONE_GIVEN)
        nsec3_hash_salted(name, length, h->nsec3_iterations, h->nsec3_salt, h->nsec3_salt_length,
                          ret_hash);
    else
        nsec3_hash(name, length, ret_hash);
}

static inline uint64_t zone_variants(const struct zone_header *h)
{
    size_t each = h->flags & ZONE_NSEC3 ? sizeof(struct zone_link) : sizeof(uint32_t);
    return (h->chain + h->chain_count * each + 7) & ~(uint64_t)7;
}

/* Offset / 8 of struct zone_records: the NSEC or NSEC3 record of a steered name for when the plan
 * answers nothing for a family it has by configuration (0: IPv4, 1: IPv6), so without the bit of
 * that type; 0 where the family is not there anyway. Signed zones only. */
static inline uint32_t zone_variant(const struct zone *z, uint32_t steered, unsigned family)
{
    const uint32_t *variants = (const uint32_t *)(z->base + zone_variants(z->header));
    return variants[(size_t)steered * 2 + family];
}

/* ---- aliases ---- */

/* The steered names of the zone that are bound to a service of another name by an ALIAS record:
 * start with *position = 0; false at the end. Both names in wire form, in the zone. */
bool zone_alias_next(const struct zone *z, uint32_t *position, const uint8_t **ret_owner,
                     const uint8_t **ret_service);

/* ---- build ---- */

/* Collects records and problems; made for one zone, used once. */
struct zone_builder;
/* origin: lower wire form. */
must_check struct zone_builder *zone_builder_new(const uint8_t *origin);
void zone_builder_free(struct zone_builder *b);
/* A record with uncompressed rdata in canonical form. Owners outside the zone: ERR_INVALID; a
 * duplicate is ignored (0). `line`: for messages. */
must_check int zone_builder_add(struct zone_builder *b, const uint8_t *owner, uint16_t type,
                                uint32_t ttl, const uint8_t *rdata, uint16_t rdata_length,
                                uint32_t line);
/* Records added from now on come from this file (for messages); the path is copied. Until then:
 * what zone_builder_finish names. */
void zone_builder_file(struct zone_builder *b, const char *path);
/* This name's A and AAAA come from the plan. Its number in the file is that of the call, from 0.
 * Names outside the zone: ERR_INVALID. */
must_check int zone_builder_steer(struct zone_builder *b, const uint8_t *name);
/* Delegations may lack glue: of a zone that others change, which comes in a later message (RFC 2136
 * asks for no order), or that another server has so. */
void zone_builder_glue_later(struct zone_builder *b);
/* Where the names lie that ALIAS records lead to. */
enum zone_alias_place {
    ALIAS_NOWHERE, /* in no zone of this node */
    ALIAS_STEERED, /* a service, which is a name of some zone of this node */
    ALIAS_OWN,     /* in the zone that is being made */
    ALIAS_OTHER,   /* in another one */
    ALIAS_LATER,   /* in another one that is not made yet: come again */
};
struct zone_alias_source {
    /* ret_families: ALIAS_STEERED: bits 1 << enum ip_family of the families that it has.
     * ret_zone: ALIAS_OTHER: that zone, valid until the next call. */
    enum zone_alias_place (*find)(void *context, const uint8_t *name, unsigned *ret_families,
                                  struct zone *ret_zone);
    void *context;
    /* Set by zone_builder_finish: there was an ALIAS record onto a name of another zone; one of
     * them was ALIAS_LATER, so the zone was not made (and no problem written). */
    bool other, later;
};
/* Before zone_builder_finish; `source` outlives the builder. Without: what is not in the zone is
 * taken for a service. */
void zone_builder_aliases(struct zone_builder *b, struct zone_alias_source *source);
/* What is done to the zone on its way: how it becomes a signed one (model/zone_sign.h), and what
 * becomes of its digest, which goes where anything is changed here. */
struct zone_seal {
    /* Adds records of its own before the zone is sorted and checked. NULL, as the next two: not
     * signed here. */
    int (*prepare)(void *context, struct zone_builder *b);
    /* Makes chain and signatures of a zone that was found right. */
    int (*sign)(void *context, struct zone_builder *b);
    /* Signs the set of this type at the apex of a compiled zone anew, in place: `data` are the
     * zone's own bytes, for writing. How many signatures were made, or a negative error. */
    int (*renew)(void *context, const struct zone *z, uint8_t *data, uint16_t type);
    void *context;
    enum zonemd_use zonemd;
};
/* Before the first record; `seal` outlives the builder; NULL: not signed, the digest is verified.
 * Where it signs, RRSIG, NSEC, NSEC3 and NSEC3PARAM records that are added do not stay: they will
 * be made anew. */
void zone_builder_seal(struct zone_builder *b, const struct zone_seal *seal);
/* A zone whose apex has DNSKEY records and a signature over those or its SOA, and that has no seal,
 * keeps its signatures and its chain as they are; what is wrong with them is said in `problems`,
 * and refuses nothing (L3).
 *
 * Checks the zone as a whole (one SOA at the apex, NS at the apex, CNAME alone, steered names
 * without static A/AAAA/CNAME and not below a cut, ...) and makes the file's bytes (free with
 * free()). Problems are appended to `problems` as "path:line:column: sentence\n"; ERR_INVALID with
 * at least one problem, or 0, perhaps with some that do not keep the zone from being served. */
must_check int zone_builder_finish(struct zone_builder *b, const char *path, struct text *problems,
                                   uint8_t **ret_data, size_t *ret_size);
