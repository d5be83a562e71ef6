/* The keys of a zone as files: DATA/keys/ZONE/, mode 0700, with one PKCS#8 PEM file a key, mode
 * 0600, and state.json. Only control writes there, one load or order at a time.
 *
 *   load -> sign and compile the zone -> commit, once the zone is taken into service
 *
 * so that the clock of a rollover starts when a key is seen by the world, not when it is planned.
 */
#pragma once

#include "model/dnssec.h"
#include "model/dnssec_state.h"

/* Keys of one zone at one moment; counted, in one thread at a time. */
struct dnssec_keyring {
    struct dnssec_zone_keys keys; /* views `pairs`; what the zone is signed with */
    struct key_state state;       /* as it will be once this is committed */
    struct key_state saved;       /* as it is on disk */
    struct key_policy policy;
    int64_t next_event; /* seconds since 1970: load again then; KEY_NEVER where keys wait for
                           nothing but the operator. Signatures have their own time. */
    int64_t made;       /* the wall time of the load */
    unsigned references;
    struct dnssec_key *pairs[KEY_RECORDS_MAX]; /* as state.keys */
    struct dnssec_key *lists[4][KEY_RECORDS_MAX];
    struct key_record removed[KEY_RECORDS_MAX];
    unsigned removed_count;
    char *folder; /* NULL: the keys are shared */
};

struct dnssec_keys_request {
    const char *data; /* the node's folder */
    const struct config_zone *zone;
    int64_t wall;       /* seconds since 1970 */
    bool served_signed; /* the zone that is served now is signed: lost keys are an error then, never
                           a reason to make others (L3) */
};

/* Makes what is missing at first use, and what a rollover needs. *ret is NULL where the zone is not
 * to be signed; a zone that was signed goes on being so, with a line in `problems`, until the
 * operator has said that the parent's DS is gone. Every failure adds a line that says what to do.
 */
must_check int dnssec_keys_load(const struct dnssec_keys_request *r, struct text *problems,
                                struct dnssec_keyring **ret);
/* A ring of keys that nodes share (model/shared_keys.h): nothing of it is on disk here, and its
 * commit does nothing. pairs: as state->keys, taken over. Signatures are made as of `epoch`. */
struct dnssec_keyring *dnssec_keyring_shared(const struct config_zone *zone,
                                             const struct key_state *state,
                                             struct dnssec_key *const *pairs, int64_t epoch,
                                             int64_t wall);
/* Is it one? */
static inline bool dnssec_keyring_is_shared(const struct dnssec_keyring *r)
{
    return !r->folder;
}
/* Of a key of this use. */
const_function uint16_t dnssec_key_flags(enum key_use use);
/* "41290 13 2 4E5F...", the presentation form of a DS record's data. */
void dnssec_ds_text(const uint8_t ds[static DNSSEC_DS_SIZE], struct text *out);
/* Has the zone ever been signed here? */
bool dnssec_keys_exist(const char *data, const char *zone);
/* The zone signed with these keys is in service; its longest TTL is ttl_max seconds. Keys that left
 * the zone are deleted. On failure the state on disk stays as it was. */
must_check int dnssec_keyring_commit(struct dnssec_keyring *ring, int64_t ttl_max);
struct dnssec_keyring *dnssec_keyring_ref(struct dnssec_keyring *ring); /* NULL is fine */
void dnssec_keyring_unref(struct dnssec_keyring *ring);                 /* NULL is fine */

/* What the operator says about a zone, from the state on disk and back to it. `out` gets sentences.
 */
must_check int dnssec_keys_order(const struct dnssec_keys_request *r, enum dnssec_order order,
                                 enum key_use use, struct text *out);
