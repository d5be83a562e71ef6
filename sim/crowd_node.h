/* One who looks, in virtual time: probes, own verdicts, the tables of the others, and a plan every
 * step. Who drives it owns time, network and disk: sim/crowd.c and sim/cluster_plan.c. */
#pragma once

#include "base/random.h"
#include "decide/decide.h"
#include "decide/slow.h"
#include "model/netmap.h"
#include "model/sample_turns.h"
#include "model/target.h"
#include "model/vantage.h"
#include "observe/schedule.h"

#define CROWD_WALL_START (INT64_C(1760918400) * USEC_PER_SEC)

enum { CROWD_TARGETS_MAX = 64 };

/* How one node fares with one target. */
struct crowd_way {
    uint8_t reason;    /* what a failing probe sees */
    unsigned permille; /* of probes that fail */
    unsigned slow;     /* percent: how long an answer takes, of what it takes in calm */
    unsigned drop;     /* permille of TCP segments that are lost, or their acknowledgement */
};

struct crowd_probe {
    bool running, pending; /* pending: fell due while the one before was running */
    struct sample sample;
};

struct crowd_node {
    struct config *config;
    struct intent intent;
    struct decider *decider;
    struct plan plan;
    struct vantages vantages;
    struct slow *slow;
    const struct slow_fact *facts;
    struct arena arena;
    struct target *targets;
    uint32_t target_count;
    uint64_t *identities;
    struct sample_turns turns;
    struct sample_entry *entries; /* of the newest slice: turns.slice of them */
    struct schedule schedule;
    struct crowd_probe *probes;
    struct sample *samples;
    size_t sample_count, sample_capacity;
    struct crowd_way ways[CROWD_TARGETS_MAX];
    usec_t clock; /* its monotonic clock less the crowd's time */
    usec_t phase; /* of its beats */
    uint64_t id, sequence;
    uint64_t boot, life; /* of its machine, of its process */
    bool silent;         /* its tables reach nobody */
    bool stopped;        /* it does nothing */
    bool late;           /* its prober is overloaded */
    bool dumb;           /* it has no resolver: what it probes by name gives no verdict */
    uint32_t downs;      /* verdicts "down" since the start */
};

/* A node's place: name, site, network. */
struct crowd_place {
    const char *node, *site, *network;
};

/* The node's configuration: `rest` but for `node`. */
struct config *crowd_config(const struct crowd_place *place, const char *rest)
    __attribute__((returns_nonnull));
/* The configuration, which has to stay, and all but id, boot, life, clock and phase: those are set
 * by who drives it. Its probes lie where chance puts them. */
void crowd_node_init(struct crowd_node *n, struct config *config, struct random *random);
void crowd_node_done(struct crowd_node *n);
/* Where its probes lie among those of others. */
void crowd_node_move(struct crowd_node *n, struct schedule_place place, usec_t time);
/* Probes begin and end until `time`; an answer takes base_us at least, as much again by chance. */
void crowd_node_probe(struct crowd_node *n, usec_t time, usec_t base_us, struct random *random);
/* A step on the samples since the last one. */
void crowd_node_step(struct crowd_node *n, const struct intent *intent,
                     const struct decide_files *files, usec_t time, int64_t wall,
                     struct decide_output *ret);
/* Makes the next slice of its table: the head; what it says is in n->entries. */
struct sample_head crowd_node_head(struct crowd_node *n, usec_t time, int64_t wall);
