/* The control role's state: observe -> decide -> publish, on one libuv loop. The files beside this
 * one each do a part: control_load (configuration), control_publish (door one), control_order
 * (operators). */
#pragma once

#include "command/command_io.h"
#include "decide/decide.h"
#include "model/board.h"
#include "model/key_board.h"
#include "model/plan_sign.h"
#include "model/stats.h"
#include "observe/observe_io.h"
#include "prog/load_zone.h"
#include "prog/role.h"
#include <uv.h>

enum {
    BEAT_MS = 100,             /* plans are computed on this beat, whatever happened (L6) */
    FIRST_ROUND_MAX_MS = 5000, /* a node without any plan publishes after this at the latest */
    PUBLISH_RETRY_MS = 1000,
    BOARD_RETRY_MS = 2000,
    LOOK_EVERY_MS = 1000, /* is what was published still on disk? */
    LOOK_FILES = 64,      /* of the store, in turn, each time */
    LOOK_DAMAGED_MAX = 64,
    REPAIR_EVERY_S = 30,
};

struct publication {
    uv_work_t work;
    bool running, wanted; /* wanted: something changed since the newest publication began */
    usec_t retry_at;
    uint8_t *bytes; /* owned while running */
    size_t size;
    uint64_t generation;
    int err;
    struct plan_signer *signer;
    struct dnssec_keyring **rings; /* by file of the plan; counted while running */
    uint32_t ring_count;
    int64_t wall;              /* seconds since 1970 */
    struct plan_signed making; /* the worker's while running */
    struct plan_signed made;   /* of what was published last */
};

/* What was published and should be on disk. */
struct look {
    uv_work_t work;
    bool running;
    usec_t due;
    uint64_t generation; /* that should be there */
    uint32_t next;       /* file of the plan to begin with */
    struct plan_file files[LOOK_FILES];
    unsigned file_count;
    bool plan_lost;
    bool lost[LOOK_FILES]; /* of files */
    /* What the name server found to be damaged, and is still as it found it. */
    uint64_t damaged[LOOK_DAMAGED_MAX]; /* hashes of zones */
    unsigned damaged_count;
    usec_t repair_due; /* not before: what is wrong may come from what a zone is made of */
};

/* One zone that was made anew. */
struct remade {
    uint32_t zone;
    bool form;                   /* it goes on as it is, with another form */
    struct loaded_keys keys;     /* form: those in use, counted */
    struct form_answer *answers; /* of the newest plan, by number of the service; NULL = those of
                                    the form in use; owned */
    uint32_t answer_count;
    usec_t took;
    struct zone_made made;
    int err;
};

/* What an operator wants of a reload; owns the lists. */
struct reload_order {
    char **accept_shrink;
    unsigned accept_shrink_count;
    char **zones; /* only these are made anew */
    unsigned zone_count;
    bool fresh;  /* every zone is, changed or not */
    bool in_use; /* `zones` alone, as the configuration in use has them, whatever its file says */
};

struct reload {
    uv_work_t work;
    bool running;
    bool again;               /* another one follows, of the whole configuration, */
    struct reload_order then; /* with this accepted */
    bool loaded; /* the worker is done; what it made waits for updates that use the old one */
    struct reload_order order;
    struct load_shared *shared; /* the worker takes it over */
    struct loaded *next;  /* everything; or, where the configuration is the one in use: NULL, and */
    struct remade *zones; /* those that were named, order.zone_count of them; owned */
    struct text problems;
    int err;
    struct command_reply_to *reply_to; /* who asked; NULL = a signal */
    char *note;                        /* what is told on success instead of the counts; owned */
};

/* Zones that changed by themselves, made anew (control_zone.c). */
enum remake_wish { REMAKE_NOT, REMAKE_FORM, REMAKE_WHOLE };
enum { REMAKE_MAX = 64 /* zones of one round */ };
struct remake {
    uv_work_t work;
    bool running;
    bool made;            /* the worker is done; it waits for updates that use the old ones */
    bool unpublished;     /* versions of the last round wait for their plan */
    uint8_t *wanted;      /* enum remake_wish, by zone of the configuration */
    uint32_t wanted_size; /* of that */
    uint32_t wanted_count;
    usec_t again, again_due; /* pause before zones that are behind are tried again; when that is */
    struct remade zones[REMAKE_MAX];
    unsigned count;
    struct text problems;
};

struct control {
    const struct role_options *options;
    uv_loop_t loop;
    uv_timer_t beat;
    uv_poll_t stop;
    uv_signal_t hangup;
    int stop_fd;

    struct loaded *loaded;
    struct zone_ledger
        ledger;        /* whoever loads has it alone: the start, then one reload at a time */
    usec_t ledger_due; /* zones that were made alone are not noted on disk before */
    uint32_t epoch;    /* of the list of targets */
    struct intent intent;
    struct observer *observer;
    bool *paused;

    struct decider *decider;
    struct plan plan; /* newest; generation 0 before the first step */
    struct mapped
        start_file; /* the plan of the process before this one, until two steps were made */
    unsigned steps;
    struct sample *samples;
    size_t sample_count, sample_capacity;
    bool first_round; /* no plan was ever published: wait for verdicts */
    usec_t started, beat_due;
    uint64_t boot_id;

    struct publication publication;
    struct look look;
    struct key_board key_board; /* as it was written last */
    usec_t dnssec_due;          /* the keys and signatures of all zones are looked at again */
    struct reload reload;
    struct remake remake;
    bool forms_wait; /* some form is not what the plan answers */
    struct command_server *server;
    struct control_vantage *vantage;
    struct control_mesh *mesh;       /* NULL: this node is alone */
    usec_t mesh_due;                 /* when to look again whether that has changed */
    struct control_replica *replica; /* its part in deciding; NULL: it decides alone, or not yet */
    usec_t replica_due;              /* when to try again */
    unsigned overrides;              /* changes of this node alone that the intent holds */
    struct board board;
    bool has_board;
    usec_t board_due; /* without one: when to try again */
    struct stats_file stats;
};

/* control.c: the next beat comes at once; somebody waits for what changed. */
void control_beat_soon(struct control *c);
/* control_load.c: takes a loaded configuration into use: targets, epoch, board. */
void control_take(struct control *c, struct loaded *next);
/* Verdicts of this instant, for people. */
void control_board_beat(struct control *c, usec_t now);
/* Orders change what is probed (disabled endpoints are not). */
void control_targets(struct control *c);
/* Loads in a worker thread; takes the order's lists over; reply_to may be NULL. */
void control_reload(struct control *c, struct reload_order order,
                    struct command_reply_to *reply_to);
/* The worker's part of a reload that waited for zones under way. */
void control_reload_begin(struct control *c);
/* Takes what was loaded into use, once nobody needs what it replaces. */
void control_reload_end(struct control *c);
/* control_zone.c: the content of this zone is no longer what it was compiled from: it is made anew
 * and published, soon. Where it is refused it goes on as it was, and the log says why. */
void control_zone_changed(struct control *c, uint32_t zone);
/* For a worker: makes zones of the configuration that is in use; the first error. */
int control_zones_make(struct control *c, const struct load_request *request, struct remade *zones,
                       unsigned count, struct text *problems);
/* What was made is not wanted. */
void control_zone_drop(struct remade *z);
/* They take the place of what they were. How many are other than before. */
unsigned control_zones_made(struct control *c, struct remade *zones, unsigned count);
/* Notes it for the next round. */
void control_zone_wish(struct control *c, uint32_t zone, enum remake_wish wish);
/* control_form.c: forms of zones follow what the plan answers, soon, each at a bounded rate.
 * changed: the answers of this plan may differ from the one before. */
void control_forms(struct control *c, usec_t now, bool changed);
/* What the newest plan answers for the services that the form of a zone has, or for all of them,
 * since the zone may have other ALIAS records now: by number of the service, free(). NULL where
 * that is not known: the plan is of another configuration, or nobody may have the zone. */
struct form_answer *control_form_answers(const struct control *c, uint32_t zone, bool all,
                                         uint32_t *ret_count);
/* Starts the next round, where there is one and nothing is in its way. */
void control_zones_go(struct control *c);
/* Takes what was made into use, once nobody needs what it replaces. */
void control_zones_end(struct control *c);
/* A plan with all that was made is out. */
void control_zones_published(struct control *c);
/* Another configuration is in use: zones are numbered anew. old: the one before; NULL = none. */
void control_zones_take(struct control *c, const struct config *old);
/* Signatures and keys have their time: zones where it has come are made anew. */
void control_zones_renew(struct control *c);
/* Zones that could not be made, because the disk was full for one, are tried again. */
void control_zones_again(struct control *c, usec_t now);
/* control_publish.c: publishes what is newest, one at a time, in a worker thread. */
void control_publish(struct control *c, usec_t now);
/* Do signatures of steered names have to be made anew, whether answers change or not? */
bool control_publish_stale(const struct control *c);
/* control_look.c: is what was published still there? On a beat, in a worker thread. */
void control_look(struct control *c, usec_t now);
/* control_dnssec.c: counts signed zones and their keys for the metrics, and says loudly where
 * signatures are about to end. After each change of what is loaded. */
void control_dnssec_look(struct control *c);
void control_dnssec_beat(struct control *c, usec_t now);
/* An order about keys; replies, maybe after a reload. */
void control_dnssec(struct control *c, const struct command_result *wish, const char *author,
                    struct command_reply_to *to);
/* control_order.c: the operators' socket. */
int control_listen(struct control *c);
void control_reply(struct command_reply_to *to, int err, const char *message);
