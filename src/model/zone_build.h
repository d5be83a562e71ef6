/* A zone while it is built. Used inside zone_*.c only.
 *
 * Steps of zone_builder_finish: zone_entries_sort -> zone_tree_make -> zone_index_make ->
 * zone_check -> zone_write.
 *
 * Names are kept as *keys*: the labels before the origin in reverse order, each ended by 0, bytes 0
 * and 1 written as 1 1 and 1 2. Comparing keys with memcmp (a prefix first) is the canonical order
 * of RFC 4034 6.1, a parent's key is a prefix of its children's, and the origin costs nothing. */
#pragma once

#include "base/memory.h"
#include "base/text.h"
#include "model/zone.h"
#include "wire/dns.h"
#include <stdarg.h>

enum { ZONE_KEY_MAX = 2 * DNAME_MAX, ZONE_ENTRY_STEERED = 0, ZONE_ENTRY_GONE = 65535 };

/* A record, or with type ZONE_ENTRY_STEERED the mark of a steered name (ttl holds its number); what
 * is ZONE_ENTRY_GONE was replaced, and the next sort forgets it. */
struct zone_entry {
    uint32_t ttl;
    uint32_t line;
    uint16_t type;
    uint16_t rdata_length;
    uint16_t key_length;
    uint16_t file;   /* index in zone_builder.files */
    uint8_t bytes[]; /* the key, then the rdata */
};

static inline const uint8_t *zone_entry_rdata(const struct zone_entry *e)
{
    return e->bytes + e->key_length;
}

struct zone_item {
    uint64_t prefix; /* 8 bytes of the key while sorting */
    const struct zone_entry *entry;
};

/* A name. Its records are items[first .. first + count), sorted by type and then by data. */
struct build_node {
    const uint8_t *key;
    uint32_t first, count;
    uint32_t parent, cut; /* indices of nodes */
    uint32_t steered;
    uint32_t offset; /* in the file, / 8; 0 until written */
    uint16_t key_length;
    uint16_t flags; /* enum zone_node_flag, and BUILD_* */
    uint8_t name_length;
    uint8_t labels;
};

enum { BUILD_BELOW_DNAME = 0x8000, BUILD_FLAGS = 0x8000 };

/* The records of one type at one name. */
struct build_set {
    uint16_t type;
    uint32_t ttl; /* the smallest of its records' (RFC 2181 5.2 asks for one) */
    uint32_t count;
    const struct zone_item *items;
};

struct zone_chunk {
    struct zone_chunk *next;
    size_t used, size;
    uint8_t data[] __attribute__((aligned(8)));
};

/* The RRSIG records of one set: u16 (native) length and rdata, each after the other. */
struct build_signatures {
    const uint8_t *data;
    uint32_t length;
    uint16_t count;
};

/* An NSEC3 record. */
struct build_link {
    uint8_t hash[ZONE_HASH_SIZE];
    uint32_t node;
    const struct zone_entry *entry;
    struct build_signatures signatures;
};

struct zone_builder {
    uint8_t origin[DNAME_MAX];
    uint8_t origin_length;
    uint8_t origin_labels;
    struct zone_chunk *first, *last;
    uint32_t entry_count;
    uint32_t steered_count;
    char **files; /* owned; [0] is what zone_builder_finish names */
    size_t file_count, file_size;
    uint16_t file; /* current */

    struct zone_item *items;
    uint32_t item_count;
    struct build_node *nodes; /* in canonical order, the apex first */
    size_t node_count, node_size;
    uint64_t *slots; /* high half of the hash | index of the node + 1 */
    uint32_t slot_mask;

    bool glue_later; /* a delegation without glue is no problem */

    struct zone_alias_source *aliases;
    uint32_t alias_count;    /* ALIAS records added */
    uint32_t alias_first;    /* number of the first name that is steered by one of them */
    uint8_t *alias_families; /* of those, in the arena */

    const struct zone_seal *seal; /* NULL: not signed here */
    enum zonemd_use zonemd;
    uint32_t zonemd_count; /* ZONEMD records at the apex that were added */
    uint32_t made_count;   /* of what signing makes, kept until the digest is verified */
    bool sealing;          /* what is added now comes from the seal */
    uint8_t seal_flags;    /* ZONE_SIGNED, ZONE_NSEC3 */
    struct arena arena;    /* of what the seal makes */
    struct arena *arenas;  /* the same, made in threads of their own; owned */
    unsigned arena_count;
    struct build_signatures
        *signatures; /* of all sets as the nodes and build_set_next give them; NULL = unsigned */
    size_t signature_count;
    struct build_link *links; /* NSEC3, by hash */
    size_t link_count;
    struct build_link *variants; /* two a steered name: see zone_variant(); or without an entry */
    size_t variant_count;

    struct build_given *given; /* NULL: no signatures came with the zone */
    uint16_t nsec3_iterations; /* of its chain */
    uint8_t nsec3_salt_length, nsec3_salt[NSEC3_SALT_MAX];

    struct text *problems;
    unsigned problem_count;
    const char *path;
};

/* What signing makes anew each time. */
static inline bool zone_type_is_made(uint16_t type)
{
    return type == DNS_RRSIG || type == DNS_NSEC || type == DNS_NSEC3 || type == DNS_NSEC3PARAM;
}

/* Before the zone is sorted for good: verifies the digest of what came, drops it and what signing
 * makes where that is not to stay, and prepares a place for one that is made. */
void zone_zonemd_settle(struct zone_builder *b);
static inline bool zone_zonemd_is_checked(const struct zone_builder *b)
{
    return b->zonemd == ZONEMD_VERIFY || b->zonemd == ZONEMD_REQUIRE;
}

/* Zones that bring their signatures along (zone_given.c). take: after the records were sorted and
 * before there is a tree, takes signatures and NSEC3 records out from among them. attach: once the
 * zone was found right, puts them where the seal's would be, and says what is wrong with them. */
void zone_given_take(struct zone_builder *b);
void zone_given_attach(struct zone_builder *b);

/* A record of a name by its key, in memory of the builder; not yet among its items. */
struct zone_entry *zone_entry_make(struct zone_builder *b, const uint8_t *key, size_t key_length,
                                   uint16_t type, uint32_t ttl, const uint8_t *rdata,
                                   uint16_t rdata_length);
/* TTL of negative answers and of what proves them: the smaller of the SOA's and of its last field
 * (RFC 2308 3, RFC 9077 3). The zone was checked. */
uint32_t zone_negative_ttl(const struct zone_builder *b);

/* Appends "path:line:1: sentence"; e may be NULL for the zone as a whole. */
void zone_problem(struct zone_builder *b, const struct zone_entry *e, const char *format, ...)
    printf_like(3, 4);

/* The same, of what does not keep the zone from being served. */
void zone_warning(struct zone_builder *b, const struct zone_entry *e, const char *format, ...)
    printf_like(3, 4);

/* name (relative to the origin for `relative` bytes) -> key; returns the key's length. */
unsigned zone_key_make(const uint8_t *name, size_t relative, uint8_t ret_key[static ZONE_KEY_MAX]);
/* key -> whole wire name; returns its length. */
unsigned zone_key_name(const struct zone_builder *b, const uint8_t *key, size_t key_length,
                       uint8_t ret_name[static DNAME_MAX]);
/* The text of a node's name; returns buffer. */
char *zone_node_text(const struct zone_builder *b, const struct build_node *n,
                     char buffer[static DNAME_TEXT_MAX]);

/* Bytes from one entry to the next in a chunk. */
size_t zone_entry_size(const struct zone_entry *e);
/* A record or mark of the builder's own, by key. */
struct zone_entry *zone_entry_add(struct zone_builder *b, const uint8_t *key, size_t key_length,
                                  const struct zone_entry *head, const uint8_t *rdata);
/* Replaces every ALIAS record by what it stands for: a mark that steers the name, or addresses. The
 * entries are sorted, and are so again. */
void zone_aliases_resolve(struct zone_builder *b);

void zone_chunks_free(struct zone_builder *b);
void zone_entries_sort(struct zone_builder *b);
void zone_tree_make(struct zone_builder *b);
void zone_index_make(struct zone_builder *b);
/* The node of a name, or NULL, also for names outside the zone. */
struct build_node *zone_index_find(const struct zone_builder *b, const uint8_t *name,
                                   size_t length);
void zone_check(struct zone_builder *b);
/* Makes the file. Sets that do not fit in a message are problems. */
void zone_write(struct zone_builder *b, uint8_t **ret_data, size_t *ret_size);

/* Walks the sets of a node: start with *position = 0; false at the end. */
bool build_set_next(const struct zone_builder *b, const struct build_node *n, uint32_t *position,
                    struct build_set *ret_set);
bool build_set_find(const struct zone_builder *b, const struct build_node *n, uint16_t type,
                    struct build_set *ret_set);
/* RFC 4035 2.2: is the set of this type ours to sign? Not delegations, nor what lies below. */
static inline bool build_set_is_ours(const struct build_node *n, uint16_t type)
{
    return !zone_type_is_hidden(type) && !(n->flags & NODE_BELOW_CUT) &&
           (!(n->flags & NODE_CUT) || type == DNS_DS || type == DNS_NSEC);
}
/* How many sets there are, as the nodes and build_set_next give them. */
size_t build_sets_count(const struct zone_builder *b);

/* ---- images ---- */

enum { ZONE_FIXUPS_MAX = 4096 };

/* The bytes of one image while they are made. */
struct zone_picture {
    struct zone_image head;
    uint16_t fixups[ZONE_FIXUPS_MAX];
    uint8_t bytes[DNS_MESSAGE_MAX];
};

/* ERR_LIMIT where the records do not fit in a message. name: of the node. */
must_check int zone_picture_answer(const struct zone_builder *b, const struct build_node *n,
                                   const uint8_t *name, const struct build_set *set,
                                   struct zone_picture *ret);
must_check int zone_picture_referral(const struct zone_builder *b, const struct build_node *n,
                                     const uint8_t *name, const struct build_set *set,
                                     struct zone_picture *ret);
must_check int zone_picture_negative(const struct zone_builder *b, const struct build_set *soa,
                                     struct zone_picture *ret);
