/* One zone made from what it comes from: in a load of everything, or alone (control_zone.c). */
#pragma once

#include "model/zone.h"
#include "prog/load.h"

struct zone_order {
    const struct load_request *load;
    const struct config *config;
    const struct loaded_zone *zones;  /* of the configuration; file.hash 0 = not made yet */
    uint32_t zone;                    /* index in the configuration */
    const struct plan_file *was;      /* what is to be replaced; NULL = nothing */
    const struct plan_file *was_form; /* and its form; NULL = none */
    bool was_signed;                  /* by us, as far as is known without its file */
    const struct form_answer
        *answers; /* of services, by their number, as far as is known; or NULL */
    uint32_t answer_count;
};

struct zone_made {
    struct plan_file file;
    struct plan_file form;         /* hash 0: none */
    struct loaded_keys keys;       /* its ring is counted for the caller */
    struct loaded_aliases aliases; /* the caller's */
    struct form_answer *answers;   /* what the form was made of; the caller's; NULL: it has none */
    uint32_t answer_count;
    uint32_t text_serial; /* of what it was made from; 0 = not known */
    bool anew;            /* compiled; else it was in the store already */
    bool locked;          /* keys that nodes share cannot be opened: what was served goes on */
};

/* Puts the compiled zone into the store. Also on failure `ret->keys` is set: where the load keeps
 * what was served, its steered names are signed with them. 0; -EAGAIN: some other zone has to be
 * made first; or an error, with at least one line in `problems`. */
must_check int load_zone(const struct zone_order *o, struct text *problems, struct zone_made *ret);
/* L3: would it take a third of the zone in this file of the store away? Counts as zone_shrinks()
 * does. No, where that file is missing or damaged: then there is nothing to compare. */
bool zone_stored_shrinks(const char *data, uint64_t hash, const struct zone *next,
                         unsigned *ret_lost, unsigned *ret_total);
/* What was made is not wanted: frees what is the caller's. */
void zone_made_done(struct zone_made *made);
