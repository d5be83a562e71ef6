/* The plan: what every name answers now, and why. Complete, immutable, numbered (L2).
 *
 * A plan is a set of arrays of plain records that refer to one another by index, never by pointer.
 * Decide builds them, the snapshot file holds them as they are, and a reader maps them: one set of
 * types from the decision to the answer. `struct plan` is a view: it owns nothing.
 *
 *   service --face (A, AAAA)--> choice --branch--> choice ... --> addresses (targets)
 *
 * A choice is a small decision that the name server makes per query: all that health can decide is
 * already decided, so a choice only splits by chance (weights) or by the client's network (one
 * mechanism, the netmap, for geolocation, ip-based and latency alike). */
#pragma once

#include "base/ip.h"
#include "base/time.h"
#include "model/config.h"
#include "model/intent.h"
#include "model/sample.h"
#include <stdbool.h>
#include <stdint.h>

#define PLAN_NONE UINT32_MAX /* an index that refers to nothing */

enum {
    PLAN_DEPTH_MAX = 8,      /* choices between a face and its addresses */
    PLAN_MULTIVALUE_MAX = 8, /* Route 53: up to eight healthy records */
};

enum verdict_state {
    VERDICT_UNREADY, /* never seen healthy: not unhealthy (L4) */
    VERDICT_UP,
    VERDICT_DOWN,
    VERDICT_UNCHECKED, /* no check: counts as healthy */
};
enum { VERDICT_STATES = 4 };
/* "unready" "up" "down" "unchecked" */
const_function const char *verdict_state_name(enum verdict_state s);

/* What a name server does with an address of a target, after everything was weighed. */
enum target_flag {
    TARGET_SERVED = 1,   /* in some answer now */
    TARGET_HELD = 2,     /* seen down but kept: the velocity limit forbids its removal (L4) */
    TARGET_FROZEN = 4,   /* its samples are late or stale: the verdict stays as it was (L4, L8) */
    TARGET_EXPIRING = 8, /* its certificate ends sooner than expiry_warn */
    TARGET_HOLDING_DOWN = 16, /* seen up again, kept out until hold_until */
};

/* A target's verdict and the bookkeeping that the next step needs. Same order as target_list(). */
struct plan_target {
    uint32_t service;  /* index */
    uint32_t endpoint; /* index into endpoints */
    struct ip address;
    uint8_t state;                /* enum verdict_state */
    uint8_t reason;               /* enum reason of the newest sample */
    uint8_t down_reason;          /* enum reason that brought it down; REASON_OK while up */
    uint8_t flags;                /* enum target_flag */
    uint16_t successes, failures; /* in a row; one of them is 0; saturating */
    uint16_t status;              /* of the newest sample */
    uint32_t hostname; /* text offset: probed by this name and in no answer; of an address "" */
    usec_t since;      /* when state became what it is */
    usec_t sampled;    /* end of the newest sample that counted; 0 = none yet */
    usec_t hold_until; /* hold-down: not up before this */
    usec_t removed; /* when checks last took it out of the answers; 0 = never (velocity window) */
    uint32_t phase_us[PHASES]; /* of the newest sample */
    uint32_t connect_us;       /* damped connect time, for latency steering; 0 = unknown */
    int64_t certificate_end;   /* seconds since 1970; 0 = none seen */
};

/* What several vantages together say of a target, by rising gravity (doc/verdicts.md). */
enum finding {
    FINDING_NONE,      /* it is well, or nobody knows better */
    FINDING_UNDECIDED, /* too few networks vote: the verdict stays as it was (L8) */
    FINDING_BROWN_OUT, /* it answers, and far slower than usual */
    FINDING_LOSS,      /* it answers, and not always */
    FINDING_TRANSIT,   /* some reach it and some do not: the way between, not the target */
    FINDING_PATH,      /* the same, and small packets pass: path MTU, or loss on the way */
    FINDING_NAME,      /* its name is not resolved; its address is not what fails */
    FINDING_CUT_OFF,   /* it answers inside its region and nowhere else */
    FINDING_DOWN,
};
enum { FINDINGS = 9 };
/* "none" "undecided" "brown-out" "loss" "transit" "path" "name" "cut-off" "down" */
const_function const char *finding_name(enum finding f);

/* Vantages are bits of a word, by their place in struct plan. */
enum { PLAN_VANTAGES_MAX = 64 };

enum vantage_state {
    VANTAGE_VOTES,
    VANTAGE_SILENT, /* nothing was heard of it for a while */
    VANTAGE_BEHIND, /* its prober is late: what it says is not used (L4) */
    VANTAGE_SICK,   /* it doubts itself (L8): its references fail, or all that it looks at */
};
enum { VANTAGE_STATES = 4 };
/* "votes" "silent" "behind" "sick" */
const_function const char *vantage_state_name(enum vantage_state s);

/* Who looks; the first is this node, the others follow by rising id. None where a node is alone. */
struct plan_vantage {
    uint64_t id;
    uint32_t node, site, network; /* text offsets */
    uint8_t state;                /* enum vantage_state */
    uint8_t health;               /* enum vantage_health, model/sample_table.h: why it is sick */
    uint16_t unused;
    usec_t since; /* when state became what it is */
    usec_t late;  /* this node: when its prober was last late; 0 = never */
};

/* What is known of a target beside its verdict, in the order of targets; none where a node is alone
 * and measures nothing. Bits of vantages that do not vote are in none of the words. */
struct plan_view {
    uint8_t own;        /* enum verdict_state: this node's own judgement, its vote */
    uint8_t own_reason; /* enum reason that brought `own` down; REASON_OK while it is not */
    uint8_t finding;    /* enum finding */
    uint8_t far_reason; /* enum reason of most of those that fail; REASON_OK: nobody does */
    uint8_t networks_up, networks_down; /* votes, one a network */
    uint8_t networks;                   /* that are known */
    uint8_t slow;                       /* enum plan_slow */
    uint64_t up, down;                  /* vantages by their vote */
    uint64_t lossy;  /* SLOW_LOSS: the vantages that lose them; 0: all of them do */
    uint64_t inside; /* vantages in the target's region, voting or not */
    usec_t own_since, finding_since;
    usec_t
        changed; /* when finding became what it is, which may be later than what it found began */
    usec_t undecided;                  /* since when too few vote; 0: enough do */
    uint32_t p50_us, p99_us, usual_us; /* this node's own; 0 = not known */
    uint32_t loss_ppm;                 /* of all vantages; while SLOW_LOSS */
};
enum plan_slow {
    SLOW_LOSS = 1,
    SLOW_BROWN_OUT = 2,
    SLOW_SEGMENTS = 4, /* with SLOW_LOSS: of TCP segments; else of probes */
};

/* What targets that fail together share (doc/verdicts.md). */
enum cause_kind { CAUSE_REGION, CAUSE_PROVIDER, CAUSE_NETWORK };
enum { CAUSE_KINDS = 3, PLAN_CAUSES_MAX = 16 };
struct plan_cause {
    uint32_t name;      /* text offset: of the region, the provider, the network */
    uint8_t kind;       /* enum cause_kind */
    uint8_t finding;    /* enum finding: the gravest of most of them */
    uint8_t far_reason; /* enum reason */
    uint8_t unused;
    uint32_t failing, count;   /* targets: that fail, that there are */
    uint32_t odds;             /* so many to one that it is no chance; saturating */
    uint64_t up, down, inside; /* vantages that reach most of them, that do not, that are inside */
    usec_t since;
};

/* A network that does not reach a target which is up for the others: clients near it are answered
 * without it (decide/locality.h). By rising target. */
enum { PLAN_DETOURS_MAX = 1024 };
struct plan_detour {
    uint32_t target;
    uint32_t vantage; /* the first of the network */
    usec_t since;
    usec_t until; /* a hold-down after the last moment at which it was seen to fail from there */
};

struct plan_endpoint {
    uint32_t name, region, provider; /* text offsets; PLAN_NONE where not said */
    uint32_t service;                /* the service it belongs to */
    uint32_t nested;                 /* the service it stands for, or PLAN_NONE */
    uint32_t target[IP_FAMILIES];    /* or PLAN_NONE */
    uint8_t admin;                   /* enum admin_state */
    uint8_t role;                    /* enum role */
    uint16_t weight;
    uint64_t capacity;
    uint32_t author, why; /* of the order behind admin: text offsets or PLAN_NONE */
    int64_t ordered_wall; /* seconds since 1970 */
    /* A nested endpoint has no target: what flags and `removed` say of one stands here, by family.
     */
    usec_t removed[IP_FAMILIES];
    uint8_t served; /* bits, 1 << family: in some answer now (set for every endpoint) */
    uint8_t held;   /* bits, 1 << family */
    uint8_t unused[6];
};

/* How the answers of one family came about. */
enum face_mode {
    FACE_ABSENT,    /* no endpoint has an address of this family: NODATA, by configuration */
    FACE_NORMAL,    /* healthy members answer */
    FACE_PREFERRED, /* fail open: as if all were healthy (L3) */
    FACE_LAST_GOOD, /* fail open: the set that was last healthy (L3) */
    FACE_NODATA,    /* all down, and the operator wants NODATA then */
    FACE_FALLBACK,  /* all down, and the operator wants a CNAME then */
};
enum { FACE_MODES = 6 };
const_function const char *face_mode_name(enum face_mode m);

struct plan_face {
    uint32_t choice;                 /* root; PLAN_NONE only when mode is FACE_ABSENT */
    uint32_t ttl;                    /* seconds, computed */
    uint8_t mode;                    /* enum face_mode */
    bool velocity_held;              /* L4 alarm: removals are being held back */
    uint32_t good_first, good_count; /* into goods: targets that answered when last healthy */
    usec_t since;                    /* when mode became what it is */
};

struct plan_service {
    uint32_t name;      /* text offset: presentation form, no trailing dot */
    uint32_t wire_name; /* text offset: lower-case wire form, ends with the root label */
    uint32_t zone;      /* index into files, or PLAN_NONE: only referred to by other services */
    uint32_t endpoint_first, endpoint_count;
    uint8_t policy, when_all_down;
    uint32_t ttl_max; /* seconds: of its faces, whatever happens */
    uint32_t signature_first,
        signature_count; /* into signatures; none where the zone is unsigned */
    struct plan_face faces[IP_FAMILIES];
};

enum choice_kind {
    CHOICE_ADDRESSES, /* addresses[first..first+count); at most `pick` of them are sent, from a
                         random start */
    CHOICE_WEIGHTED,  /* branches[first..): child with the first `weight_end` above random(total) */
    CHOICE_NETWORK,   /* branches[first + row of the client in files[map]); `otherwise` where no row
                       */
    CHOICE_NODATA,    /* nothing, knowingly: SOA in the authority section */
    CHOICE_CNAME,     /* the name at text offset `first`, wire form */
};

struct plan_choice {
    uint8_t kind;   /* enum choice_kind */
    uint8_t family; /* enum ip_family: of the records */
    uint16_t pick;  /* CHOICE_ADDRESSES: most records sent, > 0 */
    uint32_t first;
    uint32_t count;
    uint32_t total;     /* CHOICE_WEIGHTED: sum of weights, > 0 */
    uint32_t map;       /* CHOICE_NETWORK: index into files */
    uint32_t otherwise; /* CHOICE_NETWORK: a choice */
};

struct plan_branch {
    uint32_t weight_end; /* cumulative; 0 for CHOICE_NETWORK */
    uint32_t choice;
};

struct plan_address {
    uint32_t target;
    uint8_t bytes[16];
};

/* What a name server adds for DO (RFC 4035) to an answer that ends at a choice: every answer that
 * it can give has its signatures here, made ahead of time, one by each key that signs the zone: two
 * while its algorithm changes. Those of one service stand together, by rising choice; those of a
 * choice in the order of the keys. */
struct plan_signature {
    uint32_t service;
    uint32_t choice; /* CHOICE_ADDRESSES or CHOICE_CNAME */
    uint32_t offset; /* in signed_bytes: RRSIG rdata, `windows` times `length` bytes */
    uint16_t length;
    uint16_t windows; /* plan_windows() of the choice: one for each start of the addresses sent */
};
enum { PLAN_WINDOWS_MAX = UINT16_MAX, PLAN_SIGNERS_MAX = 8 /* of one answer */ };

/* Files that the plan reaches, named by the hash of their content; they live and die with it. */
enum plan_file_kind {
    PLAN_FILE_ZONE,
    PLAN_FILE_NETMAP,
    PLAN_FILE_HISTORY, /* a zone as transfers see it, an earlier version or one with its steered
                          names filled in; those of one zone stand together, the newest last */
    PLAN_FILE_ACCESS,  /* model/access.h; at most one */
};
enum { PLAN_FILE_KINDS = 4 };
/* What a name server does with a zone. */
enum plan_zone_state {
    PLAN_ZONE_CURRENT,
    PLAN_ZONE_STALE, /* answered, though past its time: the answer says so (RFC 8914, 3) */
    PLAN_ZONE_DARK,  /* not answered: SERVFAIL */
};
enum { PLAN_ZONE_STATES = 3 };
struct plan_file {
    uint8_t kind;    /* enum plan_file_kind */
    uint8_t state;   /* enum plan_zone_state; of zones alone */
    uint32_t name;   /* text offset: zone origin or what the netmap is of ("geo", "collections",
                        "latency") */
    uint32_t serial; /* zone: SOA serial */
    uint64_t hash;   /* checksum that the file's header carries */
};

struct plan {
    uint64_t generation; /* rises by one with every publication; 0 = none */
    usec_t made;         /* monotonic, of the boot `boot_id` */
    int64_t made_wall;   /* microseconds since 1970 */
    uint64_t boot_id;    /* tells whether monotonic times can be compared */
    uint64_t config_fingerprint;
    uint64_t intent_version;
    uint32_t node, site, network; /* text offsets */
    const struct plan_service *services;
    uint32_t service_count;
    const struct plan_endpoint *endpoints;
    uint32_t endpoint_count;
    const struct plan_target *targets;
    uint32_t target_count;
    const struct plan_view *views; /* as many as targets, or none */
    uint32_t view_count;
    const struct plan_vantage *vantages;
    uint32_t vantage_count;
    const struct plan_cause *causes;
    uint32_t cause_count;
    const struct plan_detour *detours;
    uint32_t detour_count;
    const struct plan_choice *choices;
    uint32_t choice_count;
    const struct plan_branch *branches;
    uint32_t branch_count;
    const struct plan_address *addresses;
    uint32_t address_count;
    const uint32_t *goods; /* target indices: last-good sets of all faces */
    uint32_t good_count;
    const struct plan_file *files;
    uint32_t file_count;
    const struct plan_signature *signatures;
    uint32_t signature_count;
    const uint8_t *signed_bytes;
    uint32_t signed_size;
    const char *text; /* NUL-terminated strings and wire names; offset 0 is "" */
    uint32_t text_size;
};

static inline const char *plan_text(const struct plan *p, uint32_t offset)
{
    return offset == PLAN_NONE ? "" : p->text + offset;
}

/* Is it a name that is told beside an address? That is endpoints[].target[address.family]. */
static inline bool plan_target_is_name(const struct plan *p, const struct plan_target *t)
{
    return p->text[t->hostname] != '\0';
}
/* The target of the name beside the address of this family, or PLAN_NONE. */
pure_function uint32_t plan_target_by_name(const struct plan *p, uint32_t endpoint,
                                           unsigned family);
/* "198.51.100.10", or the name. */
const char *plan_target_text(const struct plan *p, const struct plan_target *t,
                             char buffer[static IP_TEXT_MAX]);

/* The place of the same file in another plan. Plans list their files in one order, so it is looked
 * for around *at (begin with 0), which moves behind it; PLAN_NONE: it is not there, or far away. */
static inline uint32_t plan_file_find(const struct plan *p, uint32_t *at,
                                      const struct plan_file *file)
{
    enum { SHIFT = 8 }; /* so many may have come or gone since the last one that was found */
    if (*at < p->file_count && p->files[*at].hash == file->hash && p->files[*at].kind == file->kind)
        return (*at)++;
    for (uint32_t i = *at > SHIFT ? *at - SHIFT : 0; i < p->file_count && i <= *at + SHIFT; i++)
        if (p->files[i].hash == file->hash && p->files[i].kind == file->kind) {
            *at = i + 1;
            return i;
        }
    (*at)++;
    return PLAN_NONE;
}

/* How many sets of records a choice can answer with: all of its addresses, or `pick` of them from
 * each start, round the list. */
static inline uint32_t plan_windows(const struct plan_choice *c)
{
    return c->kind == CHOICE_ADDRESSES && c->pick < c->count ? c->count : 1;
}

/* The first of the signatures of this service's answers that end at `choice`, *ret_count of them,
 * one a key; NULL where there is none. Their original TTL is the service's ttl_max. */
static inline const struct plan_signature *plan_signatures(const struct plan *p, uint32_t service,
                                                           uint32_t choice, uint32_t *ret_count)
{
    uint32_t low = p->services[service].signature_first;
    uint32_t high = low + p->services[service].signature_count, end = high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (p->signatures[middle].choice < choice)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == end || p->signatures[low].choice != choice)
        return NULL;
    for (high = low + 1; high < end && p->signatures[high].choice == choice; high++)
        ;
    *ret_count = high - low;
    return &p->signatures[low];
}

/* RRSIG rdata, s->length bytes, for the answer that begins at address `start` of its choice. */
static inline const uint8_t *plan_signature_rdata(const struct plan *p,
                                                  const struct plan_signature *s, uint32_t start)
{
    return p->signed_bytes + s->offset + (size_t)(start < s->windows ? start : 0) * s->length;
}
