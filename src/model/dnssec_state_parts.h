/* What the files behind model/dnssec_state.h share. */
#pragma once

#include "model/dnssec_state.h"

/* The first key of this use and stage; NULL where there is none. */
pure_function const struct key_record *key_at(const struct key_state *s, enum key_use use,
                                              enum key_stage stage);
/* Is a CSK on its way to be followed by KSK and ZSK, or the other way round? */
pure_function bool layout_changes(const struct key_state *s);

void key_ds_set(struct key_record *k, enum ds_stage ds, int64_t now);
/* From when on no cache has an answer that a DS of this key would make invalid. */
int64_t ds_time(const struct key_state *s, const struct key_record *k, const struct key_policy *p);
/* A change of the DS set is in all caches after so long. */
int64_t ds_known_after(const struct key_policy *p);
/* When the successor of an active ZSK is to be made. */
int64_t zsk_roll_time(const struct key_state *s, const struct key_record *k,
                      const struct key_policy *p);
