/* What operators want at run time: named objects, changed by transactions.
 *
 *   request --intent_apply(old)--> a new intent and its sentence, or a refusal and its sentence
 *
 * Pure and deterministic: time comes with the request, and the same requests in the same order make
 * the same intent on every node. Nothing refers to a configuration, which every node has its own
 * of; names that no configuration knows have no effect.
 *
 * Invariants, kept by intent_apply():
 *  1. The version rises by one with every change, and the newest INTENT_HISTORY_MAX (fewer where
 *     they have more than INTENT_HISTORY_BYTES_MAX) are known: who, when, why, and what every
 * object was before.
 *  2. Controls and rules refer only to what there is.
 *  3. After a change every assertion rule over a control that it flipped holds, no control was
 *     flipped whose gating rule did not hold before, and none within a rule's wait period after the
 *     flip before; but for the rules that the request overrides by name, which is recorded.
 *  4. A request whose token is known (model/told.h) changes nothing: it was carried out before, or
 *     was refused, or had nothing to change, and whoever asked was told so. */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include "model/config.h"
#include "model/told.h"

struct user;
struct practice;
struct incident;

enum {
    INTENT_OBJECTS_MAX = 20000,
    INTENT_HISTORY_MAX = 1000,          /* changes that are remembered */
    INTENT_BYTES_MAX = 24 << 20,        /* of all objects, in a file */
    INTENT_HISTORY_BYTES_MAX = 8 << 20, /* of changes; the newest is known whatever it has */
    INTENT_EDITS_MAX = 2000,            /* objects of one transaction */
    INTENT_OVERRIDES_MAX = 100,         /* rules that one transaction sets aside */
    INTENT_EXPECTS_MAX = 16,            /* objects that one transaction wants unchanged */
    INTENT_TEXT_MAX = 500,              /* bytes of an author or a reason */
    INTENT_NAME_MAX = 1280,             /* bytes of an object's name */
    INTENT_PART_MAX = 64, /* of the name of a panel, a control or a rule (ARC's limit) */
    INTENT_TOKEN_MAX = 64,
    INTENT_GATES_MAX = 100,                 /* of one control */
    INTENT_RULE_CONTROLS_MAX = 300,         /* of one rule */
    INTENT_SHIFT_MAX_MS = 72 * 3600 * 1000, /* ARC's limit of a zonal shift */
    INTENT_ID_SIZE = 32,                    /* hexadecimal digits */
    INTENT_TAGS_MAX = 50,                   /* of one object (AWS's limit) */
    INTENT_TAG_KEY_MAX = 128,
    INTENT_TAG_VALUE_MAX = 256,
    INTENT_WAIT_DEFAULT_MS = 5000, /* ARC's default of WaitPeriodMs */
    INTENT_WAIT_MAX_MS = 24 * 3600 * 1000,
};

/* Versions of what a node that is cut off decided alone lie above this, and so above all that its
 * cluster decides: no reader takes one for the other. */
#define INTENT_OVERRIDE_VERSION ((uint64_t)1 << 40)

/* An endpoint's administrative state: what an order says, or what follows from controls and shifts.
 */
enum admin_state {
    ADMIN_AUTO,      /* checks decide */
    ADMIN_DRAINED,   /* no new answers; still probed; answers again only when nothing else may */
    ADMIN_DISABLED,  /* never answered */
    ADMIN_FORCED_UP, /* counts as healthy whatever checks say */
};
enum { ADMIN_STATES = 4 };
/* "auto" "drained" "disabled" "forced-up" */
const_function const char *admin_state_name(enum admin_state state);
/* By that name: 0 or ERR_INVALID. */
must_check int admin_state_parse(const char *name, enum admin_state *ret);

/* Objects, by name; values are JSON objects.
 *
 *   endpoint "api.example.com/use1"  {"state": "drained"}
 *   panel    "checkout"              {}
 *   control  "checkout/us-east-1"    {"state": "On", "gates": ["region:us-east-1"]}
 *   rule     "checkout/keep-one"     {"type": "assertion", "controls": ["us-east-1", "eu-west-1"],
 *                                     "rule": "ATLEAST", "threshold": 1, "inverted": false,
 *                                     "wait_ms": 5000}; "gating" has "targets" as well
 *   shift    "region:us-east-1"      {"expires_ms": 1767225600000}
 *   practice "region:us-east-1"      {"first_ms": ..., ...} (model/practice.h)
 *   cluster  "cluster"               {"name": "europe"}: what the API calls all of it
 *   incident "use1-errors"           {"title": "Errors in us-east-1", ...} (model/incident.h)
 *   seal     "seal"                  {"members": [...]} (model/shared_keys.h)
 *   keys     "example.com"           {"state": {...}, "pairs": [...]}, likewise
 *   user     "ana"                   {"keys": [...], "statements": [...]} (model/user.h)
 *   check    "web"                   {"tcp": 443}, as the configuration file would say it
 *   service  "api.example.com"       {"policy": "failover", "endpoints": [...]}, likewise
 *   zone     "example.com"           {"dnssec": "on"}, likewise, but for its file:
 *   records  "example.com www.example.com A"  {"ttl": 300, "values": ["192.0.2.1"]}
 *
 * Checks, services and zones join those of the node's own file (struct config_part); names of
 * domains are lower case and without the last dot. What they say is read by a configuration alone.
 *
 * Panels, controls, rules and the cluster may have "tags", texts by name.
 *
 * A gate or a shift is about "region:NAME", "provider:NAME" or "endpoint:SERVICE/ENDPOINT". */
enum intent_kind {
    INTENT_ENDPOINT,
    INTENT_PANEL,
    INTENT_CONTROL,
    INTENT_RULE,
    INTENT_SHIFT,
    INTENT_USER,
    INTENT_CHECK,
    INTENT_SERVICE,
    INTENT_ZONE,
    INTENT_RECORDS,
    INTENT_NODE, /* model/intent_node.h */
    INTENT_INVITE,
    INTENT_AUTHORITY,
    INTENT_PRACTICE,
    INTENT_CLUSTER,
    INTENT_INCIDENT,
    INTENT_SEAL,
    INTENT_KEYS,
};
enum { INTENT_KINDS = 18 };
const_function const char *intent_kind_name(enum intent_kind kind);
must_check int intent_kind_parse(const char *name, enum intent_kind *ret);

/* "ATLEAST" "AND" "OR": RuleConfig.Type of ARC's configuration API. */
enum rule_type { RULE_ATLEAST, RULE_AND, RULE_OR };
enum { RULE_TYPES = 3 };

struct intent_names {
    char **list;
    uint32_t count;
};

/* One object of one version; never changed, shared by the intents that hold it. */
struct intent_object {
    uint32_t references;
    enum intent_kind kind;
    char *name;
    char *value; /* JSON, compact, keys sorted: equal objects have equal texts */
    /* panel, control, rule, incident: its own for as long as it is there, whatever its name becomes
     */
    char id[INTENT_ID_SIZE + 1];
    /* of the change that made it */
    uint64_t version;
    int64_t wall_ms; /* since 1970 */
    char *author;    /* "uid 1000 (ana)" */
    char *reason;    /* may be NULL */
    /* what the value says */
    enum admin_state state; /* endpoint */
    bool on;                /* control */
    int64_t flipped_ms;     /* control: when it last went on or off; 0 = never */
    bool gating, inverted;  /* rule */
    enum rule_type type;
    uint32_t threshold, wait_ms;
    int64_t expires_ms;         /* shift, invite */
    uint64_t touched;           /* zone: the newest version in which it, its keys or one of its
                                   records changed */
    struct intent_names first;  /* control: gates; rule: asserted or gating controls, full names */
    struct intent_names second; /* rule: target controls */
    bool practice_run;          /* shift: no operator ordered it */
    struct user *user;          /* user */
    struct node *node;          /* node, invite; owned */
    struct practice *practice;  /* practice */
    struct incident *incident;  /* incident */
};

/* What one change did; never changed, shared. */
struct intent_change {
    uint32_t references;
    uint64_t version;
    int64_t wall_ms;
    char *author, *reason, *token;  /* reason and token may be NULL */
    struct intent_names overridden; /* rules */
    struct intent_edited {
        enum intent_kind kind;
        char *name;
        char *before, *after; /* values; NULL: there was, or is, none */
    } * edits;
    uint32_t edit_count;
    size_t bytes; /* in a file */
};

struct intent {
    const struct config *config;    /* of who holds it; nothing here reads it */
    struct intent_object **objects; /* sorted by kind, then name */
    uint32_t object_count;
    struct intent_change **history; /* the oldest first */
    uint32_t history_count;
    size_t object_bytes, history_bytes; /* in a file */
    struct told told;
    uint64_t version;
};

/* Afterwards an empty intent remains. */
void intent_done(struct intent *intent);

/* NULL: there is none. */
pure_function const struct intent_object *intent_find(const struct intent *intent,
                                                      enum intent_kind kind, const char *name);
/* Its newest change, of a zone also that of its records; 0: there is no such object. */
pure_function uint64_t intent_change_newest(const struct intent *intent, enum intent_kind kind,
                                            const char *name);
/* Is there a first object of this kind? The others follow it: *ret_count in all. */
struct intent_object *const *intent_list(const struct intent *intent, enum intent_kind kind,
                                         uint32_t *ret_count);

/* Another intent of the same objects and history; costs a pointer each. */
must_check struct intent intent_share(const struct intent *intent);
/* For who tells an outcome that changed nothing: it is kept. err: 0, or one of base/err.h's own. */
void intent_tell(struct intent *intent, const char *token, int err, const char *sentence,
                 int64_t wall_ms);

/* ---- changes ---- */

struct intent_edit {
    enum intent_kind kind;
    const char *name;
    const char *value; /* JSON; NULL: the object is removed */
    bool create;       /* ERR_CONFLICT where there is one of this name */
    const char *from;  /* the object's name until now; NULL: the same */
};

/* Whoever worked a request out from what is wanted says what that was: the object's newest change.
 */
struct intent_expected {
    enum intent_kind kind;
    const char *name;
    uint64_t change; /* of a zone: the newest of it or of its records; 0: there is no such object */
};

struct intent_request {
    const char *author;
    const char *reason; /* or NULL */
    const char *token;  /* the client's own, for a retry; or NULL */
    int64_t wall_ms;    /* one that lies before the newest change counts as that one's */
    const struct intent_edit *edits;
    unsigned edit_count;
    const char *const *overrides; /* full names of rules */
    unsigned override_count;
    const struct intent_expected *expects; /* of another state of these nothing is done */
    unsigned expect_count;
};

/* The time that a change asked for at `wall_ms` gets: none lies before the newest. */
pure_function int64_t intent_wall(const struct intent *intent, int64_t wall_ms);
/* All of the request or nothing of it. 0 and *ret, a new intent with the config of the old one (the
 * version is the old one's where nothing was to be changed). Else a sentence is added to `why`:
 * ERR_INVALID (a value, a name), ERR_MISSING (what is referred to or removed), ERR_CONFLICT (a
 * safety rule, or something still refers to what is removed, or not what the request expects),
 * ERR_LIMIT. */
must_check int intent_apply(const struct intent *old, const struct intent_request *request,
                            struct intent *ret, struct text *why);

/* The request's edits are what makes this endpoint's state so (ADMIN_AUTO: nothing is ordered any
 * more); the rest as intent_apply(). */
must_check int intent_order(const struct intent *old, const struct intent_request *request,
                            const char *service, const char *endpoint, enum admin_state state,
                            struct intent *ret, struct text *why);

/* NULL: it is not among the newest INTENT_HISTORY_MAX. */
pure_function const struct intent_change *intent_change_find(const struct intent *i,
                                                             uint64_t version);
/* The edits that take change `version` back; free with intent_edits_free. ERR_MISSING: it is not
 * remembered; ERR_CONFLICT: an object was changed again since, and `why` says by which. */
must_check int intent_undo(const struct intent *intent, uint64_t version,
                           struct intent_edit **ret_edits, unsigned *ret_count, struct text *why);
void intent_edits_free(struct intent_edit *edits, unsigned count);

/* ---- what follows from it ---- */

/* Where an endpoint stands, all things weighed. An order to disable it comes first; then a control
 * that is off, or a shift away, drains it; then other orders. */
struct intent_standing {
    enum admin_state state;
    const struct intent_object *by; /* whose effect it is; NULL: nobody's */
};
struct intent_standing intent_standing(const struct intent *intent,
                                       const struct config_service *service,
                                       const struct config_endpoint *endpoint, int64_t wall_ms);
/* Is the endpoint within "region:NAME", "provider:NAME" or "endpoint:SERVICE/ENDPOINT"? */
pure_function bool intent_scope_holds(const char *scope, const struct config_service *service,
                                      const struct config_endpoint *endpoint);
/* Until when the answers of intent_standing() hold with this intent: the next end of a shift;
 * INT64_MAX. */
pure_function int64_t intent_holds_until(const struct intent *intent, int64_t wall_ms);
/* "control checkout/us-east-1 is Off: kernel update"; for an order its reason. Nothing is added
 * where there is nothing to say. */
void intent_standing_why(const struct intent_object *by, struct text *out);
/* What an order says: ADMIN_AUTO where there is none. */
pure_function enum admin_state intent_admin(const struct intent *intent, const char *service,
                                            const char *endpoint);
/* "api.example.com/use1": the name of an endpoint's object. */
const char *intent_endpoint_name(const char *service, const char *endpoint,
                                 char buffer[static INTENT_NAME_MAX]);

/* The endpoint meant by "api.example.com/use1", or by "use1" where only one service has it.
 * ERR_MISSING, ERR_AMBIGUOUS. */
must_check int intent_endpoint_find(const struct config *config, const char *name,
                                    uint32_t *ret_service, uint32_t *ret_endpoint);

/* ---- what nodes share ---- */

enum {
    INTENT_TTL_MAX = INT32_MAX,
    INTENT_VALUES_MAX = 1000, /* of one set of records */
};

/* The checks, services and zones, in an order that is the same on every node; allocated in `arena`.
 * They say nothing more than struct config_parts wants, and are right or wrong as a configuration
 * only. */
struct config_parts intent_parts(const struct intent *intent, struct arena *arena);
/* Is something that nodes share another in `b`? The records included. */
pure_function bool intent_shares_alike(const struct intent *a, const struct intent *b);
/* L3: would it lose a third or more of the checks, the services, the zones, or the records of a
 * zone that goes on, of more than a handful? Then a sentence is added to `why`. */
bool intent_shares_shrink(const struct intent *old, const struct intent *next, struct text *why);
/* Appends the zone as a master file. Its serial is the one that its SOA record says plus the number
 * of the newest change of it, so that every node comes to the same. False: it has no SOA record. */
bool intent_zone_text(const struct intent *intent, const char *zone, struct text *out);
/* That serial; 0 where there is no such zone, or no SOA record. */
uint32_t intent_zone_serial(const struct intent *intent, const char *zone);

/* ---- as a file ---- */

/* Everything as a JSON text (free()), and back; ret->config is left NULL. Decoding checks
 * everything, the invariants too: ERR_SYNTAX, ERR_VERSION, ERR_INVALID, and then a sentence in
 * *ret_why (static). Files of format 1 (orders alone) are read as well. */
enum { INTENT_FILE_VERSION = 2 };
must_check char *intent_encode(const struct intent *intent) __attribute__((returns_nonnull));
must_check int intent_decode(const char *data, size_t length, struct intent *ret,
                             const char **ret_why);
