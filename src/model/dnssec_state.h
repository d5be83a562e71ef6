/* The life of a zone's keys: which are published, which sign, which the parent should point to, and
 * when that changes (RFC 6781, 7583). Pure: time is an argument, in seconds since 1970.
 *
 *   ZSK (pre-publication)
 *     made --served--> published --DNSKEY known everywhere--> active
 *                                                             (the one before: retired)
 *     retired --its signatures gone from caches--> removed
 *
 *   KSK, CSK (both DS at the parent for a while; both keys sign the DNSKEY set for a while)
 *     made --served--> published --DNSKEY known everywhere, DS seen and known everywhere--> active
 *                                                             (the one before: retired)
 *     retired --its signatures and its DS gone from caches--> removed
 *     the first key of a zone: made --served--> active
 *
 *   An algorithm changes (the policy's is another than that of the keys): all uses are rolled at
 * once, as above, but keys of both algorithms sign everything all the while, and the DS of the new
 * one is wanted only when no cache has anything without its signatures: made --served--> published,
 * DS hidden --signatures known everywhere--> DS wanted -> as above A retired ZSK goes with the KSK
 * of its algorithm. This is RFC 6781 4.1.4 but for two steps that put signatures before their
 * DNSKEY, and keep them behind it: they serve validators that insist on every algorithm of the
 * DNSKEY set, which RFC 6840 5.11 forbids. Those that insist on every algorithm of the DS set are
 * served.
 *
 *   The layout changes (the policy wants KSK and ZSK where there is a CSK, or a CSK where there are
 * those): the successors are made together, published together, and take over together, when all
 * DNSKEYs are known and the DS of the newcomer that has one is. What they follow retires as above.
 * Algorithm and layout may change in one go. No other roll begins meanwhile, and what was begun is
 * ended before the next.
 *
 *   DS of a KSK or CSK at the parent; CDS and CDNSKEY (RFC 7344) name those wanted or seen
 *     hidden --signatures known everywhere--> wanted --operator--> seen
 *     wanted, seen --the successor is active, or the zone is to go unsigned--> unwanted
 *     unwanted --operator--> gone
 *
 * Invariants: 1. once a key was made, exactly one zone-signing and one key-signing key is active
 * after every step; 2. a key signs zone data alone only after every cache that has a DNSKEY set has
 * it;
 * 3. a key leaves the DNSKEY set only after no cache can have a signature or a DS that needs it. */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include "model/config.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KEY_RECORDS_MAX = 8, KEY_STATE_FILE_MAX = 64 << 10 };
#define KEY_NEVER INT64_MAX

enum key_use { KEY_CSK, KEY_KSK, KEY_ZSK };
enum { KEY_USES = 3 };
enum key_stage { KEY_MADE, KEY_PUBLISHED, KEY_ACTIVE, KEY_RETIRED };
enum { KEY_STAGES = 4 };
enum ds_stage { DS_HIDDEN, DS_WANTED, DS_SEEN, DS_UNWANTED, DS_GONE };
enum { DS_STAGES = 5 };

const_function const char *key_use_name(enum key_use use); /* "csk" */
/* False: there is none of that name, or no name (NULL). */
bool key_use_parse(const char *name, enum key_use *ret);
const_function const char *key_stage_name(enum key_stage stage);
const_function const char *ds_stage_name(enum ds_stage stage);

/* What an operator asks for. */
enum dnssec_order { DNSSEC_STATUS, DNSSEC_ROLL, DNSSEC_DS_SEEN, DNSSEC_DS_GONE, DNSSEC_UNSIGN };

struct key_record {
    uint16_t tag;
    uint8_t algorithm;
    uint8_t use;                                 /* enum key_use */
    uint8_t stage;                               /* enum key_stage */
    uint8_t ds;                                  /* enum ds_stage; DS_HIDDEN for a ZSK */
    int64_t made, published, activated, retired; /* 0 = not yet */
    int64_t ds_since;                            /* when ds became what it is */
};

/* The longest TTL that caches may still hold something with, in seconds. */
struct ttl_memory {
    int64_t longest;
    int64_t lower; /* since when a shorter one is served; 0 = it is not */
    int64_t since; /* the longest that was served after that */
};

struct key_state {
    struct key_record keys[KEY_RECORDS_MAX];
    unsigned count;
    uint8_t roll;               /* bits, 1 << enum key_use: a successor is to be made */
    bool unsign;                /* the operator wants the zone unsigned; no DS is wanted any more */
    struct ttl_memory ttl;      /* of the zone's sets */
    struct ttl_memory keys_ttl; /* of its DNSKEY set */
};

struct key_policy {
    bool split;
    uint8_t algorithm;
    int64_t dnskey_ttl, ds_ttl, propagation; /* seconds */
    int64_t zsk_lifetime;                    /* 0 = never rolled by itself */
};

struct key_policy key_policy_of(const struct config_dnssec *d);

/* A key that has to be made. */
struct key_need {
    enum key_use use;
    uint8_t algorithm;
};
/* Does one have to be made before the next step? */
bool key_state_needs(const struct key_state *s, const struct key_policy *p, int64_t now,
                     struct key_need *ret);
/* It was made. ERR_LIMIT: there are too many; ERR_CONFLICT: its tag is taken. */
must_check int key_state_add(struct key_state *s, struct key_need need, uint16_t tag, int64_t now);

/* Every change that is due at `now`. What it makes published is taken to be served from `now` on:
 * step a copy, and keep it once the zone signed by it is in service. Removed keys are put to
 * ret_removed. Returns the time of the next change; KEY_NEVER where none comes by itself. */
int64_t key_state_step(struct key_state *s, const struct key_policy *p, int64_t now,
                       struct key_record ret_removed[static KEY_RECORDS_MAX],
                       unsigned *ret_removed_count);
/* When a key's next change is due; KEY_NEVER where it waits for the operator or for nothing. */
int64_t key_event_time(const struct key_state *s, const struct key_record *k,
                       const struct key_policy *p);
/* The zone that is served from now on has TTLs up to ttl_max, and its DNSKEY set the policy's. */
void key_state_served(struct key_state *s, const struct key_policy *p, int64_t ttl_max,
                      int64_t now);

/* Does a key sign the DNSKEY, CDS and CDNSKEY sets; all else; is its DS asked for (CDS)? */
bool key_signs_keys(const struct key_record *k);
bool key_signs_zone(const struct key_record *k); /* alone, but while the algorithm changes: */
bool key_state_signs_zone(const struct key_state *s, const struct key_record *k);
bool key_delegated(const struct key_record *k);
pure_function bool key_is_sep(const struct key_record *k);

/* What the operator says. 0 or an error; *out gets a sentence either way. */
must_check int key_state_roll(struct key_state *s, const struct key_policy *p, enum key_use use,
                              struct text *out);
must_check int key_state_ds_seen(struct key_state *s, const struct key_policy *p, int64_t now,
                                 struct text *out);
must_check int key_state_ds_gone(struct key_state *s, const struct key_policy *p, int64_t now,
                                 struct text *out);
/* The zone is to go unsigned: the parent is asked to remove every DS (RFC 8078 4). When the
 * operator has seen them gone (key_state_ds_gone) and no cache has one, it may. */
must_check int key_state_unsign(struct key_state *s, int64_t now, struct text *out);
/* It is to be signed after all: the parent is asked for the DS again, at once where the zone was
 * signed all the while, and where it was not when no cache has an unsigned answer. */
void key_state_unsign_cancel(struct key_state *s, bool served_signed, int64_t now);
/* From when on may the zone be served unsigned? KEY_NEVER while the operator has not said so, or a
 * DS may still be at the parent. */
int64_t key_state_unsign_time(const struct key_state *s, const struct key_policy *p);

/* ds_of (may be NULL): the presentation form of a key's DS record, without owner and class. */
typedef const char *key_ds_text(void *context, const struct key_record *k);
/* What is, what the operator has to do and what comes next, in sentences. zone: "example.com". */
void key_state_describe(const struct key_state *s, const struct key_policy *p, const char *zone,
                        key_ds_text *ds_of, void *context, struct text *out);
/* "2026-11-21 23:05 UTC" */
enum { KEY_TIME_MAX = 40 };
char *key_time_format(int64_t when, char buffer[static KEY_TIME_MAX]);

/* One JSON text; free(). */
must_check char *key_state_encode(const struct key_state *s);
/* ERR_SYNTAX, ERR_VERSION, ERR_INVALID with *ret_why in static storage. */
must_check int key_state_decode(const char *data, size_t length, struct key_state *ret,
                                const char **ret_why);
