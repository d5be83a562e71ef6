/* Names of a message while it is written: an end of a name that the message holds already is
 * pointed at (RFC 1035 4.1.4). A table of hashes finds it, and the message's own bytes say whether
 * it is the name, so that records may be taken back without telling the table. */
#pragma once

#include "base/bytes.h"
#include "wire/dname.h"

struct names {
    uint16_t *slots; /* the caller's: where names begin; 0 = empty, as all are at the start */
    unsigned mask;   /* slots - 1, a power of two */
    unsigned count;
};

static inline struct names names_init(uint16_t *slots, unsigned slot_count)
{
    memset(slots, 0, slot_count * sizeof *slots);
    return (struct names){slots, slot_count - 1, 0};
}

/* Is the lower name what the message says at the offset, in any case of letters? w: over the whole
 * message. */
pure_function bool names_equal_at(const struct writer *w, size_t offset, const uint8_t *name);
/* The message holds the lower name at the offset, in any case of letters, without a pointer. */
void names_note(struct names *n, const struct writer *w, size_t offset, const uint8_t *name,
                size_t length);
/* The pointer word of a lower name that the message holds; 0 where none is known. */
uint16_t names_find(const struct names *n, const struct writer *w, const uint8_t *name,
                    size_t length);
/* Writes a lower name. The pointer word that stands for it from now on; 0: there is none. */
uint16_t names_write(struct names *n, struct writer *w, const uint8_t *name, size_t length);
/* Writes the length and the data of a record that passed rdata_check, its names compressed where
 * that is allowed (RFC 3597 4). */
void names_write_rdata(struct names *n, struct writer *w, uint16_t type, const uint8_t *rdata,
                       uint16_t length);
