/* A crowd of nodes that look at the same targets, each from its own place, in virtual time: every
 * node has its own clock, its own decider and its own sight, and tells the others what it sees in
 * real messages over links that take time and may be cut. Deterministic. */
#pragma once

#include "base/text.h"
#include "model/netmap_io.h"
#include "sim/crowd_node.h"

enum {
    CROWD_NODES_MAX = 8,
    CROWD_TICK_MS = 20,
    CROWD_BEAT_MS = 100,
};

struct crowd_message {
    usec_t due;
    uint32_t to;
    uint64_t from;
    size_t size;
    uint8_t bytes[SAMPLE_PART_SIZE_MAX];
};

/* For the checkers' own test: all nodes tell something else than they know. */
enum crowd_sabotage {
    SABOTAGE_NONE,
    SABOTAGE_SURE,  /* that they do not doubt themselves */
    SABOTAGE_NAMES, /* that each is in a network of its own */
};

struct crowd {
    struct crowd_node nodes[CROWD_NODES_MAX];
    uint32_t node_count, target_count;
    bool cut[CROWD_NODES_MAX][CROWD_NODES_MAX]; /* from, to */
    enum crowd_sabotage sabotage;
    struct decide_files files;
    struct plan_file list[NETMAP_KINDS + 1];
    const char *names[NETMAP_KINDS + 1];
    const struct netmap *views[NETMAP_KINDS + 1]; /* of these files; the zone has none */
    struct netmap_bytes maps[NETMAP_KINDS];
    struct random random;
    usec_t arrival[CROWD_NODES_MAX][CROWD_NODES_MAX]; /* of the newest message */
    usec_t time;
    usec_t base_us; /* what an answer takes in calm, at least; as much again by chance */
    struct crowd_message *messages;
    size_t message_count, message_capacity;
    uint64_t bytes; /* of all messages */
    struct text trace;
};

/* `rest`: the configuration but for `node`. */
void crowd_init(struct crowd *c, const struct crowd_place *places, uint32_t count, const char *rest,
                uint64_t seed);
void crowd_done(struct crowd *c);
/* Their wall clocks do not agree: where their probes lie is by chance. */
void crowd_clocks_apart(struct crowd *c);
void crowd_run(struct crowd *c, usec_t span);
/* All nodes' ways to a target, or one node's to all, or one's to one; UINT32_MAX is all. */
void crowd_ways(struct crowd *c, uint32_t node, uint32_t target, enum reason reason,
                unsigned permille);
void crowd_slow(struct crowd *c, uint32_t node, uint32_t target, unsigned percent);
void crowd_drop(struct crowd *c, uint32_t node, uint32_t target, unsigned permille);
/* Runs until every node that is not stopped has this verdict; the time it took, or -1 after `most`.
 */
usec_t crowd_until(struct crowd *c, uint32_t target, enum verdict_state state, usec_t most);
usec_t crowd_until_finding(struct crowd *c, uint32_t target, enum finding finding, usec_t most);
