/* Everything that a configuration stands for, loaded and compiled: what control works with until
 * the next reload replaces it whole. */
#pragma once

#include "base/map.h"
#include "decide/decide.h"
#include "model/config.h"
#include "model/dnssec_keys_io.h"
#include "model/netmap_io.h"
#include "model/snapshot_io.h"
#include "model/target.h"
#include "model/zone_ledger.h"
#include <stdio.h>
#include <string.h>

enum {
    LOAD_PROBLEMS_MAX = 1 << 20,
    HISTORY_KEEP = 8,                  /* versions of a zone that IXFR can begin from */
    LOAD_OTHERS_MAX = NETMAP_KINDS + 1 /* files that are no zones: netmaps, keys and rules */
};

/* What a signed zone was signed with. */
struct loaded_keys {
    struct dnssec_keyring *ring; /* counted; NULL = the zone is not signed */
    uint32_t ttl_max;            /* seconds: the longest in the zone file */
    int64_t renew_at;            /* seconds since 1970: load again then; KEY_NEVER */
    uint32_t signatures_end;     /* seconds since 1970: when the first ends; 0 = not signed here */
    bool
        kept; /* the zone goes on as it was (keep_old): keys take no step, but sign steered names */
};

/* A steered name that an ALIAS record binds to a service of another name. */
struct loaded_alias {
    uint8_t *name; /* wire form, owned */
    uint32_t service;
};
struct loaded_aliases {
    struct loaded_alias *list; /* owned */
    uint32_t count;
    bool other; /* some record of the zone has its addresses from another zone, too */
};
struct form_answer; /* model/zone_form.h */

/* One zone: as it is now, and as transfers still know it. */
struct loaded_zone {
    struct plan_file file;
    struct plan_file form; /* PLAN_FILE_HISTORY; hash 0 = none: nothing in it is steered, or nobody
                              may have it */
    struct form_answer *answers; /* that the form was made of, by number of the service; owned;
                                    NULL: it has none */
    uint32_t answer_count;
    uint32_t text_serial; /* of what it was made from; 0 = not known */
    usec_t form_due;      /* not made anew before */
    bool form_stale;      /* they are not what it was made of */
    bool behind;          /* it could not be made and goes on as it was, for a reason that may pass:
                             the disk is full, say */
    struct loaded_keys keys;
    struct loaded_aliases aliases;
    struct plan_file versions[HISTORY_KEEP]; /* PLAN_FILE_HISTORY, the oldest first */
    unsigned version_count;
};

struct load_shared; /* prog/load_shared.h */

struct loaded {
    struct config *config;
    struct load_shared *shared; /* owned: what it was loaded with; NULL */
    struct arena arena;
    struct target *targets;
    uint32_t target_count;
    uint32_t own_zones;        /* the first so many are of the configuration, not of a catalog */
    uint32_t made;             /* zones that were compiled; the others were in the store already */
    struct loaded_zone *zones; /* in the order of the configuration */
    struct plan_file others[LOAD_OTHERS_MAX];
    const char *other_names[LOAD_OTHERS_MAX];
    uint32_t other_count;
    struct plan_file *files; /* of all of them: load_list() */
    const char **names;
    uint32_t file_count;
    int64_t renew_at; /* the first of the zones'; KEY_NEVER */
    struct netmap_bytes maps[NETMAP_KINDS];
    struct decide_files decide;
};

struct load_request {
    const char *path;           /* configuration file */
    struct load_shared *shared; /* what belongs to the configuration beside it; NULL: nothing.
                                   load_new() takes it over, also where it fails */
    const char *data;           /* the node's folder; NULL: check only, nothing is written */
    const struct loaded
        *current;              /* in use until now, and left alone meanwhile; NULL = none, then: */
    const struct plan *served; /* newest plan, for what zones were like; NULL = none */
    const char *const *accept_shrink; /* zones that may lose a third of their names (L3); "zones":
                                         there may be a third fewer of them */
    unsigned accept_shrink_count;
    struct zone_ledger *ledger; /* what was made before, and is noted now; NULL: all is made anew */
    const char *const *only;    /* zones to be made anew; of the others not even the times of files
                                   are looked at, if they are in the ledger */
    unsigned only_count;        /* 0: every zone whose files changed */
    bool fresh;                 /* every zone, changed or not */
    bool keep_old; /* at start: a zone that is refused goes on as it was, where there is a compiled
                      one (L1) */
};

/* Reads and checks a configuration alone; problems are printed to `out`. Free with config_free. */
must_check int load_config(const char *path, FILE *out, struct config **ret);

/* Loads everything. `problems` gets a line for each problem, also where `keep_old` lets the load
 * pass. On failure nothing that is in use was changed: 0, ERR_SYNTAX, ERR_INVALID, ERR_REFUSED (a
 * zone would shrink), -errno. */
must_check int load_new(const struct load_request *r, struct text *problems, struct loaded **ret);
/* Was this said with --accept-shrink? A zone's name, or "zones". */
static inline bool load_shrink_accepted(const struct load_request *r, const char *name)
{
    for (unsigned i = 0; i < r->accept_shrink_count; i++)
        if (!strcmp(r->accept_shrink[i], name))
            return true;
    return false;
}
void load_free(struct loaded *l);
/* A zone was refused with this error and goes on as it was: is it `behind`? */
const_function bool load_zone_behind(int err);
/* What was loaded is in service: keys that the world now sees start their lives. */
void load_commit(struct loaded *l);

struct zone_made;
/* Replaces one zone by what was made of it (prog/load_zone.h; its keys are taken over); what it was
 * until now becomes a version that transfers know. In service from now on. */
void load_zone_take(struct loaded *l, uint32_t zone, const struct zone_made *made);

/* ---- within load*.c ---- */

/* What was served until now, by zone: its file, and the versions that transfers know. */
struct load_served {
    const struct plan *plan; /* NULL = nothing was */
    struct map first;        /* name -> place in plan->files + 1 of its first file */
    uint32_t *next;          /* by place: place + 1 of the next one of that name; 0 = none */
};
/* Place + 1 of the first file of this zone; 0 = none. */
uint32_t load_served_first(const struct load_served *s, const char *name);

/* A zone by its name, which may well be the one of this number; NULL: there is none. */
const struct loaded_zone *load_zone_find(const struct loaded *l, uint32_t hint, const char *name);
/* One more file that is no zone; its place in the list of files. */
uint32_t load_other(struct loaded *l, enum plan_file_kind kind, const char *name, uint64_t hash);
/* Lists all files anew. */
void load_list(struct loaded *l);
