/* What transfers need of a loaded configuration: the file of keys and rules, and earlier versions
 * of zones. */
#pragma once

#include "prog/load.h"
#include "wire/tsig.h"

/* A key with its secret, from the configuration or the file that it names. 0, ERR_SYNTAX,
 * ERR_LIMIT, -errno. Wipe it. */
must_check int load_key(const struct config_key *k, struct tsig_key *ret);
/* Reads the secrets, and puts keys and rules into the store and the list of files. Problems get a
 * line each. */
must_check int access_load(struct loaded *l, const struct load_request *r, struct text *problems);
/* Adds the versions of transferred zones that were known until now, the newest last, so that they
 * stay in the store; at most HISTORY_KEEP of a zone. */
void history_load(struct loaded *l, const struct load_request *r, const struct load_served *served);
/* What is made takes the place of the zone as it is: which is one more version, where it is
 * transferred. */
void history_add(struct loaded *l, uint32_t zone, const struct zone_made *made);
/* The form of this zone in what was served: of its serial; NULL = none. */
const struct plan_file *history_form(const struct load_served *served, const char *name,
                                     uint32_t serial);

bool zone_is_transferred(const struct config_zone *z);
bool zone_is_steered(const struct config *c, uint32_t zone);
