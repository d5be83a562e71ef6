/* Door one in the simulation: each node plans on the intent that it holds and on what it and the
 * others see, publishes with the real publisher (model/snapshot_io.h) on a disk of ours, and a data
 * plane takes what is published with the real reader. */
#pragma once

#include "model/snapshot_io.h"
#include "sim/cluster.h"
#include "sim/crowd_node.h"

enum {
    PLAN_BEAT_MS = 500,
    PLAN_FILES_MAX = 24,
    PLAN_STEPS_MAX = 64,
    PLAN_NAME_SIZE = 64,
    PLAN_GENERATIONS_MAX = 1000,
    PLAN_TARGETS = 9,
};

/* ---- cluster_files.c: the folder behind door one ---- */

struct plan_entry {
    char name[PLAN_NAME_SIZE];
    char *data;
    size_t size;
    bool synced; /* a stop of the machine does not tear it */
};

struct plan_files {
    struct plan_entry list[PLAN_FILES_MAX];
    unsigned count;
};

/* What a writer does to the disk, one after the other. */
struct plan_write {
    enum plan_write_kind { WRITE_ASIDE, WRITE_SYNC, WRITE_RENAME, WRITE_NAMES, WRITE_REMOVE } kind;
    char name[PLAN_NAME_SIZE], to[PLAN_NAME_SIZE]; /* WRITE_NAMES: the folder */
    char *data;
    size_t size;
};

struct plan_folder {
    struct plan_files files; /* as everybody on this machine sees them */
    /* names that a stop of the machine may take back, the oldest first */
    struct plan_undo {
        char name[PLAN_NAME_SIZE];
        struct plan_entry before; /* data NULL: there was none */
    } undo[PLAN_STEPS_MAX];
    unsigned undo_count;
    struct plan_files ahead;                  /* as the writer at work sees them */
    struct plan_write writes[PLAN_STEPS_MAX]; /* that are still to happen */
    unsigned write_count;
    bool full, lies; /* lies: a file that is said to be synced is not */
    struct random *random;
};

/* Until the next call everything that seam/disk.h offers is about this folder; a writer's calls
 * happen later, one by one (plan_folder_go). */
void plan_folder_use(struct plan_folder *f, bool writes);
/* The next write happens; true: a plan got its name. */
bool plan_folder_go(struct plan_folder *f);
/* The writer stops: what has not happened does not; what was being written is there in part. */
void plan_folder_kill(struct plan_folder *f);
/* The machine stops too; how many names were taken back is added up, and files torn. */
void plan_folder_stop(struct plan_folder *f, unsigned *taken_back, unsigned *torn);
void plan_folder_wipe(struct plan_folder *f);
/* The plan with the highest name, as a writer sees it or as everybody does; NULL: there is none. */
struct plan_entry *plan_files_newest(struct plan_files *f);
/* A byte of a plan changes; false: there are not two. */
bool plan_folder_rot(struct plan_folder *f);

/* ---- the node's part ---- */

struct planner {
    char data[16]; /* another one in each run: the publisher remembers folders */
    struct crowd_node look;
    struct plan_folder folder;
    struct intent held, saved; /* saved: as DATA/intent.json has it */
    int64_t saved_ms;
    uint64_t followed; /* version of the intent that the members were taken from */
    struct mapped start_file;
    unsigned steps; /* of this process */
    bool first_round, wanted, publishing;
    int err;
    uint64_t publishing_generation;
    /* the data plane: another process on the same machine */
    struct mapped served_file;
    struct plan served;
    bool serves;
    /* what the checks remember */
    uint64_t confirmed; /* the newest generation that control knows to be on the disk */
    uint64_t newest;    /* the newest one that was served since the machine started */
    uint64_t rotten;    /* one of the plans is damaged until this generation; 0: none is */
    uint64_t made[PLAN_GENERATIONS_MAX]; /* hashes of plans, by generation */
    bool shown[PLAN_GENERATIONS_MAX];    /* served since the machine started */
};

/* The zone that all plans reach, and what a plan has to have of it. */
extern const struct decide_files planner_files;

/* cluster_serve.c */
/* Control begins to publish these bytes. */
void made_note(struct sim_node *n, uint64_t generation, const struct plan_entry *file);
void serve_stop(struct sim_node *n);
/* It has to answer, and from a plan that control made. */
void serve_check(struct sim_node *n);
/* No service without an answer, whatever the intent and the samples are. */
void plan_check(struct sim_node *n, const struct plan *p, const char *which);
