/* A whole cluster in virtual time: nodes with the real replica, libraft and intent; network, disks,
 * clocks and operators of our own. One seed, one run: everything random comes from it.
 *
 * A run is chaos for CLUSTER_CHAOS_MS, then everything is healed, and CLUSTER_HEAL_MS later all has
 * to be as it should be. What is checked, and where, stands in cluster_check.c. */
#pragma once

#include "base/map.h"
#include "base/random.h"
#include "base/text.h"
#include "model/intent.h"
#include "replica/replica.h"

enum {
    CLUSTER_NODES_MAX = 16, /* ever */
    CLUSTER_CHAOS_MS = 20000,
    CLUSTER_HEAL_MS = 8000,
    CLUSTER_FILES_MAX = 64,
    CLUSTER_OPS_MAX = 4000,
    CLUSTER_TERMS_MAX = 4096,
    CLUSTER_WHY_MAX = 4000,
    CLUSTER_UNDO_MAX = 256,
};

/* What the run is made worse by; each has to be noticed by a check. */
enum cluster_saboteur {
    SABOTEUR_NONE,
    SABOTEUR_LYING_DISK,     /* says that it has written, and forgets when the node stops */
    SABOTEUR_FORGOTTEN_VOTE, /* the votes of a node are gone after a restart */
    SABOTEUR_NO_RULES,       /* safety rules are not looked at */
    SABOTEUR_NO_TOKENS,      /* a retry is carried out again */
    SABOTEUR_OWN_CLOCK,      /* a node puts its own time into what it applies */
    SABOTEUR_EMPTY,          /* a plan leaves a service without an answer */
    SABOTEUR_TORN_PLAN,      /* a plan gets its name before it is on the disk */
    SABOTEUR_BLIND_READER,   /* the data plane does not look at what it takes */
    SABOTEUR_FORGOTTEN_PLAN, /* control begins anew without what it had published */
    SABOTEUR_STUBBORN,       /* a node plans on what was wanted first */
    SABOTEUR_HASTY,          /* damaged nodes begin anew without asking */
    SABOTEUR_COUNT,
};
const char *cluster_saboteur_name(enum cluster_saboteur s);

/* What happened in a run; a run of many seeds in which something never did is not worth much. */
enum cluster_seen {
#define SEEN(name, text) SEEN_##name,
#include "sim/cluster_seen.h"
#undef SEEN
    SEEN_COUNT
};
const char *cluster_seen_name(enum cluster_seen s);

/* ---- disk ---- */

struct sim_file {
    char name[40];
    char *data;
    size_t size;
    size_t newest; /* where the last write to it began */
};
struct sim_disk {
    struct sim_file files[CLUSTER_FILES_MAX];
    unsigned count;
    bool full;
    /* what was there before each write that a stop may take back */
    struct sim_undo {
        struct sim_file before; /* data NULL: there was no such file */
        char name[40];
        bool append;
    } undo[CLUSTER_UNDO_MAX];
    unsigned undo_count;
    bool recording; /* the worker writes */
    bool lies;
    unsigned *cut, *torn; /* counted: writes that a stop took back, and those it tore */
    struct random *random;
};
void sim_disk_port(struct sim_disk *d, struct replica_disk *ret);
/* The machine stops: of writes under way some are there, some torn, some not. */
void sim_disk_stop(struct sim_disk *d);
void sim_disk_wipe(struct sim_disk *d);
/* A byte changes that had been on the disk for some time; false: there is none. */
bool sim_disk_rot(struct sim_disk *d);
/* A worker's writes: they begin, they are made, it has heard that they are on the disk. */
void sim_disk_begin(struct sim_disk *d);
void sim_disk_written(struct sim_disk *d);
void sim_disk_end(struct sim_disk *d);

/* ---- nodes ---- */

struct cluster;
struct planner;
struct sim_node {
    struct cluster *cluster;
    uint64_t id;
    bool up, expelled, ruined; /* ruined: its disk can no longer be believed */
    bool halted;               /* as of its newest tick */
    uint64_t life;             /* counts starts: what was under way in another one is nothing */
    struct replica_port port;
    struct replica_machine machine;
    struct replica *replica;
    struct planner *planner; /* cluster_plan.h */
    struct intent intent;
    uint64_t chain; /* of all changes of the intent */
    struct sim_disk disk;
    int64_t wall_offset_ms;
    unsigned slow; /* times its worker takes longer */
    int64_t paused_until;
    char name[16];
};

enum sim_event_kind {
    EVENT_TICK,
    EVENT_MESSAGE,
    EVENT_WORKED,
    EVENT_FAULT,
    EVENT_OPERATOR,
    EVENT_PLAN,
    EVENT_TABLE,
    EVENT_DISK,  /* of the folder behind door one */
    EVENT_SERVE, /* something got its name there */
    EVENT_PATH,  /* what targets and plans suffer */
};
struct sim_event {
    int64_t at;
    uint64_t order;
    enum sim_event_kind kind;
    unsigned node;
    uint64_t life;
    uint64_t from;
    enum replica_channel channel;
    char *data;
    size_t size;
    struct replica_work *work;
};

/* ---- operators ---- */

struct sim_op {
    struct cluster *cluster;
    char token[24];
    char *request;
    int64_t asked_ms, told_ms; /* told: the first answer that it is done; 0: none */
    uint64_t version;          /* that the answer said; 0: it changed nothing, or was refused */
    bool under_way, done, refused, unsure;
    unsigned node; /* asked last */
};

struct cluster {
    uint64_t seed;
    enum cluster_saboteur saboteur;
    struct random network, faults, operators, world, paths; /* apart, so that one more of one kind
                                                        of event changes nothing of the others */
    int64_t now;
    struct sim_event *heap;
    size_t heap_count, heap_capacity;
    uint64_t order;
    struct sim_node nodes[CLUSTER_NODES_MAX];
    unsigned node_count;
    bool cut[CLUSTER_NODES_MAX][CLUSTER_NODES_MAX];
    unsigned delay_ms[CLUSTER_NODES_MAX][CLUSTER_NODES_MAX];
    int64_t arrived[CLUSTER_NODES_MAX][CLUSTER_NODES_MAX]; /* messages keep their order, mostly */
    unsigned loss_percent, disorder_percent, fault_every_ms;
    bool healed;
    struct sim_op ops[CLUSTER_OPS_MAX];
    unsigned op_count;
    struct sim_op *last; /* asked once all was healed; NULL: not yet */
    /* what the checks remember */
    uint64_t chains[CLUSTER_OPS_MAX + 100]; /* by version */
    uint64_t leaders[CLUSTER_TERMS_MAX];
    uint64_t trace; /* a hash of everything that happened */
    unsigned seen[SEEN_COUNT];
    struct text why; /* what is wrong; empty: nothing */
    bool talk;
};

/* Runs a seed; true: nothing is wrong. cluster_done() afterwards. */
bool cluster_run(struct cluster *c, uint64_t seed, enum cluster_saboteur saboteur, bool talk);
void cluster_done(struct cluster *c);
void cluster_wrong(struct cluster *c, const char *format, ...) printf_like(2, 3);
/* For people, with --talk. */
void cluster_say(const struct cluster *c, const char *format, ...) printf_like(2, 3);

/* cluster_node.c */
void node_start(struct sim_node *n);
void node_stop(struct sim_node *n, bool machine);
struct sim_node *node_add(struct cluster *c);
void sim_event_add(struct cluster *c, struct sim_event e);
struct sim_node *node_find(struct cluster *c, uint64_t id);
/* What is told over a link when there is one, and may be lost. */
void table_send(struct sim_node *n, uint64_t to, const void *data, size_t size);
/* Who shall belong to the cluster. */
unsigned cluster_members(const struct intent *intent, struct replica_member *ret, unsigned max);
void links_note(struct cluster *c, unsigned a, unsigned b);

/* cluster_plan.c */
void planner_new(struct sim_node *n);
void planner_free(struct sim_node *n);
void planner_start(struct sim_node *n);
void planner_stop(struct sim_node *n, bool machine);
void planner_beat(struct sim_node *n);
void planner_take(struct sim_node *n, uint64_t from, const char *data, size_t size);
void planner_disk(struct sim_node *n);
/* cluster_serve.c */
/* The data plane looks for a newer plan. */
void serve_look(struct sim_node *n);
/* All members choose alike. */
void plans_check(struct cluster *c, const struct sim_node *best);
/* Something happens to a target, a way to it, or a plan. */
void cluster_path(struct cluster *c);
void cluster_path_heal(struct cluster *c);

/* cluster_operator.c */
void cluster_operate(struct cluster *c);
/* Everybody is there, and three or more vote: a disk may be lost. */
bool cluster_is_calm(struct cluster *c);
/* What this node knows of that one as a member; NULL: it is none. */
const struct intent_object *cluster_member(const struct sim_node *n, uint64_t id);
void op_submit(struct sim_op *op, unsigned node);
struct sim_op *op_new(struct cluster *c, const char *format, ...) printf_like(2, 3);
void operator_found(struct intent *intent, struct random *random);

/* cluster_check.c */
uint64_t chain_add(uint64_t chain, const struct intent_change *change);
uint64_t chain_of(const struct intent *intent);
/* A node applied something. */
void check_applied(struct sim_node *n, const struct intent *before);
void check_leaders(struct cluster *c);
void check_end(struct cluster *c);
