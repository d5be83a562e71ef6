/* The layout of a snapshot file, for the encoder, the decoder and their tests only.
 *
 *   header (fixed size) | services | endpoints | targets | ... | text
 *
 * Each section is an array of plan.h's records, as the compiler lays them out, starting on a
 * multiple of 8 bytes. The section table states the size of one record, so that a file made by a
 * program with other records is refused as another version and never misread. */
#pragma once

#include "base/hash.h"
#include "base/invariant.h"
#include "model/plan.h"
#include <stddef.h>
#include <stdint.h>

#define SNAPSHOT_MAGIC "HFPLAN\r\n"

/* section, field of struct plan, its count */
#define SNAPSHOT_SECTION_LIST(X)                       \
    X(SECTION_SERVICES, services, service_count)       \
    X(SECTION_ENDPOINTS, endpoints, endpoint_count)    \
    X(SECTION_TARGETS, targets, target_count)          \
    X(SECTION_VIEWS, views, view_count)                \
    X(SECTION_VANTAGES, vantages, vantage_count)       \
    X(SECTION_CAUSES, causes, cause_count)             \
    X(SECTION_DETOURS, detours, detour_count)          \
    X(SECTION_CHOICES, choices, choice_count)          \
    X(SECTION_BRANCHES, branches, branch_count)        \
    X(SECTION_ADDRESSES, addresses, address_count)     \
    X(SECTION_GOODS, goods, good_count)                \
    X(SECTION_FILES, files, file_count)                \
    X(SECTION_SIGNATURES, signatures, signature_count) \
    X(SECTION_SIGNED, signed_bytes, signed_size)       \
    X(SECTION_TEXT, text, text_size)

enum snapshot_section_index {
#define X(id, field, count) id,
    SNAPSHOT_SECTION_LIST(X)
#undef X
        SNAPSHOT_SECTIONS
};

struct snapshot_section {
    uint64_t offset; /* from the start of the file, a multiple of 8 */
    uint32_t records;
    uint32_t record_size; /* bytes */
};

struct snapshot_header {
    char magic[8];
    uint32_t version;
    uint32_t section_count;
    uint64_t size;     /* of the whole file */
    uint64_t checksum; /* snapshot_checksum() */
    uint64_t generation;
    int64_t made, made_wall;
    uint64_t boot_id, config_fingerprint, intent_version;
    uint32_t node, site, network, unused;
    struct snapshot_section sections[SNAPSHOT_SECTIONS];
};

/* Of everything but the checksum itself; size >= sizeof(struct snapshot_header). */
static inline uint64_t snapshot_checksum(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    size_t start = offsetof(struct snapshot_header, checksum), end = start + sizeof(uint64_t);
    invariant(size >= sizeof(struct snapshot_header));
    return hash64_seeded(bytes + end, size - end, hash64(bytes, start));
}

/* The bounds of every record but the choices: 0, or ERR_BOUNDS with *ret_where set. */
int snapshot_records_check(const struct plan *plan, const char **ret_where);

/* Is there a lower-case name in wire form at the offset that ends inside the text? */
bool snapshot_wire_name_fits(const struct plan *plan, uint32_t offset);

/* The decoder's second half: every index, offset and law of a plan whose sections lie inside the
 * file. 0, or an error with *ret_where set. */
int snapshot_check(const struct plan *plan, const char **ret_where);

/* Writes the sentence of a refusal to per-thread storage, points *ret_where (may be NULL) at it and
 * returns err. */
int snapshot_refuse(int err, const char **ret_where, const char *format, ...) printf_like(3, 4);
