/* Keys of signed zones whose records nodes share, as objects of the intent, and the secret that
 * they are sealed with:
 *
 *   seal  "seal"         {"members": [{"node": "tokyo-1", "key": "9f86...", "wrap": "..."}]}
 *   keys  "example.com"  {"epoch": 1767225600, "state": {...}, "pairs": [{"use": "csk",
 *                         "algorithm": 13, "tag": 41290, "dnskey": "...", "sealed": "..."}]}
 *
 * All bytes are hexadecimal digits. A member's key is the node's own public key (X25519), which it
 * adds itself; its wrap, the secret for this node alone, comes from whoever has it (model/seal.h).
 * "state" is model/dnssec_state.h's, "dnskey" the DNSKEY's data, "sealed" the private key. Times
 * are those of changes: what is due is settled when a change is carried out, alike on every node.
 *
 * Signatures are made as of the epoch, which moves when they are to be made anew. So the versions
 * of a zone with one serial have the same times on all nodes. */
#pragma once

#include "model/dnssec_state.h"

enum {
    SEAL_MEMBERS_MAX = 64,
    SEAL_NODE_MAX = 64, /* bytes of a name, with the NUL */
    SEAL_KEY_SIZE = 32, /* of a public and a private key, and of the secret */
    SEAL_WRAP_SIZE = 32 + 32 + 16,
    SHARED_DNSKEY_MAX = 512,    /* bytes of one DNSKEY's data */
    SHARED_SEALED_MAX = 1 << 14 /* bytes of one sealed key */
};

struct shared_pair {
    uint8_t use; /* enum key_use */
    uint8_t algorithm;
    uint16_t tag;
    char *dnskey, *sealed; /* owned */
};

struct shared_keys {
    struct key_state state;
    int64_t epoch;                             /* seconds since 1970 */
    struct shared_pair pairs[KEY_RECORDS_MAX]; /* one for each of state.keys, in its order */
};

void shared_keys_done(struct shared_keys *k);
/* From the object's value. 0, or ERR_INVALID and in *ret_why the end of a sentence (static). */
must_check int shared_keys_decode(const char *value, struct shared_keys *ret, const char **ret_why);
char *shared_keys_encode(const struct shared_keys *k) __attribute__((returns_nonnull));

/* A new pair for a key that is needed; *ret is taken over. An error ends the step. */
typedef int shared_pair_make(void *context, const struct key_need *need, struct shared_pair *ret);

struct shared_step {
    struct key_policy policy;
    bool on;         /* the zone is to be signed */
    bool resign;     /* signatures are to be made anew */
    int64_t ttl_max; /* longest TTL of the zone as it is served, signed; 0: it is not yet */
    shared_pair_make *make;
    void *context;
};

/* All that is due at `now`, seconds since 1970. 0; *ret_gone: the zone may go unsigned, nothing of
 * its keys is needed any more. Else the error of `make`, or of key_state_add(); *k is then to be
 * thrown away. */
must_check int shared_keys_step(struct shared_keys *k, const struct shared_step *s, int64_t now,
                                bool *ret_gone);
/* Do both say the same? */
bool shared_keys_same(const struct shared_keys *a, const struct shared_keys *b);

/* The policy as it goes with a request: {"on": true, "split": false, ...}; `ret` NULL: is it one?
 */
struct json_t;
struct json_t *shared_policy_json(const struct key_policy *p, bool on);
bool shared_policy_read(const struct json_t *value, struct key_policy *ret, bool *ret_on);
/* One pair, as in "pairs". */
struct json_t *shared_pair_json(const struct shared_pair *p);
bool shared_pair_read(const struct json_t *value, struct shared_pair *ret);

/* ---- the seal ---- */

struct seal_member {
    char node[SEAL_NODE_MAX];
    uint8_t key[SEAL_KEY_SIZE];
    bool has_wrap;
    uint8_t wrap[SEAL_WRAP_SIZE];
};

struct seal {
    struct seal_member members[SEAL_MEMBERS_MAX];
    unsigned count;
};

/* As shared_keys_decode. */
must_check int seal_decode(const char *value, struct seal *ret, const char **ret_why);
char *seal_encode(const struct seal *s) __attribute__((returns_nonnull));
/* The member with this public key; NULL. */
struct seal_member *seal_find(struct seal *s, const uint8_t key[static SEAL_KEY_SIZE]);
