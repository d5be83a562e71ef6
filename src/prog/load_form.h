/* The serial of a zone that was made, and with it the form that transfers give of one with steered
 * names (model/zone_form.h). Zone and form go out in the same plan and with the same serial, so
 * that what a SOA speaks of can be fetched. */
#pragma once

#include "model/zone_form.h"
#include "model/zone_sign.h"
#include "prog/load_zone.h"

/* Is the zone handed out, and are there names in it that a form has to fill in? */
bool load_form_wanted(const struct config *c, uint32_t zone, const struct loaded_aliases *aliases);
/* What is answered for those, service by service: those of the zone and those that its ALIAS
 * records lead to. As the order has it, else as the form in use says, else the plan that was
 * served, else all endpoints (L3). By number of the service; free(). */
struct form_answer *load_form_answers(const struct zone_order *o,
                                      const struct loaded_aliases *aliases, uint32_t *ret_count)
    __attribute__((returns_nonnull));

struct settling {
    const struct zone_order *order;
    struct zone_sign *sign; /* of the zone; NULL = not signed here. Signatures of the form count as
                               well in its `expires` */
    const struct form_answer *answers; /* for the form; NULL: it has none */
    uint32_t answer_count;
    const struct zone *old; /* the zone as it was; NULL: nobody can say what changed */
    bool same;              /* it holds what it held: only the form is made */
    bool held;              /* updates gave it its serial, by the policy */
    int64_t wall;           /* seconds since 1970 */
};
/* Compares a compiled zone, and its form where there are answers, with what was there, and gives
 * both their serial by the zone's policy. A zone that came with its signatures keeps its own.
 * *ret_form is free()d by the caller; NULL without one. */
must_check int load_settle(const struct settling *s, uint8_t *zone, struct text *problems,
                           uint8_t **ret_form);

/* Puts compiled bytes into the store and says which file that is; kind: PLAN_FILE_ZONE or
 * PLAN_FILE_HISTORY. */
must_check int load_store(const struct zone_order *o, uint8_t kind, const uint8_t *data,
                          struct text *problems, struct plan_file *ret);

/* Another form for a zone that goes on as it is, with the answers of the order: another serial for
 * both, and made of these answers. As load_zone(), but `ret->keys` are `keys`, taken over also on
 * failure, with the time when the form's signatures are to be renewed. */
must_check int load_form(const struct zone_order *o, const struct loaded_keys *keys,
                         struct text *problems, struct zone_made *ret);
