/* Which zones need not be made again (model/zone_ledger.h), with the disk behind it. */
#pragma once

#include "model/plan.h"
#include "model/zone_compile_io.h"
#include "model/zone_ledger.h"

/* The node's ledger; empty where there is none that can be used. */
struct zone_ledger load_ledger_read(const char *data);
/* Writes the file where anything changed.
 * What is in it is on the disk before it. A failure is logged: it costs time at the next start. */
void load_ledger_write(const char *data, struct zone_ledger *l);

/* Everything that goes into a compiled zone and is no file. */
pure_function uint64_t load_ledger_inputs(const char *name, const char *path,
                                          const uint8_t *const *steered, unsigned steered_count);

/* What follows may be called for different zones at once. */

/* What the zone was compiled to last; 0 = nothing is known. */
uint64_t load_ledger_compiled(const struct zone_ledger *l, const char *name);

/* True where the zone would come out as it is in the store: then *ret_hash and *ret_serial are set,
 * and the compiled file is kept from the clean-up. unasked: whatever its files hold now. */
bool load_ledger_reuse(struct zone_ledger *l, const char *data, const char *name, uint64_t inputs,
                       bool unasked, uint64_t *ret_hash, uint32_t *ret_serial);

/* Notes the files that a zone is being made from. */
struct load_note {
    struct zone_watch watch;
    struct ledger_record record;
    size_t size;
};
void load_note_open(struct load_note *n);
/* The zone is in the store as `hash`. */
void load_note_keep(struct load_note *n, struct zone_ledger *l, const char *data, const char *name,
                    uint64_t inputs, uint64_t hash, uint32_t serial);
void load_note_done(struct load_note *n);
