/* Decide: samples + intent -> verdicts -> plan. Pure: time is in the arguments, nothing is touched.
 *
 *   plan_step(previous plan, intent, samples, now) = next plan
 *
 * Every node computes its own plan with this function from the same inputs; no leader sits on the
 * failover path. */
#pragma once

#include "base/attr.h"
#include "model/intent.h"
#include "model/netmap.h"
#include "model/plan.h"
#include "model/sample.h"
#include "model/slow.h"
#include "model/vantage.h"

/* What changed against the previous plan; 0: only the newest samples' details. */
enum plan_change {
    PLAN_ANSWERS = 1,  /* some name may be answered differently: publish */
    PLAN_VERDICTS = 2, /* a state, admin state, flag or alarm changed: publish, for people */
};

/* The files and netmaps that a plan reaches; made when the configuration is loaded. */
struct decide_files {
    const struct plan_file *files; /* name: index into names below instead of a text offset */
    const char *const *names;
    uint32_t file_count;
    int geo, collections, latency, sites; /* indices into files, or CONFIG_NONE */
    const struct netmap *geo_map, *collections_map, *latency_map, *sites_map; /* or NULL */
};

/* A sentence for the log about one thing that the step decided. */
struct decide_event {
    enum {
        EVENT_VERDICT,
        EVENT_MODE,
        EVENT_VELOCITY,
        EVENT_FROZEN,
        EVENT_EXPIRY,
        EVENT_FINDING, /* of one target */
        EVENT_CAUSE,   /* of several that share something */
        EVENT_VANTAGE, /* of one who looks */
    } kind;
    uint32_t target;  /* index, or PLAN_NONE */
    uint32_t service; /* index */
    uint8_t family;
    char sentence[400]; /* "api.example.com/use1 198.51.100.10 is down: the connection was refused
                           (3 in a row)" */
};

/* Holds the arrays of the plans that it makes, and reuses them: the plan of one step is valid until
 * the next but one. */
struct decider;
must_check struct decider *decider_new(void);
void decider_free(struct decider *d);

struct decide_input {
    const struct plan *previous; /* NULL on the very first step */
    const struct intent *intent;
    const struct decide_files *files;
    const struct sample
        *samples; /* since the last step; targets by target_list() of intent->config */
    uint32_t sample_count;
    uint32_t epoch; /* of that list: other samples are ignored */
    /* Who else looks, by rising id; none: this node is alone, and its own samples decide. */
    uint64_t vantage; /* this node's number among them */
    const struct vantage *vantages;
    uint32_t vantage_count;
    const struct slow_fact *slow; /* of each target; NULL: nothing is measured */
    usec_t now;
    int64_t wall; /* microseconds since 1970: made_wall, certificate expiry */
    uint64_t boot_id;
};

struct decide_output {
    struct plan plan; /* generation = previous + 1 when changes != 0, else previous's */
    unsigned changes; /* enum plan_change */
    const struct decide_event *events; /* valid until the next step */
    uint32_t event_count;
};

/* Where previous was made under another configuration (fingerprint) or boot, verdicts are carried
 * over by service name, endpoint name and address, and times are re-based. Never fails: a plan
 * always exists (L3). */
void plan_step(struct decider *d, const struct decide_input *input, struct decide_output *ret);
