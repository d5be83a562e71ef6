/* A zone as other name servers can have it: its own records, and as records what the plan answers
 * for its steered names just now. What a static zone cannot say (chance, the client's network) is
 * left out; doc/transfers.md has the rules.
 *
 * A form has the serial of the zone that it is made of. */
#pragma once

#include "model/config.h"
#include "model/plan.h"
#include "model/zone.h"

/* What a form says of the names that answer as one service does; unused bytes are zero. */
struct form_answer {
    uint8_t name[DNAME_MAX];  /* the service's; lower wire form */
    uint8_t alias[DNAME_MAX]; /* where has_alias: a CNAME to this, if nothing else is at the name;
                                 if something is, the addresses, which are then all there are */
    bool has_alias;
    uint8_t count[IP_FAMILIES];                              /* both 0: nothing, knowingly */
    uint8_t addresses[IP_FAMILIES][PLAN_MULTIVALUE_MAX][16]; /* ascending, each once */
    uint32_t service; /* its number in the configuration, and in a plan of that */
    uint32_t
        ttl; /* seconds; the service's largest: one that moves with health would move serials */
};

/* Of a service of a plan. */
void form_answer_of(const struct plan *plan, uint32_t service, struct form_answer *ret);
/* Of a service that no plan knew until now: all of its endpoints (L3). */
void form_answer_first(const struct config *config, uint32_t service, struct form_answer *ret);
/* Makes a form's file (free() it) from an opened compiled zone. answers: of services in the zone
 * and of those elsewhere that its ALIAS records lead to. seal: as for zone_builder_seal; NULL where
 * the zone is not signed. ERR_MISSING: a name has the addresses of a service that is not among the
 * answers; ERR_INVALID; both with lines in `problems`. */
must_check int form_make(const struct zone *zone, const struct form_answer *answers, uint32_t count,
                         const struct zone_seal *seal, struct text *problems, uint8_t **ret_data,
                         size_t *ret_size);
