/* Keys that nodes share (model/shared_keys.h), made and opened. */
#pragma once

#include "model/dnssec_keys_io.h"
#include "model/shared_keys.h"

/* A new key for this zone, sealed: 0 or an error of OpenSSL's. */
must_check int shared_pair_new(const uint8_t secret[static SEAL_KEY_SIZE], const char *zone,
                               const struct key_need *need, struct shared_pair *ret);
/* What `holdfast dnssec status` says of them. */
void shared_keys_describe(const struct shared_keys *k, const struct config_zone *zone,
                          struct text *out);

/* All keys of a zone that is shared, as this node can open them. keys, seal: values of the intent's
 * objects, or NULL. 0 (*ret NULL where there are no keys yet, or no more); else `problems` gets a
 * line that says what is missing. */
struct shared_ring_request {
    const char *data;
    const struct config_zone *zone;
    const char *keys, *seal;
    int64_t wall;
    bool served_signed;
};
must_check int shared_ring_open(const struct shared_ring_request *q, struct text *problems,
                                struct dnssec_keyring **ret);
